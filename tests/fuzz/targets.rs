//! What is fuzzed, one function per boundary where bytes come from outside. `cargo fuzz` runs them for hours; `worker/tests/fuzz_smoke.rs` runs
//! them over the corpora and mutations of them with the stable toolchain.

/// What GetMedia sends, in pieces whose length the first byte tells, up to the audio.
pub fn mkv(data: &[u8]) {
    let (size, bytes) = data.split_first().map_or((1, data), |(first, rest)| (usize::from(*first) + 1, rest));
    let mut receiver = worker::ingest::StreamReceiver::default();
    receiver.connected();
    for part in bytes.chunks(size) {
        receiver.push(part, worker_core::time::MediaInstant(0));
        // A gap of an hour is an hour of silence; no more than a few frames of it matter here.
        for _ in 0..8 {
            let Some(at) = receiver.deadline() else { break };
            if let Some(frame) = receiver.poll(at) {
                assert!(frame.pcm.len() <= 16_000, "no frame is longer than a second");
            }
        }
    }
}

/// A row of the Sessions table, as JSON.
pub fn session_row(data: &[u8]) {
    if let Ok(row) = serde_json::from_slice(data) {
        let _read = schemas::session::read_session(&row);
        let _listener = schemas::session::read_listener(&row);
    }
}
