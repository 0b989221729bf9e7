use std::collections::HashMap;

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message as Upstream;

use super::*;

#[test]
fn in_the_network_the_page_answers_under_the_address_that_was_named_and_no_other() {
    let address: SocketAddr = "192.168.1.20:8400".parse().unwrap();
    assert!(listeners::names("192.168.1.20:8400", address));
    for other in ["", "192.168.1.20", "192.168.1.20:80", "127.0.0.1:8400", "localhost:8400", "example.org:8400"] {
        assert!(!listeners::names(other, address), "{other}");
    }
    assert!(listeners::names("192.168.1.20", "192.168.1.20:80".parse().unwrap()), "browsers leave out port 80");
    assert!(listeners::names("[fd00::20]:8400", "[fd00::20]:8400".parse().unwrap()));
}

#[test]
fn a_listener_from_the_network_cannot_become_the_speaker() {
    let socket = Url::parse("ws://127.0.0.1:4000/prod").unwrap();
    let query = [("sessionId", "a-b-001"), ("targetLanguage", "es"), ("token", "secret"), ("x", "y")];
    let query: HashMap<_, _> = query.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let passed = listeners::upstream(&socket, &query);
    assert_eq!(passed.as_str(), "ws://127.0.0.1:4000/prod?sessionId=a-b-001&targetLanguage=es");
}

