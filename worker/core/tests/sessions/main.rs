//! Whole sessions in virtual time: a scripted world answers everything that the engine wants.
//!
//! | behaviour | where |
//! |---|---|
//! | stability | `text`: a fickle recogniser, clauses, continuous speech; properties beside `text/segments.rs` |
//! | late join | `delivery`: late joiner, first listener of a language, served within a second |
//! | reconnect | `transcription`: a cut at any moment, outages, renewals, limits |
//! | what opens a stream after a silence | `gate` |
//! | degrade | `text`: failed translations, the budget; `delivery`: everything throttled |
//! | translations that come late | `late` |
//! | listeners who chose how settled a text must be | `modes` |
//! | how late translated words are read, with Transcribe's own latency | `lag` |
//! | slow listener | `delivery`: one slow, many stuck, full buffers, an API that fails |
//! | language change | `delivery`: the listener's, there and back; `transcription`: the speaker's |
//! | 500 listeners in five languages | `delivery` |
//! | nobody listens | `transcription`: nobody pays; `text`: a language without listeners |
//! | four hours | `endurance` |
//! | everything throttled | `delivery` |
//! | how it was said, and how good the microphone is | `voice` |
//! | what the speaker is told | `notices` |
//! | languages of other scripts, with spaces between words or without | `languages` |
//! | the end, announced or not | `ending` |
//! | a table that cannot be reached | `outage` |
//! | a recogniser as hostile as the service may be | `hostile` |
//! | anything at any time | `endurance`: a property over random faults |

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::type_complexity, reason = "tests")]

mod delivery;
mod ending;
mod endurance;
mod gate;
mod hostile;
mod joining;
mod lag;
mod languages;
mod late;
mod levels;
mod modes;
mod notices;
mod outage;
mod streams;
mod text;
mod transcription;
mod voice;
mod world;
