//! What the stand-ins share: a handle on a running one, and the guard of their admin paths.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long a stand-in may take to let its clients go.
const PATIENCE: Duration = Duration::from_secs(2);

/// A stand-in that is listening. Dropping it stops it too, only without waiting.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Starts the handle of a stand-in that listens at `address`.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Self { address, stop: watch::Sender::new(false), tasks: Vec::new() }
    }

    /// The endpoint to give to an SDK, for example `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Serves `router` on `listener` until the stand-in is stopped.
    pub(crate) fn serve(&mut self, listener: TcpListener, router: Router) {
        self.serve_all(listener, router.layer(middleware::from_fn(loopback_only)));
    }

    /// The same for whoever reaches the listener: only for an address that the user has named, and for what everybody may see.
    pub(crate) fn serve_all(&mut self, listener: TcpListener, router: Router) {
        let stopped = self.stopped();
        let app = router.into_make_service_with_connect_info::<SocketAddr>();
        self.tasks.push(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, app).with_graceful_shutdown(stopped).await {
                tracing::error!(%error, "a stand-in stopped listening");
            }
        }));
    }

    /// Turns true once the stand-in is told to stop.
    pub(crate) fn stop_signal(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Resolves once the stand-in is told to stop (or its handle is gone).
    pub(crate) fn stopped(&self) -> impl Future<Output = ()> + Send + 'static {
        let mut stop = self.stop.subscribe();
        async move {
            let _gone = stop.wait_for(|stop| *stop).await;
        }
    }

    /// Stops listening, cuts what is open and waits for it.
    pub async fn stop(mut self) {
        self.stop.send_replace(true);
        for mut task in self.tasks.drain(..) {
            if tokio::time::timeout(PATIENCE, &mut task).await.is_err() {
                tracing::warn!(address = %self.address, "a stand-in is left behind with open connections");
                task.abort();
            }
        }
    }
}

/// `now` with the fields of `change` set: a knob that is not named stays as it is.
///
/// # Errors
/// What is wrong with the change, in words.
pub(crate) fn merged<T: Serialize + DeserializeOwned>(now: &T, change: &Value) -> Result<T, String> {
    let mut whole = serde_json::to_value(now).map_err(|e| e.to_string())?;
    let (Value::Object(fields), Value::Object(changed)) = (&mut whole, change) else {
        return Err("an object is expected, with the fields to set".to_owned());
    };
    fields.extend(changed.clone());
    serde_json::from_value(whole).map_err(|e| e.to_string())
}

/// Nothing here is for the network: whoever is not on this machine is turned away.
async fn loopback_only(ConnectInfo(peer): ConnectInfo<SocketAddr>, request: Request, next: Next) -> Response {
    if peer.ip().is_loopback() {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "the local stand-ins answer loopback addresses only").into_response()
    }
}
