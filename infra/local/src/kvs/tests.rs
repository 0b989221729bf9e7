//! The stand-in over HTTP and WebSocket.

use std::time::{Duration, SystemTime};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::relay::Relay;
use super::sigv4::Key;
use super::sigv4::tests::presign;
use super::{KvsConfig, Limits, Running, serve};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Rig {
    running: Running,
    client: reqwest::Client,
    arn: String,
}

async fn rig(limits: Limits) -> Rig {
    let mut config = KvsConfig::new("us-east-1", "111122223333", "111122223333", "secret");
    config.limits = limits;
    config.relay = Some(Relay { address: "127.0.0.1:3478".parse().unwrap(), secret: "north".into() });
    let running = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), config).await.unwrap();
    let mut rig = Rig { running, client: reqwest::Client::new(), arn: String::new() };
    let (status, made) = rig.call("/createSignalingChannel", json!({ "ChannelName": "session-a" })).await;
    assert_eq!(status, 200);
    rig.arn = made["ChannelARN"].as_str().unwrap().to_owned();
    rig
}

fn key() -> Key {
    Key { id: "111122223333".into(), secret: "secret".into(), region: "us-east-1".into() }
}

impl Rig {
    async fn call(&self, path: &str, body: Value) -> (u16, Value) {
        let request = self
            .client
            .post(format!("{}{path}", self.running.url()))
            .header("authorization", "AWS4-HMAC-SHA256 Credential=111122223333/x")
            .json(&body);
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers().get("x-amzn-errortype").map(|kind| kind.to_str().unwrap().to_owned());
        let body: Value = response.json().await.unwrap();
        (status, kind.map_or(body, Value::from))
    }

    async fn fault(&self, body: Value) {
        assert_eq!(self.call("/_local/faults", body).await.0, 200);
    }

    async fn endpoint(&self, role: &str) -> String {
        let ask = json!({ "ChannelARN": self.arn, "SingleMasterChannelEndpointConfiguration":
            { "Protocols": ["WSS"], "Role": role } });
        let (_, answer) = self.call("/getSignalingChannelEndpoint", ask).await;
        answer["ResourceEndpointList"][0]["ResourceEndpoint"].as_str().unwrap().to_owned()
    }

    async fn url(&self, viewer: Option<&str>, arn: &str, key: &Key) -> String {
        let endpoint = self.endpoint(if viewer.is_some() { "VIEWER" } else { "MASTER" }).await;
        let arn: String = url::form_urlencoded::byte_serialize(arn.as_bytes()).collect();
        let id = viewer.map(|id| format!("&X-Amz-ClientId={id}")).unwrap_or_default();
        let http = format!("{}/?X-Amz-ChannelARN={arn}{id}", endpoint.replace("ws://", "http://"));
        presign(&http, key, SystemTime::now()).replace("http://", "ws://")
    }

    async fn master(&self) -> Socket {
        connect_async(self.url(None, &self.arn, &key()).await).await.unwrap().0
    }

    async fn viewer(&self, id: &str) -> Socket {
        connect_async(self.url(Some(id), &self.arn, &key()).await).await.unwrap().0
    }

    async fn refused(&self, url: String) -> u16 {
        match connect_async(url).await {
            Err(Error::Http(response)) => response.status().as_u16(),
            other => panic!("{other:?}"),
        }
    }
}

async fn say(socket: &mut Socket, message: Value) {
    socket.send(Message::text(message.to_string())).await.unwrap();
}

async fn heard(socket: &mut Socket) -> Value {
    let message = tokio::time::timeout(Duration::from_secs(5), socket.next()).await.unwrap();
    serde_json::from_str(message.unwrap().unwrap().to_text().unwrap()).unwrap()
}

/// Reads to the end: whether it was closed with a frame.
async fn closed(socket: &mut Socket) -> bool {
    let mut clean = false;
    while let Some(Ok(message)) = socket.next().await {
        clean |= message.is_close();
    }
    clean
}

#[tokio::test]
async fn offer_answer_and_candidates_go_between_viewer_and_master() {
    let rig = rig(Limits::default()).await;
    let mut master = rig.master().await;
    let mut viewer = rig.viewer("worker-a").await;
    say(&mut viewer, json!({ "action": "SDP_OFFER", "messagePayload": "b2ZmZXI=" })).await;
    let offer = heard(&mut master).await;
    assert_eq!(
        offer,
        json!({ "messageType": "SDP_OFFER", "senderClientId": "worker-a", "messagePayload": "b2ZmZXI=" })
    );
    say(&mut master, json!({ "action": "ICE_CANDIDATE", "messagePayload": "lost" })).await;
    say(&mut master, json!({ "action": "SDP_ANSWER", "messagePayload": "YQ==", "recipientClientId": "worker-a" }))
        .await;
    assert_eq!(heard(&mut viewer).await, json!({ "messageType": "SDP_ANSWER", "messagePayload": "YQ==" }));
    rig.running.stop().await;
    assert!(!closed(&mut viewer).await, "stopping the stand-in cuts what is open");
}

