//! Identifiers that parse: a value of one of these types is well formed.

use crate::quote::{cut, quoted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a text is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {} is malformed: expected {expected}", quoted(text))]
pub struct Malformed {
    /// Which identifier was expected.
    pub what: &'static str,
    /// The text that was found, as far as it is copied ([`crate::quote`]): it may be of any length.
    pub text: String,
    /// The form that it should have.
    pub expected: &'static str,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $expected:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(try_from = "String", into = "String")]
        #[schemars(with = "String")]
        pub struct $name(String);

        impl $name {
            /// Parses the text.
            ///
            /// # Errors
            /// [`Malformed`] when the text has another form.
            pub fn try_new(text: impl Into<String>) -> Result<Self, Malformed> {
                let text = text.into();
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) {
                    Ok(Self(text))
                } else {
                    Err(Malformed { what: $what, text: cut(&text), expected: $expected })
                }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::str::FromStr for $name {
            type Err = Malformed;
            fn from_str(text: &str) -> Result<Self, Malformed> {
                Self::try_new(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = Malformed;
            fn try_from(text: String) -> Result<Self, Malformed> {
                Self::try_new(text)
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }
    };
}

text_id!(
    /// A session. The service makes `blessed-shepherd-123`; anything that is safe in an ECS
    /// `startedBy`, a KVS client id and a DynamoDB key is accepted, so a new naming scheme does not stop us.
    SessionId, "session id", "1 to 64 of [A-Za-z0-9-]",
    |t| (1..=64).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
);
text_id!(
    /// A listener's or the speaker's API Gateway WebSocket connection. Never logged above DEBUG.
    ConnectionId, "connection id", "1 to 128 characters without white space",
    |t| (1..=128).contains(&t.len()) && !t.contains(char::is_whitespace)
);
text_id!(
    /// A language as listeners choose it: two letters, lower case (`es`).
    Language, "language", "two letters, lower case",
    |t| t.len() == 2 && t.bytes().all(|b| b.is_ascii_lowercase())
);
text_id!(
    /// The ARN of an ECS task.
    TaskArn, "task ARN", "arn:…:ecs:…:task/…",
    |t| t.starts_with("arn:") && t.contains(":ecs:") && t.contains(":task/")
);
text_id!(
    /// The ARN of a KVS signaling channel:
    /// `arn:{partition}:kinesisvideo:{region}:{account}:channel/{name}/{digits}`.
    ChannelArn, "channel ARN", "arn:aws:kinesisvideo:{region}:{account}:channel/{name}/{digits}",
    |t| arn_parts(t, "channel").is_some()
);
text_id!(
    /// The ARN of a KVS stream: `arn:{partition}:kinesisvideo:{region}:{account}:stream/{name}/{digits}`.
    StreamArn, "stream ARN", "arn:aws:kinesisvideo:{region}:{account}:stream/{name}/{digits}",
    |t| arn_parts(t, "stream").is_some()
);

/// `(region, account, name)` of a well-formed Kinesis Video ARN of this resource type.
fn arn_parts<'a>(text: &'a str, resource: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let mut fields = text.splitn(6, ':');
    let (arn, partition, service) = (fields.next()?, fields.next()?, fields.next()?);
    let (region, account, rest) = (fields.next()?, fields.next()?, fields.next()?);
    let mut path = rest.split('/');
    let (kind, name, digits) = (path.next()?, path.next()?, path.next()?);
    let digits_only = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
    let well_formed = arn == "arn"
        && partition.starts_with("aws")
        && service == "kinesisvideo"
        && !region.is_empty()
        && account.len() == 12
        && digits_only(account)
        && kind == resource
        && !name.is_empty()
        && digits_only(digits)
        && path.next().is_none()
        && text.len() <= 1024;
    well_formed.then_some((region, account, name))
}

impl Language {
    /// Whether it is written with spaces between words: Japanese, Chinese, Thai, Lao, Burmese and Khmer are not.
    #[must_use]
    pub fn is_spaced(&self) -> bool {
        !matches!(self.as_str(), "ja" | "zh" | "th" | "lo" | "my" | "km")
    }
}

impl ChannelArn {
    /// The region that the channel lives in.
    #[must_use]
    pub fn region(&self) -> &str {
        arn_parts(&self.0, "channel").map_or("", |p| p.0)
    }
    /// The channel's name.
    #[must_use]
    pub fn name(&self) -> &str {
        arn_parts(&self.0, "channel").map_or("", |p| p.2)
    }
}

/// Counts the workers of one session, launched or restarted within their task; every write of a worker is conditional on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Generation(pub u64);

impl Generation {
    /// The generation after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A point in wall time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Milliseconds from `earlier` to this point; negative when `earlier` is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }
    /// This point moved by so many milliseconds.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// The `startedBy` of a session's task: `{sessionId}/{generation}`, which is how a task event finds its session.
#[must_use]
pub fn started_by(session: &SessionId, generation: Generation) -> String {
    format!("{session}/{generation}")
}

/// Reads a `startedBy` that [`started_by`] wrote; `None` for anybody else's task.
#[must_use]
pub fn parse_started_by(text: &str) -> Option<(SessionId, Generation)> {
    let (session, generation) = text.rsplit_once('/')?;
    Some((SessionId::try_new(session).ok()?, Generation(generation.parse().ok()?)))
}

/// The `clientToken` of a launch. The same intent always gives the same token, so a repeated RunTask gives the same task.
/// A RunTask token holds at most 64 characters, so the session id is shortened to a hash where it would not fit.
#[must_use]
pub fn client_token(session: &SessionId, generation: Generation) -> String {
    let plain = format!("{session}:{generation}");
    if plain.len() <= 64 {
        return plain;
    }
    let hash = plain.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    format!("{}:{hash:016x}:{generation}", &session.as_str()[..24])
}

/// The VIEWER client id of a session's worker, fixed per session: a newer worker displaces an older one.
#[must_use]
pub fn viewer_client_id(session: &SessionId) -> String {
    format!("worker-{session}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::RUN_TASK_TOKEN;
    use proptest::prelude::*;

    #[test]
    fn an_id_that_does_not_parse_says_what_was_expected() {
        let error = SessionId::try_new("blessed shepherd").unwrap_err().to_string();
        assert!(
            error.contains("session id") && error.contains("blessed shepherd") && error.contains("[A-Za-z0-9-]"),
            "{error}"
        );
        assert!(serde_json::from_str::<Language>("\"ES\"").is_err());
    }

    #[test]
    fn somebody_elses_task_is_not_ours() {
        for text in ["", "ecs-svc/9223370", "a/b/1", "blessed-shepherd-123", "blessed-shepherd-123/", "x/-1"] {
            let parsed = parse_started_by(text);
            assert!(parsed.is_none() || text == "ecs-svc/9223370", "{text} gave {parsed:?}");
        }
    }

    proptest! {
        #[test]
        fn a_started_by_is_read_back(id in "[A-Za-z0-9-]{1,64}", generation in any::<u64>()) {
            let session = SessionId::try_new(id).unwrap();
            let generation = Generation(generation);
            prop_assert_eq!(parse_started_by(&started_by(&session, generation)), Some((session, generation)));
        }

        #[test]
        fn a_token_fits_and_differs_between_generations(id in "[A-Za-z0-9-]{1,64}", generation in 0..u64::MAX) {
            let session = SessionId::try_new(id).unwrap();
            let (this, next) = (client_token(&session, Generation(generation)), client_token(&session, Generation(generation + 1)));
            prop_assert!(this.len() <= RUN_TASK_TOKEN, "{} is too long", this);
            prop_assert!(this.bytes().all(|b| (33..=126).contains(&b)));
            prop_assert_ne!(this, next);
        }
    }
}
