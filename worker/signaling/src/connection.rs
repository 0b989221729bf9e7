//! The WebSocket of a signaling channel.
//!
//! *Flow*: [`connect`] starts one task that owns the socket; [`Connection::next`] gives its events, [`Connection::send`] and
//! [`Sender::send`] hand it messages without waiting. *Guarantees*: [`Event::Closed`] is the last event whatever happens; `next` may be
//! dropped and called again at any time; unknown, malformed and oversized messages are counted and never end the connection.
//! *Caveat*: the service ends every connection after one hour and tells nobody when the other side comes or goes.

use crate::message::{self, Decoded, Event, Outgoing, TooLarge};
use futures_util::{SinkExt, StreamExt};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::{self, Message, protocol::WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// Time between pings: what AWS's own client uses.
pub const PING: Duration = Duration::from_secs(10);
/// Without any frame (pongs count) for so long the connection is lost.
pub const SILENCE: Duration = Duration::from_secs(35);
/// Longest time for TCP, TLS and the handshake together.
pub const CONNECT: Duration = Duration::from_secs(10);
/// Longest frame that is read at all; a payload may have 10 kB.
const FRAME_BYTES: usize = 256 * 1024;
/// Messages that may wait on their way in or out.
const QUEUE: usize = 128;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Why the channel could not be joined.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// 404: the channel does not exist.
    #[error("the signaling channel does not exist (404 {0}); the session was deleted or replaced")]
    Gone(String),
    /// 403: the signature, its age, or the permission.
    #[error(
        "the signaling channel refused the signature (403 {0}); check the clock and kinesisvideo:ConnectAsViewer or ConnectAsMaster"
    )]
    Forbidden(String),
    /// 400: an argument, or a limit (3 connects per second, 10 viewers per channel).
    #[error("the signaling channel refused the request (400 {0}); wait and try again, unless it names an argument")]
    Refused(String),
    /// Anything else: network, TLS, another status.
    #[error("the signaling channel cannot be reached ({0}); try again")]
    Unreachable(String),
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection has ended.
    #[error("the signaling connection has ended; open a new one")]
    Closed,
    /// More messages wait than the service takes; it takes 20 candidates and 5 SDPs per second.
    #[error("{QUEUE} signaling messages wait already; send fewer candidates")]
    Busy,
    /// The service would refuse it.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// Messages that came and were ignored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ignored {
    /// Of a type that this version does not know.
    pub unknown: u64,
    /// Not a message, or without what its type needs.
    pub malformed: u64,
    /// With a payload above the service's limit.
    pub oversized: u64,
}

#[derive(Debug, Default)]
struct Counters {
    unknown: AtomicU64,
    malformed: AtomicU64,
    oversized: AtomicU64,
}

/// An open channel. Dropping it closes the socket.
#[derive(Debug)]
pub struct Connection {
    events: mpsc::Receiver<Event>,
    sender: Sender,
    counters: Arc<Counters>,
}

/// Sends on a channel from elsewhere; may be cloned.
#[derive(Debug, Clone)]
pub struct Sender {
    frames: mpsc::Sender<String>,
    correlation: Arc<AtomicU64>,
}

/// Opens the channel with a presigned URL.
///
/// # Errors
/// [`ConnectError`], by what helps.
pub async fn connect(url: &str) -> Result<Connection, ConnectError> {
    if url.starts_with("wss:") {
        // The first caller sets the process's provider; a second attempt finds it set, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    let mut config = WebSocketConfig::default();
    config.max_message_size = Some(FRAME_BYTES);
    config.max_frame_size = Some(FRAME_BYTES);
    let attempt = tokio_tungstenite::connect_async_with_config(url, Some(config), true);
    let (socket, _response) = tokio::time::timeout(CONNECT, attempt)
        .await
        .map_err(|_| ConnectError::Unreachable(format!("no answer within {} s", CONNECT.as_secs())))?
        .map_err(classify)?;
    let (event_tx, events) = mpsc::channel(QUEUE);
    let (frames, frame_rx) = mpsc::channel(QUEUE);
    let counters = Arc::new(Counters::default());
    tokio::spawn(drive(socket, frame_rx, event_tx, Arc::clone(&counters)));
    Ok(Connection { events, sender: Sender { frames, correlation: Arc::default() }, counters })
}

/// What a failed handshake means.
#[expect(clippy::wildcard_enum_match_arm, reason = "tungstenite's error is not ours; all the rest is the network")]
fn classify(error: tungstenite::Error) -> ConnectError {
    match error {
        tungstenite::Error::Http(response) => {
            let body = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let detail: String = body.chars().take(200).collect();
            match response.status().as_u16() {
                404 => ConnectError::Gone(detail),
                403 => ConnectError::Forbidden(detail),
                400 => ConnectError::Refused(detail),
                other => ConnectError::Unreachable(format!("HTTP {other} {detail}")),
            }
        }
        other => ConnectError::Unreachable(other.to_string()),
    }
}

impl Connection {
    /// The next event; `None` after [`Event::Closed`]. May be dropped and called again: nothing is lost.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Sends without waiting and gives the correlation id that a refusal would name.
    ///
    /// # Errors
    /// [`SendError`] when the message cannot be handed to the socket's task.
    pub fn send(&self, message: &Outgoing) -> Result<String, SendError> {
        self.sender.send(message)
    }

    /// A handle for sending from elsewhere, for example from a peer connection's handler.
    #[must_use]
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// What was ignored so far.
    #[must_use]
    pub fn ignored(&self) -> Ignored {
        Ignored {
            unknown: self.counters.unknown.load(Ordering::Relaxed),
            malformed: self.counters.malformed.load(Ordering::Relaxed),
            oversized: self.counters.oversized.load(Ordering::Relaxed),
        }
    }
}

impl Sender {
    /// Sends without waiting and gives the correlation id that a refusal would name.
    ///
    /// # Errors
    /// [`SendError`] when the message cannot be handed to the socket's task.
    pub fn send(&self, message: &Outgoing) -> Result<String, SendError> {
        let id = format!("c{}", self.correlation.fetch_add(1, Ordering::Relaxed));
        let frame = message::encode(message, &id)?;
        // A struct of strings always serializes.
        let text = serde_json::to_string(&frame).map_err(|_| SendError::Closed)?;
        self.frames.try_send(text).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => SendError::Busy,
            mpsc::error::TrySendError::Closed(_) => SendError::Closed,
        })?;
        Ok(id)
    }
}

