//! How something was said: facts of the voice, measured from 16 kHz mono PCM as it comes. Pure: no clock, no I/O, no chance.
//!
//! ```
//! use worker_emotion::{Analyzer, Config, Event, Origin};
//!
//! let mut analyzer = Analyzer::new(Config::default());
//! for n in 0..50 {
//!     analyzer.push(n * 20, &[0; 320], Origin::Received);
//! }
//! while let Some(event) = analyzer.poll() {
//!     match event {
//!         Event::Second(reading) => println!("{:?}", reading.category),
//!         Event::Segment { id, reading } => println!("{id}: {reading:?}"),
//!         Event::Quality(quality) => assert!(quality.silent_ms <= 1_000),
//!     }
//! }
//! ```
//!
//! What is claimed, and what is not: level, pitch, rate and phonation are *measured*, against Praat and against known truth.
//! Arousal is an index made of them, relative to the speaker's own voice. Valence and words like "angry" are never said here:
//! the voice alone does not tell joy from anger.
//!
//! | module | what |
//! |---|---|
//! | [`analyzer`] | the façade: `push`, `word`, `segment`, `poll` |
//! | [`detector`] | whether somebody speaks, and nothing else |
//! | [`result`] | what comes out |
//! | `hops` `front` | 10 ms hops however it was pushed; window, spectrum, autocorrelation |
//! | `pitch` `track` | candidates, and the path through them decided 40 ms later |
//! | `vad` `loudness` `snr` `echo` `quality` | speech or not, LUFS, and the quality of the audio |
//! | `frame` `summary` `syllables` `words` | two minutes of features, and what a stretch of them amounts to |
//! | [`affect`] | what a model of the user's own adds to it, elsewhere |
//! | `baseline` `agc` `arousal` `labels` | the usual voice, and how far from it this is |
//! | `pipeline` `reader` | the pipeline, and the readings |

pub mod affect;
pub mod analyzer;
pub mod detector;
pub mod result;

mod agc;
mod arousal;
mod baseline;

mod echo;
mod frame;
mod front;
mod hops;
mod labels;
mod loudness;
mod pipeline;
mod pitch;
mod quality;
mod reader;
mod snr;
mod summary;
mod syllables;
mod track;
mod vad;
mod words;

#[cfg(test)]
mod bars;

pub use affect::Affect;
pub use analyzer::{Analyzer, Config, Origin};
pub use detector::Detector;
pub use result::{Event, Flags, Quality, Reading};
