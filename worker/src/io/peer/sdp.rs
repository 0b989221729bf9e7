//! The little that is done to a session description before the crate reads it. Pure.

use std::net::IpAddr;

/// What is kept of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The description with its first audio section alone.
    pub sdp: String,
    /// Whether there is such a section, and it is not refused (port 0, RFC 3264 section 6).
    pub audio: bool,
    /// Sections that were dropped: video, data, further audio.
    pub others: usize,
}

/// The description with its first audio section alone. We offer audio only; a master that answers with more would make the whole answer
/// unusable, so video and data are dropped as if they had been refused.
#[must_use]
pub fn audio_only(sdp: &str) -> Kept {
    let mut kept = String::with_capacity(sdp.len());
    let (mut keep, mut found, mut audio, mut others) = (true, false, false, 0);
    for line in sdp.lines() {
        if line.starts_with("m=") {
            keep = line.starts_with("m=audio ") && !found;
            if keep {
                (found, audio) = (true, line.split_whitespace().nth(1) != Some("0"));
            } else {
                others += 1;
            }
        }
        if keep {
            kept.push_str(line);
            kept.push_str("\r\n");
        }
    }
    // A bundle that names a section that is gone is refused.
    let sdp = match mid(&kept) {
        Some(mid) => bundle_of(&kept, &mid),
        None => kept,
    };
    Kept { sdp, audio, others }
}

fn mid(sdp: &str) -> Option<String> {
    sdp.lines().find_map(|line| line.strip_prefix("a=mid:")).map(|mid| mid.trim().to_owned())
}

fn bundle_of(sdp: &str, mid: &str) -> String {
    let line = |line: &str| {
        if line.starts_with("a=group:BUNDLE") { format!("a=group:BUNDLE {mid}\r\n") } else { format!("{line}\r\n") }
    };
    sdp.lines().map(line).collect()
}

/// Whether a description has a candidate that somebody could send to; a task without a network offers the unspecified address.
#[must_use]
pub fn has_address(sdp: &str) -> bool {
    let candidates = sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
    let mut addresses = candidates.filter_map(|line| line.split_whitespace().nth(4)?.parse::<IpAddr>().ok());
    addresses.any(|address| !address.is_unspecified())
}

/// Whether a candidate names its host by multicast DNS, which nobody outside its network can resolve.
#[must_use]
pub fn is_mdns(candidate: &str) -> bool {
    candidate.split_whitespace().nth(4).is_some_and(|host| host.ends_with(".local"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn video_and_data_in_an_answer_are_refused_and_the_audio_stays() {
        let head = "v=0\r\na=group:BUNDLE 0 1 2\r\n";
        let audio = "m=audio 9 UDP/TLS/RTP/SAVPF 63\r\na=mid:0\r\n";
        let rest = "m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n";
        let kept = audio_only(&format!("{head}{rest}{audio}"));
        let sdp = format!("v=0\r\na=group:BUNDLE 0\r\n{audio}");
        assert_eq!(kept, Kept { sdp: sdp.clone(), audio: true, others: 2 });
        assert_eq!(audio_only(&sdp), Kept { sdp, audio: true, others: 0 });
    }

    #[test]
    fn an_answer_that_refuses_the_audio_is_no_way() {
        assert!(!audio_only("v=0\r\nm=audio 0 UDP/TLS/RTP/SAVPF 63\r\na=mid:0\r\n").audio);
        assert!(!audio_only("v=0\r\nm=video 9 UDP/TLS/RTP/SAVPF 96\r\n").audio && !audio_only("").audio);
    }

    #[test]
    fn an_offer_of_the_unspecified_address_is_an_offer_of_nothing() {
        let host = |address: &str| format!("v=0\r\na=candidate:1 1 udp 2130706431 {address} 50000 typ host\r\n");
        assert!(!has_address(&host("0.0.0.0")) && !has_address("v=0\r\n"));
        assert!(has_address(&host("10.0.0.10")) && has_address(&(host("0.0.0.0") + &host("192.0.2.1"))));
    }

    #[test]
    fn a_hidden_address_is_known_by_its_name() {
        assert!(is_mdns("candidate:1 1 udp 2113937151 0d1c-4f.local 51000 typ host"));
        assert!(!is_mdns("candidate:1 1 udp 2113937151 192.0.2.1 51000 typ host") && !is_mdns("candidate:local"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_fail(text: String) {
            let _ = (audio_only(&text), is_mdns(&text));
        }
    }
}
