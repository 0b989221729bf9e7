use super::*;

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
    let told = told(&offer);
    assert_eq!(told["languages"], json!(["es", "ca", "en", "de"]));
    assert_eq!(told["translation"]["engines"], json!([{ "engine": "Apertium 3.8.3", "languages": ["es", "ca"] }]));
    assert_eq!(told["translation"]["untranslated"], json!(["de"]));
    let says = told["translation"]["says"].as_str().unwrap();
    assert!(says.starts_with("Apertium 3.8.3 stands in for Amazon Translate (en → es ca)"), "{says}");
}
