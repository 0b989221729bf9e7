//! The signaling channel of a run that has ended: a leaked channel burns its session id, so policy may have it deleted.
//!
//! **Guarantees.** Only when policy says so; only when the session row wants nothing of that channel any more; only when the
//! worker's task has ended and the grace has passed; once.

use crate::action::Action;
use crate::model::{Policy, Switch, View, status_is_stopped};
use crate::run_rule::Wish;
use schemas::ids::Timestamp;
use schemas::worker::WorkerRow;

/// The deletion that is due, if any.
#[must_use]
pub fn cleanup(view: &View, row: &WorkerRow, wish: &Wish, policy: &Policy, now: Timestamp) -> Option<Action> {
    let over = match wish {
        Wish::Stop(_) => row.phase.is_final(),
        Wish::Serve(_) | Wish::Refuse { .. } => false,
    };
    let left = row.task.as_ref().is_none_or(|task| status_is_stopped(&task.last_status))
        && view.known_tasks().iter().all(|task| task.is_stopped());
    let kept_long_enough = row.phase_since.plus_ms(policy.channel_grace_ms) <= now;
    if policy.channel_cleanup == Switch::Off || !over || !left || !kept_long_enough || row.channel_deleted_at.is_some()
    {
        return None;
    }
    // An operator's stop ends the run for us; whether its channel is still of use is the session row's to say.
    let wanted_by_row = matches!(crate::run_rule::wish(view, policy, now), Wish::Serve(_));
    let arn = row.intent.as_ref()?.channel_arn.clone().filter(|_| !wanted_by_row)?;
    Some(Action::DeleteChannel { arn })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::World;

    fn ended() -> World {
        let mut world = World::active().live().with("status", "ended");
        world.policy.channel_cleanup = Switch::On;
        world.settle();
        world = world.exits(0);
        world.settle();
        world
    }

    #[test]
    fn the_channel_of_an_ended_run_is_deleted_once_after_its_grace() {
        let grace = Policy::default().channel_grace_ms;
        let mut world = ended().later(grace - 1);
        world.settle();
        assert_eq!(world.deleted_channels.len(), 0);
        world = world.later(1);
        world.settle();
        world = world.later(grace);
        world.settle();
        assert_eq!(world.deleted_channels.len(), 1);
        assert!(world.deleted_channels[0].as_str().ends_with("/1"));
    }

    #[test]
    fn a_channel_that_is_wanted_or_in_use_or_not_ours_to_delete_stays() {
        let grace = Policy::default().channel_grace_ms;
        let mut off = ended().later(grace);
        off.policy.channel_cleanup = Switch::Off;
        let mut in_use = World::active().live().later(grace);
        in_use.policy.channel_cleanup = Switch::On;
        in_use.worker_is_fresh();
        let mut stopped_by_hand = ended().later(grace).with("status", "active");
        stopped_by_hand.row.as_mut().unwrap().why.cause = schemas::reason::Cause::SpeakerGone;
        let mut held = ended().later(grace).held(crate::fixtures::NOW.plus_ms(2 * grace));
        for world in [&mut off, &mut in_use, &mut stopped_by_hand, &mut held] {
            world.settle();
            assert_eq!(world.deleted_channels.len(), 0);
        }
    }
}
