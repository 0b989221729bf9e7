//! The session row as the session service's HTTP path writes it, and ids as it makes them.

use aws_sdk_dynamodb::types::AttributeValue;
use schemas::ids::{ChannelArn, Language, SessionId, StreamArn, Timestamp};
use schemas::session::CaptionOptions;
use std::collections::HashMap;

/// Life of a session in the service, seconds: 24 h.
pub const LIFE_S: i64 = 24 * 3600;

/// What the service knows when it writes the row.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// The id.
    pub session: SessionId,
    /// The speaker's Cognito `sub`.
    pub speaker: String,
    /// The speaker's language.
    pub source: Language,
    /// Where the speaker is heard.
    pub way: Way,
    /// What the session asks of its captions.
    pub options: CaptionOptions,
    /// Now.
    pub at: Timestamp,
}

/// A new channel with its MASTER endpoints.
#[derive(Debug, Clone)]
pub struct Channel {
    /// Its ARN.
    pub arn: ChannelArn,
    /// Signaling.
    pub wss: String,
    /// ICE servers.
    pub https: String,
}

/// Where the speaker is heard.
#[derive(Debug, Clone)]
pub enum Way {
    /// On a signaling channel, as the product has it.
    Channel(Channel),
    /// On a stream.
    Stream(StreamArn),
}

/// Name of the session's channel.
#[must_use]
pub fn channel_name(session: &SessionId) -> String {
    format!("session-{session}")
}

/// The row.
#[must_use]
pub fn item(new: &NewSession) -> HashMap<String, AttributeValue> {
    let text = |t: &str| AttributeValue::S(t.to_owned());
    let number = |n: i64| AttributeValue::N(n.to_string());
    let mut row: HashMap<String, AttributeValue> = [
        ("sessionId", text(new.session.as_str())),
        ("speakerId", text(&new.speaker)),
        ("sourceLanguage", text(new.source.as_str())),
        ("qualityTier", text("standard")),
        ("status", text("active")),
        ("listenerCount", number(0)),
        ("createdAt", number(new.at.0)),
        ("updatedAt", number(new.at.0)),
        ("expiresAt", number(new.at.0 / 1000 + LIFE_S)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    match &new.way {
        Way::Channel(Channel { arn, wss, https }) => {
            let endpoints = [("WSS".to_owned(), text(wss)), ("HTTPS".to_owned(), text(https))];
            row.insert("kvsChannelArn".into(), text(arn.as_str()));
            row.insert("kvsChannelName".into(), text(&channel_name(&new.session)));
            row.insert("kvsSignalingEndpoints".into(), AttributeValue::M(endpoints.into()));
        }
        Way::Stream(arn) => {
            row.insert("kvsStreamArn".into(), text(arn.as_str()));
        }
    }
    if !new.options.is_empty() {
        let options = new.options.iter().map(|(key, value)| (key.clone(), text(value))).collect();
        row.insert("captionOptions".into(), AttributeValue::M(options));
    }
    row
}

const QUALITIES: [&str; 12] =
    ["bright", "calm", "early", "gentle", "golden", "honest", "kind", "patient", "quiet", "ready", "steady", "swift"];
const NOUNS: [&str; 12] = [
    "beacon",
    "cedar",
    "harbour",
    "lantern",
    "meadow",
    "otter",
    "piper",
    "rehearsal",
    "river",
    "robin",
    "sparrow",
    "willow",
];

/// An id of the service's form, `^[a-z]+-[a-z]+-\d{3}$`, from any random number.
#[must_use]
pub fn make_id(random: u128) -> Option<SessionId> {
    let pick = |list: &[&'static str; 12], n: u128| list.get(usize::try_from(n % 12).ok()?).copied();
    let (quality, noun) = (pick(&QUALITIES, random)?, pick(&NOUNS, random / 12)?);
    SessionId::try_new(format!("{quality}-{noun}-{:03}", random / 144 % 1000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schemas::session::{SessionRecord, Status, read_session};

    fn sample() -> NewSession {
        NewSession {
            session: make_id(7).unwrap(),
            speaker: "11111111-2222-3333-4444-555555555555".into(),
            source: Language::try_new("en").unwrap(),
            way: Way::Channel(Channel {
                arn: ChannelArn::try_new(
                    "arn:aws:kinesisvideo:us-east-1:000000000000:channel/session-a-b-001/1234567890123",
                )
                .unwrap(),
                wss: "wss://m-1.example".into(),
                https: "https://r-1.example".into(),
            }),
            options: CaptionOptions::new(),
            at: Timestamp(1_800_000_000_123),
        }
    }

    #[test]
    fn options_stand_in_the_row_as_we_read_them() {
        let options = CaptionOptions::from([("terminology".to_owned(), "church".to_owned())]);
        let new = NewSession { options: options.clone(), ..sample() };
        let row: serde_json::Map<String, serde_json::Value> = serde_dynamo::from_item(item(&new)).unwrap();
        let SessionRecord::Session(session) = read_session(&row) else { panic!("not served") };
        assert_eq!(session.options, options);
    }

    #[test]
    fn the_row_is_one_that_we_serve() {
        let row: serde_json::Map<String, serde_json::Value> = serde_dynamo::from_item(item(&sample())).unwrap();
        let SessionRecord::Session(session) = read_session(&row) else { panic!("not served") };
        assert_eq!(session.status, Status::Active);
        assert_eq!(session.is_active, None);
        assert_eq!(session.expires_at, Timestamp(1_800_086_400_000));
    }

    #[test]
    fn the_row_has_exactly_the_attributes_of_the_http_path() {
        let mut names: Vec<_> = item(&sample()).into_keys().collect();
        names.sort();
        assert_eq!(
            names,
            [
                "createdAt",
                "expiresAt",
                "kvsChannelArn",
                "kvsChannelName",
                "kvsSignalingEndpoints",
                "listenerCount",
                "qualityTier",
                "sessionId",
                "sourceLanguage",
                "speakerId",
                "status",
                "updatedAt",
            ]
        );
    }

    #[test]
    fn a_session_on_a_stream_names_the_stream_and_no_channel() {
        let arn = "arn:aws:kinesisvideo:us-east-1:000000000000:stream/session-a-b-001/1234567890123";
        let new = NewSession { way: Way::Stream(StreamArn::try_new(arn).unwrap()), ..sample() };
        let row: serde_json::Map<String, serde_json::Value> = serde_dynamo::from_item(item(&new)).unwrap();
        let SessionRecord::Session(session) = read_session(&row) else { panic!("not served") };
        assert_eq!((session.stream_arn.unwrap().as_str(), session.channel_arn), (arn, None));
    }

    proptest! {
        #[test]
        fn every_id_has_the_form_of_the_service(random in any::<u128>()) {
            let id = make_id(random).unwrap();
            let parts: Vec<_> = id.as_str().split('-').collect();
            prop_assert_eq!(parts.len(), 3);
            prop_assert!(parts[..2].iter().all(|p| p.bytes().all(|b| b.is_ascii_lowercase())));
            prop_assert!(parts[2].len() == 3 && parts[2].bytes().all(|b| b.is_ascii_digit()));
        }
    }
}
