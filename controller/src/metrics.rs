//! Metrics in CloudWatch's embedded format: one JSON line per invocation, which the log group turns into metrics.
//!
//! **Guarantees.** One dimension, the environment: no metric is made per session (that costs money and kills alarms). The
//! session stands beside as a property, to be searched.

use schemas::ids::Timestamp;
use schemas::metrics::{DIMENSION, NAMESPACE};
use serde_json::{Map, Value, json};

/// What one invocation did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Tasks started.
    pub launches: u64,
    /// RunTask answers that started none: no capacity, throttled, refused, unclear.
    pub launch_failures: u64,
    /// Sessions looked at.
    pub looks: u64,
    /// Of these, how many could not be looked at.
    pub look_errors: u64,
    /// Records that nobody will ever be able to read.
    pub poison_records: u64,
    /// Tasks that were asked to stop.
    pub stops: u64,
    /// Sessions that a fault ended or parked, as written by this invocation.
    pub failures: u64,
    /// Sessions that wait to be launched, as the last sweep counted them.
    pub queue_depth: Option<u64>,
    /// Rows that are not in a final phase, as the last complete sweep counted them.
    pub open_sessions: Option<u64>,
    /// How long the sweep took, ms.
    pub sweep_ms: Option<u64>,
    /// Events that the bus did not take.
    pub event_errors: u64,
    /// Versions of the worker that were found bad.
    pub bad_versions: u64,
}

impl Metrics {
    /// The line; `None` when nothing happened.
    #[must_use]
    pub fn line(&self, environment: &str, session: Option<&str>, now: Timestamp) -> Option<String> {
        let counted = [
            ("Launches", self.launches),
            ("LaunchFailures", self.launch_failures),
            ("Looks", self.looks),
            ("LookErrors", self.look_errors),
            ("PoisonRecords", self.poison_records),
            ("Stops", self.stops),
            ("Failures", self.failures),
            ("EventErrors", self.event_errors),
            ("BadVersions", self.bad_versions),
        ];
        let counted = counted.into_iter().filter(|(_, value)| *value > 0).map(|(name, value)| (name, "Count", value));
        let measured = [
            ("QueueDepth", "Count", self.queue_depth),
            ("OpenSessions", "Count", self.open_sessions),
            ("SweepDuration", "Milliseconds", self.sweep_ms),
        ];
        let measured = measured.into_iter().filter_map(|(name, unit, value)| Some((name, unit, value?)));
        let all: Vec<(&str, &str, u64)> = counted.chain(measured).collect();
        if all.is_empty() {
            return None;
        }
        let names: Vec<Value> = all.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": names});
        let mut line = Map::new();
        line.insert("_aws".into(), json!({"Timestamp": now.0, "CloudWatchMetrics": [directive]}));
        line.insert(DIMENSION.into(), environment.into());
        if let Some(session) = session {
            line.insert("sessionId".into(), session.into());
        }
        line.extend(all.into_iter().map(|(name, _, value)| (name.to_owned(), Value::from(value))));
        Some(Value::Object(line).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_one_dimension_and_the_session_is_a_property() {
        let metrics = Metrics { launches: 2, queue_depth: Some(0), sweep_ms: Some(31), ..Metrics::default() };
        let line: Value = serde_json::from_str(&metrics.line("dev", Some("a-b-1"), Timestamp(7)).unwrap()).unwrap();
        assert_eq!(line["_aws"]["Timestamp"], 7);
        let directive = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Namespace"], "SessionWorkers");
        assert_eq!(directive["Dimensions"], json!([["Environment"]]));
        let names: Vec<&str> =
            directive["Metrics"].as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap()).collect();
        assert_eq!(names, ["Launches", "QueueDepth", "SweepDuration"], "what did not happen is not told");
        for name in names {
            assert!(line[name].is_number(), "{name} has its value");
        }
        assert_eq!((line["Environment"].as_str(), line["sessionId"].as_str()), (Some("dev"), Some("a-b-1")));
    }

    #[test]
    fn the_published_list_is_what_is_written() {
        let all = Metrics {
            launches: 1,
            launch_failures: 1,
            looks: 1,
            look_errors: 1,
            poison_records: 1,
            stops: 1,
            failures: 1,
            queue_depth: Some(1),
            open_sessions: Some(1),
            sweep_ms: Some(1),
            event_errors: 1,
            bad_versions: 1,
        };
        let line: Value = serde_json::from_str(&all.line("dev", None, Timestamp(7)).unwrap()).unwrap();
        let published: Vec<Value> =
            schemas::metrics::CONTROLLER.iter().map(|m| json!({"Name": m.name, "Unit": m.unit})).collect();
        assert_eq!(line["_aws"]["CloudWatchMetrics"][0]["Metrics"], json!(published));
    }

    #[test]
    fn nothing_is_no_line() {
        assert_eq!(Metrics::default().line("dev", None, Timestamp(7)), None);
    }
}
