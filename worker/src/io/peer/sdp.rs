//! The little that is done to a session description before the crate reads it. Pure.

/// The description with its first audio section alone. We offer audio only; a master that answers with more would make the whole answer
/// unusable, so video and data are dropped as if they had been refused.
#[must_use]
pub fn audio_only(sdp: &str) -> String {
    let mut kept = String::with_capacity(sdp.len());
    let (mut keep, mut audio) = (true, false);
    for line in sdp.lines() {
        if line.starts_with("m=") {
            keep = line.starts_with("m=audio") && !audio;
            audio |= keep;
        }
        if keep {
            kept.push_str(line);
            kept.push_str("\r\n");
        }
    }
    // A bundle that names a section that is gone is refused.
    match mid(&kept) {
        Some(mid) => bundle_of(&kept, &mid),
        None => kept,
    }
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
        let kept = audio_only(&format!("{head}{audio}{rest}"));
        assert_eq!(kept, format!("v=0\r\na=group:BUNDLE 0\r\n{audio}"));
        assert_eq!(audio_only(&kept), kept);
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
