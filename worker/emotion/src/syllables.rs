//! Syllable nuclei: peaks of the level between 250 and 3500 Hz that stand out of their surroundings (after De Jong & Wempe).

use crate::frame::Frame;

/// A nucleus stands so far out of the dips beside it, dB.
const DIP_DB: f32 = 2.0;
/// Frames over which the level is smoothed.
const SMOOTH: usize = 5;
/// A peak that the stretch ends after, without a dip, counts when it is so many frames back.
const SETTLED: usize = 3;

/// Counts the voiced nuclei of the frames. `before` are the frames just before them, so that a syllable that began there is not
/// counted twice.
pub(crate) fn nuclei<'a>(
    before: impl Iterator<Item = &'a Frame> + Clone,
    frames: impl Iterator<Item = &'a Frame> + Clone,
) -> usize {
    let lead = before.clone().count();
    let mut seeker = Seeker::default();
    let mut window = [0.0_f32; SMOOTH];
    let mut voiced = [false; SMOOTH];
    let mut at = 0;
    let last = frames.clone().last();
    // The smoothing looks two frames ahead; the last level stands for what follows.
    let tail = std::iter::repeat_n(last, SMOOTH / 2).flatten();
    for frame in before.chain(frames).chain(tail) {
        if at == 0 {
            window.fill(frame.band);
        }
        window.rotate_left(1);
        voiced.rotate_left(1);
        window[SMOOTH - 1] = frame.band;
        voiced[SMOOTH - 1] = frame.is_voiced();
        at += 1;
        if at > SMOOTH / 2 {
            let level = window.iter().sum::<f32>() / SMOOTH as f32;
            let place = at - 1 - SMOOTH / 2;
            seeker.take(place, level, voiced[SMOOTH / 2], lead);
        }
    }
    seeker.finish(lead)
}

/// Follows the level and finds the tops between dips.
#[derive(Debug, Default)]
struct Seeker {
    lowest: Option<f32>,
    top: Option<Top>,
    count: usize,
    places: usize,
}

#[derive(Debug, Clone, Copy)]
struct Top {
    place: usize,
    level: f32,
    voiced: bool,
}

impl Seeker {
    fn take(&mut self, place: usize, level: f32, voiced: bool, lead: usize) {
        self.places = place;
        let lowest = *self.lowest.get_or_insert(level);
        match self.top {
            Some(top) if level > top.level => self.top = Some(Top { place, level, voiced }),
            Some(top) if level < top.level - DIP_DB => {
                self.count += usize::from(top.voiced && top.place >= lead);
                self.top = None;
                self.lowest = Some(level);
            }
            Some(_) => {}
            None if level > lowest + DIP_DB => self.top = Some(Top { place, level, voiced }),
            None => self.lowest = Some(lowest.min(level)),
        }
    }

    fn finish(&self, lead: usize) -> usize {
        let open = self.top.is_some_and(|t| t.voiced && t.place >= lead && t.place + SETTLED <= self.places);
        self.count + usize::from(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::tests::voiced;

    fn hills(count: usize, depth: f32) -> Vec<Frame> {
        let level = |n: usize| -30.0 - depth * (0.5 + 0.5 * (n as f32 / 20.0 * std::f32::consts::TAU).cos());
        (0..count * 20).map(|n| Frame { band: level(n), ..voiced(120.0) }).collect()
    }

    #[test]
    fn every_hill_of_the_level_is_a_syllable_and_a_ripple_is_none() {
        assert_eq!(nuclei([].iter(), hills(7, 8.0).iter()), 7);
        assert_eq!(nuclei([].iter(), hills(7, 1.0).iter()), 0);
    }

    #[test]
    fn a_hill_without_voice_is_no_syllable() {
        let unvoiced: Vec<_> = hills(5, 8.0).into_iter().map(|f| Frame { f0: 0.0, ..f }).collect();
        assert_eq!(nuclei([].iter(), unvoiced.iter()), 0);
    }

    #[test]
    fn a_syllable_on_the_border_of_two_stretches_counts_once() {
        let frames = hills(6, 8.0);
        for cut in 20..100 {
            let first = nuclei([].iter(), frames[..cut].iter());
            let second = nuclei(frames[cut.saturating_sub(10)..cut].iter(), frames[cut..].iter());
            assert!((5..=6).contains(&(first + second)), "{cut}: {first} + {second}");
        }
    }
}
