//! A recogniser as hostile as Amazon Transcribe may be: the proof that captions lose no word and double none.
//!
//! ```text
//! true words ──▶ kind ──▶ results of a kind recogniser ──▶ Hostile ──▶ events that the service may send
//!                         (or of any other: PocketSphinx, a script)
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`wire`] | results as the service writes them: items, alternatives, events |
//! | [`switches`] | every misbehaviour with its rate, and the presets `gentle`, `hostile`, `worst` |
//! | [`kind`] | a kind recogniser, from the true words of a talk |
//! | [`hostile`] | kind results in, hostile events out |
//! | `schedule` | when each result is sent: late, passed by others, several in one event |
//! | `telling` | how one result is told: merged, split, re-timed, shrunk, revised, contradicted |
//! | [`pace`] | a service that takes audio at exactly 1× real time |
//! | [`spelled`] | talks whose words can be told apart, in scripts with and without spaces; what of them was lost or doubled |
//!
//! # What the service promises, and is kept whatever is switched on
//!
//! - *A stable item's content stands* in every later result of its id, unless `contradict` is switched on. Its times move.
//!   A contradiction changes the content of a word, never the number of words. A partial with fewer items than were
//!   stable (`shrinkStable`) is followed by one that has them all.
//! - *Each segment ends with one final*, under the id of its partials, and all its words are in it. A final without items
//!   (`emptyFinal`, `itemless`) comes only when a partial has told every word as stable just before.
//! - *What comes after a final under its id* is the same final again (`repeat`) or a new segment (`returningId`).
//! - *Finals come in the order of their media time*, unless `overtake` is switched on; then a final follows the one that has
//!   overtaken it at once, and a partial of it was told before.
//! - Times are re-timed by `retimeMs` at most, and begins never go back within a result.
//!
//! What a worker loses or doubles under these promises is the worker's fault.
//!
//! *Assumption*: what comes in is kind: a result's stable items stay as they are, and its final is its last.

pub mod hostile;
pub mod kind;
pub mod pace;
mod schedule;
pub mod spelled;
pub mod switches;
mod telling;
pub mod wire;

pub use hostile::Hostile;
pub use pace::Pace;
pub use switches::{Misbehaviour, Switches};
