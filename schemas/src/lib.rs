//! Every record and message that crosses a process boundary.
//!
//! | module | what |
//! |---|---|
//! | [`ids`] | identifiers that parse, and the names derived from them |
//! | [`session`] | the session service's rows, read tolerantly |
//! | [`worker`] | our own row: phase, intent, progress, usage |
//! | [`reason`] | why a session is as it is, and who is to blame |
//! | [`operator`] | what operators have ordered, audited |
//! | [`lifecycle`] | events on the EventBridge bus |
//! | [`rollout`] | what is known of the versions of the worker |
//! | [`condition`] | what AWS reports, whichever way it reports it |
//! | [`quote`] | texts that somebody else wrote, cut to a length that can be copied
//! | [`forward`] | how words of a newer release are read |
//! | [`follow`] | which of two workers a client follows |
//! | [`message`] | what is posted to listeners |
//! | [`speaker`] | what is posted to the speaker |
//! | [`voice`] | how the speaker sounds, and how good the microphone is |
//! | [`websocket`] | what else goes over a listener's WebSocket: the session service's own messages |
//! | [`signaling`] | messages of a KVS signaling channel |
//! | [`table`] | key and attribute names |
//! | [`limits`] | AWS limits, each with its source |
//! | [`metrics`] | the metrics that the binaries write |

pub mod condition;
pub mod follow;
pub mod forward;
pub mod ids;
pub mod lifecycle;
pub mod limits;
pub mod message;
pub mod metrics;
pub mod operator;
pub mod quote;
pub mod reason;
pub mod rollout;
pub mod session;
pub mod signaling;
pub mod speaker;
pub mod table;
pub mod voice;
pub mod websocket;
pub mod worker;
