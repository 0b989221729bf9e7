//! How one segment is told: each result of it anew, except for what was told as stable.

use crate::switches::{Misbehaviour, Switches};
use crate::wire::{Item, ms};
use fastrand::Rng;
use std::collections::BTreeMap;

/// How often each misbehaviour has occurred.
pub type Counts = BTreeMap<Misbehaviour, u64>;

/// What decides.
#[derive(Debug, Clone)]
pub(crate) struct Dice {
    pub(crate) switches: Switches,
    pub(crate) rng: Rng,
    pub(crate) counts: Counts,
}

impl Dice {
    /// Whether to misbehave now.
    pub(crate) fn fall(&mut self, what: Misbehaviour) -> bool {
        let rate = self.switches.rate(what);
        rate > 0.0 && self.rng.f64() < rate
    }

    /// It has.
    pub(crate) fn count(&mut self, what: Misbehaviour) {
        *self.counts.entry(what).or_default() += 1;
    }

    /// Whether to, counted.
    pub(crate) fn does(&mut self, what: Misbehaviour) -> bool {
        let does = self.fall(what);
        if does {
            self.count(what);
        }
        does
    }
}

/// An item to be told, with the times of the kind result.
#[derive(Debug, Clone)]
struct Piece {
    item: Item,
    /// Whether it may become another word: not the second half of one, and not what was changed already.
    whole: bool,
}

impl From<Item> for Piece {
    fn from(item: Item) -> Self {
        Self { whole: item.is_word(), item }
    }
}

/// So many items of the kind result, which are told as these and become stable together.
#[derive(Debug, Clone)]
struct Group {
    takes: usize,
    pieces: Vec<Piece>,
    stable: bool,
}

/// One segment, so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Telling {
    /// What was told as stable, as it was told.
    frozen: Vec<Piece>,
    /// So many items of the kind result are in it.
    consumed: usize,
    /// Items of the last telling.
    told: usize,
}

/// What of the kind result counts as stable in this telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// What it says.
    Partial,
    /// Everything, in a partial: its final may be empty.
    Settling,
    /// Everything.
    Final,
}

impl Telling {
    /// The items of this telling.
    pub(crate) fn tell(&mut self, kind: &[Item], mode: Mode, dice: &mut Dice) -> Vec<Item> {
        self.contradict(dice);
        let fresh = kind.get(self.consumed..).unwrap_or_default();
        let mut groups = group(fresh, mode, dice);
        revise(&mut groups, dice);
        move_marks(&mut groups, mode, dice);
        let whole = self.frozen.len() + groups.iter().map(|group| group.pieces.len()).sum::<usize>();
        let keep = if mode == Mode::Partial { self.shrunk(whole, dice) } else { whole };
        let mut pieces = self.frozen.clone();
        let (mut settled, mut frozen) = (true, pieces.len());
        for group in groups {
            settled &= group.stable && pieces.len() + group.pieces.len() <= keep;
            pieces.extend(group.pieces);
            if settled {
                self.consumed += group.takes;
                frozen = pieces.len();
            }
        }
        self.frozen = pieces[..frozen].to_vec();
        let told = pieces.into_iter().take(keep).enumerate();
        let mut items: Vec<Item> = told.map(|(at, piece)| flagged(piece.item, at < frozen)).collect();
        self.told = items.len();
        retime(&mut items, dice);
        items
    }

    fn contradict(&mut self, dice: &mut Dice) {
        for piece in self.frozen.iter_mut().filter(|piece| piece.whole) {
            if dice.fall(Misbehaviour::Contradict) && change(&mut piece.item.content, CONTRADICTED) {
                piece.whole = false;
                dice.count(Misbehaviour::Contradict);
            }
        }
    }

    /// How many items a partial has: fewer than the last one, if it shrinks.
    fn shrunk(&self, whole: usize, dice: &mut Dice) -> usize {
        let stable = self.frozen.len();
        let least = stable.max(1);
        if stable > 1 && dice.does(Misbehaviour::ShrinkStable) {
            return dice.rng.usize(1..stable);
        }
        if self.told > least && dice.does(Misbehaviour::Shrink) {
            return dice.rng.usize(least..self.told).min(whole);
        }
        whole
    }
}

fn flagged(item: Item, stable: bool) -> Item {
    Item { stable: item.stable.map(|_| stable), ..item }
}

/// The items in their groups; words may be merged and split.
fn group(fresh: &[Item], mode: Mode, dice: &mut Dice) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut at = 0;
    while let Some(item) = fresh.get(at) {
        let stable = |item: &Item| mode != Mode::Partial || item.stable == Some(true);
        let next = fresh.get(at + 1).filter(|next| item.is_word() && next.is_word());
        let group = match next {
            Some(next) if dice.does(Misbehaviour::Merge) => {
                let content = format!("{}{}", item.content, next.content);
                let merged = Item { content, end_time: next.end_time, ..item.clone() };
                Group { takes: 2, pieces: vec![merged.into()], stable: stable(item) && stable(next) }
            }
            Some(_) | None => {
                let halves = if item.is_word() && dice.fall(Misbehaviour::Split) { halves(item) } else { None };
                if halves.is_some() {
                    dice.count(Misbehaviour::Split);
                }
                Group { takes: 1, pieces: halves.unwrap_or_else(|| vec![item.clone().into()]), stable: stable(item) }
            }
        };
        at += group.takes;
        groups.push(group);
    }
    groups
}

