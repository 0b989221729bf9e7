//! The environment, parsed once into a value that is valid.

use controller_core::model::{Policy, Switch};

/// What the function was deployed with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `SESSIONS_TABLE`: the session service's table.
    pub sessions_table: String,
    /// `WORKERS_TABLE`: our table.
    pub workers_table: String,
    /// `CLUSTER`: the ECS cluster, name or ARN.
    pub cluster: String,
    /// `TASK_DEFINITION`: ARN with its revision.
    pub task_definition: String,
    /// `CONTAINER`: the worker's container in the task definition.
    pub container: String,
    /// `SUBNETS`: where tasks run, at least one.
    pub subnets: Vec<String>,
    /// `SECURITY_GROUPS`: of the task's network interface, at least one.
    pub security_groups: Vec<String>,
    /// `ASSIGN_PUBLIC_IP`: whether a task gets a public address.
    pub public_address: PublicAddress,
    /// `CAPACITY`: `FARGATE` or `FARGATE_SPOT`; `FARGATE` when absent.
    pub capacity: Capacity,
    /// `SESSION_ENV`: the environment's name, dimension of every metric; `unknown` when absent.
    pub environment: String,
    /// `EVENT_BUS`: name or ARN of the bus that is told what happens; nobody is told when it is absent.
    pub event_bus: Option<String>,
    /// `TIMER_QUEUE`: URL of the queue of looks that cannot wait for the next tick.
    pub timer_queue: Option<String>,
    /// `ROLLOUT`: `on` replaces workers of an old task definition; `off` when absent.
    pub rollout: Switch,
    /// `CHANNEL_CLEANUP`: `on` deletes the signaling channels of ended runs; `off` when absent.
    pub channel_cleanup: Switch,
    /// `OPEN_INDEX`: `old`, `both` or `new`; `new` when absent.
    pub open_index: OpenIndex,
}

/// By which index of our table the open rows are found: a deployed stack goes from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenIndex {
    /// `old`: `byDue` alone.
    Old,
    /// `both`: `byShard`, and `byDue` for what older releases write.
    Both,
    /// `new`: `byShard` alone.
    New,
}

/// What tasks run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capacity {
    /// `FARGATE`
    OnDemand,
    /// `FARGATE_SPOT`: cheaper, and taken away with a warning of two minutes. There is no way back to on-demand by itself.
    Spot,
}

/// Whether a task gets a public IPv4 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PublicAddress {
    /// `ENABLED`
    Assigned,
    /// `DISABLED`
    None,
}

/// A variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Absent or blank.
    #[error("environment variable {0} is not set; set it to {1}")]
    Missing(&'static str, &'static str),
    /// It holds something else.
    #[error("environment variable {name} is {value:?}; set it to {expected}")]
    Invalid {
        /// The variable.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        expected: &'static str,
    },
}

impl Config {
    /// The numbers of the decisions, as this deployment wants them.
    #[must_use]
    pub fn policy(&self) -> Policy {
        Policy {
            task_definition: Some(self.task_definition.clone()),
            rollout: self.rollout,
            channel_cleanup: self.channel_cleanup,
            ..Policy::default()
        }
    }

