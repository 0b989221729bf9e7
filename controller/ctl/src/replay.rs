//! `replay`: the stored inputs of the last noteworthy decision, decided again by this sessionctl's own rules.

use controller_core::action::{Action, Plan};
use controller_core::model::{Policy, Tasks, View};
use controller_core::reconcile::explain;
use controller_core::rule::Rule;
use schemas::ids::Timestamp;
use schemas::session::SessionRecord;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// What the controller stores of a decision.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Stored {
    /// What was seen.
    pub view: View,
    /// The numbers it was decided with.
    policy: Value,
    /// When.
    pub now: Timestamp,
    /// What was decided.
    pub plan: Value,
}

/// A decision made again.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// When it was made.
    pub at: Timestamp,
    /// What it was made from.
    pub view: View,
    /// What was decided then; `None` when this version cannot read it.
    pub then: Option<Plan>,
    /// What these rules decide on the same inputs.
    pub now: Plan,
    /// Which of them did.
    pub rule: Rule,
    /// Where the two differ, `path: then → now`.
    pub differences: Vec<String>,
    /// Numbers of the stored policy that are not this version's defaults.
    pub policy: Vec<String>,
}

/// Reads a stored decision.
///
/// # Errors
/// One line about what cannot be read.
pub fn read(text: &str) -> Result<Stored, String> {
    serde_json::from_str(text).map_err(|e| format!("the stored decision is of another version: {e}"))
}

/// Decides again.
///
/// # Errors
/// One line when the stored policy cannot be read.
pub fn replay(stored: Stored) -> Result<Replayed, String> {
    let defaults = json!(Policy::default());
    // A number that is newer than the record has its default, which is what it was in force with.
    let mut policy = defaults.clone();
    if let (Some(policy), Some(known)) = (policy.as_object_mut(), stored.policy.as_object()) {
        policy.extend(known.clone());
    }
    let differing = differences(&defaults, &policy);
    let policy: Policy =
        serde_json::from_value(policy).map_err(|e| format!("the stored policy cannot be read: {e}"))?;
    let mut at = stored.now;
    let (mut rule, mut now) = explain(&stored.view, &policy, at);
    let mut differing_plan = differences(&stored.plan, &json!(now));
    if let Some(earlier) = decided_a_moment_before(&stored.plan, &now, at) {
        let (by, again) = explain(&stored.view, &policy, earlier);
        let left = differences(&stored.plan, &json!(again));
        if left.is_empty() {
            (at, rule, now, differing_plan) = (earlier, by, again, left);
        }
    }
    let then = serde_json::from_value(stored.plan).ok();
    Ok(Replayed { at, view: stored.view, then, now, rule, differences: differing_plan, policy: differing })
}

/// Longest time between a decision and the writing of its record, ms.
const RECORDED_WITHIN: i64 = 60_000;

/// A record may carry the time at which it was written, a moment after the decision: the plan's own times tell.
fn decided_a_moment_before(then: &Value, now: &Plan, at: Timestamp) -> Option<Timestamp> {
    let shift = then.get("nextLook")?.as_i64()?.checked_sub(now.next_look?.0)?;
    (-RECORDED_WITHIN..0).contains(&shift).then(|| at.plus_ms(shift))
}

