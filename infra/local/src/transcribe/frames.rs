//! The event stream's frames: unwrapping and checking what clients sign, and making what the service sends.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::event_stream::{sign_empty_message, sign_message};
use aws_sigv4::sign::v4;
use aws_smithy_eventstream::frame::{DecodedFrame, MessageFrameDecoder, read_message_from, write_message_to};
use aws_smithy_types::event_stream::{Header, HeaderValue, Message};
use bytes::{Bytes, BytesMut};
use serde_json::Value;

/// Frames that reach the service later than this after they were signed are refused (Transcribe developer guide).
const SIGNATURE_LIFE: Duration = Duration::from_secs(300);

/// What a frame of the client says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Audio; never empty.
    Audio(Bytes),
    /// There is no more audio.
    End,
}

/// Why a frame is refused. The stream ends with a `BadRequestException` that says it.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The bytes are no frame.
    #[error("A complete signal was sent without the preceding empty frame, or a frame is malformed: {0}")]
    Malformed(String),
    /// The signature is absent or wrong.
    #[error("The signature of an audio event does not match: check the key, and that every event is signed in order.")]
    Signature,
    /// The signature is too old.
    #[error("Signature expired: an audio event came more than 5 minutes after it was signed.")]
    Expired,
}

/// Reads the client's frames, with the chain of their signatures.
#[derive(Debug)]
pub struct Frames {
    decoder: MessageFrameDecoder,
    buffer: BytesMut,
    credentials: Credentials,
    region: String,
    last: String,
}

impl Frames {
    /// `seed` is the signature of the request, from its `Authorization` header.
    pub fn new(access_key_id: &str, secret_access_key: &str, region: &str, seed: &str) -> Self {
        Self {
            decoder: MessageFrameDecoder::new(),
            buffer: BytesMut::new(),
            credentials: Credentials::new(access_key_id, secret_access_key, None, None, "local"),
            region: region.to_owned(),
            last: seed.to_owned(),
        }
    }

    /// Takes bytes as they came from the network.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete frame, if there is one.
    pub fn next(&mut self, now: SystemTime) -> Result<Option<Said>, Refused> {
        let malformed = |error: aws_smithy_eventstream::error::Error| Refused::Malformed(error.to_string());
        let outer = match self.decoder.decode_frame(&mut self.buffer).map_err(malformed)? {
            DecodedFrame::Incomplete => return Ok(None),
            DecodedFrame::Complete(outer) => outer,
        };
        let inner = match outer.payload().is_empty() {
            true => None,
            false => Some(read_message_from(outer.payload().clone()).map_err(malformed)?),
        };
        self.check(&outer, inner.as_ref(), now)?;
        let Some(inner) = inner else { return Ok(Some(Said::End)) };
        if text_header(&inner, ":event-type") != Some("AudioEvent") {
            return Err(Refused::Malformed("the only event that can be sent is AudioEvent".to_owned()));
        }
        let audio = inner.payload().clone();
        Ok(Some(if audio.is_empty() { Said::End } else { Said::Audio(audio) }))
    }

    /// Signs the frame again with the time it carries and compares.
    fn check(&mut self, outer: &Message, inner: Option<&Message>, now: SystemTime) -> Result<(), Refused> {
        let header = |name: &str| outer.headers().iter().find(|header| header.name().as_str() == name);
        let Some(HeaderValue::ByteArray(signature)) = header(":chunk-signature").map(Header::value) else {
            return Err(Refused::Signature);
        };
        let Some(HeaderValue::Timestamp(date)) = header(":date").map(Header::value) else {
            return Err(Refused::Signature);
        };
        let signed_at = u64::try_from(date.secs()).map_err(|_negative| Refused::Signature)?;
        let time = UNIX_EPOCH + Duration::from_secs(signed_at);
        if now.duration_since(time).or_else(|_future| time.duration_since(now)).is_ok_and(|age| age > SIGNATURE_LIFE) {
            return Err(Refused::Expired);
        }
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("transcribe")
            .time(time)
            .settings(())
            .build()
            .map_err(|_incomplete| Refused::Signature)?;
        let again = match inner {
            Some(inner) => sign_message(inner, &self.last, &params),
            None => sign_empty_message(&self.last, &params),
        };
        let (_, expected) = again.map_err(|_unsignable| Refused::Signature)?.into_parts();
        let got: String = signature.iter().map(|byte| format!("{byte:02x}")).collect();
        if got != expected {
            return Err(Refused::Signature);
        }
        self.last = expected;
        Ok(())
    }
}

fn text_header<'a>(message: &'a Message, name: &str) -> Option<&'a str> {
    let header = message.headers().iter().find(|header| header.name().as_str() == name)?;
    match header.value().as_string() {
        Ok(value) => Some(value.as_str()),
        Err(_other_type) => None,
    }
}

/// A frame of the service: an event.
pub fn event(body: &Value) -> Bytes {
    frame(":event-type", "TranscriptEvent", "event", body)
}

/// A frame of the service: the exception that ends a stream.
pub fn exception(kind: &str, message: &str) -> Bytes {
    frame(":exception-type", kind, "exception", &serde_json::json!({ "Message": message }))
}

