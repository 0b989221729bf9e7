//! Tasks that no row speaks of any more.

use crate::action::Action;
use crate::model::View;
use schemas::ids::Generation;

/// Stops every live task of a generation older than `current`. A newer task is left alone: the row was read before it was
/// launched, so it is the row that is old.
#[must_use]
pub fn stops(view: &View, current: Generation) -> Vec<Action> {
    let older = view.known_tasks().iter().filter(|task| task.generation < current && !task.is_stopping());
    let reason = format!("generation {current} has taken its place");
    older.map(|task| Action::StopTask { arn: task.arn.clone(), reason: reason.clone() }).collect()
}
