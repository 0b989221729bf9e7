//! Messages of a signaling channel: what may be sent, and what a text frame means. No socket, no state.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemas::limits::SIGNALING_PAYLOAD_BYTES;
use schemas::signaling::{FromService, StatusResponse, ToService};
use serde_json::Value;

/// Something to send. `to` is a viewer's client id when a master sends; a viewer sends `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outgoing {
    /// An offer.
    Offer {
        /// The SDP text.
        sdp: String,
        /// The recipient.
        to: Option<String>,
    },
    /// An answer.
    Answer {
        /// The SDP text.
        sdp: String,
        /// The recipient.
        to: Option<String>,
    },
    /// A candidate.
    Candidate {
        /// `RTCIceCandidateInit` as JSON text.
        json: String,
        /// The recipient. A master that leaves it out (the product's browser does) reaches nobody.
        to: Option<String>,
    },
}

/// Something that happened on the channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// An offer came.
    Offer {
        /// Who sent it; `None` when the service does not say, as it does for the master.
        from: Option<String>,
        /// The SDP text.
        sdp: String,
    },
    /// An answer came.
    Answer {
        /// Who sent it.
        from: Option<String>,
        /// The SDP text.
        sdp: String,
    },
    /// A candidate came, perhaps before its offer or answer.
    Candidate {
        /// Who sent it.
        from: Option<String>,
        /// `RTCIceCandidateInit` as JSON text.
        json: String,
    },
    /// The service closes this connection within a minute; media is not affected.
    GoAway,
    /// The relay goes away: fetch new ICE servers before the next offer.
    ReconnectIceServer,
    /// A message with this correlation id was refused.
    Refused(StatusResponse),
    /// The connection has ended; nothing follows.
    Closed {
        /// What was seen.
        detail: String,
    },
}

/// What a text frame means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// An event.
    Event(Event),
    /// A message type that this version does not know; ignored, as AWS asks of clients.
    Unknown(String),
    /// Not a message; ignored.
    Malformed(&'static str),
    /// A payload that no service would relay; ignored.
    Oversized,
}

/// Why a message cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the signaling payload has {bytes} bytes, the service relays at most {SIGNALING_PAYLOAD_BYTES}; offer fewer codecs or candidates"
)]
pub struct TooLarge {
    /// Its length in base64.
    pub bytes: usize,
}

/// Writes a message; the service answers a failure only when there is a correlation id.
///
/// # Errors
/// [`TooLarge`] when the service would refuse the payload.
pub fn encode(message: &Outgoing, correlation_id: &str) -> Result<ToService, TooLarge> {
    let (action, payload, to) = match message {
        Outgoing::Offer { sdp, to } => ("SDP_OFFER", sdp_json("offer", sdp), to),
        Outgoing::Answer { sdp, to } => ("SDP_ANSWER", sdp_json("answer", sdp), to),
        Outgoing::Candidate { json, to } => ("ICE_CANDIDATE", json.clone(), to),
    };
    let message_payload = STANDARD.encode(payload);
    if message_payload.len() > SIGNALING_PAYLOAD_BYTES {
        return Err(TooLarge { bytes: message_payload.len() });
    }
    Ok(ToService {
        action: action.to_owned(),
        recipient_client_id: to.clone(),
        message_payload,
        correlation_id: Some(correlation_id.to_owned()),
    })
}

fn sdp_json(kind: &str, sdp: &str) -> String {
    serde_json::json!({ "type": kind, "sdp": sdp }).to_string()
}

/// Reads a text frame.
#[must_use]
pub fn decode(text: &str) -> Decoded {
    let Ok(message) = serde_json::from_str::<FromService>(text) else {
        return Decoded::Malformed("not a JSON message");
    };
    let payload = message.message_payload.unwrap_or_default();
    if payload.len() > SIGNALING_PAYLOAD_BYTES {
        return Decoded::Oversized;
    }
    let from = message.sender_client_id.filter(|id| !id.is_empty());
    match message.message_type.as_str() {
        "SDP_OFFER" => sdp_event(&payload, |sdp| Event::Offer { from, sdp }),
        "SDP_ANSWER" => sdp_event(&payload, |sdp| Event::Answer { from, sdp }),
        "ICE_CANDIDATE" => match payload_json(&payload) {
            Some(json) if json.get("candidate").is_some_and(Value::is_string) => {
                Decoded::Event(Event::Candidate { from, json: json.to_string() })
            }
            Some(_) | None => Decoded::Malformed("a candidate without \"candidate\""),
        },
        "GO_AWAY" => Decoded::Event(Event::GoAway),
        "RECONNECT_ICE_SERVER" => Decoded::Event(Event::ReconnectIceServer),
        "STATUS_RESPONSE" => Decoded::Event(Event::Refused(message.status_response.unwrap_or_default())),
        "" => Decoded::Malformed("no messageType"),
        other => Decoded::Unknown(other.to_owned()),
    }
}

