//! The outside world, one concern per module. Each translates; none decides.
//!
//! | module | what |
//! |---|---|
//! | [`aws`] | SDK configuration on one TLS stack |
//! | [`signaling`] | the KVS control plane and the viewer's signaling connection |
//! | [`peer`] | the WebRTC connection that receives the speaker's audio |
//! | [`getmedia`] | a KVS stream instead of both |
//! | [`transcribe`] | transcription streams |
//! | [`translate`] | TranslateText |
//! | [`gateway`] | PostToConnection |
//! | [`table`] | our row, and the listeners |
//! | [`model`] | the user's own model of the voice, in a process of its own |
//! | [`metadata`] | what ECS tells a task about itself |
//! | [`resources`] | processor time and memory of this process |
//! | [`signals`] | SIGTERM and SIGINT |

pub mod aws;
pub mod gateway;
pub mod getmedia;
pub mod metadata;
pub mod model;
pub mod peer;
pub mod resources;
pub mod signaling;
pub mod signals;
mod spread;
pub mod table;
pub mod transcribe;
pub mod translate;
