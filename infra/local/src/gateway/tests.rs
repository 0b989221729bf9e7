//! The stand-in over HTTP, in front of an emulator that accepts everything.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::Router;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::server::connection;
use super::{Running, serve};

struct Rig {
    gateway: Running,
    _emulator: Running,
    arrived: Arc<AtomicU32>,
    client: reqwest::Client,
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn rig() -> Rig {
    let (arrived, at) = (Arc::new(AtomicU32::new(0)), listener().await);
    let mut emulator = Running::new(at.local_addr().unwrap());
    let count = Arc::clone(&arrived);
    emulator.serve(
        at,
        Router::new().fallback(async move || {
            count.fetch_add(1, Ordering::Relaxed);
        }),
    );
    let gateway = serve(listener().await, emulator.url()).unwrap();
    Rig { gateway, _emulator: emulator, arrived, client: reqwest::Client::new() }
}

impl Rig {
    async fn post(&self, connection: &str) -> u16 {
        let url = format!("{}/_aws/execute-api/sessions/prod/@connections/{connection}", self.gateway.url());
        self.client.post(url).body("{}").send().await.unwrap().status().as_u16()
    }

    async fn set(&self, faults: Value) -> Value {
        let url = format!("{}/_local/faults", self.gateway.url());
        self.client.post(url).json(&faults).send().await.unwrap().json().await.unwrap()
    }
}

#[tokio::test]
async fn without_a_fault_every_post_arrives() {
    let rig = rig().await;
    assert_eq!((rig.post("ann").await, rig.post("bob%3D").await), (200, 200));
    assert_eq!(rig.arrived.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_refusal_counts_down_for_its_connection_only_and_a_refused_post_does_not_arrive() {
    let rig = rig().await;
    rig.set(json!({"refuse": {"status": 429, "times": 2, "connection": "ann="}})).await;
    rig.set(json!({"refuse": {"status": 410, "connection": "bob"}})).await;
    let statuses = [
        rig.post("ann%3D").await,
        rig.post("bob").await,
        rig.post("eva").await,
        rig.post("ann%3D").await,
        rig.post("ann%3D").await,
        rig.post("bob").await,
    ];
    assert_eq!(statuses, [429, 410, 200, 429, 200, 200]);
    assert_eq!(rig.arrived.load(Ordering::Relaxed), 3);
    assert_eq!(rig.set(json!({"clear": true})).await["refused"], 3);
}

#[tokio::test]
async fn a_stuck_connection_holds_up_nobody_else() {
    let rig = rig().await;
    rig.set(json!({"stall": {"ms": 600_000, "connection": "stuck"}})).await;
    tokio::select! {
        _ = rig.post("stuck") => panic!("it is stuck"),
        quick = rig.post("quick") => assert_eq!(quick, 200),
    }
    rig.set(json!({"stall": {"ms": 0, "connection": "stuck"}})).await;
    assert_eq!(rig.post("stuck").await, 200);
}

#[test]
fn a_connection_is_named_as_the_session_service_knows_it() {
    assert_eq!(connection("/prod/@connections/L0SM9cOFvHcCIhw%3D"), "L0SM9cOFvHcCIhw=");
    assert_eq!(connection("/prod/@connections/5f1c-ab"), "5f1c-ab");
}
