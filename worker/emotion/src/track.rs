//! Pitch through time: the cheapest path through the candidates, decided with a short fixed delay (Boersma 1993, Viterbi).

use crate::front::Raw;
use crate::pitch::MOST;

/// Frames between a frame and its decision.
pub(crate) const LAG: usize = 7;
/// Nodes of a frame: the candidates and "unvoiced".
const NODES: usize = MOST + 1;
/// Strength of "unvoiced".
const VOICING_THRESHOLD: f32 = 0.45;
/// Share of the usual peak below which a frame is silent.
const SILENCE_THRESHOLD: f32 = 0.03;
/// Cost of an octave's jump.
const JUMP_COST: f32 = 0.35;
/// Cost of beginning or ending phonation.
const SWITCH_COST: f32 = 0.14;
/// The usual peak fades so much per frame: to a half in 3 s, so that a change of gain is soon forgotten.
const PEAK_FADE: f32 = 0.997_69;

#[derive(Debug, Clone, Copy, Default)]
struct Node {
    /// 0 for "unvoiced".
    hz: f32,
    octaves: f32,
    score: f32,
    /// The best node of the frame before.
    back: u8,
}

#[derive(Debug, Clone, Copy)]
struct Column {
    nodes: [Node; NODES],
    len: usize,
    raw: Raw,
}

/// The path so far.
#[derive(Debug)]
pub(crate) struct Track {
    columns: [Option<Column>; LAG + 1],
    usual_peak: f32,
}

impl Track {
    pub(crate) fn new() -> Self {
        Self { columns: [None; LAG + 1], usual_peak: 0.0 }
    }

    /// Forgets the path.
    pub(crate) fn clear(&mut self) {
        self.columns = [None; LAG + 1];
    }

    /// Takes the next frame; decides the pitch (0: unvoiced) of the one some frames before it.
    pub(crate) fn take(&mut self, raw: Raw) -> Option<(Raw, f32)> {
        self.usual_peak = (self.usual_peak * PEAK_FADE).max(raw.peak);
        let column = self.column(raw);
        self.columns.rotate_left(1);
        self.columns[LAG] = Some(column);
        self.decide()
    }

    fn column(&self, raw: Raw) -> Column {
        let mut column = Column { nodes: [Node::default(); NODES], len: 1, raw };
        column.nodes[0].score = self.unvoiced_strength(raw.peak);
        for candidate in raw.candidates.as_slice() {
            column.nodes[column.len] =
                Node { hz: candidate.hz, octaves: candidate.hz.log2(), score: candidate.strength, back: 0 };
            column.len += 1;
        }
        if let Some(before) = &self.columns[LAG] {
            for node in &mut column.nodes[..column.len] {
                link(node, &before.nodes[..before.len]);
            }
        }
        // Only differences matter: without this the scores would grow for ever.
        let best = column.nodes[..column.len].iter().fold(f32::MIN, |best, node| best.max(node.score));
        column.nodes[..column.len].iter_mut().for_each(|node| node.score -= best);
        column
    }

    fn unvoiced_strength(&self, peak: f32) -> f32 {
        if self.usual_peak <= 0.0 {
            return VOICING_THRESHOLD + 2.0;
        }
        let quiet = 2.0 - peak / self.usual_peak * (1.0 + VOICING_THRESHOLD) / SILENCE_THRESHOLD;
        VOICING_THRESHOLD + quiet.max(0.0)
    }

    fn decide(&self) -> Option<(Raw, f32)> {
        let oldest = self.columns[0].as_ref()?;
        let newest = self.columns[LAG].as_ref()?;
        let nodes = &newest.nodes[..newest.len];
        let mut at = (0..nodes.len()).max_by(|a, b| nodes[*a].score.total_cmp(&nodes[*b].score))?;
        for column in self.columns[1..].iter().rev().flatten() {
            at = usize::from(column.nodes[at].back);
        }
        Some((oldest.raw, oldest.nodes[at].hz))
    }
}

/// Adds the best way into a node to its score.
fn link(node: &mut Node, before: &[Node]) {
    let mut best = (0_u8, f32::MIN);
    for (n, from) in (0_u8..).zip(before) {
        let cost = match (from.hz > 0.0, node.hz > 0.0) {
            (true, true) => JUMP_COST * (from.octaves - node.octaves).abs(),
            (false, false) => 0.0,
            (true, false) | (false, true) => SWITCH_COST,
        };
        if from.score - cost > best.1 {
            best = (n, from.score - cost);
        }
    }
    node.back = best.0;
    node.score += best.1;
}