#[test]
fn of_what_a_browser_says_only_a_listeners_words_pass() {
    let join = r#"{"action":"joinSession","sessionId":"a-b-001","targetLanguage":"es","role":"speaker"}"#;
    let passed: Value = serde_json::from_str(&listeners::listeners_word(join).unwrap()).unwrap();
    assert_eq!(passed, json!({ "action": "joinSession", "sessionId": "a-b-001", "targetLanguage": "es" }));
    let join = r#"{"action":"joinSession","sessionId":"a-b-001","targetLanguage":"es","captionMode":"stable"}"#;
    let passed: Value = serde_json::from_str(&listeners::listeners_word(join).unwrap()).unwrap();
    assert_eq!(passed["captionMode"], "stable");
    assert!(listeners::listeners_word(r#"{"action":"heartbeat"}"#).is_some());
    for other in ["", "[]", r#"{"action":"pause"}"#, r#"{"action":"joinSession"}"#, r#"{"sessionId":"a-b-001"}"#] {
        assert_eq!(listeners::listeners_word(other), None, "{other}");
    }
}

#[test]
fn only_names_of_this_machine_are_answered() {
    for own in ["127.0.0.1", "127.0.0.1:8400", "localhost:8400", "localhost", "[::1]:8400"] {
        assert!(is_own_name(own), "{own}");
    }
    for other in ["", "example.org", "127.0.0.1.example.org:8400", "10.0.0.1:8400", "localhost.example.org"] {
        assert!(!is_own_name(other), "{other}");
    }
}

#[test]
fn a_button_breaks_what_it_names_and_nothing_else() {
    assert!(matches!(fault_named("kill-worker", Some("a-b-001")), Ok(Fault::KillWorker { session: Some(_) })));
    assert!(fault_named("kill-worker", None).is_err(), "never all workers");
    assert!(fault_named("kill-controller", None).is_err());
    for name in
        ["cut-transcribe", "throttle-translate", "cut-signaling", "drop-10", "drop-20", "drop-20-bursts", "drop-none"]
    {
        assert!(fault_named(name, None).is_ok(), "{name}");
    }
}

#[test]
fn dropping_nothing_also_ends_bursts() {
    let knobs = |name| match fault_named(name, None) {
        Ok(Fault::Network { knobs }) => knobs.join(" "),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        (knobs("drop-20-bursts"), knobs("drop-none")),
        ("loss=0.2 burst=3".to_owned(), "loss=0 burst=1".to_owned())
    );
}

#[test]
fn a_wish_is_signed_and_only_those_of_the_page_are_passed_on() {
    let hold = operator::wish("hold", "a-b-001").unwrap();
    assert_eq!(hold[..4], ["hold", "a-b-001", "--for", "10m"]);
    assert!(hold.contains(&"--by"));
    assert!(operator::wish("stop", "a-b-001").unwrap().contains(&"--yes"), "nobody is there to be asked");
    assert!(operator::wish("rehearse", "a-b-001").is_err());
    assert!(operator::session("--all").is_err(), "no argument of another kind");
}

#[test]
fn the_page_is_told_which_languages_something_translates_into_and_what_does() {
    let offer = Offer {
        source: "en".into(),
        engines: vec![crate::translate::Served {
            engine: "Apertium 3.8.3".into(),
            languages: vec!["es".into(), "ca".into()],
        }],
        untranslated: vec!["de".into()],
    };
    let told = told(&offer, &["en".to_owned(), "es".to_owned()]);
    assert_eq!(told["languages"], json!(["es", "ca", "en", "de"]));
    assert_eq!(told["translation"]["engines"], json!([{ "engine": "Apertium 3.8.3", "languages": ["es", "ca"] }]));
    assert_eq!(told["translation"]["untranslated"], json!(["de"]));
    assert_eq!(told["sourceLanguages"], json!(["en", "es"]), "all that the recogniser understands");
    let says = told["translation"]["says"].as_str().unwrap();
    assert!(says.starts_with("Apertium 3.8.3 stands in for Amazon Translate (en → es ca)"), "{says}");
}

/// The listener's page on an address that stands for the network, before a WebSocket API that says again what it hears.
async fn opened() -> (Running, PathBuf) {
    let page = std::env::temp_dir().join(format!("page-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(page.join("listen")).unwrap();
    std::fs::write(page.join("listen/index.html"), "the listener's page").unwrap();
    std::fs::write(page.join("main.js"), "the operator's page").unwrap();
    let api = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = Url::parse(&format!("ws://{}/prod", api.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = api.accept().await {
            let (mut out, from) = tokio_tungstenite::accept_async(stream).await.unwrap().split();
            let _gone = out.send_all(&mut from.map(|said| said.map(|said| format!("heard {said}").into()))).await;
        }
    });
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let mut running = Running::new(listener.local_addr().unwrap());
    let offer = Offer {
        source: "en".into(),
        engines: vec![crate::translate::Served { engine: "Apertium".into(), languages: vec!["es".into()] }],
        untranslated: Vec::new(),
    };
    let hall = Hall::new(told(&offer, &["en".to_owned()]), socket, running.stop_signal());
    let address = running.address;
    running.serve_all(listener, listeners::open(hall, &page, address));
    (running, page)
}

#[tokio::test]
async fn the_network_is_shown_the_listeners_page_and_nothing_else() {
    let (running, page) = opened().await;
    let client = reqwest::Client::new();
    let status = |path: &str| client.get(format!("{}{path}", running.url())).send();
    assert_eq!(status("/").await.unwrap().text().await.unwrap(), "the listener's page", "by a redirect");
    assert_eq!(status("/api/listen").await.unwrap().json::<Value>().await.unwrap()["languages"], json!(["es", "en"]));
    for path in [
        "/main.js",
        "/listen/..%2fmain.js",
        "/samples/short.wav",
        "/api/config",
        "/api/sessions/a-b-001/speaker",
        "/api/operator/list",
        "/api/faults",
    ] {
        assert_eq!(status(path).await.unwrap().status(), 404, "{path}");
    }
    let foreign = client.get(format!("{}/listen/", running.url())).header("host", "example.org").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    running.stop().await;
    std::fs::remove_dir_all(page).unwrap();
}

#[tokio::test]
async fn a_listener_in_the_network_is_heard_and_answered_and_nothing_else_passes() {
    let (running, page) = opened().await;
    let url = format!("ws://{}/api/listen/socket?sessionId=a-b-001&targetLanguage=es", running.address);
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.unwrap();
    for said in [r#"{"action":"pause"}"#, r#"{"action":"heartbeat"}"#] {
        socket.send(said.into()).await.unwrap();
    }
    let heard = socket.next().await.unwrap().unwrap();
    assert_eq!(heard.to_text().unwrap(), r#"heard {"action":"heartbeat"}"#, "the first that came through");
    running.stop().await;
    assert!(!matches!(socket.next().await, Some(Ok(Upstream::Text(_)))), "it ends with the stack");
    std::fs::remove_dir_all(page).unwrap();
}
