//! The fuzz targets over their corpora and mutations of them, so that they are run without a nightly toolchain too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

#[path = "../../tests/fuzz/targets.rs"]
mod targets;

use proptest::prelude::*;

/// Of each target: some minutes of processor time in all.
const CASES: u32 = 131_072;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../tests/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    // The order of a folder is any, that of a test is not.
    files.sort();
    assert!(!files.is_empty(), "the corpus of {name} is there");
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// A seed with some bytes changed, a part cut out, and a part of another seed put in.
fn mutated(name: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    changed(name, 0..=255)
}

/// The same for what must be text to be looked at: it stays text.
fn reworded(name: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    changed(name, b' '..=b'~')
}

fn changed(name: &str, to: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = || prop::sample::select(corpus(name));
    let changes = prop::collection::vec((any::<usize>(), to), 0..30);
    (seeds(), seeds(), changes, any::<[usize; 5]>()).prop_map(|(mut bytes, other, changes, places)| {
        for (at, byte) in changes {
            let length = bytes.len().max(1);
            if let Some(place) = bytes.get_mut(at % length) {
                *place = byte;
            }
        }
        let [from, count, into, begin, length] = places;
        let from = from % (bytes.len() + 1);
        bytes.drain(from..(from + count % 64).min(bytes.len()));
        let begin = begin % (other.len() + 1);
        let part = &other[begin..(begin + length % 256).min(other.len())];
        let into = into % (bytes.len() + 1);
        bytes.splice(into..into, part.iter().copied());
        bytes
    })
}

#[test]
fn every_seed_is_survived() {
    let survives = |name: &str, target: fn(&[u8])| corpus(name).iter().for_each(|seed| target(seed));
    survives("mkv", targets::mkv);
    survives("presign", targets::presign);
    survives("rtp", targets::rtp);
    survives("sdp", targets::sdp);
    survives("session_row", targets::session_row);
    survives("signaling", targets::signaling);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn mutated_media_is_survived(bytes in mutated("mkv")) {
        targets::mkv(&bytes);
    }

    #[test]
    fn mutated_rows_are_survived(bytes in reworded("session_row")) {
        targets::session_row(&bytes);
    }

    #[test]
    fn mutated_signaling_is_survived(bytes in reworded("signaling")) {
        targets::signaling(&bytes);
    }

    #[test]
    fn mutated_answers_and_candidates_are_survived(bytes in reworded("sdp")) {
        targets::sdp(&bytes);
    }

    #[test]
    fn mutated_endpoints_and_client_ids_are_signed_as_they_are_or_refused(bytes in reworded("presign")) {
        targets::presign(&bytes);
    }

    #[test]
    fn mutated_packets_are_survived(bytes in mutated("rtp")) {
        targets::rtp(&bytes);
    }

    #[test]
    fn bytes_out_of_nowhere_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        targets::mkv(&bytes);
        targets::presign(&bytes);
        targets::rtp(&bytes);
        targets::sdp(&bytes);
        targets::session_row(&bytes);
        targets::signaling(&bytes);
    }
}
