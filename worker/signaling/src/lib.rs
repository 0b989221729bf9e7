//! A client of Kinesis Video Streams signaling channels, for both roles.
//!
//! | module | what |
//! |---|---|
//! | [`mod@presign`] | the SigV4 query URL of `ConnectAsViewer` and `ConnectAsMaster` |
//! | [`message`] | what may be sent and what may come, without a socket |
//! | [`connection`] | the WebSocket: pings, typed events, an end that is always reported |
//!
//! ```no_run
//! # async fn example(channel: schemas::ids::ChannelArn, credentials: aws_credential_types::Credentials) -> Result<(), Box<dyn std::error::Error>> {
//! use kvs_signaling::{Event, Outgoing, Role};
//! let role = Role::Viewer { client_id: "worker-blessed-shepherd-123".into() };
//! let url = kvs_signaling::presign("wss://v-1.kinesisvideo.us-east-1.amazonaws.com", &channel, &role, "us-east-1",
//!     &credentials, std::time::SystemTime::now())?;
//! let mut connection = kvs_signaling::connect(&url).await?;
//! connection.send(&Outgoing::Offer { sdp: "v=0…".into(), to: None })?;
//! while let Some(event) = connection.next().await {
//!     if let Event::Answer { sdp, .. } = event { /* give it to the peer connection */ }
//! }
//! # Ok(()) }
//! ```

pub mod connection;
pub mod message;
pub mod presign;

pub use connection::{ConnectError, Connection, Ignored, SendError, Sender, connect};
pub use message::{Event, Outgoing};
pub use presign::{PresignError, Role, presign};
