//! Two hours of a session in seconds: what is held at the end is what was held after ten minutes. The bytes are counted, not estimated; those of
//! libopus, which takes all that it needs when it is made, are not among them.
#![allow(clippy::unwrap_used, reason = "tests")]

mod endless;

use cap::Cap;
use endless::{Stream, Whole};
use std::alloc::System;

#[global_allocator]
static HELD: Cap<System> = Cap::new(System, usize::MAX);

/// What may be held more than after ten minutes. Anything that kept 16 bytes of each packet would hold ten times as much; 281 KiB were seen over RTP
/// with the engine: where they are held was not looked into.
const SLACK: usize = 512 << 10;
const MINUTES: u64 = 120;

/// Most that is held in the last ten minutes, above the most of the second ten.
fn growth(mut minute: impl FnMut()) -> usize {
    let mut most = [0; MINUTES as usize];
    for held in &mut most {
        minute();
        *held = HELD.allocated();
    }
    let of = |part: &[usize]| part.iter().copied().max().unwrap_or(0);
    of(&most[MINUTES as usize - 10..]).saturating_sub(of(&most[10..20]))
}

// One test, because a counter of the whole process knows no threads.
#[test]
#[ignore = "run by command until its growth over RTP is explained and its stream half was seen to pass"]
fn a_session_of_two_hours_holds_no_more_than_one_of_ten_minutes() {
    let mut whole = Whole::new();
    let grown = growth(|| whole.minute());
    let media = whole.rtp.receiver.media();
    assert_eq!(media.media_ms.abs_diff(MINUTES * 60_000) / 100, 0, "media time is that of the RTP clock: {media:?}");
    assert!(media.lost > 6_000 && whole.session.finals >= 1_700, "it was a bad network and a long talk: {media:?}");
    assert!(whole.session.posts > 3 * whole.session.finals, "everybody got every caption");
    assert!(grown < SLACK, "{grown} bytes more are held over RTP");
    drop(whole);

    let mut stream = Stream::new();
    let mut heard = 0;
    let grown = growth(|| (0..30).for_each(|_| stream.step(|frame, _| heard += frame.pcm.len())));
    assert!(heard.abs_diff(MINUTES as usize * 960_000) <= 32_000, "{heard} samples");
    assert!(grown < SLACK, "{grown} bytes more are held on a stream");
}
