//! The stand-in over HTTP, with the scripted recogniser and whole bodies.

use std::time::SystemTime;

use aws_smithy_eventstream::frame::read_message_from;
use bytes::{Buf, Bytes};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::frames::tests::Pen;
use super::{Limits, Recogniser, Running, TranscribeConfig, serve};

const SCRIPT: &str = r#"{"streams": [[
    {"at": 0.1, "utterance": 1, "final": false, "text": "good"},
    {"utterance": 1, "final": true, "text": "good morning"}]]}"#;

struct Rig {
    running: Running,
    url: String,
    client: reqwest::Client,
}

async fn rig(limits: Limits) -> Rig {
    let script = std::env::temp_dir().join(format!("{}.json", uuid::Uuid::new_v4()));
    std::fs::write(&script, SCRIPT).unwrap();
    let config = TranscribeConfig {
        recogniser: Recogniser::Scripted { file: script.clone() },
        region: "us-east-1".into(),
        access_key_id: "111122223333".into(),
        secret_access_key: "secret".into(),
        limits,
    };
    let running = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), config).await.unwrap();
    std::fs::remove_file(script).unwrap();
    Rig { url: running.url(), running, client: reqwest::Client::new() }
}

impl Rig {
    fn request(&self) -> reqwest::RequestBuilder {
        self.client
            .post(format!("{}/stream-transcription", self.url))
            .header("x-amzn-transcribe-language-code", "en-US")
            .header("x-amzn-transcribe-media-encoding", "pcm")
            .header("x-amzn-transcribe-sample-rate", "16000")
            .header("authorization", "AWS4-HMAC-SHA256 Credential=111122223333/x, SignedHeaders=host, Signature=seed")
    }

    async fn fault(&self, body: Value) -> Value {
        self.client.post(format!("{}/_local/faults", self.url)).json(&body).send().await.unwrap().json().await.unwrap()
    }
}

/// The frames of a response: (type, body).
async fn told(response: reqwest::Response) -> Vec<(String, Value)> {
    let mut bytes = response.bytes().await.unwrap();
    let mut all = Vec::new();
    while bytes.has_remaining() {
        let message = read_message_from(&mut bytes).unwrap();
        let header = |name: &str| {
            let header = message.headers().iter().find(|header| header.name().as_str() == name);
            header.map(|header| header.value().as_string().unwrap().as_str().to_owned())
        };
        let kind = header(":event-type").or(header(":exception-type")).unwrap();
        all.push((kind, serde_json::from_slice(message.payload()).unwrap()));
    }
    all
}

fn pen() -> Pen {
    Pen::new("secret", "seed", SystemTime::now())
}

fn body(pen: &mut Pen, audio: &[&[u8]]) -> Bytes {
    let mut all: Vec<u8> = audio.iter().flat_map(|audio| pen.audio(audio)).collect();
    all.extend(pen.end());
    all.into()
}

#[tokio::test]
async fn what_is_said_comes_back_as_guesses_and_a_final_and_then_the_end() {
    let rig = rig(Limits::default()).await;
    let audio = body(&mut pen(), &[&[0; 3_200], &[0; 3_200]]);
    let response = rig.request().body(audio).send().await.unwrap();
    assert_eq!(response.headers()["x-amzn-transcribe-language-code"], "en-US");
    assert_eq!(response.headers()["x-amzn-transcribe-session-id"].len(), 36);
    let told = told(response).await;
    let transcripts: Vec<_> = told
        .iter()
        .map(|(_, body)| body["Transcript"]["Results"][0]["Alternatives"][0]["Transcript"].clone())
        .collect();
    assert_eq!(transcripts, ["Good", "Good morning."]);
    assert_eq!(told[0].1["Transcript"]["Results"][0]["ResultId"], told[1].1["Transcript"]["Results"][0]["ResultId"]);
    rig.running.stop().await;
}

#[tokio::test]
async fn more_than_a_second_in_one_event_is_refused_in_the_stream() {
    let rig = rig(Limits::default()).await;
    let told = told(rig.request().body(body(&mut pen(), &[&[0; 32_002]])).send().await.unwrap()).await;
    assert_eq!(told[0].0, "BadRequestException");
}

#[tokio::test]
async fn a_wrong_signature_is_refused_in_the_stream() {
    let rig = rig(Limits::default()).await;
    let mut wrong = Pen::new("wrong", "seed", SystemTime::now());
    let told = told(rig.request().body(body(&mut wrong, &[&[0; 320]])).send().await.unwrap()).await;
    assert_eq!(told[0].0, "BadRequestException");
    assert!(told[0].1["Message"].as_str().unwrap().contains("signature"));
}

#[tokio::test]
async fn a_stranger_is_not_let_in() {
    let rig = rig(Limits::default()).await;
    let request = rig.client.post(format!("{}/stream-transcription", rig.url)).body("");
    assert_eq!(request.send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn one_stream_more_than_the_quota_is_refused_in_the_stream() {
    let rig = rig(Limits { streams: 0, ..Limits::default() }).await;
    let told = told(rig.request().body(body(&mut pen(), &[])).send().await.unwrap()).await;
    assert_eq!(told[0].0, "LimitExceededException");
}

#[tokio::test]
async fn a_refusal_is_set_for_so_many_streams_and_then_forgotten() {
    let rig = rig(Limits::default()).await;
    rig.fault(json!({ "refuse": { "exception": "LimitExceededException", "times": 1, "how": "http" } })).await;
    let first = rig.request().body(body(&mut pen(), &[])).send().await.unwrap();
    assert_eq!(
        (first.status().as_u16(), &first.headers()["x-amzn-errortype"]),
        (429, &"LimitExceededException".parse().unwrap())
    );
    assert_eq!(rig.request().body(body(&mut pen(), &[])).send().await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_language_that_does_not_exist_is_refused_before_the_stream() {
    let rig = rig(Limits::default()).await;
    let response = rig.request().header("x-amzn-transcribe-language-code", "xx").body("").send().await.unwrap();
    let headers = response.headers().get_all("x-amzn-transcribe-language-code").iter().count();
    assert_eq!((response.status().as_u16(), headers), (200, 1), "the first of two headers counts");
    let wrong = rig
        .client
        .post(format!("{}/stream-transcription", rig.url))
        .header("authorization", "AWS4-HMAC-SHA256 Credential=111122223333/x, Signature=seed")
        .header("x-amzn-transcribe-language-code", "xx");
    let response = wrong.body("").send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), &response.headers()["x-amzn-errortype"]),
        (400, &"BadRequestException".parse().unwrap())
    );
}