impl Replayed {
    /// For people.
    #[must_use]
    pub fn page(&self, now: Timestamp, width: u16) -> String {
        let view = &self.view;
        let row = view.worker.as_ref().map_or_else(
            || "no row of ours".to_owned(),
            |row| format!("our row generation {} {:?} ({})", row.generation, row.phase, row.why.text),
        );
        let tasks = match &view.tasks {
            Tasks::Known(tasks) => {
                let each = tasks.iter().map(|t| {
                    format!("{} {} of generation {}", crate::board::short_task(&t.arn), t.last_status, t.generation)
                });
                let each: Vec<_> = each.collect();
                if each.is_empty() { "no task".to_owned() } else { format!("task {}", each.join(", ")) }
            }
            Tasks::Unknown(why) => format!("tasks unknown: {why}"),
        };
        let session = view.session.as_ref().map_or_else(|| "no session row".to_owned(), seen);
        let mut said = vec![
            format!(
                "{}, decided {} ({} ago)",
                view.session_id,
                crate::text::utc(self.at),
                crate::text::age(self.at, now)
            ),
            format!("Seen: {session}; {row}; {tasks}; {} strike(s)", view.strikes.len()),
        ];
        said.extend(self.then.iter().flat_map(|plan| told("Decided then", plan, self.at)));
        if self.differences.is_empty() {
            said.push(format!(
                "This sessionctl decides the same on the same inputs, by the rule of the {}.",
                self.rule.in_words()
            ));
        } else {
            said.extend(told(
                &format!("This sessionctl decides, by the rule of the {}", self.rule.in_words()),
                &self.now,
                self.at,
            ));
            said.push("Differences, then → this sessionctl:".into());
            said.extend(self.differences.iter().map(|difference| format!("  {difference}")));
        }
        if !self.policy.is_empty() {
            said.push("Policy other than this version's default, default → stored:".into());
            said.extend(self.policy.iter().map(|difference| format!("  {difference}")));
        }
        crate::text::page(said, usize::from(width))
    }

    /// For machines.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "sessionId": self.view.session_id,
            "at": self.at,
            "view": self.view,
            "then": self.then,
            "now": self.now,
            "rule": self.rule.in_words(),
            "same": self.differences.is_empty(),
            "differences": self.differences,
            "policyOtherThanDefault": self.policy,
        })
    }
}

fn told(title: &str, plan: &Plan, at: Timestamp) -> Vec<String> {
    let why = plan.why.as_ref().map_or_else(String::new, |why| format!(" ({:?}: {})", why.cause, why.text));
    let actions = in_words(plan, at).into_iter().map(|action| format!("  - {action}"));
    std::iter::once(format!("{title}{why}:")).chain(actions).collect()
}

fn seen(record: &SessionRecord) -> String {
    match record {
        SessionRecord::Session(row) => format!("their row {:?}", row.status),
        SessionRecord::Ignored { why } => format!("their row, which is not ours to serve ({why})"),
        SessionRecord::Unservable { why, .. } => format!("their row, which cannot be served ({why})"),
    }
}

/// `path: left → right` for every leaf in which two documents differ.
#[must_use]
pub fn differences(left: &Value, right: &Value) -> Vec<String> {
    let (mut a, mut b) = (Map::new(), Map::new());
    leaves(String::new(), left, &mut a);
    leaves(String::new(), right, &mut b);
    let mut paths: Vec<&String> = a.keys().chain(b.keys()).collect();
    paths.sort_unstable();
    paths.dedup();
    let shown = |value: Option<&Value>| value.map_or_else(|| "(absent)".to_owned(), ToString::to_string);
    let differing = paths.into_iter().filter(|path| a.get(*path) != b.get(*path));
    differing.map(|path| format!("{path}: {} → {}", shown(a.get(path)), shown(b.get(path)))).collect()
}

/// Null and absent are the same to every reader of these documents.
fn leaves(path: String, value: &Value, into: &mut Map<String, Value>) {
    let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match value {
        Value::Null => {}
        Value::Object(fields) => fields.iter().for_each(|(key, value)| leaves(below(key), value, into)),
        Value::Array(items) if items.is_empty() => drop(into.insert(path, json!([]))),
        Value::Array(items) => items.iter().enumerate().for_each(|(i, v)| leaves(below(&i.to_string()), v, into)),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => drop(into.insert(path, value.clone())),
    }
}

