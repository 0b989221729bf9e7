//! What is known of the versions of the worker, in one record that all controllers and operators share.
//!
//! A version is a task definition (its ARN with revision). It is *good* once one worker of it has served a speaker for the policy's time of baking,
//! *bad* once a worker of it has failed before that, and *on trial* in between. New sessions are launched from the deployment's version
//! unless that is bad; then from the last good one.

use crate::ids::{SessionId, Timestamp};
use crate::operator::Signed;
use crate::reason::Why;
use crate::table::workers::{VERSIONS, VERSIONS_REVISION};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// So many bad versions are remembered, the newest last; sessions that still run on an older one are long over.
pub const BAD_KEPT: usize = 20;

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Rollout {
    /// The last version that was found good; absent before the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good: Option<String>,
    /// The one that was good before it: where an operator goes back to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub good_before: Option<String>,
    /// Versions that were found bad.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub bad: Vec<Bad>,
    /// The session on which a version that nobody knows yet is tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Failures up to then count no more: an operator has said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acquitted_at: Option<Timestamp>,
    /// An operator lets no further session change its version. New sessions start all the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<Signed>,
}

/// A version that no session is launched from as long as there is a good one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bad {
    /// The task definition.
    pub version: String,
    /// What failed, or that an operator took it back.
    pub why: Why,
    /// The session whose worker failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// Who took it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Signed>,
}

/// A trial under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Trial {
    /// The task definition.
    pub version: String,
    /// The first session that changes to it.
    pub session: SessionId,
    /// Since when.
    pub since: Timestamp,
}

impl Rollout {
    /// What is said against this version.
    #[must_use]
    pub fn bad(&self, version: &str) -> Option<&Bad> {
        self.bad.iter().find(|bad| bad.version == version)
    }

    /// Whether this version has baked.
    #[must_use]
    pub fn is_good(&self, version: &str) -> bool {
        self.good.as_deref() == Some(version)
    }

    /// The version that new workers are launched from: the deployment's, unless it is bad and another is known to be good.
    #[must_use]
    pub fn chosen<'a>(&'a self, deployed: &'a str) -> &'a str {
        let good = self.good.as_deref().filter(|_| self.bad(deployed).is_some());
        good.unwrap_or(deployed)
    }

    /// This version has baked.
    pub fn approve(&mut self, version: &str) {
        if !self.is_good(version) {
            self.good_before = self.good.replace(version.to_owned());
        }
        self.trial.take_if(|trial| trial.version == version);
    }

    /// Remembers a bad version; the first that is said against one stands.
    pub fn condemn(&mut self, bad: Bad) {
        if self.bad(&bad.version).is_some() {
            return;
        }
        self.trial.take_if(|trial| trial.version == bad.version);
        if self.is_good(&bad.version) {
            self.good = self.good_before.take();
        }
        self.bad.push(bad);
        let over = self.bad.len().saturating_sub(BAD_KEPT);
        self.bad.drain(..over);
    }

    /// Forgets what was said against a version: it is on trial again.
    pub fn acquit(&mut self, version: &str, now: Timestamp) {
        self.bad.retain(|bad| bad.version != version);
        self.acquitted_at = Some(now);
    }
}

/// The one conditional update by which controllers and operators write the record: it stands only if nobody has written since it was read. It
/// serializes as the values of its expressions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Write {
    #[serde(rename = ":versions")]
    text: String,
    #[serde(rename = ":next")]
    next: i64,
    #[serde(rename = ":read", skip_serializing_if = "Option::is_none")]
    read: Option<i64>,
}

impl Write {
    /// The names in both expressions.
    pub const NAMES: [(&str, &str); 2] = [("#versions", VERSIONS), ("#revision", VERSIONS_REVISION)];
    /// What is set.
    pub const UPDATE: &str = "SET #versions = :versions, #revision = :next";

    /// Writes `known` over the record whose lock was read as `revision`; 0 when there was none.
    ///
    /// # Errors
    /// When it cannot be written as JSON, which its types exclude.
    pub fn of(known: &Rollout, revision: i64) -> serde_json::Result<Self> {
        let read = (revision != 0).then_some(revision);
        Ok(Self { text: serde_json::to_string(known)?, next: revision + 1, read })
    }

    /// On which condition.
    #[must_use]
    pub fn condition(&self) -> &'static str {
        match self.read {
            None => "attribute_not_exists(#revision)",
            Some(_) => "#revision = :read",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reason::Cause;

    fn bad(version: &str) -> Bad {
        let why = Why::new(Cause::WorkerCrashed, "exit code 101", Timestamp(1));
        Bad { version: version.into(), why, session: None, by: None }
    }

    #[test]
    fn new_workers_come_from_the_last_good_version_only_while_the_deployed_one_is_bad() {
        let mut rollout = Rollout { good: Some("worker:1".into()), ..Rollout::default() };
        assert_eq!(rollout.chosen("worker:2"), "worker:2");
        rollout.condemn(bad("worker:2"));
        assert_eq!(rollout.chosen("worker:2"), "worker:1");
        assert_eq!(rollout.chosen("worker:3"), "worker:3", "a newer deployment is tried");
        rollout.acquit("worker:2", Timestamp(2));
        assert_eq!(rollout.chosen("worker:2"), "worker:2");
        let mut first = Rollout::default();
        first.condemn(bad("worker:1"));
        assert_eq!(first.chosen("worker:1"), "worker:1", "there is nothing better");
    }

    #[test]
    fn the_record_is_written_only_over_the_one_that_was_read_and_every_value_is_used() {
        for (revision, condition) in [(0, "attribute_not_exists(#revision)"), (7, "#revision = :read")] {
            let write = Write::of(&Rollout::default(), revision).unwrap();
            assert_eq!(write.condition(), condition);
            let values = serde_json::to_value(&write).unwrap();
            assert_eq!((&values[":next"], values[":versions"].as_str()), (&(revision + 1).into(), Some("{}")));
            let text = format!("{} {condition}", Write::UPDATE);
            let names =
                values.as_object().unwrap().keys().cloned().chain(Write::NAMES.map(|(place, _)| place.to_owned()));
            for name in names {
                assert!(text.contains(&name), "{name} is not used, which DynamoDB refuses");
            }
        }
    }

    #[test]
    fn a_record_of_a_later_release_is_read_and_old_verdicts_make_room() {
        let later = r#"{"good":"worker:1","paused":null,"canary":{"share":5}}"#;
        let mut rollout: Rollout = serde_json::from_str(later).unwrap();
        for n in 0..30 {
            rollout.condemn(bad(&format!("worker:{n}")));
        }
        assert_eq!((rollout.bad.len(), rollout.bad.last().unwrap().version.as_str()), (BAD_KEPT, "worker:29"));
    }
}