fn frame(type_header: &'static str, kind: &str, message_type: &'static str, body: &Value) -> Bytes {
    let text = |value: &str| HeaderValue::String(value.to_owned().into());
    let message = Message::new(body.to_string().into_bytes())
        .add_header(Header::new(type_header, text(kind)))
        .add_header(Header::new(":content-type", text("application/json")))
        .add_header(Header::new(":message-type", text(message_type)));
    let mut out = BytesMut::new();
    match write_message_to(&message, &mut out) {
        Ok(()) => {}
        // Only headers longer than 64 KB or payloads longer than 16 MB can't be written.
        Err(error) => tracing::error!(%error, "a transcript is too large for a frame"),
    }
    out.freeze()
}

/// The signature and the key id of an `Authorization` header: `(access key id, signature)`.
pub fn authorization(header: &str) -> Option<(&str, &str)> {
    let rest = header.strip_prefix("AWS4-HMAC-SHA256 ")?;
    let part = |name: &str| rest.split(',').find_map(|part| part.trim().strip_prefix(name));
    let (key, _scope) = part("Credential=")?.split_once('/')?;
    Some((key, part("Signature=")?))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Signs frames as the SDK does.
    pub(crate) struct Pen {
        credentials: Credentials,
        last: String,
        time: SystemTime,
    }

    impl Pen {
        pub(crate) fn new(secret: &str, seed: &str, time: SystemTime) -> Self {
            Self { credentials: Credentials::new("111122223333", secret, None, None, "test"), last: seed.into(), time }
        }

        pub(crate) fn audio(&mut self, audio: &[u8]) -> Bytes {
            let text = |value: &str| HeaderValue::String(value.to_owned().into());
            let inner = Message::new(audio.to_vec())
                .add_header(Header::new(":message-type", text("event")))
                .add_header(Header::new(":event-type", text("AudioEvent")))
                .add_header(Header::new(":content-type", text("application/octet-stream")));
            self.sign(Some(&inner))
        }

        pub(crate) fn end(&mut self) -> Bytes {
            self.sign(None)
        }

        fn sign(&mut self, inner: Option<&Message>) -> Bytes {
            let identity = self.credentials.clone().into();
            let params = v4::SigningParams::builder()
                .identity(&identity)
                .region("us-east-1")
                .name("transcribe")
                .time(self.time)
                .settings(())
                .build()
                .unwrap();
            let signed = match inner {
                Some(inner) => sign_message(inner, &self.last, &params).unwrap(),
                None => sign_empty_message(&self.last, &params).unwrap(),
            };
            let (message, signature) = signed.into_parts();
            self.last = signature;
            let mut out = BytesMut::new();
            write_message_to(&message, &mut out).unwrap();
            out.freeze()
        }
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    #[test]
    fn audio_comes_out_whole_however_the_network_cuts_it() {
        let mut pen = Pen::new("secret", "seed", now());
        let mut bytes = pen.audio(&[1, 2, 3, 4]).to_vec();
        bytes.extend(pen.audio(&[5, 6]));
        bytes.extend(pen.end());
        let mut frames = Frames::new("111122223333", "secret", "us-east-1", "seed");
        let mut said = Vec::new();
        for byte in bytes {
            frames.push(&[byte]);
            said.extend(frames.next(now()).unwrap());
        }
        let audio = |bytes: &'static [u8]| Said::Audio(Bytes::from_static(bytes));
        assert_eq!(said, [audio(&[1, 2, 3, 4]), audio(&[5, 6]), Said::End]);
    }

    #[test]
    fn a_wrong_secret_is_noticed_at_the_first_frame() {
        let mut frames = Frames::new("111122223333", "secret", "us-east-1", "seed");
        frames.push(&Pen::new("wrong", "seed", now()).audio(&[0, 0]));
        assert!(matches!(frames.next(now()), Err(Refused::Signature)));
    }

    #[test]
    fn a_frame_left_out_breaks_the_chain() {
        let mut pen = Pen::new("secret", "seed", now());
        let _lost = pen.audio(&[0, 0]);
        let mut frames = Frames::new("111122223333", "secret", "us-east-1", "seed");
        frames.push(&pen.audio(&[0, 0]));
        assert!(matches!(frames.next(now()), Err(Refused::Signature)));
    }

    #[test]
    fn a_frame_signed_more_than_five_minutes_ago_is_refused() {
        let mut frames = Frames::new("111122223333", "secret", "us-east-1", "seed");
        frames.push(&Pen::new("secret", "seed", now()).audio(&[0, 0]));
        assert!(matches!(frames.next(now() + Duration::from_secs(301)), Err(Refused::Expired)));
    }

    #[test]
    fn noise_is_no_frame() {
        let mut frames = Frames::new("111122223333", "secret", "us-east-1", "seed");
        frames.push(&[0x7f; 64]);
        assert!(!matches!(frames.next(now()), Ok(Some(_))));
    }

    #[test]
    fn an_authorization_header_gives_key_and_signature() {
        let header = "AWS4-HMAC-SHA256 Credential=1111/20260101/us-east-1/transcribe/aws4_request, \
            SignedHeaders=host;x-amz-date, Signature=abc";
        assert_eq!(authorization(header), Some(("1111", "abc")));
    }
}
