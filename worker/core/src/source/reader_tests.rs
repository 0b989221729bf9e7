use super::*;

/// A reader on a clock that jumps.
struct Talk {
    reader: Reader,
    now: MediaInstant,
    heard_at: Option<MediaInstant>,
}

impl Talk {
    fn new() -> Self {
        let mut talk = Self { reader: Reader::default(), now: MediaInstant(0), heard_at: None };
        let mut out = Outbox::default();
        talk.reader.start(talk.now, &mut out);
        talk.reader.start(talk.now, &mut out);
        assert_eq!(wanted(out), [Output::OpenMedia(MediaStart::Now)]);
        talk
    }

    /// Lets time pass to this moment, with everything that is due on the way.
    fn until(&mut self, ms: u64) -> Vec<Output> {
        let mut out = Outbox::default();
        loop {
            self.reader.advance(self.now, self.heard_at, &mut out);
            let next = self.reader.deadline(self.heard_at).unwrap_or(MediaInstant(u64::MAX));
            if next.0 > ms {
                break;
            }
            self.now = next.max(self.now.plus_ms(1));
        }
        self.now = MediaInstant(ms);
        wanted(out)
    }

    fn event(&mut self, event: MediaStreamEvent) {
        self.reader.on_event(event, self.now, &mut Outbox::default());
    }

    fn ends(&mut self, end: MediaStreamEnd) {
        self.event(MediaStreamEvent::Closed(end));
    }

    fn heard(&mut self) {
        self.event(MediaStreamEvent::Opened);
        self.hear();
    }

    fn hear(&mut self) {
        self.heard_at = Some(self.now);
        self.reader.on_audio();
    }
}

fn wanted(mut out: Outbox) -> Vec<Output> {
    std::iter::from_fn(|| out.pop()).filter(|o| !matches!(o, Output::Log(_))).collect()
}

fn fault() -> MediaStreamEnd {
    MediaStreamEnd::Fault("reset".into())
}

#[test]
fn after_a_break_reading_goes_on_where_it_left_off() {
    let mut talk = Talk::new();
    talk.heard();
    talk.ends(MediaStreamEnd::Clean);
    assert_eq!(talk.until(1_000), [Output::OpenMedia(MediaStart::Resume)]);
}

#[test]
fn a_place_that_is_lost_is_looked_for_by_its_time_and_then_left_for_the_newest_fragment() {
    let mut talk = Talk::new();
    talk.heard();
    let lost = || MediaStreamEnd::PlaceLost("4000".into());
    talk.ends(lost());
    assert_eq!(talk.until(1_000), [Output::OpenMedia(MediaStart::Near)]);
    talk.ends(lost());
    assert_eq!(talk.until(2_000), [Output::OpenMedia(MediaStart::Now)]);
    talk.heard();
    talk.ends(MediaStreamEnd::Clean);
    assert_eq!(talk.until(3_000), [Output::OpenMedia(MediaStart::Resume)], "there is a place once more");
}

#[test]
fn what_was_said_more_than_a_minute_ago_is_not_captioned() {
    let mut talk = Talk::new();
    talk.heard();
    let mut starts = Vec::new();
    while talk.now < MediaInstant(100_000) {
        talk.ends(fault());
        let next = talk.reader.deadline(talk.heard_at).unwrap();
        starts.extend(talk.until(next.0).into_iter().map(|output| (next.0, output)));
    }
    let resumed = starts.iter().filter(|(_, o)| *o == Output::OpenMedia(MediaStart::Resume));
    assert!(resumed.clone().count() >= 5 && resumed.clone().all(|(at, _)| *at <= 60_000), "{starts:?}");
    assert_eq!(starts.last().unwrap().1, Output::OpenMedia(MediaStart::Now));
}

#[test]
fn openings_wait_longer_each_time_until_audio_comes_and_never_longer_than_half_a_minute() {
    let mut talk = Talk::new();
    let mut waits = Vec::new();
    for _ in 0..10 {
        talk.event(MediaStreamEvent::Opened);
        talk.ends(fault());
        let begin = talk.now;
        talk.until(talk.reader.deadline(None).unwrap().0);
        waits.push(talk.now.since(begin));
    }
    assert!(waits.is_sorted() && waits[0] == 250 && waits[9] == 30_000, "{waits:?}");
    talk.heard();
    talk.ends(fault());
    assert_eq!(talk.reader.deadline(None).unwrap().since(talk.now), 250);
}

#[test]
fn three_readers_are_enough_so_a_fourth_waits() {
    let mut talk = Talk::new();
    talk.ends(MediaStreamEnd::Busy("ConnectionLimitExceededException".into()));
    assert!(talk.until(4_999).is_empty());
    assert_eq!(talk.until(5_000).len(), 1);
}

#[test]
fn a_stream_without_fragments_is_opened_anew_ever_less_often() {
    let mut talk = Talk::new();
    talk.heard();
    let mut moments = Vec::new();
    for second in 1..1_800 {
        let outputs = talk.until(second * 1_000);
        if outputs.contains(&Output::OpenMedia(MediaStart::Resume)) {
            assert_eq!(outputs, [Output::CloseMedia, Output::OpenMedia(MediaStart::Resume)]);
            moments.push(second);
            talk.event(MediaStreamEvent::Opened);
        }
    }
    let gaps: Vec<u64> = moments.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!((moments[0], gaps[0], *gaps.last().unwrap()), (30, 60, 300), "{moments:?}");
}

#[test]
fn a_connection_that_never_opens_is_tried_anew() {
    let mut talk = Talk::new();
    assert_eq!(talk.until(16_000), [Output::CloseMedia, Output::OpenMedia(MediaStart::Now)]);
}

#[test]
fn a_stream_is_gone_when_nothing_else_is_said_for_a_quarter_of_a_minute() {
    let mut talk = Talk::new();
    let gone = || MediaStreamEnd::Gone("404".into());
    let mut ends_at = |second: u64, end: MediaStreamEnd| {
        talk.now = MediaInstant(second * 1_000);
        talk.ends(end);
        talk.reader.stream_is_gone()
    };
    assert!(!ends_at(0, gone()) && !ends_at(14, fault()));
    for second in [16, 20, 30] {
        assert!(!ends_at(second, gone()), "{second}");
    }
    assert!(ends_at(31, gone()));
}

#[test]
fn nothing_is_opened_after_the_end() {
    let mut talk = Talk::new();
    talk.heard();
    let mut out = Outbox::default();
    talk.reader.stop(&mut out);
    assert_eq!(wanted(out), [Output::CloseMedia]);
    talk.ends(MediaStreamEnd::Clean);
    assert!(talk.until(600_000).is_empty());
}
