//! EventBridge event patterns, as far as rules on task events use them: literals, `prefix`, `suffix`, `exists`,
//! `anything-but`, `equals-ignore-case` and `$or`.

use serde_json::{Map, Value};

/// A pattern that this matcher does not know: better said than silently not matched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event pattern uses {0}, which the local stack does not know; extend ecs/pattern.rs")]
pub struct Unsupported(String);

/// Whether `event` matches `pattern`.
///
/// # Errors
/// When the pattern uses an operator that is not known here.
pub fn matches(pattern: &Value, event: &Value) -> Result<bool, Unsupported> {
    let Value::Object(fields) = pattern else {
        return Err(Unsupported(format!("{pattern} where an object belongs")));
    };
    object_matches(fields, event)
}

fn object_matches(fields: &Map<String, Value>, event: &Value) -> Result<bool, Unsupported> {
    for (name, expected) in fields {
        let found = event.get(name);
        let matched = match (expected.as_object(), expected.as_array()) {
            (Some(nested), _) => nested_matches(nested, found)?,
            (None, Some(choices)) if name == "$or" => any(choices, |choice| matches(choice, event))?,
            (None, Some(conditions)) => any(conditions, |condition| condition_matches(condition, found))?,
            (None, None) => return Err(Unsupported(format!("{name}: {expected}, neither an array nor an object"))),
        };
        if !matched {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Objects within an array match when one of them does.
fn nested_matches(pattern: &Map<String, Value>, found: Option<&Value>) -> Result<bool, Unsupported> {
    match found {
        Some(Value::Array(elements)) => any(elements, |element| object_matches(pattern, element)),
        Some(value) => object_matches(pattern, value),
        None => object_matches(pattern, &Value::Null),
    }
}

fn condition_matches(condition: &Value, found: Option<&Value>) -> Result<bool, Unsupported> {
    let Value::Object(operator) = condition else {
        return Ok(any_value(found, |value| value == condition));
    };
    let Some((name, operand)) = operator.iter().next() else {
        return Err(Unsupported("an empty condition".to_owned()));
    };
    match (name.as_str(), operand) {
        ("exists", Value::Bool(wanted)) => Ok(found.is_some() == *wanted),
        ("prefix", Value::String(prefix)) => Ok(any_text(found, |text| text.starts_with(prefix.as_str()))),
        ("suffix", Value::String(suffix)) => Ok(any_text(found, |text| text.ends_with(suffix.as_str()))),
        ("equals-ignore-case", Value::String(same)) => Ok(any_text(found, |text| text.eq_ignore_ascii_case(same))),
        ("anything-but", Value::Array(but)) => Ok(any_value(found, |value| !but.contains(value))),
        ("anything-but", Value::Object(_)) => Ok(found.is_some() && !condition_matches(operand, found)?),
        ("anything-but", but) => Ok(any_value(found, |value| value != but)),
        _ => Err(Unsupported(condition.to_string())),
    }
}

fn any(items: &[Value], mut test: impl FnMut(&Value) -> Result<bool, Unsupported>) -> Result<bool, Unsupported> {
    for item in items {
        if test(item)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn any_value(found: Option<&Value>, test: impl Fn(&Value) -> bool) -> bool {
    match found {
        Some(Value::Array(elements)) => elements.iter().any(test),
        Some(value) => test(value),
        None => false,
    }
}

fn any_text(found: Option<&Value>, test: impl Fn(&str) -> bool) -> bool {
    any_value(found, |value| value.as_str().is_some_and(&test))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn task_event() -> Value {
        json!({
            "source": "aws.ecs",
            "detail-type": "ECS Task State Change",
            "detail": {
                "clusterArn": "arn:aws:ecs:us-east-1:000000000000:cluster/session-workers-local",
                "group": "family:session-worker-local",
                "lastStatus": "STOPPED",
                "version": 7,
                "containers": [{"name": "worker", "exitCode": 0}],
            },
        })
    }

    #[test]
    fn our_own_rule_takes_our_task_and_nobody_elses() {
        let mut rule = json!({
            "source": ["aws.ecs"],
            "detail-type": ["ECS Task State Change"],
            "detail": {
                "clusterArn": ["arn:aws:ecs:us-east-1:000000000000:cluster/session-workers-local"],
                "group": ["family:session-worker-local"],
                "lastStatus": ["RUNNING", "STOPPED"],
            },
        });
        assert_eq!(matches(&rule, &task_event()), Ok(true));
        rule["detail"]["lastStatus"] = json!(["PENDING"]);
        assert_eq!(matches(&rule, &task_event()), Ok(false));
        rule["detail"] = json!({"group": ["family:somebody"]});
        assert_eq!(matches(&rule, &task_event()), Ok(false));
    }

    #[test]
    fn a_field_that_is_missing_matches_only_its_absence() {
        let holds = |pattern: Value| matches(&json!({"detail": pattern}), &task_event()).unwrap();
        assert!(!holds(json!({"stopCode": ["EssentialContainerExited"]})));
        assert!(holds(json!({"stopCode": [{"exists": false}]})));
        assert!(!holds(json!({"group": [{"exists": false}]})));
        assert!(!holds(json!({"stopCode": [{"anything-but": "UserInitiated"}]})));
    }

    #[test]
    fn operators_compare_as_event_bridge_does() {
        let holds = |pattern: Value| matches(&json!({"detail": pattern}), &task_event()).unwrap();
        assert!(holds(json!({"group": [{"prefix": "family:session-worker"}]})));
        assert!(holds(json!({"group": [{"suffix": "-local"}]})));
        assert!(holds(json!({"lastStatus": [{"anything-but": ["RUNNING", "PENDING"]}]})));
        assert!(holds(json!({"lastStatus": [{"anything-but": {"prefix": "RUN"}}]})));
        assert!(holds(json!({"version": [7]})));
        assert!(!holds(json!({"version": ["7"]})));
        assert!(holds(json!({"containers": {"exitCode": [0]}})));
        assert!(holds(json!({"$or": [{"version": [1]}, {"lastStatus": ["STOPPED"]}]})));
    }

    #[test]
    fn an_operator_that_is_not_known_is_said_and_not_taken_for_a_miss() {
        let pattern = json!({"detail": {"version": [{"numeric": [">", 3]}]}});
        assert!(matches(&pattern, &task_event()).is_err());
    }
}
