//! What the controllers share beside the rows, in memory: each call may fail or be the last, as any other.

use super::broken::Broken;
use super::physics::Call;
use super::ports::Ports;
use super::world::number;
use controller::ports::{Cursor, Lease, PortError, Shared};
use controller_core::capacity::{Bucket, Capacity};
use controller_core::model::Policy;
use controller_core::verdict::{self, Evidence};
use schemas::ids::{SessionId, Timestamp};
use schemas::rollout::Rollout;
use std::collections::BTreeMap;

/// The shared rows.
#[derive(Debug, Default)]
pub struct Common {
    capacity: Capacity,
    cursor: Cursor,
    /// Which invocation sweeps, and until when.
    lease: Option<(usize, Timestamp)>,
    /// Session → since when its end is untold, and when to try again.
    untold: BTreeMap<usize, (SessionId, Timestamp, Timestamp)>,
}

impl Common {
    /// Whether a version has baked.
    #[must_use]
    pub fn has_a_good_version(&self) -> bool {
        self.capacity.versions.good.is_some()
    }
}

impl Shared for Ports {
    async fn capacity(&self) -> Result<Capacity, PortError> {
        self.call(Call::ReadShared).await?;
        self.table_fails("GetItem")?;
        let world = self.world();
        let mut known = world.common.capacity.clone();
        if world.broken_rule == Broken::NewcomersPass {
            known.waiting = None;
        }
        Ok(known)
    }

    async fn take_launch(&self, known: &Capacity, policy: &Policy, now: Timestamp) -> Result<bool, PortError> {
        self.call(Call::WriteShared).await?;
        self.table_fails("UpdateItem")?;
        let capacity = &mut self.world().common.capacity;
        if known.no_room_at.is_some() && known.no_room_at != capacity.no_room_at {
            return Ok(false);
        }
        let taken = capacity.bucket.unwrap_or(Bucket::full(now)).taken(policy, now);
        capacity.bucket = taken.or(capacity.bucket);
        if let (Some(_), Some(_)) = (known.no_room_at, taken) {
            capacity.no_room_at = Some(now);
        }
        Ok(taken.is_some())
    }

    async fn no_room_since(&self, at: Option<Timestamp>) -> Result<(), PortError> {
        self.call(Call::WriteShared).await?;
        self.table_fails("UpdateItem")?;
        self.world().common.capacity.no_room_at = at;
        Ok(())
    }

    async fn no_launch_is_left(&self, policy: &Policy, now: Timestamp) -> Result<(), PortError> {
        self.call(Call::WriteShared).await?;
        self.table_fails("UpdateItem")?;
        self.world().common.capacity.bucket = Some(Bucket::empty(policy, now));
        Ok(())
    }

    async fn somebody_waits(&self, now: Timestamp) -> Result<Option<Timestamp>, PortError> {
        self.call(Call::WriteShared).await?;
        self.table_fails("UpdateItem")?;
        let capacity = &mut self.world().common.capacity;
        capacity.waiting = Some((1, now));
        Ok(capacity.pass_at)
    }

    async fn begin_pass(&self, known: &Capacity, waiting: u32, now: Timestamp) -> Result<bool, PortError> {
        self.call(Call::WriteShared).await?;
        self.table_fails("UpdateItem")?;
        let capacity = &mut self.world().common.capacity;
        let begins = capacity.pass_at == known.pass_at;
        if begins {
            (capacity.waiting, capacity.pass_at) = (Some((waiting, now)), Some(now));
        }
        Ok(begins)
    }

    async fn streams_are_full(&self, now: Timestamp) -> Result<(), PortError> {
        self.call(Call::WriteShared).await?;
        self.world().common.capacity.streams_full_at = Some(now);
        Ok(())
    }

    async fn judge(&self, evidence: &Evidence, policy: &Policy, now: Timestamp) -> Result<Rollout, PortError> {
        self.call(Call::WriteShared).await?;
        self.table_fails("UpdateItem")?;
        let mut world = self.world();
        let known = verdict::judged(&world.common.capacity.versions, evidence, policy, now);
        if matches!(evidence, Evidence::Failed { .. }) && !world.judges() {
            return Ok(known);
        }
        if let Some(bad) = world.bad_version.as_mut().filter(|bad| known.bad(&bad.version).is_some()) {
            bad.found_at.get_or_insert(now);
        }
        world.common.capacity.versions = known.clone();
        Ok(known)
    }

    async fn take_sweep(&self, until: Timestamp, now: Timestamp) -> Result<Lease, PortError> {
        self.call(Call::WriteShared).await?;
        self.table_fails("UpdateItem")?;
        let mut world = self.world();
        let me = world.invocation;
        if let Some((holder, until)) = world.common.lease.filter(|(holder, until)| *holder != me && *until >= now) {
            return Ok(Lease::HeldBy { held_by: holder.to_string(), until });
        }
        world.common.lease = Some((me, until));
        Ok(Lease::Ours)
    }

    async fn give_sweep_back(&self) -> Result<(), PortError> {
        self.call(Call::WriteShared).await?;
        self.table_fails("UpdateItem")?;
        let mut world = self.world();
        let me = world.invocation;
        world.common.lease.take_if(|(holder, _)| *holder == me);
        Ok(())
    }

    async fn cursor(&self) -> Result<Cursor, PortError> {
        self.call(Call::ReadShared).await?;
        self.table_fails("GetItem")?;
        Ok(self.world().common.cursor.clone())
    }

    async fn keep_cursor(&self, cursor: &Cursor) -> Result<(), PortError> {
        self.call(Call::WriteShared).await?;
        self.table_fails("PutItem")?;
        self.world().common.cursor = cursor.clone();
        Ok(())
    }

    async fn mark_untold(&self, id: &SessionId, now: Timestamp) -> Result<(), PortError> {
        self.call(Call::WriteBeside(number(id))).await?;
        self.table_fails("UpdateItem")?;
        self.world().common.untold.entry(number(id)).or_insert((id.clone(), now, now));
        Ok(())
    }

    async fn untold(&self, until: Timestamp) -> Result<Vec<(SessionId, Timestamp)>, PortError> {
        self.calls(Call::QueryIndex, 1).await?;
        self.table_fails("Query")?;
        let world = self.world();
        let due = world.common.untold.values().filter(|(_, _, next)| *next <= until);
        Ok(due.map(|(id, since, _)| (id.clone(), *since)).collect())
    }

    async fn try_again_at(&self, id: &SessionId, at: Option<Timestamp>) -> Result<(), PortError> {
        self.table_fails("UpdateItem")?;
        let mut world = self.world();
        match (at, world.common.untold.get_mut(&number(id))) {
            (Some(at), Some(mark)) => mark.2 = at,
            (Some(_), None) => {}
            (None, _) => drop(world.common.untold.remove(&number(id))),
        }
        Ok(())
    }
}
