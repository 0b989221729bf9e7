//! A listener's browser: one WebSocket, `joinSession`, heartbeats, and everything that comes.

use super::plan::ListenerPlan;
use super::record::{Event, ListenerEvent};
use futures_util::{SinkExt, StreamExt};
use schemas::ids::SessionId;
use schemas::message::Message;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};
use url::Url;

/// Time between heartbeats; the API closes an idle connection after 10 min.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Longest time for TCP, TLS and the handshake.
const CONNECT: Duration = Duration::from_secs(10);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Types of messages that we write; all others are the service's own.
const OURS: [&str; 4] = ["transcription", "emotion", "captionStatus", "sessionEnded"];

/// What a text means to a listener; `None` for what the app ignores.
#[must_use]
pub fn read(text: &str) -> Option<ListenerEvent> {
    let value: Value = serde_json::from_str(text).ok()?;
    let kind = value.get("type")?.as_str()?.to_owned();
    match kind.as_str() {
        "sessionJoined" => Some(ListenerEvent::Joined),
        "error" => {
            let said = value.get("message").and_then(Value::as_str).unwrap_or("no message");
            Some(ListenerEvent::Refused(said.to_owned()))
        }
        kind if OURS.contains(&kind) => Some(match serde_json::from_value::<Message>(value) {
            Ok(message) => ListenerEvent::Message(Box::new(message)),
            // The service's own sessionEnded has no fields of ours; it is not a fault.
            Err(_) if kind == "sessionEnded" => return None,
            Err(e) => ListenerEvent::Unreadable(format!("{kind}: {e}")),
        }),
        _ => None,
    }
}

/// The address with its query.
#[must_use]
pub fn address(api: &Url, session: &SessionId, plan: &ListenerPlan) -> Url {
    let mut url = api.clone();
    let mut query = url.query_pairs_mut();
    query.append_pair("sessionId", session.as_str()).append_pair("targetLanguage", plan.language.as_str());
    query.extend_pairs(plan.mode_text().map(|mode| ("captionMode", mode)));
    drop(query);
    url
}

/// What joins.
fn join(session: &SessionId, plan: &ListenerPlan) -> Value {
    let mut join = json!({ "action": "joinSession", "sessionId": session, "targetLanguage": plan.language });
    if let Some(mode) = plan.mode_text() {
        join["captionMode"] = mode.into();
    }
    join
}

/// Runs until `gone` says so or the connection ends.
pub async fn run(
    index: usize,
    api: Url,
    session: SessionId,
    plan: ListenerPlan,
    events: mpsc::UnboundedSender<Event>,
    mut gone: watch::Receiver<bool>,
) {
    // Nobody listens any more only when the rehearsal is over.
    let tell = |what| drop(events.send(Event::Listener { index, what }));
    let url = address(&api, &session, &plan);
    let mut socket = match open(&url).await {
        Ok(socket) => socket,
        Err(why) => return tell(ListenerEvent::Closed(why)),
    };
    let mut pending = Some(join(&session, &plan).to_string());
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        if let Some(text) = pending.take()
            && let Err(e) = socket.send(Frame::text(text)).await
        {
            return tell(ListenerEvent::Closed(e.to_string()));
        }
        tokio::select! {
            () = async { drop(gone.wait_for(|gone| *gone).await) } => break,
            _ = heartbeat.tick() => pending = Some(json!({ "action": "heartbeat" }).to_string()),
            frame = socket.next() => match heard(frame) {
                Ok(Some(text)) => if let Some(event) = read(&text) { tell(event) },
                Ok(None) => {}
                Err(why) => return tell(ListenerEvent::Closed(why)),
            },
        }
    }
    let _ = tokio::time::timeout(Duration::from_secs(1), socket.close(None)).await;
}

async fn open(url: &Url) -> Result<Socket, String> {
    if url.scheme() == "wss" {
        // The first caller sets the process's provider; a second attempt finds it set, which is fine.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
    match tokio::time::timeout(CONNECT, connect_async(url.as_str())).await {
        Ok(Ok((socket, _response))) => Ok(socket),
        Ok(Err(e)) => Err(format!("the WebSocket API cannot be reached ({e}); check --websocket-url")),
        Err(_) => {
            Err(format!("the WebSocket API did not answer within {} s; check --websocket-url", CONNECT.as_secs()))
        }
    }
}

fn heard(frame: Option<Result<Frame, tungstenite::Error>>) -> Result<Option<String>, String> {
    match frame {
        None => Err("the connection ended".into()),
        Some(Err(e)) => Err(e.to_string()),
        Some(Ok(Frame::Close(close))) => {
            Err(close
                .map_or_else(|| "closed without a code".into(), |c| format!("closed with {} {}", c.code, c.reason)))
        }
        Some(Ok(Frame::Text(text))) => Ok(Some(text.to_string())),
        Some(Ok(Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::samples::caption;
    use super::*;

    #[test]
    fn messages_of_others_are_ignored_as_the_app_does() {
        for text in [
            "",
            "{}",
            "[]",
            r#"{"type":"heartbeatAck"}"#,
            r#"{"type":"newIn2030","x":1}"#,
            r#"{"message":"Forbidden"}"#,
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn our_messages_are_read_and_broken_ones_are_named() {
        let text = serde_json::to_string(&Message::Transcription(caption("es", 1, 1, true))).unwrap();
        assert!(matches!(read(&text), Some(ListenerEvent::Message(_))));
        assert!(matches!(read(r#"{"type":"transcription","text":"x"}"#), Some(ListenerEvent::Unreadable(_))));
    }

    #[test]
    fn the_services_own_end_does_not_count_as_ours_and_is_no_fault() {
        assert_eq!(read(r#"{"type":"sessionEnded"}"#), None);
    }

    #[test]
    fn the_address_names_session_and_language_behind_the_stage() {
        let api = Url::parse("wss://abc.execute-api.us-east-1.amazonaws.com/prod").unwrap();
        let session = SessionId::try_new("a-b-001").unwrap();
        let query = |plan: &str| address(&api, &session, &plan.parse().unwrap()).as_str().replace(api.as_str(), "");
        assert_eq!(query("es"), "?sessionId=a-b-001&targetLanguage=es");
        assert_eq!(query("es:stable"), "?sessionId=a-b-001&targetLanguage=es&captionMode=stable");
        assert_eq!(join(&session, &"es:fast@3".parse().unwrap())["captionMode"], "fast");
        assert!(join(&session, &"es".parse().unwrap()).get("captionMode").is_none());
    }
}