fn sdp_event(payload: &str, event: impl FnOnce(String) -> Event) -> Decoded {
    match payload_json(payload).as_ref().and_then(|json| json.get("sdp")).and_then(Value::as_str) {
        Some(sdp) => Decoded::Event(event(sdp.to_owned())),
        None => Decoded::Malformed("an SDP message without \"sdp\""),
    }
}

fn payload_json(payload: &str) -> Option<Value> {
    serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the service makes of a client's message for its recipient.
    fn relayed(message: &ToService, sender: Option<&str>) -> String {
        serde_json::to_string(&FromService {
            message_type: message.action.clone(),
            sender_client_id: sender.map(str::to_owned),
            message_payload: Some(message.message_payload.clone()),
            status_response: None,
        })
        .unwrap()
    }

    #[test]
    fn what_one_side_sends_is_what_the_other_reads() {
        let to = Some("worker-a".to_owned());
        let sent = encode(&Outgoing::Answer { sdp: "v=0\r\n".into(), to: to.clone() }, "c1").unwrap();
        assert_eq!(sent.recipient_client_id, to);
        assert_eq!(
            decode(&relayed(&sent, Some(""))),
            Decoded::Event(Event::Answer { from: None, sdp: "v=0\r\n".into() })
        );
        let candidate =
            Outgoing::Candidate { json: r#"{"candidate":"candidate:1 1 udp","sdpMid":"0"}"#.into(), to: None };
        let Decoded::Event(Event::Candidate { from, json }) =
            decode(&relayed(&encode(&candidate, "c2").unwrap(), Some("v")))
        else {
            panic!("no candidate")
        };
        assert_eq!(from.as_deref(), Some("v"));
        assert!(json.contains("candidate:1 1 udp"));
    }

    #[test]
    fn go_away_has_no_payload_and_is_still_heard() {
        assert_eq!(decode(r#"{"messageType":"GO_AWAY"}"#), Decoded::Event(Event::GoAway));
        assert_eq!(
            decode(r#"{"messageType":"RECONNECT_ICE_SERVER","messagePayload":null}"#),
            Decoded::Event(Event::ReconnectIceServer)
        );
    }

    #[test]
    fn a_refusal_names_the_message_that_it_is_about() {
        let text = r#"{"messageType":"STATUS_RESPONSE","statusResponse":{"correlationId":"c7","errorType":"InvalidArgumentException","statusCode":"400","description":"d","success":false}}"#;
        let Decoded::Event(Event::Refused(status)) = decode(text) else { panic!("no refusal") };
        assert_eq!(status.correlation_id, "c7");
    }

    #[test]
    fn what_is_not_a_message_is_ignored_by_kind() {
        assert_eq!(decode(r#"{"messageType":"NEW_IN_2030"}"#), Decoded::Unknown("NEW_IN_2030".into()));
        let huge = format!(r#"{{"messageType":"SDP_ANSWER","messagePayload":"{}"}}"#, "A".repeat(10_001));
        assert_eq!(decode(&huge), Decoded::Oversized);
        for text in [
            "",
            "{}",
            "[]",
            "nonsense",
            r#"{"messageType":"SDP_ANSWER","messagePayload":"?"}"#,
            r#"{"messageType":"SDP_ANSWER","messagePayload":"e30="}"#,
            r#"{"messageType":"ICE_CANDIDATE","messagePayload":"e30="}"#,
        ] {
            assert!(matches!(decode(text), Decoded::Malformed(_)), "{text}");
        }
    }

    #[test]
    fn an_offer_that_the_service_would_refuse_is_not_sent() {
        let huge = Outgoing::Offer { sdp: "a".repeat(8_000), to: None };
        assert!(encode(&huge, "c").is_err());
    }
}
