//! What is wrong with the recogniser, and how often.

use serde_json::{Map, Value};

/// Everything that it may do wrong. Each has a rate; see [`Switches`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Misbehaviour {
    /// A word's times move by up to `retimeMs`, in each telling anew. The rate is of the words.
    Retime,
    /// A partial has fewer items than the one before it; what is missing was not stable. Of the partials.
    Shrink,
    /// A partial has fewer items than were stable; the next one has them again. Of the partials.
    ShrinkStable,
    /// Two words are one item: "can not", "cannot". Of the pairs.
    Merge,
    /// A word is two items: "cannot", "can not". Of the words.
    Split,
    /// A mark that is not stable stands one word off. Of the marks.
    MovePunctuation,
    /// A word that is not stable is another word. Of the words.
    Revise,
    /// A stable word is another word from now on. Of the stable words, in each telling.
    Contradict,
    /// A final comes `lateFinalMs` later. Of the finals.
    LateFinal,
    /// A result comes again: a partial at once, a final up to 2.5 s later. Of the results.
    Repeat,
    /// A final waits until results of the next segment have been told. Of the finals.
    Reorder,
    /// A final comes after the next segment's final. Of the finals.
    Overtake,
    /// A segment has the id of an earlier one. Of the segments.
    ReturningId,
    /// A result waits for another one and shares its event. Of the results.
    Several,
    /// An event without results. Of the results.
    EmptyEvent,
    /// An alternative has a transcript and no items. Of the results; of a final only when a partial has just told every word as stable.
    Itemless,
    /// An item without times. Of the items.
    Timeless,
    /// A final is empty, when a partial has just told every word as stable. Of the finals.
    EmptyFinal,
    /// Noise: a segment that is nothing but an empty final. Of the finals, before them.
    Noise,
    /// A segment has no partials in its first three seconds: a short one, only its final. Of the segments.
    Unannounced,
}

/// Each with its name in a knob, and its rates in `gentle`, `hostile` and `worst`; in the order of the enum.
const TABLE: [(Misbehaviour, &str, [f64; 3]); COUNT] = {
    use Misbehaviour::*;
    [
        (Retime, "retime", [0.3, 0.7, 1.0]),
        (Shrink, "shrink", [0.02, 0.05, 0.2]),
        (ShrinkStable, "shrinkStable", [0.0, 0.01, 0.05]),
        (Merge, "merge", [0.01, 0.05, 0.2]),
        (Split, "split", [0.0, 0.03, 0.1]),
        (MovePunctuation, "movePunctuation", [0.1, 0.15, 0.3]),
        (Revise, "revise", [0.1, 0.2, 0.5]),
        (Contradict, "contradict", [0.0, 0.0, 0.002]),
        (LateFinal, "lateFinal", [0.0, 0.1, 0.3]),
        (Repeat, "repeat", [0.01, 0.05, 0.2]),
        (Reorder, "reorder", [0.0, 0.1, 0.3]),
        (Overtake, "overtake", [0.0, 0.0, 0.05]),
        (ReturningId, "returningId", [0.0, 0.05, 0.2]),
        (Several, "several", [0.0, 0.05, 0.2]),
        (EmptyEvent, "emptyEvent", [0.0, 0.02, 0.05]),
        (Itemless, "itemless", [0.0, 0.02, 0.05]),
        (Timeless, "timeless", [0.0, 0.02, 0.05]),
        (EmptyFinal, "emptyFinal", [0.0, 0.02, 0.05]),
        (Noise, "noise", [0.0, 0.05, 0.2]),
        (Unannounced, "unannounced", [0.0, 0.02, 0.05]),
    ]
};
const COUNT: usize = 20;

impl Misbehaviour {
    /// All of them.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.into_iter().map(|(what, ..)| what)
    }

    /// As it is written in a knob.
    #[must_use]
    pub fn name(self) -> &'static str {
        TABLE[self as usize].1
    }
}

/// The presets, and their columns in the table.
#[derive(Debug, Clone, Copy)]
enum Preset {
    Gentle,
    Hostile,
    Worst,
}

