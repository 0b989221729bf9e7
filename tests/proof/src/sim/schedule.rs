//! What happens next, in virtual time.

use crate::exit::Exit;
use crate::model::operator::Ordered;
use schemas::ids::Timestamp;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One thing that will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Event {
    /// The schedule.
    Sweep,
    /// A paused invocation goes on.
    Resume(usize),
    /// A session is created.
    Begin(usize),
    /// A session row changes.
    Edit(usize, Edit),
    /// A stream record of a session arrives.
    Record(usize),
    /// An event of a session's nth task arrives.
    TaskEvent(usize, usize),
    /// A timer comes: the nth that was set.
    Wake(usize),
    /// From now on launches fail, for so long, ms.
    Incident(i64),
    /// Something happens to a session's nth task.
    Task(usize, usize, Happening),
    /// An operator orders something of a session; a hold for so long, ms.
    Order(usize, Ordered, i64),
    /// A new task definition is deployed.
    Deploy,
    /// The weather changes the room for tasks.
    Room,
    /// No more faults from here on.
    Quiet,
}

/// A change of a session row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Edit {
    /// `status` becomes ended.
    End,
    /// `isActive` becomes false.
    Deactivate,
    /// `status` becomes paused.
    Pause,
    /// `status` becomes active.
    Resume,
    /// Another session with the same id overwrites the row.
    Replace,
    /// The row is deleted.
    Delete,
}

/// What happens to a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Happening {
    /// Its process begins.
    Boots,
    /// A process that was started again in place reads its row.
    Reads,
    /// It claims the next generation.
    Claims,
    /// A heartbeat by which it learns of the row.
    Beats,
    /// The flush is done.
    Finishes,
    /// Its process ends so.
    Exits(Exit),
    /// ECS says that it has ended.
    IsTold,
    /// Five minutes have passed: perhaps something happens to it.
    MeetsChance,
    /// A hung process goes on, or a cut-off one reaches the table again.
    Recovers,
    /// The speaker is gone for good.
    SpeakerLeaves,
    /// Its version cannot run.
    FailsByItself,
}

/// The queue.
#[derive(Debug, Default)]
pub struct Schedule {
    heap: BinaryHeap<Reverse<(i64, u64, Event)>>,
    count: u64,
}

impl Schedule {
    /// This will happen then; of two things at the same time, the one that was planned first.
    pub fn at(&mut self, at: Timestamp, event: Event) {
        self.count += 1;
        self.heap.push(Reverse((at.0, self.count, event)));
    }
    /// The next thing.
    pub fn take(&mut self) -> Option<(Timestamp, Event)> {
        self.heap.pop().map(|Reverse((at, _, event))| (Timestamp(at), event))
    }
}
