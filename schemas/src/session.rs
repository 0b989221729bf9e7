//! Their rows, read tolerantly: unknown fields are ignored, numbers may be strings, seconds may be milliseconds, and a row
//! that is not a session of ours says why.

use crate::ids::{ChannelArn, ConnectionId, Language, SessionId, StreamArn, Timestamp};
use serde_json::{Map, Value};

/// `status` of a session row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// `active`
    Active,
    /// `paused`
    Paused,
    /// `ended`
    Ended,
    /// Anything else, as it stands in the row.
    Other(String),
}

/// A session row that can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
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
}

/// What a row of the Sessions table is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    let run = channel.or(stream).unwrap_or_default().to_owned();
    let is_active = row.get("isActive").and_then(read_bool);
    let expires_at = row.get("expiresAt").and_then(read_number).map(to_timestamp);
    let unservable = |why: String, language: bool| {
        if matches!(status, "active" | "paused") && is_active != Some(false) {
            SessionRecord::Unservable { run: run.clone(), why, language, expires_at }
        } else {
            SessionRecord::Ignored { why: format!("status is {status}, and {why}") }
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
        Err(e) => return unservable(format!("kvsStreamArn: {e}"), false),
    };
    let source_language = match read_language(text("sourceLanguage")) {
        Ok(language) => language,
        Err(why) => return unservable(why, true),
    };
    let Some(expires_at) = expires_at else {
        return unservable("expiresAt is missing or not a number".into(), false);
    };
    SessionRecord::Session(SessionRow {
        session_id,
        channel_arn,
        stream_arn,
        status: match status {
            "active" => Status::Active,
            "paused" => Status::Paused,
            "ended" => Status::Ended,
            other => Status::Other(other.to_owned()),
        },
        is_active,
        source_language,
        created_at: row.get("createdAt").and_then(read_number).map(to_timestamp),
        expires_at,
        speaker_connection_id: text("speakerConnectionId").and_then(|t| ConnectionId::try_new(t).ok()),
    })
}

/// A language of the product; region variants (`en-US`) count as their language.
fn read_language(text: Option<&str>) -> Result<Language, String> {
    let Some(text) = text else { return Err("sourceLanguage is missing".into()) };
    let short = text.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    if LANGUAGES.contains(&short.as_str()) {
        Language::try_new(short).map_err(|e| e.to_string())
    } else {
        Err(format!("sourceLanguage {text:?} is not one of {}", LANGUAGES.join(" ")))
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
        language: read_language(text("targetLanguage")).ok()?,
        connected_at: row.get("connectedAt").and_then(read_number).map(to_timestamp),
    })
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