/// Owns the socket until it ends, nobody reads its events any more, or nothing can be heard.
async fn drive(
    mut socket: Socket,
    mut frames: mpsc::Receiver<String>,
    events: mpsc::Sender<Event>,
    counters: Arc<Counters>,
) {
    let detail = match converse(&mut socket, &mut frames, &events, &counters).await {
        End::Unwanted => {
            // Best effort: the service learns of the end from TCP as well.
            let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
            return;
        }
        End::Lost(detail) => detail,
    };
    // Nobody listening is the other way to end.
    let _ = events.send(Event::Closed { detail }).await;
}

/// Why a conversation ended.
enum End {
    /// The owner dropped the connection.
    Unwanted,
    /// The socket ended or went silent.
    Lost(String),
}

async fn converse(
    socket: &mut Socket,
    frames: &mut mpsc::Receiver<String>,
    events: &mpsc::Sender<Event>,
    counters: &Counters,
) -> End {
    let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
    let mut heard = Instant::now();
    loop {
        let outgoing = tokio::select! {
            () = events.closed() => return End::Unwanted,
            _ = ping.tick() => {
                if heard.elapsed() > SILENCE {
                    return End::Lost(format!("nothing heard for {} s, pings included", SILENCE.as_secs()));
                }
                Message::Ping(tungstenite::Bytes::new())
            }
            Some(text) = frames.recv() => Message::text(text),
            incoming = socket.next() => {
                heard = Instant::now();
                match read(incoming, events, counters).await {
                    Some(end) => return end,
                    None => continue,
                }
            }
        };
        if let Err(e) = socket.send(outgoing).await {
            return End::Lost(e.to_string());
        }
    }
}

async fn read(
    incoming: Option<Result<Message, tungstenite::Error>>,
    events: &mpsc::Sender<Event>,
    counters: &Counters,
) -> Option<End> {
    let text = match incoming {
        None => return Some(End::Lost("the connection ended".into())),
        Some(Err(e)) => return Some(End::Lost(e.to_string())),
        Some(Ok(Message::Close(frame))) => return Some(End::Lost(close_detail(frame.as_ref()))),
        Some(Ok(Message::Text(text))) => text,
        Some(Ok(Message::Binary(_))) => {
            counters.malformed.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => return None,
    };
    // Some stand-ins and old endpoints send an empty text as keep-alive; it is not worth a count.
    if text.trim().is_empty() {
        return None;
    }
    match message::decode(&text) {
        Decoded::Event(event) => events.send(event).await.err().map(|_| End::Unwanted),
        Decoded::Unknown(kind) => {
            tracing::debug!(kind, "unknown signaling message");
            counters.unknown.fetch_add(1, Ordering::Relaxed);
            None
        }
        Decoded::Malformed(why) => {
            tracing::debug!(why, "malformed signaling message");
            counters.malformed.fetch_add(1, Ordering::Relaxed);
            None
        }
        Decoded::Oversized => {
            counters.oversized.fetch_add(1, Ordering::Relaxed);
            None
        }
    }
}

fn close_detail(frame: Option<&tungstenite::protocol::CloseFrame>) -> String {
    frame.map_or_else(|| "closed without a code".to_owned(), |f| format!("closed with {} {}", f.code, f.reason))
}
