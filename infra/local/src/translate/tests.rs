//! The stand-in over HTTP. Where Apertium is not installed, only what needs no engine is looked at.

use std::path::PathBuf;

use serde_json::{Value, json};
use skipped::skipped;
use tokio::net::TcpListener;

use super::{Running, TranslateConfig, serve};

struct Rig {
    running: Running,
    client: reqwest::Client,
}

async fn rig(config: TranslateConfig) -> Rig {
    let running = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), config).await.unwrap();
    Rig { running, client: reqwest::Client::new() }
}

/// Without engines.
async fn bare() -> Rig {
    rig(TranslateConfig { modes: PathBuf::from("/nowhere"), ..TranslateConfig::default() }).await
}

impl Rig {
    async fn ask(&self, source: &str, target: &str, text: &str) -> Result<(u16, Value), reqwest::Error> {
        let body = json!({ "Text": text, "SourceLanguageCode": source, "TargetLanguageCode": target });
        let response = self
            .client
            .post(self.running.url())
            .header("authorization", "AWS4-HMAC-SHA256 Credential=1")
            .header("x-amz-target", "AWSShineFrontendService_20170701.TranslateText")
            .header("content-type", "application/x-amz-json-1.1")
            .body(body.to_string())
            .send()
            .await?;
        Ok((response.status().as_u16(), response.json().await?))
    }

    async fn kind(&self, source: &str, target: &str, text: &str) -> String {
        let (status, body) = self.ask(source, target, text).await.unwrap();
        assert_ne!(status, 200);
        body["__type"].as_str().unwrap().to_owned()
    }

    async fn text(&self, source: &str, target: &str, text: &str) -> String {
        let (status, body) = self.ask(source, target, text).await.unwrap();
        assert_eq!((status, &body["TargetLanguageCode"]), (200, &json!(target)));
        body["TranslatedText"].as_str().unwrap().to_owned()
    }

    async fn fault(&self, body: Value) {
        let url = format!("{}/_local/faults", self.running.url());
        assert_eq!(self.client.post(url).json(&body).send().await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_language_that_no_engine_has_comes_back_openly_marked() {
    assert_eq!(bare().await.text("en", "de", "Good morning.").await, "⟦de⟧ Good morning.");
}

#[tokio::test]
async fn the_same_language_passes_through() {
    assert_eq!(bare().await.text("en", "en", "Good morning.").await, "Good morning.");
}

#[tokio::test]
async fn limits_are_those_of_translate() {
    let rig = bare().await;
    assert_eq!(rig.text("en", "de", &"a".repeat(10_000)).await.len(), 10_000 + "⟦de⟧ ".len());
    assert_eq!(rig.kind("en", "de", &"a".repeat(10_001)).await, "TextSizeLimitExceededException");
    assert_eq!(rig.kind("en", "xx", "a").await, "UnsupportedLanguagePairException");
    assert_eq!(rig.kind("en", "de", "").await, "ValidationException");
}

#[tokio::test]
async fn a_throttle_holds_for_so_many_calls() {
    let rig = bare().await;
    rig.fault(json!({ "refuse": { "exception": "ThrottlingException", "times": 1 } })).await;
    assert_eq!(rig.kind("en", "de", "a").await, "ThrottlingException");
    rig.fault(json!({ "refuse": { "exception": "TooManyRequestsException" } })).await;
    assert_eq!(rig.kind("en", "de", "a").await, "TooManyRequestsException");
    assert_eq!(rig.text("en", "de", "a").await, "⟦de⟧ a");
}

#[tokio::test]
async fn a_cut_leaves_no_answer() {
    let rig = bare().await;
    rig.fault(json!({ "cut": 1 })).await;
    assert!(rig.ask("en", "de", "a").await.is_err());
    assert_eq!(rig.text("en", "de", "a").await, "⟦de⟧ a");
}

#[tokio::test]
async fn who_does_not_sign_is_not_served() {
    let rig = bare().await;
    let response = rig.client.post(rig.running.url()).body("{}").send().await.unwrap();
    assert_eq!(response.status(), 400);
}

#[tokio::test]
async fn apertium_really_translates_and_many_at_once_do_not_mix() {
    let config = TranslateConfig::default();
    if !config.modes.join("eng-spa.mode").exists() {
        return skipped(
            "apertium_really_translates_and_many_at_once_do_not_mix",
            "apertium-eng-spa is not installed (scripts/setup installs it)",
        );
    }
    let rig = rig(TranslateConfig { warm: vec![("en".into(), "es".into())], ..config }).await;
    let text = "The results of the first quarter are better than we expected.";
    let translated = rig.text("en", "es", text).await;
    assert!(translated.starts_with("Los resultados") && translated.ends_with('.'), "{translated}");
    assert!(!translated.contains("  ") && !translated.contains('*'), "{translated}");
    let asks = (0..20).map(|number| {
        let rig = &rig;
        async move { (number, rig.text("en", "es", &format!("The house {number} is white.")).await) }
    });
    for (number, translated) in futures_util::future::join_all(asks).await {
        assert!(translated.contains(&format!(" {number} ")) && translated.contains("casa"), "{translated}");
    }
    rig.running.stop().await;
}

#[tokio::test]
async fn the_protocol_of_the_rust_sdk_gets_the_same_answers_and_refusals() {
    let rig = bare().await;
    let ask = async |to: &str| {
        let body = json!({ "Text": "Amen.", "SourceLanguageCode": "en", "TargetLanguageCode": to });
        let response = rig
            .client
            .post(format!("{}{}", rig.running.url(), super::cbor::PATH))
            .header("authorization", "AWS4-HMAC-SHA256 Credential=1")
            .header("smithy-protocol", "rpc-v2-cbor")
            .body(super::cbor::write(&body))
            .send()
            .await
            .unwrap();
        assert_eq!(response.headers()["smithy-protocol"], "rpc-v2-cbor");
        (response.status().as_u16(), super::cbor::read(&response.bytes().await.unwrap()).unwrap())
    };
    let (status, answer) = ask("en").await;
    assert_eq!((status, &answer["TranslatedText"]), (200, &json!("Amen.")));
    let (status, refusal) = ask("xx").await;
    assert_eq!((status, &refusal["__type"]), (400, &json!("UnsupportedLanguagePairException")));
}
