//! Speech of flite and espeak-ng, and what Praat measures in it (`tests/fixtures/make.py`).

use std::path::PathBuf;

/// Silence around an utterance, samples: before, after.
const LEAD: usize = 4_800;
const TAIL: usize = 8_000;

/// A spoken sentence.
pub(super) struct Utterance {
    /// With silence around it.
    pub(super) pcm: Vec<i16>,
    /// Syllables by the synthesiser's own phones.
    pub(super) syllables: u32,
    /// Speech without the pauses in it, ms.
    pub(super) speech_ms: u32,
}

/// Praat's pitch (0: unvoiced) and level of each 10 ms.
pub(super) struct Praat {
    pub(super) f0: Vec<f64>,
    pub(super) dbfs: Vec<f64>,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn wav(name: &str) -> Vec<i16> {
    hound::WavReader::open(path(name)).unwrap().into_samples().map(Result::unwrap).collect()
}

#[expect(clippy::disallowed_methods, reason = "the fixtures are files")]
fn rows(name: &str) -> Vec<Vec<String>> {
    let text = std::fs::read_to_string(path(&format!("tests/fixtures/{name}.tsv"))).unwrap();
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Speech that sounds as usual all the time (`tests/fixtures/neutral.py`), from G.711's mu-law.
#[expect(clippy::disallowed_methods, reason = "the fixtures are files")]
pub(super) fn usual(name: &str) -> Vec<i16> {
    let expand = |byte: &u8| {
        let byte = i32::from(!byte);
        let amount = ((((byte & 0x0F) << 3) + 132) << ((byte >> 4) & 0x07)) - 132;
        (if byte & 0x80 == 0 { amount } else { -amount }) as i16
    };
    std::fs::read(path(&format!("tests/fixtures/{name}.ulaw"))).unwrap().iter().map(expand).collect()
}

/// The demo's recording: flite's voice rms, ten sentences.
pub(super) fn welcome() -> Vec<i16> {
    wav("../../samples/welcome.wav")
}

/// The utterances of `flite-slt`, `espeak` or `whisper`.
pub(super) fn utterances(kind: &str) -> Vec<Utterance> {
    let speech = wav("tests/fixtures/speech.wav");
    let of = |row: &Vec<String>| {
        let number = |n: usize| row[n].parse::<u32>().unwrap();
        let (begin, length) = (number(1) as usize, number(2) as usize);
        let pcm = [&[0; LEAD], &speech[begin..begin + length], &[0; TAIL]].concat();
        Utterance { pcm, syllables: number(3), speech_ms: number(4) }
    };
    rows("utterances").iter().filter(|row| row[0] == kind).map(of).collect()
}

/// Syllables and ms of speech of each sentence of the demo's recording.
pub(super) fn welcome_syllables() -> Vec<(u32, u32)> {
    let rows = rows("utterances");
    let of = |row: &Vec<String>| (row[3].parse().unwrap(), row[4].parse().unwrap());
    rows.iter().filter(|row| row[0] == "welcome").map(of).collect()
}

/// What Praat measured in all utterances of a kind, one after the other with their silence, or in `welcome`.
pub(super) fn praat(kind: &str) -> Praat {
    let rows = rows(&format!("praat-{kind}"));
    let column = |n: usize| rows.iter().map(|row| row[n].parse().unwrap()).collect();
    Praat { f0: column(0), dbfs: column(1) }
}
