//! Candidates in what is signaled: in descriptions (RFC 8839) and alone (trickle). No sockets.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The payload of an offer, an answer or a candidate, with `through` put in the place of each host candidate's address over UDP
/// that it is given for; `None` when nothing changes. Names (`….local`) and other kinds of candidates stay.
pub(super) fn payload(payload: &str, mut through: impl FnMut(SocketAddr) -> Option<SocketAddr>) -> Option<String> {
    let mut message: Value = serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()?;
    let mut changed = false;
    for name in ["sdp", "candidate"] {
        let Some(Value::String(text)) = message.get_mut(name) else { continue };
        let lines: Vec<String> = text
            .split('\n')
            .map(|line| {
                let replaced = candidate(line, &mut through);
                changed |= replaced.is_some();
                replaced.unwrap_or_else(|| line.to_owned())
            })
            .collect();
        *text = lines.join("\n");
    }
    changed.then(|| STANDARD.encode(message.to_string()))
}

/// `candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ host …`, with or without `a=` before it.
fn candidate(line: &str, through: &mut impl FnMut(SocketAddr) -> Option<SocketAddr>) -> Option<String> {
    let mut words: Vec<&str> = line.split(' ').collect();
    let is_candidate = words.first()?.trim_start_matches("a=").starts_with("candidate:");
    let is_udp = words.get(2)?.eq_ignore_ascii_case("udp");
    if !is_candidate || !is_udp || words.get(7)?.trim_end() != "host" {
        return None;
    }
    let own = SocketAddr::new(words.get(4)?.parse().ok()?, words.get(5)?.parse().ok()?);
    let other = through(own)?;
    let (ip, port) = (other.ip().to_string(), other.port().to_string());
    *words.get_mut(4)? = &ip;
    *words.get_mut(5)? = &port;
    Some(words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn encoded(value: &Value) -> String {
        STANDARD.encode(value.to_string())
    }

    fn decoded(payload: &str) -> Value {
        serde_json::from_slice(&STANDARD.decode(payload).unwrap()).unwrap()
    }

    fn relay() -> Option<SocketAddr> {
        Some("127.0.0.1:9".parse().unwrap())
    }

    #[test]
    fn every_host_candidate_of_a_description_leads_through_the_relay_and_the_rest_stays() {
        let sdp = "v=0\r\na=candidate:1 1 udp 5 127.0.0.1 50000 typ host\r\na=candidate:2 1 udp 4 192.0.2.1 3478 typ relay raddr 127.0.0.1 rport 50000\r\na=end\r\n";
        let rewritten = payload(&encoded(&json!({ "type": "offer", "sdp": sdp })), |_| relay()).unwrap();
        let expected = sdp.replace("127.0.0.1 50000 typ host", "127.0.0.1 9 typ host");
        assert_eq!(decoded(&rewritten), json!({ "type": "offer", "sdp": expected }));
    }

    #[test]
    fn a_candidate_alone_keeps_what_else_it_says() {
        let alone = json!({ "candidate": "candidate:3 1 UDP 7 10.0.0.5 40000 typ host generation 0 ufrag x", "sdpMid": "0", "sdpMLineIndex": 0 });
        let rewritten = decoded(&payload(&encoded(&alone), |_| relay()).unwrap());
        assert_eq!(rewritten["candidate"], "candidate:3 1 UDP 7 127.0.0.1 9 typ host generation 0 ufrag x");
        assert_eq!(rewritten["sdpMid"], "0");
    }

    #[test]
    fn names_other_transports_and_what_is_no_message_stay_as_they_are() {
        for line in [
            "candidate:1 1 udp 5 abc.local 50000 typ host",
            "candidate:1 1 tcp 5 127.0.0.1 9 typ host tcptype active",
            "",
            "candidate:1 1 udp",
        ] {
            assert_eq!(payload(&encoded(&json!({ "candidate": line })), |_| relay()), None, "{line}");
        }
        assert_eq!(payload("no base64", |_| relay()), None);
        assert_eq!(payload(&STANDARD.encode("no json"), |_| relay()), None);
    }

    #[test]
    fn who_has_no_relay_is_told_the_address_as_it_was() {
        let alone = json!({ "candidate": "candidate:3 1 udp 7 10.0.0.5 40000 typ host" });
        assert_eq!(payload(&encoded(&alone), |_| None), None);
    }
}
