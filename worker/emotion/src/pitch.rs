//! Candidates for the pitch of one window: peaks of the autocorrelation, divided by the window's own (Boersma 1993).

/// Lowest pitch, Hz.
pub(crate) const FLOOR_HZ: f32 = 65.0;
/// Highest pitch, Hz.
pub(crate) const CEILING_HZ: f32 = 600.0;
/// Candidates that are kept.
pub(crate) const MOST: usize = 8;
/// How much an octave further down costs, so that a period is preferred to two.
const OCTAVE_COST: f32 = 0.03;
/// A peak below this is not worth tracking.
const LEAST_STRENGTH: f32 = 0.2;
const RATE_HZ: f32 = 16_000.0;

/// One pitch that the window may have.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Candidate {
    pub(crate) hz: f32,
    /// Height of the peak less the octave cost.
    pub(crate) strength: f32,
}

/// The strongest candidates, unordered.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Candidates {
    all: [Candidate; MOST],
    len: usize,
}

impl Candidates {
    pub(crate) fn as_slice(&self) -> &[Candidate] {
        &self.all[..self.len]
    }

    /// Keeps the candidate when it is among the strongest.
    fn offer(&mut self, candidate: Candidate) {
        if self.len < MOST {
            self.all[self.len] = candidate;
            self.len += 1;
            return;
        }
        let weakest = (0..MOST).min_by(|a, b| self.all[*a].strength.total_cmp(&self.all[*b].strength));
        if let Some(weakest) = weakest.map(|n| &mut self.all[n])
            && weakest.strength < candidate.strength
        {
            *weakest = candidate;
        }
    }
}

/// Peaks of the autocorrelation, which is not scaled; the correction divides out the window.
pub(crate) fn candidates(correlation: &[f32], correction: &[f32]) -> Candidates {
    let mut found = Candidates::default();
    let energy = correlation.first().copied().unwrap_or(0.0);
    // Less than a quarter of the least step of 16 bits is rounding, which may look periodic.
    if !energy.is_finite() || energy <= 1e-5 {
        return found;
    }
    let r = |lag: usize| correlation[lag] * correction[lag] / energy;
    let shortest = (RATE_HZ / CEILING_HZ) as usize;
    let longest = ((RATE_HZ / FLOOR_HZ).ceil() as usize).min(correction.len() - 2);
    let (mut before, mut here) = (r(shortest - 1), r(shortest));
    for lag in shortest..=longest {
        let after = r(lag + 1);
        if here > before && here >= after && here > LEAST_STRENGTH {
            let (offset, height) = parabola(before, here, after);
            let hz = RATE_HZ / (lag as f32 + offset);
            if (FLOOR_HZ..=CEILING_HZ).contains(&hz) {
                let strength = height.min(1.0 / height) - OCTAVE_COST * (FLOOR_HZ / hz).log2();
                found.offer(Candidate { hz, strength });
            }
        }
        (before, here) = (here, after);
    }
    found
}

/// Where the parabola through three equally spaced points has its top, from the middle one, and how high it is there.
fn parabola(before: f32, here: f32, after: f32) -> (f32, f32) {
    let curve = before - 2.0 * here + after;
    if curve >= 0.0 {
        return (0.0, here);
    }
    let offset = 0.5 * (before - after) / curve;
    (offset, here - 0.25 * (before - after) * offset)
}
