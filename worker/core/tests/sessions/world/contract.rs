//! What captions promise, checked on what every listener received.

use super::World;
use schemas::ids::Language;
use schemas::message::Caption;
use std::collections::BTreeMap;

impl World {
    /// The contract of captions, for every listener: cursors dense from the first that they saw, each final once and in
    /// the order of media time, revisions rising, nothing of a segment after its final but the translation of an original, once,
    /// what is stable never changed, in words and in characters.
    pub fn check_contract(&self) {
        for (name, seat) in &self.seats {
            check(name, &seat.captions(), Gaps::Never);
        }
    }

    /// The same for listeners who come and go: who was away may have missed finals, but gets none twice or out of order.
    pub fn check_stays(&self) {
        for (name, seat) in &self.seats {
            check(name, &seat.captions(), if name == "always" { Gaps::Never } else { Gaps::WhileAway });
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gaps {
    Never,
    WhileAway,
}

fn check(name: &str, captions: &[&Caption], gaps: Gaps) {
    let mut last_final: BTreeMap<&Language, &Caption> = BTreeMap::new();
    let mut finished: BTreeMap<(&Language, &str), &Caption> = BTreeMap::new();
    let mut stable: BTreeMap<(&Language, &str), Vec<&str>> = BTreeMap::new();
    let mut begins: BTreeMap<(&Language, &str), String> = BTreeMap::new();
    let mut revisions: BTreeMap<(&Language, &str), u32> = BTreeMap::new();
    for caption in captions {
        let key = (&caption.language, caption.segment_id.as_str());
        match finished.get(&key) {
            Some(original) => assert!(revises(caption, original), "{name}: {caption:?} follows the final {original:?}"),
            None => assert!(!caption.revised, "{name}: {caption:?} revises what never came"),
        }
        let revision = revisions.insert(key, caption.revision).unwrap_or(0);
        assert!(caption.revision > revision, "{name}: revision {} after {revision}", caption.revision);
        let words: Vec<&str> = caption.text.split_whitespace().collect();
        let promised = stable.get(&key).cloned().unwrap_or_default();
        assert!(words.starts_with(&promised), "{name}: {promised:?} was stable, then came {words:?}");
        let told = caption.stable_chars.expect("every worker tells it");
        let begin = slice(&caption.text, told)
            .unwrap_or_else(|| panic!("{name}: {told} units cut a character of {:?}", caption.text));
        let known = begins.entry(key).or_default();
        let text = &caption.text;
        assert!(text.starts_with(known.as_str()), "{name}: {known:?} was stable, then came {text:?}");
        let whole = begin == *text || caption.degraded || !caption.is_final;
        assert!(whole, "{name}: a final is stable, all of it");
        *known = begin;
        stable.insert(key, words[..(caption.stable_words as usize).min(words.len())].to_vec());
        if caption.is_final
            && finished.insert(key, caption).is_none()
            && let Some(before) = last_final.insert(&caption.language, caption)
        {
            let dense = caption.cursor == before.cursor + 1;
            let rises = gaps == Gaps::WhileAway && caption.cursor > before.cursor;
            assert!(dense || rises, "{name}: cursor {} after {}", caption.cursor, before.cursor);
            assert!(caption.start_ms >= before.start_ms, "{name}: finals are in the order of media time");
        }
    }
}

/// Whether this is the translation of an original that was sent before.
fn revises(caption: &Caption, original: &Caption) -> bool {
    let of_it = caption.cursor == original.cursor && caption.generation == original.generation;
    of_it && caption.is_final && caption.revised && caption.translated && original.degraded
}

/// What JavaScript's `text.slice(0, units)` gives; `None` when that cuts a character in two.
fn slice(text: &str, units: u32) -> Option<String> {
    let units: Vec<u16> = text.encode_utf16().take(units as usize).collect();
    String::from_utf16(&units).ok()
}
