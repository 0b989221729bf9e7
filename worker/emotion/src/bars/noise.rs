//! Noise that is the same each time.

/// A small generator (splitmix64).
pub(super) struct Chance(pub(super) u64);

impl Chance {
    /// Evenly from −1 to 1.
    pub(super) fn even(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    }
}

/// Pink noise of about unit strength (Kellet's filter).
pub(super) fn pink(len: usize, seed: u64) -> Vec<f64> {
    const POLES: [(f64, f64); 6] = [
        (0.998_86, 0.055_517_9),
        (0.993_32, 0.075_075_9),
        (0.969_00, 0.153_852_0),
        (0.866_50, 0.310_485_6),
        (0.550_00, 0.532_952_2),
        (-0.761_6, -0.016_898_0),
    ];
    let (mut chance, mut state, mut before) = (Chance(seed), [0.0; 6], 0.0);
    (0..len)
        .map(|_| {
            let white = chance.even();
            for (state, (pole, gain)) in state.iter_mut().zip(POLES) {
                *state = pole * *state + white * gain;
            }
            let out = state.iter().sum::<f64>() + before + white * 0.536_2;
            before = white * 0.115_926;
            out
        })
        .collect()
}

/// Root mean square.
pub(super) fn rms(of: &[f64]) -> f64 {
    (of.iter().map(|x| x * x).sum::<f64>() / of.len() as f64).sqrt()
}

/// Pink noise added, so many dB below the whole of the recording.
pub(super) fn with_noise(pcm: &[f64], snr_db: f64, seed: u64) -> Vec<f64> {
    let noise = pink(pcm.len(), seed);
    let gain = rms(pcm) / rms(&noise) * 10.0_f64.powf(-snr_db / 20.0);
    pcm.iter().zip(&noise).map(|(x, n)| x + n * gain).collect()
}
