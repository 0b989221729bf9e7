//! Their rows, read tolerantly: unknown fields are ignored, numbers may be strings, seconds may be milliseconds, and a row
//! that is not a session of ours says why. Whatever the row holds, what is read of it is small: a text of theirs is copied as far as [`crate::quote`] lets it.

use crate::forward;
use crate::ids::{ChannelArn, ConnectionId, Language, SessionId, StreamArn, Timestamp};
use crate::quote::{cut, quoted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// `status` of a session row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Status {
    /// `active`
    Active,
    /// `paused`
    Paused,
    /// `ended`
    Ended,
    /// Anything else, as it stands in the row; a long text is cut.
    Other(String),
}

/// A session row that can be served.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRow {
    /// The key.
    pub session_id: SessionId,
    /// The signaling channel, when the speaker uses WebRTC.
    pub channel_arn: Option<ChannelArn>,
    /// The stream, when the session is consumed by GetMedia.
    pub stream_arn: Option<StreamArn>,
    /// The state that the service gives it.
    pub status: Status,
    /// `isActive`, which rows of the HTTP path lack.
    pub is_active: Option<bool>,
    /// The speaker's language, two letters.
    pub source_language: Language,
    /// When the service made it.
    pub created_at: Option<Timestamp>,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// The speaker's own connection, when the service stored it.
    pub speaker_connection_id: Option<ConnectionId>,
    /// `captionOptions`: options of this one session, as texts; a worker reads what it knows and says what it does not.
    #[serde(default)]
    pub options: CaptionOptions,
}

/// Options of one session beside those of its environment: key and text, such as `terminology` and `church`.
pub type CaptionOptions = BTreeMap<String, String>;

/// Options that are kept of a row; more is an accident.
const MOST_OPTIONS: usize = 32;
/// The longest option, its key and its text, bytes.
const LONGEST_OPTION: usize = 256;

/// What a row of the Sessions table is to us.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SessionRecord {
    /// A session that we can serve.
    Session(SessionRow),
    /// Not ours to serve: a ghost row, a legacy row without a channel, or a row that has a fault but wants nothing.
    Ignored {
        /// Why, for the log.
        why: String,
    },
    /// Wants to be served, but a field makes that impossible.
    Unservable {
        /// Which run it is, so that a repaired row (another run) gets another try.
        run: String,
        /// One sentence that names the field and what it holds.
        why: String,
        /// True when it is the language, false when a field is malformed.
        language: bool,
        /// When the session ends at the latest, when that can be read: nobody is told of a fault in a row that is over.
        expires_at: Option<Timestamp>,
    },
}

/// As much of a run's ARN as is kept, characters: no well-formed one is longer.
const LONGEST_RUN: usize = 1_024;

/// Languages that the product offers to speakers and listeners.
pub const LANGUAGES: [&str; 19] =
    ["en", "es", "fr", "de", "it", "pt", "ru", "ja", "ko", "zh", "ar", "hi", "nl", "pl", "tr", "sv", "da", "no", "fi"];

