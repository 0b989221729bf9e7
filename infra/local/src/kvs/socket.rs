//! `ConnectAsMaster` and `ConnectAsViewer`: the handshake, and a connection's life.

use std::sync::Arc;
use std::time::SystemTime;

use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::channel::valid_client_id;
use super::control::{Refusal, refuse};
use super::faults::Cut;
use super::service::{Joined, Out, Service, notice};
use super::sigv4::{check, parameters};

/// What a port is for.
#[derive(Clone)]
pub struct Door {
    /// The stand-in.
    pub service: Arc<Service>,
    /// Whether masters enter here, or viewers.
    pub masters: bool,
    /// Turns true when the stand-in stops.
    pub stop: watch::Receiver<bool>,
}

/// The WebSocket request.
pub async fn connect(
    State(door): State<Door>,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let query = uri.query().unwrap_or_default();
    let (arn, joined) = match admit(&door, host, uri.path(), query) {
        Ok(admitted) => admitted,
        Err(refusal) => {
            tracing::info!(?refusal, master = door.masters, "a signaling connection is refused");
            return refusal.into_response();
        }
    };
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => {
            door.service.left(&arn, joined.conn);
            return rejection.into_response();
        }
    };
    let failed = (door.service.clone(), arn.clone(), joined.conn);
    upgrade
        .on_failed_upgrade(move |_error| failed.0.left(&failed.1, failed.2))
        .on_upgrade(async move |socket| live(door, arn, joined, socket).await)
}

fn admit(door: &Door, host: &str, path: &str, query: &str) -> Result<(String, Joined), Refusal> {
    let service = &door.service;
    if let Some(exception) = service.with(|state| state.knobs.refusal()) {
        let (kind, status) = exception.parts();
        return Err(refuse(status, kind, "injected by a fault"));
    }
    check(&service.key, host, path, query, SystemTime::now())
        .map_err(|why| refuse(403, "AccessDeniedException", why.to_string()))?;
    let parameters = parameters(query);
    let arn = parameters.get("X-Amz-ChannelARN").cloned().unwrap_or_default();
    let viewer = match (door.masters, parameters.get("X-Amz-ClientId")) {
        (true, None) => None,
        (true, Some(_)) => return Err(refuse(400, "InvalidArgumentException", "a master has no client id")),
        (false, Some(id)) if valid_client_id(id) => Some(id.as_str()),
        (false, _) => return Err(refuse(400, "InvalidArgumentException", "the client id is absent or malformed")),
    };
    match service.join(&arn, viewer) {
        None => Err(refuse(404, "ResourceNotFoundException", "there is no such channel")),
        Some(Err(full)) => Err(refuse(400, "ClientLimitExceededException", full.to_string())),
        Some(Ok(joined)) => Ok((arn, joined)),
    }
}

/// Why a connection ended.
#[derive(Debug)]
enum End {
    Gone,
    Closed(&'static str),
    Cut,
}

async fn live(mut door: Door, arn: String, mut joined: Joined, mut socket: WebSocket) {
    tracing::info!(master = door.masters, "a signaling connection opened");
    let end = relay(&mut door, &arn, &mut joined, &mut socket).await;
    door.service.left(&arn, joined.conn);
    match &end {
        End::Gone | End::Cut => {}
        End::Closed(why) => {
            let frame = CloseFrame { code: close_code::AWAY, reason: Utf8Bytes::from_static(why) };
            // Whoever has gone need not be told.
            let _gone = socket.send(Message::Close(Some(frame))).await;
        }
    }
    tracing::info!(master = door.masters, ?end, "a signaling connection ended");
}

async fn relay(door: &mut Door, arn: &str, joined: &mut Joined, socket: &mut WebSocket) -> End {
    let service = door.service.clone();
    let limits = &service.config.limits;
    let opened = Instant::now();
    let go_away = sleep_until(opened + limits.connection.saturating_sub(limits.grace));
    let last = sleep_until(opened + limits.connection);
    let idle = sleep_until(opened + limits.idle);
    tokio::pin!(go_away, last, idle);
    let mut announced = false;
    loop {
        let out = tokio::select! {
            frame = socket.recv() => {
                let counts = match frame {
                    Some(Ok(Message::Text(text))) => {
                        service.message(arn, joined.conn, &text);
                        true
                    }
                    Some(Ok(Message::Binary(_))) => true,
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => limits.pings_count,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
                };
                if counts {
                    idle.as_mut().reset(Instant::now() + limits.idle);
                }
                continue;
            }
            out = joined.out.recv() => out.unwrap_or(Out::Cut(Cut::Unclean)),
            () = &mut go_away, if !announced => Out::GoAway,
            () = &mut last => return End::Closed("the connection reached its longest duration"),
            () = &mut idle => return End::Closed("the connection was idle for too long"),
            _stopped = door.stop.wait_for(|stop| *stop) => return End::Cut,
        };
        let message = match out {
            Out::Message(message) => message,
            Out::Cut(Cut::Clean) => return End::Closed("closed by the service"),
            Out::Cut(Cut::Unclean) => return End::Cut,
            Out::Noise => match make_noise(socket, limits.payload).await {
                Ok(()) => continue,
                Err(_gone) => return End::Gone,
            },
            Out::GoAway => {
                announced = true;
                let end = Instant::now() + limits.grace;
                if end < last.deadline() {
                    last.as_mut().reset(end);
                }
                notice("GO_AWAY")
            }
        };
        let Ok(text) = serde_json::to_string(&message) else { continue };
        if socket.send(Message::Text(text.into())).await.is_err() {
            return End::Gone;
        }
        idle.as_mut().reset(Instant::now() + limits.idle);
    }
}

/// What a client must take and let go: it was never promised that nothing else would come.
async fn make_noise(socket: &mut WebSocket, payload: usize) -> Result<(), axum::Error> {
    let too_large = "A".repeat(payload + 1);
    for text in [
        r#"{"messageType":"NEW_IN_2030","messagePayload":"e30="}"#.to_owned(),
        "no message".to_owned(),
        format!(r#"{{"messageType":"SDP_ANSWER","messagePayload":"{too_large}"}}"#),
    ] {
        socket.send(Message::Text(text.into())).await?;
    }
    socket.send(Message::Binary(vec![1, 2, 3].into())).await
}
