//! The fuzz targets over their corpora and mutations of them, so that they are run without a nightly toolchain too.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

#[path = "../../tests/fuzz/targets.rs"]
mod targets;

use proptest::prelude::*;

fn corpus(name: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../tests/fuzz/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let all: Vec<_> = files.collect();
    assert!(!all.is_empty(), "the corpus of {name} is there");
    all
}

/// A seed with some bytes changed and a part cut out.
fn mutated(name: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let changes = prop::collection::vec((any::<usize>(), any::<u8>()), 0..30);
    (prop::sample::select(corpus(name)), changes, any::<(usize, usize)>()).prop_map(|(mut bytes, changes, cut)| {
        for (at, byte) in changes {
            let length = bytes.len().max(1);
            if let Some(place) = bytes.get_mut(at % length) {
                *place = byte;
            }
        }
        let (from, count) = (cut.0 % (bytes.len() + 1), cut.1 % 64);
        bytes.drain(from..(from + count).min(bytes.len()));
        bytes
    })
}

#[test]
fn every_seed_is_survived() {
    corpus("mkv").iter().for_each(|seed| targets::mkv(seed));
    corpus("session_row").iter().for_each(|seed| targets::session_row(seed));
}

proptest! {
    #[test]
    fn mutated_media_is_survived(bytes in mutated("mkv")) {
        targets::mkv(&bytes);
    }

    #[test]
    fn mutated_rows_are_survived(bytes in mutated("session_row")) {
        targets::session_row(&bytes);
    }
}
