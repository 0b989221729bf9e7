//! Candidates in what is signaled: in descriptions (RFC 8839) and alone (trickle). No sockets.

use std::net::SocketAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// The payload of an offer, an answer or a candidate, with what `through` gives put in the place of each host candidate's address over UDP;
/// `None` when nothing changes. Of several addresses a description names all, the first one first; a candidate alone has room for that one.
/// Names (`….local`) and other kinds of candidates stay.
pub(super) fn payload(payload: &str, mut through: impl FnMut(SocketAddr) -> Vec<SocketAddr>) -> Option<String> {
    let mut message: Value = serde_json::from_slice(&STANDARD.decode(payload).ok()?).ok()?;
    let mut changed = false;
    for (name, room) in [("sdp", usize::MAX), ("candidate", 1)] {
        let Some(Value::String(text)) = message.get_mut(name) else { continue };
        let lines: Vec<String> = text
            .split('\n')
            .flat_map(|line| {
                let mut replaced = candidate(line, &mut through);
                replaced.truncate(room);
                changed |= !replaced.is_empty();
                if replaced.is_empty() { vec![line.to_owned()] } else { replaced }
            })
            .collect();
        *text = lines.join("\n");
    }
    changed.then(|| STANDARD.encode(message.to_string()))
}

/// `candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ host …`, with or without `a=` before it; nothing when it stays.
fn candidate(line: &str, through: &mut impl FnMut(SocketAddr) -> Vec<SocketAddr>) -> Vec<String> {
    let words: Vec<&str> = line.split(' ').collect();
    let Some((own, priority)) = host(&words) else { return Vec::new() };
    let others = through(own).into_iter().zip(0_u32..);
    others.map(|(other, place)| led(&words, other, priority, place)).collect()
}

/// The address and the priority of a host candidate over UDP.
fn host(words: &[&str]) -> Option<(SocketAddr, u32)> {
    let is_candidate = words.first()?.trim_start_matches("a=").starts_with("candidate:");
    let is_udp = words.get(2)?.eq_ignore_ascii_case("udp");
    if !is_candidate || !is_udp || words.get(7)?.trim_end() != "host" {
        return None;
    }
    let address = SocketAddr::new(words.get(4)?.parse().ok()?, words.get(5)?.parse().ok()?);
    Some((address, words.get(3)?.parse().ok()?))
}

/// The candidate at another address. Those behind the first are other ways (RFC 8445, 5.1.1.3 and 5.1.2): a foundation of their own, and a
/// local preference that is lower by one each.
fn led(words: &[&str], other: SocketAddr, priority: u32, place: u32) -> String {
    let mut words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let new = [
        (3, priority.saturating_sub(place << 8).to_string()),
        (4, other.ip().to_string()),
        (5, other.port().to_string()),
    ];
    for (index, text) in new {
        words[index] = text;
    }
    if place > 0 {
        words[0].push_str(&format!("w{place}"));
    }
    words.join(" ")
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

    fn relay() -> Vec<SocketAddr> {
        vec!["127.0.0.1:9".parse().unwrap()]
    }

    #[test]
    fn every_host_candidate_of_a_description_leads_through_the_relay_and_the_rest_stays() {
        let sdp = "v=0\r\na=candidate:1 1 udp 5 127.0.0.1 50000 typ host\r\na=candidate:2 1 udp 4 192.0.2.1 3478 typ relay raddr 127.0.0.1 rport 50000\r\na=end\r\n";
        let rewritten = payload(&encoded(&json!({ "type": "offer", "sdp": sdp })), |_| relay()).unwrap();
        let expected = sdp.replace("127.0.0.1 50000 typ host", "127.0.0.1 9 typ host");
        assert_eq!(decoded(&rewritten), json!({ "type": "offer", "sdp": expected }));
    }

    #[test]
    fn a_relay_at_two_addresses_is_two_candidates_of_a_description_and_one_that_comes_alone() {
        let both = || vec!["127.0.0.1:9".parse().unwrap(), "192.0.2.2:7".parse().unwrap()];
        let line = "candidate:1 1 udp 2130706431 127.0.0.1 50000 typ host";
        let sdp = format!("v=0\r\na={line}\r\na=end\r\n");
        let rewritten = payload(&encoded(&json!({ "type": "offer", "sdp": sdp })), |_| both()).unwrap();
        let expected = "v=0\r\na=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n\
                        a=candidate:1w1 1 udp 2130706175 192.0.2.2 7 typ host\r\na=end\r\n";
        assert_eq!(decoded(&rewritten)["sdp"], expected);
        let alone = decoded(&payload(&encoded(&json!({ "candidate": line })), |_| both()).unwrap());
        assert_eq!(alone["candidate"], "candidate:1 1 udp 2130706431 127.0.0.1 9 typ host");
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
        assert_eq!(payload(&encoded(&alone), |_| Vec::new()), None);
    }
}