#[tokio::test]
async fn masters_and_viewers_have_endpoints_of_their_own() {
    let rig = rig(Limits::default()).await;
    assert_ne!(rig.endpoint("MASTER").await, rig.endpoint("VIEWER").await);
    let ask = json!({ "ChannelARN": rig.arn, "SingleMasterChannelEndpointConfiguration":
        { "Protocols": ["WEBRTC"], "Role": "VIEWER" } });
    assert_eq!(rig.call("/getSignalingChannelEndpoint", ask).await, (400, json!("InvalidArgumentException")));
}

#[tokio::test]
async fn a_connect_is_refused_as_aws_does() {
    let rig = rig(Limits { connects: 100, ..Limits::default() }).await;
    let wrong = Key { secret: "wrong".into(), ..key() };
    assert_eq!(rig.refused(rig.url(Some("a"), &rig.arn, &wrong).await).await, 403);
    assert_eq!(rig.refused(rig.url(Some("a"), "arn:aws:kinesisvideo:x", &key()).await).await, 404);
    assert_eq!(rig.refused(rig.url(Some("AWS_a"), &rig.arn, &key()).await).await, 400);
    rig.fault(json!({ "refuse": { "exception": "ClientLimitExceededException", "times": 1 } })).await;
    let ask = rig.call("/describeSignalingChannel", json!({ "ChannelName": "session-a" })).await;
    assert_eq!(ask, (400, json!("ClientLimitExceededException")));
}

#[tokio::test]
async fn a_newer_viewer_of_the_same_id_displaces_the_older() {
    let rig = rig(Limits::default()).await;
    let mut old = rig.viewer("worker-a").await;
    let _new = rig.viewer("worker-a").await;
    assert!(closed(&mut old).await);
}

#[tokio::test]
async fn go_away_comes_before_the_longest_duration_and_then_the_end() {
    let limits =
        Limits { connection: Duration::from_millis(80), grace: Duration::from_millis(40), ..Limits::default() };
    let rig = rig(limits).await;
    let mut viewer = rig.viewer("worker-a").await;
    assert_eq!(heard(&mut viewer).await, json!({ "messageType": "GO_AWAY" }));
    assert!(closed(&mut viewer).await);
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let rig = rig(Limits { idle: Duration::from_millis(40), ..Limits::default() }).await;
    assert!(closed(&mut rig.viewer("worker-a").await).await);
}

#[tokio::test]
async fn faults_cut_masters_only_or_tell_of_new_servers() {
    let rig = rig(Limits::default()).await;
    let (mut master, mut viewer) = (rig.master().await, rig.viewer("worker-a").await);
    rig.fault(json!({ "cut": "unclean", "of": "master" })).await;
    assert!(!closed(&mut master).await);
    rig.fault(json!({ "reconnect_ice_server": true })).await;
    assert_eq!(heard(&mut viewer).await["messageType"], "RECONNECT_ICE_SERVER");
    rig.fault(json!({ "go_away": true })).await;
    assert_eq!(heard(&mut viewer).await["messageType"], "GO_AWAY");
}

#[tokio::test]
async fn a_channel_is_described_served_with_ice_and_deleted() {
    let rig = rig(Limits::default()).await;
    let (_, described) = rig.call("/describeSignalingChannel", json!({ "ChannelARN": rig.arn })).await;
    assert_eq!(described["ChannelInfo"]["SingleMasterConfiguration"]["MessageTtlSeconds"], 60);
    let (_, ice) = rig.call("/v1/get-ice-server-config", json!({ "ChannelARN": rig.arn })).await;
    assert_eq!(ice["IceServerList"][0]["Ttl"], 300);
    let mut viewer = rig.viewer("worker-a").await;
    assert_eq!(rig.call("/deleteSignalingChannel", json!({ "ChannelARN": rig.arn })).await.0, 200);
    assert!(closed(&mut viewer).await);
    assert_eq!(rig.call("/describeSignalingChannel", json!({ "ChannelARN": rig.arn })).await.0, 404);
}

#[tokio::test]
async fn who_does_not_sign_is_not_served() {
    let rig = rig(Limits::default()).await;
    let url = format!("{}/describeSignalingChannel", rig.running.url());
    assert_eq!(rig.client.post(url).json(&json!({})).send().await.unwrap().status(), 403);
}
