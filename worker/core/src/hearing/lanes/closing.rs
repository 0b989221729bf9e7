//! How streams end: as wanted, by themselves, and at once.

use super::Lanes;
use super::lane::{Drain, describe, of_this_stream};
use crate::hearing::TimedResult;
use crate::hearing::backoff::HEALTHY_MS;
use crate::hearing::demand::{Begin, Idle, Moment};
use crate::input::StreamEnd;
use crate::outbox::Outbox;
use crate::output::Output;
use crate::time::MediaInstant;

impl Lanes {
    /// A stream is over, as it should be or not; gives what was held back for it.
    pub(super) fn closed(&mut self, index: usize, end: StreamEnd, at: &Moment, out: &mut Outbox) -> Vec<TimedResult> {
        let (is_first, is_draining) = (index == 0, self.lanes[index].drain.is_some());
        if at.now.since(self.lanes[index].stream.since) >= HEALTHY_MS {
            self.backoff.reset();
        }
        match (is_first, is_draining) {
            (true, true) => self.drained(end == StreamEnd::Clean, at, out),
            (true, false) => {
                self.replay(index, end, at, out);
                Vec::new()
            }
            (false, true) => {
                self.lanes[index].over = Some(end);
                Vec::new()
            }
            // It has spoken while the first one drains; all that it has said is replayed.
            (false, false) if self.lanes[0].drain.is_some() => {
                self.replay(index, end, at, out);
                Vec::new()
            }
            (false, false) => {
                self.not_taken_over(&end, at, out);
                Vec::new()
            }
        }
    }

    /// The stream in use has ended by itself. One behind it has nothing yet, and what it was to begin with is replayed with the rest.
    pub(super) fn replay(&mut self, index: usize, end: StreamEnd, at: &Moment, out: &mut Outbox) {
        let lane = self.lanes.remove(index);
        for behind in self.lanes.split_off(index) {
            out.push(Output::DropStream(behind.stream.id));
        }
        self.lost.extend(lane.iter().map(|lane| lane.stream.id));
        let end = if lane.is_some_and(|lane| lane.stream.served) { of_this_stream(end) } else { end };
        let wait = self.give_up_options(&end, out).unwrap_or_else(|| self.backoff.after(&end));
        out.fact("stream_closed", format!("{}; the next one opens in {wait} ms", describe(&end)));
        self.trouble = Some(end);
        self.outage_since.get_or_insert(at.now);
        (self.not_before, self.begin) = (at.now.plus_ms(wait), Begin::Watermark);
    }

    /// Ends the stream in use as wanted; its last results still come.
    pub(super) fn end(&mut self, idle: Idle, at: &Moment, out: &mut Outbox) {
        let Some(index) = self.lanes.iter().position(|lane| lane.drain.is_none()) else { return };
        for opening in self.lanes.split_off(index + 1) {
            out.push(Output::DropStream(opening.stream.id));
        }
        let sent = self.lanes[index].send_rest(at, out);
        let stream = &self.lanes[index].stream;
        self.sent_samples += sent;
        self.heard_until = self.heard_until.max(stream.cursor);
        out.push(Output::EndStream(stream.id));
        out.fact("stream_ending", idle.text());
        let until = at.now.plus_ms(at.timing.stream_patience_ms);
        let begin = idle.begin_after(stream.cursor);
        self.lanes[index].drain = Some(Drain { until, begin });
    }

    /// Forgets the streams at once.
    pub(crate) fn drop_now(&mut self, now: MediaInstant, out: &mut Outbox) {
        for lane in self.lanes.drain(..) {
            out.push(Output::DropStream(lane.stream.id));
        }
        (self.not_before, self.begin) = (now, Begin::Preroll);
    }
}
