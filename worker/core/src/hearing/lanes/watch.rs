//! Streams that do not do what they should in time.

use super::Lanes;
use crate::hearing::TimedResult;
use crate::hearing::demand::Moment;
use crate::hearing::mute::mute_at;
use crate::input::StreamEnd;
use crate::outbox::Outbox;
use crate::output::Output;

impl Lanes {
    /// Gives up those that do not open, do not end, or say nothing; gives what was held back.
    pub(super) fn give_up_waiting(&mut self, at: &Moment, out: &mut Outbox) -> Vec<TimedResult> {
        let beside = self.lanes.len() > 1;
        let late = |index: &usize| self.lanes[*index].patience(beside, at.timing).is_some_and(|until| at.now >= until);
        if let Some(index) = (0..self.lanes.len()).find(late) {
            out.push(Output::DropStream(self.lanes[index].stream.id));
            let why = if self.lanes[index].drain.is_some() { "end" } else { "answer" };
            return self.closed(index, StreamEnd::Fault(format!("the service did not {why} in time")), at, out);
        }
        let mute = self.alone().and_then(|lane| mute_at(&lane.stream, self.mute, at)).is_some_and(|due| at.now >= due);
        if mute {
            out.push(Output::DropStream(self.lanes[0].stream.id));
            self.mute = self.mute.again();
            let end = StreamEnd::Fault("the stream says nothing although the speaker speaks".into());
            return self.closed(0, end, at, out);
        }
        Vec::new()
    }
}