/// A word as two, in the middle.
fn halves(item: &Item) -> Option<Vec<Piece>> {
    let middle =
        item.content.char_indices().nth(item.content.chars().count() / 2).map(|(at, _)| at).filter(|at| *at > 0)?;
    let (left, right) = item.content.split_at(middle);
    let time = item.start_time.zip(item.end_time).map(|(start, end)| f64::midpoint(start, end));
    let left = Item { content: left.to_owned(), end_time: time, ..item.clone() };
    let right = Item { content: right.to_owned(), start_time: time, ..item.clone() };
    Some(vec![left.into(), Piece { item: right, whole: false }])
}

fn revise(groups: &mut [Group], dice: &mut Dice) {
    for group in groups.iter_mut().filter(|group| !group.stable) {
        for piece in group.pieces.iter_mut().filter(|piece| piece.whole) {
            if dice.fall(Misbehaviour::Revise) && change(&mut piece.item.content, REVISED) {
                dice.count(Misbehaviour::Revise);
            }
        }
    }
}

/// A mark changes places with the word before or behind it, and both are told as one: they become stable together. The
/// mark at the end of a final stays.
fn move_marks(groups: &mut Vec<Group>, mode: Mode, dice: &mut Dice) {
    let is_mark =
        |group: Option<&Group>| group.is_some_and(|group| group.pieces.last().is_some_and(|last| !last.item.is_word()));
    let mut at = 1;
    while at < groups.len() {
        let (before, after) = (at.checked_sub(2).and_then(|n| groups.get(n)), groups.get(at + 1));
        let two_after = groups.get(at + 2);
        let is_last = after.is_none();
        let open = is_mark(groups.get(at)) && groups[at].pieces.len() == 1 && !groups[at - 1].pieces.is_empty();
        let left = before.is_some() && !is_mark(before) && !is_mark(groups.get(at - 1));
        let right = after.is_some() && !is_mark(after) && !is_mark(two_after);
        if !open || (is_last && mode != Mode::Partial) || !(left || right) || !dice.does(Misbehaviour::MovePunctuation)
        {
            at += 1;
            continue;
        }
        let to_the_right = right && (!left || dice.rng.bool());
        let (first, second) = if to_the_right { (at, at + 1) } else { (at - 1, at) };
        let other = groups.remove(second);
        let one = std::mem::replace(&mut groups[first], other);
        let joined = &mut groups[first];
        joined.takes += one.takes;
        joined.stable &= one.stable;
        joined.pieces.extend(one.pieces);
        at = first + 2;
    }
}

/// Times move; begins do not go back. A mark has the time of the end of its word, and some items have no times.
fn retime(items: &mut [Item], dice: &mut Dice) {
    let (mut least, mut before) = (0, 0);
    for item in items {
        if let Some((start, end)) = item.start_time.zip(item.end_time) {
            let (start, end) = if item.is_word() { (moved(start, dice), moved(end, dice)) } else { (before, before) };
            let start = start.max(least);
            (least, before) = (start, end.max(start));
            (item.start_time, item.end_time) = (Some(crate::wire::seconds(start)), Some(crate::wire::seconds(before)));
        }
        if dice.does(Misbehaviour::Timeless) {
            (item.start_time, item.end_time) = (None, None);
        }
    }
}

fn moved(seconds: f64, dice: &mut Dice) -> u64 {
    let by = dice.switches.retime_ms;
    if by == 0 || !dice.does(Misbehaviour::Retime) {
        return ms(seconds);
    }
    (ms(seconds) + dice.rng.u64(0..=2 * by)).saturating_sub(by)
}

/// How far a letter moves in its alphabet, in a word that is taken for another one while it is not stable.
pub(crate) const REVISED: u32 = 1;
/// The same, in a word that was stable.
pub(crate) const CONTRADICTED: u32 = 2;

/// Makes another word of it: its first letter is an earlier one of the alphabet. False for what has no such letter.
fn change(content: &mut String, by: u32) -> bool {
    let Some(first) = content.chars().next() else { return false };
    let Some(other) = letter(first, by) else { return false };
    content.replace_range(..first.len_utf8(), other.encode_utf8(&mut [0; 4]));
    true
}

/// The letter so many before this one.
pub(crate) fn letter(of: char, by: u32) -> Option<char> {
    let code = u32::from(of);
    let round = |first: char| char::from_u32(u32::from(first) + (code - u32::from(first) + 26 - by) % 26);
    match of {
        'a'..='z' => round('a'),
        'A'..='Z' => round('A'),
        _ if of.is_alphabetic() => char::from_u32(code - by).filter(|other| other.is_alphabetic()),
        _ => None,
    }
}