    /// Reads every variable through `lookup`.
    ///
    /// # Errors
    /// [`ConfigError`] names the first variable that is missing or invalid, and what to set it to.
    pub fn try_new(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let optional = |name| lookup(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let text = |name, expected| optional(name).ok_or(ConfigError::Missing(name, expected));
        let list = |name, expected| -> Result<Vec<String>, ConfigError> {
            let value = text(name, expected)?;
            let parts: Vec<String> = value.split(',').map(|part| part.trim().to_owned()).collect();
            if parts.iter().any(String::is_empty) {
                return Err(ConfigError::Invalid { name, value, expected });
            }
            Ok(parts)
        };
        Ok(Self {
            sessions_table: text("SESSIONS_TABLE", "the name of the session service's table, such as Sessions-dev")?,
            workers_table: text("WORKERS_TABLE", "the name of our table, such as SessionWorkers-dev")?,
            cluster: text("CLUSTER", "the ECS cluster, such as session-workers-dev")?,
            task_definition: text("TASK_DEFINITION", "the ARN of the worker's task definition with its revision")?,
            container: text("CONTAINER", "the name of the worker's container, such as worker")?,
            subnets: list("SUBNETS", "subnet ids, separated by commas")?,
            security_groups: list("SECURITY_GROUPS", "security group ids, separated by commas")?,
            capacity: capacity(optional("CAPACITY"))?,
            environment: optional("SESSION_ENV").unwrap_or_else(|| "unknown".to_owned()),
            event_bus: optional("EVENT_BUS"),
            timer_queue: optional("TIMER_QUEUE"),
            rollout: switch("ROLLOUT", optional("ROLLOUT"))?,
            channel_cleanup: switch("CHANNEL_CLEANUP", optional("CHANNEL_CLEANUP"))?,
            open_index: open_index(optional("OPEN_INDEX"))?,
            public_address: public_address(text("ASSIGN_PUBLIC_IP", "ENABLED or DISABLED")?)?,
        })
    }
}

fn switch(name: &'static str, value: Option<String>) -> Result<Switch, ConfigError> {
    match value.as_deref() {
        None | Some("off") => Ok(Switch::Off),
        Some("on") => Ok(Switch::On),
        Some(other) => Err(ConfigError::Invalid { name, value: other.to_owned(), expected: "on or off" }),
    }
}

fn open_index(value: Option<String>) -> Result<OpenIndex, ConfigError> {
    match value.as_deref() {
        Some("old") => Ok(OpenIndex::Old),
        Some("both") => Ok(OpenIndex::Both),
        None | Some("new") => Ok(OpenIndex::New),
        Some(other) => {
            Err(ConfigError::Invalid { name: "OPEN_INDEX", value: other.to_owned(), expected: "old, both or new" })
        }
    }
}

fn capacity(value: Option<String>) -> Result<Capacity, ConfigError> {
    match value.as_deref() {
        None | Some("FARGATE") => Ok(Capacity::OnDemand),
        Some("FARGATE_SPOT") => Ok(Capacity::Spot),
        Some(other) => {
            Err(ConfigError::Invalid { name: "CAPACITY", value: other.to_owned(), expected: "FARGATE or FARGATE_SPOT" })
        }
    }
}

fn public_address(value: String) -> Result<PublicAddress, ConfigError> {
    match value.as_str() {
        "ENABLED" => Ok(PublicAddress::Assigned),
        "DISABLED" => Ok(PublicAddress::None),
        _ => Err(ConfigError::Invalid { name: "ASSIGN_PUBLIC_IP", value, expected: "ENABLED or DISABLED" }),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const GOOD: [(&str, &str); 8] = [
        ("SESSIONS_TABLE", "Sessions-local"),
        ("WORKERS_TABLE", "SessionWorkers-local"),
        ("CLUSTER", "session-workers-local"),
        ("TASK_DEFINITION", "arn:aws:ecs:us-east-1:123456789012:task-definition/session-worker-local:1"),
        ("CONTAINER", "worker"),
        ("SUBNETS", "subnet-a, subnet-b"),
        ("SECURITY_GROUPS", "sg-a"),
        ("ASSIGN_PUBLIC_IP", "ENABLED"),
    ];

    pub(crate) fn with(name: &str, value: Option<&str>) -> Result<Config, ConfigError> {
        Config::try_new(|asked| {
            let good = GOOD.iter().find(|(key, _)| *key == asked).map(|(_, value)| (*value).to_owned());
            if asked == name { value.map(str::to_owned) } else { good }
        })
    }

    #[test]
    fn workers_run_on_demand_until_spot_is_wanted() {
        assert_eq!(with("", None).unwrap().capacity, Capacity::OnDemand);
        assert_eq!(with("CAPACITY", Some("FARGATE_SPOT")).unwrap().capacity, Capacity::Spot);
        assert!(with("CAPACITY", Some("spot")).unwrap_err().to_string().contains("FARGATE_SPOT"));
    }

    #[test]
    fn a_new_stack_finds_its_open_rows_by_shard_and_a_deployed_one_goes_over() {
        let index = |value| with("OPEN_INDEX", value).map(|config| config.open_index);
        assert_eq!(
            [None, Some("old"), Some("both")].map(index),
            [Ok(OpenIndex::New), Ok(OpenIndex::Old), Ok(OpenIndex::Both)]
        );
        assert!(index(Some("byDue")).unwrap_err().to_string().contains("old, both or new"));
    }

    #[test]
    fn a_complete_environment_is_a_config() {
        let config = with("", None).unwrap();
        assert_eq!(config.subnets, ["subnet-a", "subnet-b"]);
        assert_eq!(config.public_address, PublicAddress::Assigned);
        assert_eq!(
            (config.rollout, config.channel_cleanup, config.event_bus.clone()),
            (Switch::Off, Switch::Off, None)
        );
        assert_eq!(with("ROLLOUT", Some("on")).unwrap().policy().rollout, Switch::On);
        assert_eq!(config.policy().task_definition, Some(config.task_definition));
    }

    #[test]
    fn every_missing_or_blank_variable_is_named_with_its_remedy() {
        for (name, _) in GOOD {
            for value in [None, Some(" ")] {
                let error = with(name, value).unwrap_err().to_string();
                assert!(error.contains(name) && error.contains("set it to"), "{error}");
            }
        }
    }

    #[test]
    fn a_list_with_a_hole_and_an_unknown_switch_are_refused() {
        assert!(with("ROLLOUT", Some("yes")).unwrap_err().to_string().contains("on or off"));
        assert!(with("SUBNETS", Some("subnet-a,,subnet-b")).is_err());
        assert!(with("ASSIGN_PUBLIC_IP", Some("yes")).unwrap_err().to_string().contains("\"yes\""));
    }
}
