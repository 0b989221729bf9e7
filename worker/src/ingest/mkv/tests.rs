use super::*;
use local_stack::kvs::mkv::{AudioTrack, Fragment, failure, head, tail};
use proptest::prelude::*;

fn opus() -> AudioTrack {
    AudioTrack { codec: "A_OPUS", private: b"OpusHead".to_vec(), rate: 48_000.0, channels: 1, bits: 16 }
}

/// Fragments of ten frames, each told by its first two bytes.
fn stream(fragments: u64) -> Vec<u8> {
    let one = |number: u64| {
        let frames = (0..10).map(|n: i16| (n * 20, vec![number as u8, n as u8, 0xAA])).collect();
        let at = 1_700_000_000_000 + number as i64 * 200;
        let fragment = Fragment { number: number + 1, server_ms: at + 50, producer_ms: at, frames };
        [head(&fragment, &opus()).unwrap(), tail(12, &format!("token {number}")).unwrap()].concat()
    };
    (0..fragments).flat_map(one).collect()
}

fn read(parts: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Vec<Event> {
    let mut parser = Parser::default();
    let mut events = Vec::new();
    for part in parts {
        parser.push(part.as_ref());
        events.extend(std::iter::from_fn(|| parser.next_event()));
    }
    events
}

fn frames(events: &[Event]) -> Vec<(u8, u8)> {
    let frame = |event: &Event| match event {
        // A damaged frame may be of any length: it then counts as one that nobody sent.
        Event::Frame { data, .. } => Some((data.first().copied().unwrap_or(255), data.get(1).copied().unwrap_or(255))),
        Event::Begin | Event::Track(_) | Event::NoAudio(_) | Event::Tag(_) | Event::Skipped(_) => None,
    };
    events.iter().filter_map(frame).collect()
}

fn all(fragments: u8) -> Vec<(u8, u8)> {
    (0..fragments).flat_map(|number| (0..10).map(move |n| (number, n))).collect()
}

#[test]
fn fragments_come_with_what_the_service_says_of_them_and_without_the_picture() {
    let events = read([stream(2)]);
    assert_eq!(frames(&events), all(2));
    let tags: Vec<&Tag> =
        events.iter().filter_map(|e| if let Event::Tag(tag) = e { Some(tag) } else { None }).collect();
    assert_eq!(
        tags[..5],
        [
            &Tag::FragmentNumber("1".into()),
            &Tag::ServerTimestamp(1_700_000_000_050),
            &Tag::ProducerTimestamp(1_700_000_000_000),
            &Tag::MillisBehindNow(12),
            &Tag::ContinuationToken("token 0".into()),
        ]
    );
    assert_eq!(events.iter().filter(|e| **e == Event::Begin).count(), 2);
    assert!(events.contains(&Event::Frame { at_ms: 1_700_000_000_220, data: Bytes::from_static(&[1, 1, 0xAA]) }));
}

#[test]
fn an_error_in_the_stream_is_told_with_its_code() {
    let events = read([stream(1), failure(4_000).unwrap()]);
    assert!(events.contains(&Event::Tag(Tag::ErrorCode(4_000))), "{events:?}");
}

#[test]
fn a_stream_of_pictures_only_names_its_codecs() {
    let track = AudioTrack { codec: "A_VORBIS", ..opus() };
    let fragment = Fragment { number: 1, server_ms: 0, producer_ms: 0, frames: vec![(0, vec![1])] };
    let events = read([head(&fragment, &track).unwrap()]);
    assert!(events.contains(&Event::NoAudio(vec!["V_MPEG4/ISO/AVC".into(), "A_VORBIS".into()])), "{events:?}");
    assert_eq!(frames(&events), []);
}

#[test]
fn a_block_that_ends_in_its_head_or_is_laced_wrongly_is_left_out() {
    for data in [vec![], vec![0x82], vec![0x82, 0], vec![0x82, 0, 0, 0x02], vec![0x82, 0, 0, 0x06, 9, 0x40], vec![0; 9]]
    {
        assert_eq!(super::frames(&data), None, "{data:?}");
    }
}

proptest! {
    #[test]
    fn the_same_bytes_give_the_same_events_however_they_are_cut(cuts in prop::collection::vec(1_usize..2_000, 1..200)) {
        let bytes = stream(6);
        let mut rest = bytes.as_slice();
        let mut parts = Vec::new();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (part, more) = rest.split_at((*cut).min(rest.len()));
            parts.push(part);
            rest = more;
        }
        prop_assert_eq!(read(parts), read([bytes.clone()]));
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..3_000), cut in 1_usize..500) {
        read(bytes.chunks(cut));
    }

    #[test]
    fn damage_costs_nothing_after_the_next_fragment_has_begun(
        damage in prop::collection::vec((0_usize..2_500, any::<u8>()), 1..40), lost in 0_usize..300, cut in 1_usize..1_500,
    ) {
        // The first three fragments are damaged; the fourth is the first that is whole again.
        let whole = stream(3).len();
        let mut bytes = stream(6);
        for (at, byte) in damage {
            bytes[at % whole] ^= byte;
        }
        bytes.drain(whole - lost..whole);
        let heard = frames(&read(bytes.chunks(cut)));
        prop_assert!(heard.ends_with(&all(6)[40..]), "{:?}", heard);
    }
}

#[test]
fn one_byte_at_a_time_is_enough() {
    let bytes = stream(3);
    assert_eq!(read(bytes.chunks(1)), read([bytes.as_slice()]));
}