/// A plan in words, one action per line.
#[must_use]
pub fn in_words(plan: &Plan, at: Timestamp) -> Vec<String> {
    let mut said: Vec<String> = plan.actions.iter().map(|action| in_a_line(action, at)).collect();
    if said.is_empty() {
        said.push("do nothing".to_owned());
    }
    said.push(match plan.next_look {
        Some(next) => format!("look again after {}", crate::text::duration(next.since(at))),
        None => "no further look".to_owned(),
    });
    said
}

fn in_a_line(action: &Action, at: Timestamp) -> String {
    match action {
        Action::Write(write) => {
            let archived = if write.archive.is_some() { ", keeping the generation before as history" } else { "" };
            match &write.transition {
                Some(t) => format!(
                    "write generation {} as {:?} because {:?}: {}{archived}",
                    write.generation, t.phase, t.why.cause, t.why.text
                ),
                None => format!("write generation {} without a change of phase{archived}", write.generation),
            }
        }
        Action::LookAgain { at: next } => {
            format!("move the next look to {} later", crate::text::duration(next.since(at)))
        }
        Action::RunTask { generation } => format!("start the task of generation {generation}"),
        Action::StopTask { arn, reason } => format!("stop task {}: {reason}", crate::board::short_task(arn)),
        Action::Strike { arn } => format!("mark task {} as astray", crate::board::short_task(arn)),
        Action::Judge(evidence) => format!("note that {evidence}"),
        Action::DeleteChannel { arn } => format!("delete the channel {}", arn.name()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};
    use controller_core::model::{Fleet, Tasks};
    use controller_core::reconcile;

    fn view() -> View {
        let row = row("a-b-001");
        View {
            session_id: row.session_id.clone(),
            session: None,
            worker: Some(row),
            tasks: Tasks::Known(Vec::new()),
            fleet: Fleet::default(),
            strikes: Vec::new(),
        }
    }

    fn stored() -> Value {
        let now = Timestamp(T0 + 20_000);
        let plan = reconcile(&view(), &Policy::default(), now);
        json!({ "view": view(), "policy": Policy::default(), "now": now, "plan": plan })
    }

    #[test]
    fn the_same_rules_on_the_same_inputs_give_the_same_plan() {
        let replayed = replay(read(&stored().to_string()).unwrap()).unwrap();
        assert_eq!(replayed.differences, Vec::<String>::new());
        assert_eq!(replayed.then.as_ref(), Some(&replayed.now));
        assert!(in_words(&replayed.now, replayed.at)[0].contains("SessionDeleted"), "{:?}", replayed.now);
    }

    #[test]
    fn a_record_that_was_written_a_moment_after_its_decision_is_the_same_decision() {
        let mut stored = stored();
        stored["now"] = json!(T0 + 20_029);
        let replayed = replay(read(&stored.to_string()).unwrap()).unwrap();
        assert_eq!((replayed.at, replayed.differences), (Timestamp(T0 + 20_000), Vec::<String>::new()));
    }

    #[test]
    fn a_plan_that_is_decided_otherwise_today_is_shown_field_by_field() {
        let mut stored = stored();
        stored["plan"]["actions"][0]["write"]["transition"]["phase"] = json!("Failed");
        let replayed = replay(read(&stored.to_string()).unwrap()).unwrap();
        assert_eq!(replayed.differences, ["actions.0.write.transition.phase: \"Failed\" → \"Draining\""]);
    }

    #[test]
    fn a_policy_of_an_older_controller_is_completed_and_of_other_numbers_named() {
        let mut stored = stored();
        let policy = stored["policy"].as_object_mut().unwrap();
        policy.remove("strikeMs");
        policy.insert("restartBudget".into(), json!(9));
        let replayed = replay(read(&stored.to_string()).unwrap()).unwrap();
        assert_eq!(replayed.policy, ["restartBudget: 5 → 9"]);
    }

    #[test]
    fn a_record_of_another_version_is_said_to_be_one() {
        let error = read("{\"view\": 1}").unwrap_err();
        assert!(error.contains("another version") && !error.contains('\n'), "{error}");
    }
}
