//! The stand-in over HTTP. Where Apertium is not installed, only what needs no engine is looked at; the models are made by hand
//! (`py/tiny_model.py`) and run in the real process.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use skipped::skipped;
use tokio::net::TcpListener;

use super::{Running, TranslateConfig, serve};

struct Rig {
    running: Running,
    client: reqwest::Client,
}

async fn rig(config: TranslateConfig) -> Rig {
    let (running, _offer) = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), config).await.unwrap();
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

/// A directory of tiny models, which goes with it.
struct Shelf {
    root: PathBuf,
    python: PathBuf,
}

impl Shelf {
    /// One for each line, `marian en-es good=buenos`; `None`, with a line that says so, where the libraries are not installed.
    async fn of(name: &str, models: &[&str]) -> Option<Self> {
        let local = Path::new(env!("CARGO_MANIFEST_DIR"));
        let venv = std::env::var_os("LOCAL_STACK_VENV").map_or_else(|| local.join("../../.local/venv"), PathBuf::from);
        let root = std::env::temp_dir().join(format!("translator-models-{name}-{}", std::process::id()));
        let shelf = Self { root, python: venv.join("bin/python") };
        let python = || tokio::process::Command::new(&shelf.python);
        if !python()
            .args(["-c", "import ctranslate2, sentencepiece"])
            .output()
            .await
            .is_ok_and(|run| run.status.success())
        {
            let why = format!("{} has no ctranslate2 and sentencepiece (make setup)", shelf.python.display());
            skipped("translation models of your own", &why);
            return None;
        }
        for model in models {
            let mut words = model.split(' ');
            let (kind, folder) = (words.next().unwrap(), shelf.root.join(words.next().unwrap()));
            let made =
                python().arg(local.join("py/tiny_model.py")).arg(kind).arg(folder).args(words).output().await.unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        Some(shelf)
    }

    fn config(&self) -> TranslateConfig {
        let modes = PathBuf::from("/nowhere");
        TranslateConfig {
            models: Some(self.root.clone()),
            python: self.python.clone(),
            modes,
            ..TranslateConfig::default()
        }
    }
}

impl Drop for Shelf {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.root);
    }
}

const SPANISH: &str = "marian en-es good=buenos morning=días friends=amigos .=.";

#[tokio::test]
async fn a_model_of_ones_own_translates_every_sentence_and_the_rest_stays_marked() {
    let german = "nllb nllb good=guten morning=Morgen friends=Freunde .=.";
    let Some(shelf) = Shelf::of("pair-and-many", &[SPANISH, german]).await else { return };
    let rig = rig(shelf.config()).await;
    assert_eq!(rig.text("en", "es", "good morning friends. good friends.").await, "buenos días amigos. buenos amigos.");
    assert_eq!(
        rig.text("en", "de", "good morning friends.").await,
        "guten Morgen Freunde.",
        "by the tokens of the languages"
    );
    let known: Value =
        rig.client.get(format!("{}/_local/faults", rig.running.url())).send().await.unwrap().json().await.unwrap();
    assert_eq!(known["models"]["models"], json!(["en-es", "nllb"]));
    assert!(known["models"]["engine"].as_str().unwrap().starts_with("CTranslate2 "), "{known}");
    rig.running.stop().await;
}

#[tokio::test]
async fn two_models_make_a_pair_that_none_has_and_a_language_without_a_way_is_marked() {
    let catalan = "marian es-ca buenos=bons días=dies amigos=amics .=.";
    let Some(shelf) = Shelf::of("two-pairs", &[SPANISH, catalan]).await else { return };
    let rig = rig(shelf.config()).await;
    assert_eq!(rig.text("en", "ca", "good morning friends.").await, "bons dies amics.");
    assert_eq!(rig.text("en", "de", "good morning.").await, "⟦de⟧ good morning.");
}

#[tokio::test]
async fn many_texts_at_once_get_each_its_own_translation() {
    let Some(shelf) = Shelf::of("many-texts", &["marian en-es good=buenos morning=días .=."]).await else { return };
    let rig = rig(shelf.config()).await;
    let asks = (1..8_usize).map(|count| {
        let rig = &rig;
        async move { (count, rig.text("en", "es", &format!("{}morning.", "good ".repeat(count))).await) }
    });
    for (count, translated) in futures_util::future::join_all(asks).await {
        assert_eq!(translated, format!("{}días.", "buenos ".repeat(count)));
    }
}

#[tokio::test]
async fn a_model_that_cannot_be_read_is_an_error_of_the_service_and_the_next_text_is_served() {
    let Some(shelf) = Shelf::of("broken", &[SPANISH, "marian en-fr good=bon .=."]).await else { return };
    std::fs::write(shelf.root.join("en-fr/model.bin"), "no model").unwrap();
    let rig = rig(shelf.config()).await;
    assert_eq!(rig.kind("en", "fr", "good.").await, "InternalServerException");
    assert_eq!(rig.text("en", "es", "good morning.").await, "buenos días.");
}

#[tokio::test]
async fn a_python_without_the_libraries_says_how_to_get_them() {
    let models = std::env::temp_dir().join(format!("translator-models-bare-{}", std::process::id()));
    std::fs::create_dir_all(models.join("en-es")).unwrap();
    for file in ["model.bin", "source.spm", "target.spm"] {
        std::fs::write(models.join("en-es").join(file), "").unwrap();
    }
    let config = TranslateConfig {
        models: Some(models.clone()),
        python: PathBuf::from("/bin/false"),
        ..TranslateConfig::default()
    };
    let refused = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), config).await.unwrap_err().to_string();
    assert!(refused.contains("pip install -r infra/local/translator.txt"), "{refused}");
    std::fs::remove_dir_all(&models).unwrap();
}