/// Reads a row of the Sessions table.
#[must_use]
pub fn read_session(row: &Map<String, Value>) -> SessionRecord {
    let text = |key: &str| row.get(key).and_then(Value::as_str).filter(|t| !t.is_empty());
    let (channel, stream) = (text("kvsChannelArn"), text("kvsStreamArn"));
    if channel.is_none() && stream.is_none() {
        return SessionRecord::Ignored { why: "the row has neither kvsChannelArn nor kvsStreamArn".into() };
    }
    let Some(status) = text("status") else {
        return SessionRecord::Ignored { why: "the row has no status".into() };
    };
    let run: String = channel.or(stream).unwrap_or_default().chars().take(LONGEST_RUN).collect();
    let is_active = row.get("isActive").and_then(read_bool);
    let expires_at = row.get("expiresAt").and_then(read_number).map(to_timestamp);
    let unservable = |why: String, language: bool| {
        if matches!(status, "active" | "paused") && is_active != Some(false) {
            SessionRecord::Unservable { run: run.clone(), why, language, expires_at }
        } else {
            SessionRecord::Ignored { why: format!("status is {}, and {why}", cut(status)) }
        }
    };
    let session_id = match SessionId::try_new(text("sessionId").unwrap_or_default()) {
        Ok(id) => id,
        Err(e) => return unservable(e.to_string(), false),
    };
    let channel_arn = match channel.map(ChannelArn::try_new).transpose() {
        Ok(arn) => arn,
        Err(e) => return unservable(format!("kvsChannelArn: {e}"), false),
    };
    let stream_arn = match stream.map(StreamArn::try_new).transpose() {
        Ok(arn) => arn,
        Err(e) => {
            // The commonest mistake: a channel only introduces peers to each other and stores no media.
            let a_channel = stream.is_some_and(|arn| ChannelArn::try_new(arn).is_ok());
            let hint = if a_channel {
                "; that is a signaling channel, which GetMedia cannot read: put it into kvsChannelArn"
            } else {
                ""
            };
            return unservable(format!("kvsStreamArn: {e}{hint}"), false);
        }
    };
    let source_language = match read_language(text("sourceLanguage")) {
        Ok(language) => language,
        Err(why) => return unservable(why, true),
    };
    let Some(expires_at) = expires_at else {
        return unservable(not_a_time(row.get("expiresAt")), false);
    };
    SessionRecord::Session(SessionRow {
        session_id,
        channel_arn,
        stream_arn,
        status: match status {
            "active" => Status::Active,
            "paused" => Status::Paused,
            "ended" => Status::Ended,
            other => Status::Other(cut(other)),
        },
        is_active,
        source_language,
        created_at: row.get("createdAt").and_then(read_number).map(to_timestamp),
        expires_at,
        speaker_connection_id: text("speakerConnectionId").and_then(|t| ConnectionId::try_new(t).ok()),
        options: read_options(row.get("captionOptions"), text("sourceLanguage")),
    })
}

/// That `expiresAt` cannot be read, and what it holds.
fn not_a_time(held: Option<&Value>) -> String {
    match held {
        None | Some(Value::Null) => "expiresAt is missing".to_owned(),
        Some(Value::String(text)) => format!("expiresAt holds {}, which is not a number", quoted(text)),
        Some(value @ (Value::Bool(_) | Value::Number(_))) => {
            format!("expiresAt holds {}, which is not a number", cut(&value.to_string()))
        }
        Some(Value::Array(_) | Value::Object(_)) => "expiresAt holds a list or a map, which is not a number".to_owned(),
    }
}

/// The session's options. A variant in `sourceLanguage` (`en-GB`) is one too.
fn read_options(map: Option<&Value>, source_language: Option<&str>) -> CaptionOptions {
    let variant = source_language.filter(|text| text.contains(['-', '_'])).map(|text| text.replace('_', "-"));
    let variant = variant.map(|text| (VARIANT.to_owned(), text));
    let written = map.and_then(Value::as_object).into_iter().flatten();
    let written = written.filter_map(|(key, value)| Some((key.clone(), read_option(value)?)));
    variant
        .into_iter()
        .chain(written)
        .filter(|(key, text)| key.len() + text.len() <= LONGEST_OPTION)
        .take(MOST_OPTIONS)
        .collect()
}

/// The option that says which variant of its language the speaker speaks.
pub const VARIANT: &str = "variant";