/// So much is asked for at most: beyond it, a result would not be about its words any more.
const MOST_MS: u64 = 10_000;

/// The rate of every misbehaviour, and the sizes of those that have one. Nothing is on by default.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Switches {
    rates: [f64; COUNT],
    /// How far a time may move, ms.
    pub retime_ms: u64,
    /// How late a late final is, ms.
    pub late_final_ms: u64,
    /// Audio is taken at exactly 1× real time, a replay too (see [`crate::Pace`]).
    pub real_time: bool,
}

/// Why switches cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each says itself what it is")]
pub enum Error {
    #[error("{0:?} is no preset: write off, gentle, hostile or worst, or an object of switches")]
    Preset(String),
    #[error("{0:?} is no switch: there are preset, retimeMs, lateFinalMs, realTime, and the rates {names}", names = names())]
    Name(String),
    #[error("{name}: {value} is no rate: write a number from 0 to 1")]
    Rate { name: &'static str, value: String },
    #[error("{name}: {value} is no time: write whole milliseconds, at most {MOST_MS}")]
    Ms { name: &'static str, value: String },
    #[error("realTime: {0} is neither true nor false")]
    RealTime(String),
    #[error("write off, gentle, hostile or worst, or an object of switches, in place of {0}")]
    Other(String),
}

fn names() -> String {
    TABLE.map(|(_, name, _)| name).join(", ")
}

impl Default for Switches {
    fn default() -> Self {
        Self { rates: [0.0; COUNT], retime_ms: 150, late_final_ms: 3_000, real_time: false }
    }
}

impl Switches {
    /// Nothing is wrong.
    #[must_use]
    pub fn off() -> Self {
        Self::default()
    }

    /// A good day: times move a little, unstable words are guesses, a mark moves now and then.
    #[must_use]
    pub fn gentle() -> Self {
        Self { retime_ms: 60, ..Self::of(Preset::Gentle) }
    }

    /// A bad day: whatever the service may do; stable words stand, and finals keep their order.
    #[must_use]
    pub fn hostile() -> Self {
        Self::of(Preset::Hostile)
    }

    /// Everything at once and often, 1× real time included; stable words are contradicted rarely.
    #[must_use]
    pub fn worst() -> Self {
        Self { real_time: true, ..Self::of(Preset::Worst) }
    }

    fn of(preset: Preset) -> Self {
        Self { rates: TABLE.map(|(.., rates)| rates[preset as usize]), ..Self::off() }
    }

    /// The same with this rate, from 0 to 1.
    #[must_use]
    pub fn with(mut self, what: Misbehaviour, rate: f64) -> Self {
        self.rates[what as usize] = rate.clamp(0.0, 1.0);
        self
    }

    /// Only this one, whenever it can be.
    #[must_use]
    pub fn only(what: Misbehaviour) -> Self {
        Self::off().with(what, 1.0)
    }

    /// How often.
    #[must_use]
    pub fn rate(&self, what: Misbehaviour) -> f64 {
        self.rates[what as usize]
    }

    fn preset(name: &str) -> Result<Self, Error> {
        match name {
            "off" => Ok(Self::off()),
            "gentle" => Ok(Self::gentle()),
            "hostile" => Ok(Self::hostile()),
            "worst" => Ok(Self::worst()),
            other => Err(Error::Preset(other.to_owned())),
        }
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), Error> {
        match name {
            "retimeMs" => {
                self.retime_ms = as_ms("retimeMs", value)?;
                // Who says how far means that it happens.
                if self.rate(Misbehaviour::Retime) == 0.0 {
                    *self = self.with(Misbehaviour::Retime, 1.0);
                }
            }
            "lateFinalMs" => self.late_final_ms = as_ms("lateFinalMs", value)?,
            "realTime" => self.real_time = value.as_bool().ok_or_else(|| Error::RealTime(value.to_string()))?,
            other => {
                let what = Misbehaviour::all().find(|what| what.name() == other);
                let what = what.ok_or_else(|| Error::Name(other.to_owned()))?;
                let rate = value.as_f64().filter(|rate| (0.0..=1.0).contains(rate));
                let no_rate = || Error::Rate { name: what.name(), value: value.to_string() };
                *self = self.with(what, rate.ok_or_else(no_rate)?);
            }
        }
        Ok(())
    }
}

fn as_ms(name: &'static str, value: &Value) -> Result<u64, Error> {
    let ms = value.as_u64().filter(|ms| *ms <= MOST_MS);
    ms.ok_or_else(|| Error::Ms { name, value: value.to_string() })
}

impl TryFrom<&Map<String, Value>> for Switches {
    type Error = Error;

    /// `{"preset": "hostile", "shrink": 0.1, "retimeMs": 150}`.
    fn try_from(object: &Map<String, Value>) -> Result<Self, Error> {
        let mut all = match object.get("preset") {
            None => Self::off(),
            Some(Value::String(name)) => Self::preset(name)?,
            Some(other) => return Err(Error::Preset(other.to_string())),
        };
        let switches = object.iter().filter(|(name, _)| *name != "preset");
        // Rates after sizes: what is said of a rate counts.
        let (rates, sizes): (Vec<_>, Vec<_>) =
            switches.partition(|(name, _)| Misbehaviour::all().any(|what| what.name() == *name));
        for (name, value) in sizes.into_iter().chain(rates) {
            all.set(name, value)?;
        }
        Ok(all)
    }
}

impl TryFrom<&Value> for Switches {
    type Error = Error;

    /// A preset's name, or an object of switches.
    fn try_from(value: &Value) -> Result<Self, Error> {
        match value {
            Value::String(name) => Self::preset(name),
            Value::Object(object) => Self::try_from(object),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => Err(Error::Other(value.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: &Value) -> Result<Switches, String> {
        Switches::try_from(value).map_err(|error| error.to_string())
    }

    #[test]
    fn each_misbehaviour_has_a_place_and_a_name_of_its_own() {
        let names: std::collections::BTreeSet<_> = Misbehaviour::all().map(Misbehaviour::name).collect();
        assert_eq!(names.len(), COUNT);
        assert!(Misbehaviour::all().enumerate().all(|(at, what)| what as usize == at));
    }

    #[test]
    fn a_preset_is_named_and_changed_by_switches() {
        assert_eq!(read(&json!("worst")).unwrap(), Switches::worst());
        let changed = read(&json!({"preset": "worst", "shrink": 0.5, "lateFinalMs": 100, "realTime": false})).unwrap();
        assert_eq!((changed.rate(Misbehaviour::Shrink), changed.late_final_ms, changed.real_time), (0.5, 100, false));
        assert_eq!(changed.rate(Misbehaviour::Merge), Switches::worst().rate(Misbehaviour::Merge));
    }

    #[test]
    fn how_far_times_move_says_that_they_move_unless_a_rate_is_given() {
        assert_eq!(read(&json!({"retimeMs": 50})).unwrap().rate(Misbehaviour::Retime), 1.0);
        assert_eq!(read(&json!({"retimeMs": 50, "retime": 0.25})).unwrap().rate(Misbehaviour::Retime), 0.25);
    }

    #[test]
    fn what_cannot_be_set_says_what_can() {
        assert!(read(&json!("cruel")).unwrap_err().contains("gentle, hostile or worst"));
        assert!(read(&json!({"shrnk": 1})).unwrap_err().contains("shrinkStable"));
        assert!(read(&json!({"shrink": 2})).unwrap_err().contains("from 0 to 1"));
        assert!(read(&json!({"retimeMs": -1})).unwrap_err().contains("whole milliseconds"));
        assert!(read(&json!({"realTime": 1})).unwrap_err().contains("true nor false"));
        assert!(read(&json!(7)).is_err());
    }

    #[test]
    fn the_presets_rise_and_the_worst_leaves_nothing_out() {
        let (gentle, hostile, worst) = (Switches::gentle(), Switches::hostile(), Switches::worst());
        for what in Misbehaviour::all() {
            assert!(gentle.rate(what) <= hostile.rate(what) && hostile.rate(what) <= worst.rate(what), "{what:?}");
            assert!(worst.rate(what) > 0.0, "{what:?}");
        }
    }
}