fn read_option(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(on) => Some(if *on { "on" } else { "off" }.to_owned()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A language of the product; region variants (`en-US`) count as their language.
fn read_language(text: Option<&str>) -> Result<Language, String> {
    let Some(text) = text else { return Err("sourceLanguage is missing".into()) };
    let short = text.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    if LANGUAGES.contains(&short.as_str()) {
        Language::try_new(short).map_err(|e| e.to_string())
    } else {
        Err(format!("sourceLanguage {} is not one of {}", quoted(text), LANGUAGES.join(" ")))
    }
}

/// Any two letters: `es`, `ES`, `es-MX`.
fn read_target(text: &str) -> Option<Language> {
    Language::try_new(text.split(['-', '_']).next()?.to_ascii_lowercase()).ok()
}

/// How settled a text must be before a listener sees it: the listener's own choice, `captionMode` of the connection. A word of a newer release is
/// read as [`CaptionMode::Usual`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "camelCase")]
pub enum CaptionMode {
    /// Without a choice: the speaker's words at once, but for the last one that may still change; translated sentences and clauses as they
    /// settle, none of which is taken back.
    #[default]
    Usual,
    /// Only what is never taken back: settled words in the speaker's language, sentences and clauses in translation as they settle.
    Stable,
    /// Whatever is known, the soonest: also translations of words that may still change.
    Fast,
}

forward::reads!(CaptionMode, Usual);

/// What the row says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AskedMode {
    /// One of those that exist, or nothing.
    Known(CaptionMode),
    /// Something else, which counts as nothing.
    Unknown(String),
}

impl Default for AskedMode {
    fn default() -> Self {
        Self::Known(CaptionMode::default())
    }
}

impl AskedMode {
    /// What counts.
    #[must_use]
    pub fn mode(&self) -> CaptionMode {
        match self {
            Self::Known(mode) => *mode,
            Self::Unknown(_) => CaptionMode::default(),
        }
    }
}

/// The longest text of an unknown mode that is kept, characters: it comes from anybody.
const LONGEST_MODE: usize = 24;

fn read_mode(value: Option<&Value>) -> AskedMode {
    let text = match value {
        None | Some(Value::Null) => return AskedMode::default(),
        Some(Value::String(text)) => text.trim().to_ascii_lowercase(),
        Some(other) => other.to_string(),
    };
    match text.as_str() {
        "" | "usual" => AskedMode::default(),
        "stable" => AskedMode::Known(CaptionMode::Stable),
        "fast" => AskedMode::Known(CaptionMode::Fast),
        _ => AskedMode::Unknown(text.chars().take(LONGEST_MODE).collect()),
    }
}

/// A listener's row of the Connections table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerRow {
    /// The key.
    pub connection_id: ConnectionId,
    /// The language that the listener chose.
    pub language: Language,
    /// When the listener came, or last changed the language.
    pub connected_at: Option<Timestamp>,
    /// How settled a text must be before the listener sees it.
    pub mode: AskedMode,
}

/// Reads a row of the Connections table; `None` for a speaker, a ghost, or a row without a language.
#[must_use]
pub fn read_listener(row: &Map<String, Value>) -> Option<ListenerRow> {
    let text = |key: &str| row.get(key).and_then(Value::as_str);
    if text("role") != Some("listener") {
        return None;
    }
    Some(ListenerRow {
        connection_id: ConnectionId::try_new(text("connectionId")?).ok()?,
        // Listeners choose among what Translate gives, which is more than speakers may speak (Catalan, for one).
        language: read_target(text("targetLanguage")?)?,
        connected_at: row.get("connectedAt").and_then(read_number).map(to_timestamp),
        mode: read_mode(row.get("captionMode")),
    })
}

/// The connection of a row of the speaker; `None` for every other row. Such a row stands in the index of the listeners only
/// where it has a `targetLanguage`.
#[must_use]
pub fn read_speaker(row: &Map<String, Value>) -> Option<ConnectionId> {
    let text = |key: &str| row.get(key).and_then(Value::as_str);
    (text("role") == Some("speaker")).then(|| ConnectionId::try_new(text("connectionId")?).ok())?
}

fn read_number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(n) => n.as_f64(),
        Value::String(t) => t.trim().parse().ok().filter(|n: &f64| n.is_finite()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

fn read_bool(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(b) => Some(*b),
        Value::String(t) if t.eq_ignore_ascii_case("true") => Some(true),
        Value::String(t) if t.eq_ignore_ascii_case("false") => Some(false),
        Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Seconds below 10¹¹ (the year 5138), milliseconds above (after March 1973).
#[expect(clippy::cast_possible_truncation, reason = "saturates, and such a time is nonsense anyway")]
fn to_timestamp(number: f64) -> Timestamp {
    Timestamp(if number.abs() < 1e11 { (number * 1000.0) as i64 } else { number as i64 })
}

#[cfg(test)]
#[allow(clippy::wildcard_enum_match_arm, reason = "tests name what they expect, and nothing else passes")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const ARN: &str = "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-blessed-shepherd-123/1700000000000";

    fn row(changes: Value) -> Map<String, Value> {
        let mut row = json!({
            "sessionId": "blessed-shepherd-123", "speakerId": "5f0c", "sourceLanguage": "en", "qualityTier": "standard",
            "status": "active", "listenerCount": 0, "createdAt": 1_795_365_000_000_i64, "updatedAt": 1_795_365_000_000_i64,
            "expiresAt": 1_795_451_400, "kvsChannelArn": ARN, "kvsChannelName": "session-blessed-shepherd-123",
            "kvsSignalingEndpoints": {"WSS": "wss://m", "HTTPS": "https://m"},
        });
        for (key, value) in changes.as_object().unwrap() {
            if value.is_null() {
                row.as_object_mut().unwrap().remove(key);
            } else {
                row[key] = value.clone();
            }
        }
        row.as_object().unwrap().clone()
    }
    fn read(changes: Value) -> SessionRecord {
        read_session(&row(changes))
    }
    fn session(changes: Value) -> SessionRow {
        match read(changes) {
            SessionRecord::Session(row) => row,
            other => panic!("not a session: {other:?}"),
        }
    }
    fn unservable(changes: Value) -> (String, bool) {
        match read(changes) {
            SessionRecord::Unservable { why, language, .. } => (why, language),
            other => panic!("not unservable: {other:?}"),
        }
    }
    fn is_ignored(record: &SessionRecord) -> bool {
        matches!(record, SessionRecord::Ignored { .. })
    }

    #[test]
    fn a_row_of_the_http_path_is_a_session() {
        let row = session(json!({}));
        assert_eq!((row.status, row.is_active), (Status::Active, None));
        assert_eq!(row.created_at, Some(Timestamp(1_795_365_000_000)));
        assert_eq!(row.expires_at, Timestamp(1_795_451_400_000), "seconds in the table");
        assert_eq!(row.channel_arn.unwrap().name(), "session-blessed-shepherd-123");
    }

    #[test]
    fn options_of_a_session_are_read_as_texts_and_a_row_without_them_has_none() {
        assert!(session(json!({})).options.is_empty());
        let asked = json!({"terminology": "church", "chunkMs": 50, "brevity": true, "odd": {"a": 1}});
        let options = session(json!({"captionOptions": asked, "sourceLanguage": "en-GB"})).options;
        let pairs: Vec<_> = options.iter().map(|(key, text)| (key.as_str(), text.as_str())).collect();
        assert_eq!(pairs, [("brevity", "on"), ("chunkMs", "50"), ("terminology", "church"), ("variant", "en-GB")]);
        assert!(session(json!({"captionOptions": "church"})).options.is_empty(), "no map is no fault");
        let long = json!({"terminology": "x".repeat(9_999)});
        assert!(session(json!({"captionOptions": long})).options.is_empty());
    }

    #[test]
    fn seconds_and_milliseconds_and_numbers_in_texts_are_the_same_time() {
        for expires_at in
            [json!(1_795_451_400), json!("1795451400"), json!(1_795_451_400_000_i64), json!(" 1795451400.0 ")]
        {
            assert_eq!(session(json!({"expiresAt": expires_at})).expires_at, Timestamp(1_795_451_400_000));
        }
    }

    #[test]
    fn a_switch_may_be_a_text() {
        assert_eq!(session(json!({"isActive": "False"})).is_active, Some(false));
        assert_eq!(session(json!({"isActive": true})).is_active, Some(true));
        assert_eq!(session(json!({"isActive": 1})).is_active, None);
    }

    #[test]
    fn a_region_variant_of_a_language_is_its_language() {
        for text in ["en-US", "EN", "en_GB"] {
            assert_eq!(session(json!({"sourceLanguage": text})).source_language.as_str(), "en");
        }
    }

    #[test]
    fn unknown_fields_and_unknown_states_are_no_fault() {
        let row = session(json!({"status": "archived", "somethingNew": {"a": [1, 2, {}]}}));
        assert_eq!(row.status, Status::Other("archived".into()));
    }

    #[test]
    fn what_is_read_of_a_row_with_any_oversized_field_is_small() {
        for oversized in ["x", "\u{1}", "\u{10ffff}", "\"", "ß"].map(|c| c.repeat(400_000 / c.len())) {
            for field in ["sessionId", "kvsChannelArn", "kvsStreamArn", "status", "sourceLanguage", "expiresAt"] {
                for text in [oversized.clone(), format!("en-{oversized}"), format!("{ARN}{oversized}")] {
                    let read = read(json!({field: text, "captionOptions": {"glossary": text}}));
                    let length = serde_json::to_string(&read).unwrap().len();
                    assert!(length < 10_000, "{field}: {length} bytes");
                    if let SessionRecord::Unservable { why, .. } | SessionRecord::Ignored { why } = read {
                        assert!(why.chars().count() < 500, "{field}: {why}");
                    }
                }
            }
        }
    }

    #[test]
    fn a_language_with_an_oversized_variant_is_its_language_without_one() {
        let row = session(json!({"sourceLanguage": format!("en-{}", "x".repeat(260_000))}));
        assert_eq!((row.source_language.as_str(), row.options.len()), ("en", 0));
    }

    #[test]
    fn an_expiry_that_is_no_number_says_what_it_holds() {
        for (held, said) in
            [(json!("soon"), "holds \"soon\""), (json!(null), "is missing"), (json!(true), "holds true")]
        {
            let (why, _) = unservable(json!({"expiresAt": held}));
            assert!(why.contains(said), "{why}");
        }
    }

    #[test]
    fn a_stream_is_as_good_as_a_channel() {
        let arn = ARN.replace("channel/", "stream/");
        assert!(session(json!({"kvsChannelArn": null, "kvsStreamArn": arn})).stream_arn.is_some());
    }

    #[test]
    fn a_channel_where_a_stream_belongs_is_refused_with_the_difference() {
        let row = json!({"kvsChannelArn": null, "kvsStreamArn": ARN});
        let SessionRecord::Unservable { why, .. } = read(row) else { panic!("it is not refused") };
        assert!(why.contains("signaling channel, which GetMedia cannot read: put it into kvsChannelArn"), "{why}");
    }

    #[test]
    fn legacy_rows_and_ghost_rows_are_ignored() {
        let legacy = json!({"sessionId": "a-b-123", "isActive": true, "speakerConnectionId": "c=", "broadcastState": {"isActive": true}});
        let ghosts = [
            json!({"sessionId": "a-b-123", "isActive": false}),
            json!({"sessionId": "a-b-123", "listenerCount": 0}),
            json!({}),
        ];
        for row in ghosts.iter().chain([&legacy]) {
            assert!(is_ignored(&read_session(row.as_object().unwrap())), "{row}");
        }
        assert!(is_ignored(&read(json!({"status": null}))));
    }

    #[test]
    fn a_fault_is_named_with_what_stands_there() {
        let (why, language) = unservable(json!({"sourceLanguage": "tlh"}));
        assert!(language && why.contains("\"tlh\""), "{why}");
        for arn in [
            "arn:aws:kinesisvideo:nonsense",
            "session-x",
            &ARN.replace("channel/", "stream/"),
            &ARN.replace("123456789012", "1"),
        ] {
            let (why, language) = unservable(json!({"kvsChannelArn": arn}));
            assert!(!language && why.contains("kvsChannelArn"), "{why}");
        }
        for expires_at in [json!(null), json!("soon"), json!("NaN"), json!({})] {
            assert!(unservable(json!({"expiresAt": expires_at})).0.contains("expiresAt"));
        }
        assert!(unservable(json!({"sourceLanguage": null})).1);
    }

    #[test]
    fn a_fault_in_a_row_that_wants_nothing_is_nobodys_business() {
        for over in [json!({"status": "ended"}), json!({"isActive": false}), json!({"status": "archived"})] {
            let mut changes = over.clone();
            changes["sourceLanguage"] = json!("tlh");
            assert!(is_ignored(&read(changes)), "{over}");
        }
    }

    #[test]
    fn only_listeners_with_a_language_are_listeners() {
        let listener = json!({"connectionId": "LNYBedTnIAMC=", "sessionId": "a-b-1", "role": "listener", "targetLanguage": "es", "connectedAt": "1795365000000"});
        let read = |changes: &[(&str, Value)]| {
            let mut row = listener.as_object().unwrap().clone();
            row.extend(changes.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
            read_listener(&row)
        };
        let row = read(&[]).unwrap();
        assert_eq!((row.connection_id.as_str(), row.language.as_str()), ("LNYBedTnIAMC=", "es"));
        assert_eq!(row.connected_at, Some(Timestamp(1_795_365_000_000)));
        assert_eq!(read(&[("role", json!("speaker"))]), None);
        assert_eq!(read(&[("targetLanguage", Value::Null)]), None);
        assert_eq!(read(&[("connectionId", json!(""))]), None);
    }

    #[test]
    fn a_mode_that_does_not_exist_is_the_usual_one_and_is_remembered_as_what_it_was() {
        let mode = |mode: Value| {
            let row = json!({"connectionId": "a=", "role": "listener", "targetLanguage": "es", "captionMode": mode});
            read_listener(row.as_object().unwrap()).unwrap().mode
        };
        assert_eq!(mode(json!("stable")), AskedMode::Known(CaptionMode::Stable));
        assert_eq!(mode(json!(" Fast ")), AskedMode::Known(CaptionMode::Fast));
        for usual in [Value::Null, json!(""), json!("usual")] {
            assert_eq!(mode(usual), AskedMode::default());
        }
        assert_eq!(mode(json!("slow")), AskedMode::Unknown("slow".into()));
        assert_eq!(mode(json!(7)).mode(), CaptionMode::Usual);
        assert_eq!(mode(json!("x".repeat(9_999))), AskedMode::Unknown("x".repeat(LONGEST_MODE)));
    }

    #[test]
    fn the_speakers_row_is_known_by_its_role_alone() {
        let read = |row: Value| read_speaker(row.as_object().unwrap());
        let speaker = json!({"connectionId": "s=", "role": "speaker", "targetLanguage": "en"});
        assert_eq!(read(speaker).unwrap().as_str(), "s=");
        assert!(read(json!({"connectionId": "s=", "role": "speaker"})).is_some());
        assert_eq!(read(json!({"connectionId": "a=", "role": "listener", "targetLanguage": "en"})), None);
        assert_eq!(read(json!({"connectionId": "", "role": "speaker"})), None);
        assert_eq!(read(json!({"role": "speaker"})), None);
    }

    #[test]
    fn a_listener_may_choose_a_language_that_no_speaker_can() {
        let row = json!({"connectionId": "a=", "role": "listener", "targetLanguage": "ca"});
        assert_eq!(read_listener(row.as_object().unwrap()).unwrap().language.as_str(), "ca");
    }

    /// Any JSON value, a few levels deep.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i64>().prop_map(|n| json!(n)),
            any::<f64>().prop_map(|n| json!(n)),
            ".*".prop_map(Value::String),
            Just(json!(ARN)),
            Just(json!("active")),
            Just(json!("1e999")),
        ];
        leaf.prop_recursive(2, 8, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn any_row() -> impl Strategy<Value = Map<String, Value>> {
        let keys = prop::sample::select(vec![
            "sessionId",
            "status",
            "isActive",
            "sourceLanguage",
            "createdAt",
            "expiresAt",
            "kvsChannelArn",
            "kvsStreamArn",
            "role",
            "targetLanguage",
            "connectionId",
            "connectedAt",
            "speakerConnectionId",
            "captionMode",
            "",
        ]);
        prop::collection::vec((keys, any_json()), 0..12)
            .prop_map(|fields| fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    proptest! {
        #[test]
        fn any_object_is_read_without_a_panic(fields in any_row()) {
            let _ = (read_session(&fields), read_listener(&fields), read_speaker(&fields));
            let mut near = row(json!({}));
            near.extend(fields);
            let _ = (read_session(&near), read_listener(&near), read_speaker(&near));
        }
    }
}
