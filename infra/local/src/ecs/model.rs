//! A task, and how ECS shows it.

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use schemas::ids::Timestamp;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// `lastStatus`: the ladder that every task goes down (ECS developer guide, "Task lifecycle").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The network interface is being made.
    Provisioning,
    /// The image is being pulled.
    Pending,
    /// The container runs; the rest of the launch is being done.
    Activating,
    /// It runs.
    Running,
    /// It is taken out of whatever it served.
    Deactivating,
    /// The container is being stopped.
    Stopping,
    /// The network interface is being given back.
    Deprovisioning,
    /// The end.
    Stopped,
}

impl Status {
    /// As ECS writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// What a task is made from: the one container of a registered task definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Definition {
    /// ARN with revision.
    pub arn: String,
    /// Family.
    pub family: String,
    /// Revision.
    pub revision: u64,
    /// CPU units, as text, as ECS has it.
    pub cpu: String,
    /// MiB, as text.
    pub memory: String,
    /// The container's name.
    pub container: String,
    /// Its image.
    pub image: String,
    /// `entryPoint` and `command`; usually the image's own (empty).
    pub command: Vec<String>,
    /// `environment`, in the order of the definition.
    pub environment: Vec<(String, String)>,
    /// From SIGTERM to SIGKILL, seconds (Fargate: 2 to 120, default 30).
    pub stop_timeout: u64,
    /// `restartPolicy`, when it is enabled.
    pub restart: Option<RestartPolicy>,
}

/// When a container that has ended is started again within its task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Exit codes after which it is not.
    pub ignored: Vec<i64>,
    /// It must have run for so long since it was last started, seconds (default 300).
    pub attempt_period: u64,
}

impl RestartPolicy {
    /// The emulator leaves the names within it as CloudFormation spells them.
    fn parse(value: &Value) -> Option<Self> {
        let field = |ecs: &str, cloud_formation: &str| value.get(ecs).or(value.get(cloud_formation)).cloned();
        let enabled = field("enabled", "Enabled").and_then(|enabled| enabled.as_bool());
        let codes = field("ignoredExitCodes", "IgnoredExitCodes").unwrap_or_default();
        let period = field("restartAttemptPeriod", "RestartAttemptPeriod").and_then(|period| period.as_u64());
        (enabled == Some(true)).then(|| Self {
            ignored: codes.as_array().into_iter().flatten().filter_map(Value::as_i64).collect(),
            attempt_period: period.unwrap_or(300),
        })
    }

    /// Whether a container that ended with this code after so long is started again; `least` stands in for its own period.
    pub fn applies(&self, code: i32, ran: Duration, least: Option<Duration>) -> bool {
        ran >= least.unwrap_or(Duration::from_secs(self.attempt_period)) && !self.ignored.contains(&i64::from(code))
    }
}

impl Definition {
    /// Reads the `taskDefinition` of DescribeTaskDefinition. The error says what the stand-in cannot run.
    ///
    /// # Errors
    /// When something is missing, or there is not exactly one container.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let text =
            |key: &str| value[key].as_str().map(str::to_owned).ok_or(format!("the task definition has no {key}"));
        let containers = value["containerDefinitions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let [container] = containers else {
            return Err(format!("{} containers; the local stack runs tasks of exactly one", containers.len()));
        };
        let name = container["name"].as_str().ok_or("the container has no name")?;
        let image = container["image"].as_str().ok_or("the container has no image")?;
        Ok(Self {
            arn: text("taskDefinitionArn")?,
            family: text("family")?,
            revision: value["revision"].as_u64().unwrap_or(1),
            cpu: text("cpu")?,
            memory: text("memory")?,
            container: name.to_owned(),
            image: image.to_owned(),
            command: [texts(&container["entryPoint"]), texts(&container["command"])].concat(),
            environment: pairs(&container["environment"]),
            stop_timeout: container["stopTimeout"].as_u64().unwrap_or(30),
            restart: RestartPolicy::parse(&container["restartPolicy"]),
        })
    }
}

/// A list of texts; empty when there is none.
pub fn texts(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// `[{name, value}]`
pub fn pairs(value: &Value) -> Vec<(String, String)> {
    let pair = |v: &Value| Some((v["name"].as_str()?.to_owned(), v["value"].as_str()?.to_owned()));
    value.as_array().into_iter().flatten().filter_map(pair).collect()
}

/// Why a task stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// `stopCode`, such as `UserInitiated`.
    pub code: String,
    /// `stoppedReason`.
    pub reason: String,
}

/// One task.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// The task's ARN.
    pub arn: String,
    /// Its cluster's.
    pub cluster_arn: String,
    /// What it is made from.
    pub definition: Definition,
    /// `group`.
    pub group: String,
    /// `startedBy`.
    pub started_by: Option<String>,
    /// `tags`; gone after StopTask.
    pub tags: Value,
    /// `overrides` as given.
    pub overrides: Value,
    /// The first subnet that was given.
    pub subnet: String,
    /// `lastStatus`.
    pub status: Status,
    /// `desiredStatus` is STOPPED.
    pub stop: Option<Stop>,
    /// Rises with every change.
    pub version: u64,
    /// Called.
    pub created_at: Timestamp,
    /// The image's pull began, and ended.
    pub pulled: (Option<Timestamp>, Option<Timestamp>),
    /// The container started.
    pub started_at: Option<Timestamp>,
    /// The stop began.
    pub stopping_at: Option<Timestamp>,
    /// The container had ended.
    pub execution_stopped_at: Option<Timestamp>,
    /// STOPPED.
    pub stopped_at: Option<Timestamp>,
    /// How often the container was started again in place.
    pub restarts: u32,
    /// The container's exit code: 128 + n when signal n killed it.
    pub exit_code: Option<i32>,
    /// The container's `reason`, such as why its image was not pulled.
    pub container_reason: Option<String>,
}

impl Stop {
    /// A stop.
    pub fn new(code: &str, reason: impl Into<String>) -> Self {
        Self { code: code.to_owned(), reason: reason.into() }
    }
}

impl Task {
    /// The last part of the ARN.
    pub fn id(&self) -> &str {
        self.arn.rsplit('/').next().unwrap_or_default()
    }

    /// `desiredStatus`.
    pub fn desired(&self) -> &'static str {
        if self.stop.is_some() { "STOPPED" } else { "RUNNING" }
    }

    /// As the API answers it: times are seconds with a fraction.
    pub fn shown(&self, with_tags: bool) -> Value {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century are exact in a double")]
        let mut shown = self.json(|at| json!(at.0 as f64 / 1000.0));
        if with_tags {
            shown["tags"] = self.tags.clone();
        }
        shown
    }

    /// As an event carries it: times are texts, and tags are left out.
    pub fn detail(&self) -> Value {
        self.json(|at| json!(iso(at)))
    }

    /// What a repeated client token gets of a task that has ended.
    pub fn reduced(&self) -> Value {
        json!({"taskArn": self.arn, "lastStatus": self.status.as_str(), "desiredStatus": self.desired()})
    }

    fn json(&self, time: impl Fn(Timestamp) -> Value) -> Value {
        let mut task = json!({
            "taskArn": self.arn,
            "clusterArn": self.cluster_arn,
            "taskDefinitionArn": self.definition.arn,
            "group": self.group,
            "launchType": "FARGATE",
            "platformVersion": "1.4.0",
            "platformFamily": "Linux",
            "cpu": self.definition.cpu,
            "memory": self.definition.memory,
            "lastStatus": self.status.as_str(),
            "desiredStatus": self.desired(),
            "version": self.version,
            "createdAt": time(self.created_at),
            "enableExecuteCommand": false,
            "ephemeralStorage": {"sizeInGiB": 20},
            "overrides": self.overrides,
            "attachments": [{
                "id": self.id(), "type": "eni", "status": if self.status == Status::Stopped { "DELETED" } else { "ATTACHED" },
                "details": [{"name": "subnetId", "value": self.subnet}, {"name": "privateIPv4Address", "value": "127.0.0.1"}],
            }],
            "containers": [self.container()],
        });
        let times = [
            ("connectivityAt", self.pulled.0),
            ("pullStartedAt", self.pulled.0),
            ("pullStoppedAt", self.pulled.1),
            ("startedAt", self.started_at),
            ("stoppingAt", self.stopping_at),
            ("executionStoppedAt", self.execution_stopped_at),
            ("stoppedAt", self.stopped_at),
        ];
        if let Value::Object(fields) = &mut task {
            fields.extend(times.into_iter().filter_map(|(name, at)| Some((name.to_owned(), time(at?)))));
            if self.pulled.0.is_some() {
                fields.insert("connectivity".to_owned(), json!("CONNECTED"));
            }
            fields.extend(self.texts());
        }
        task
    }

    fn texts(&self) -> Map<String, Value> {
        let stop = self.stop.as_ref();
        let texts = [
            ("startedBy", self.started_by.as_deref()),
            ("stopCode", stop.map(|stop| stop.code.as_str())),
            ("stoppedReason", stop.map(|stop| stop.reason.as_str())),
        ];
        texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), json!(text?)))).collect()
    }

    fn container(&self) -> Value {
        let last = match self.status {
            Status::Provisioning | Status::Pending => "PENDING",
            _ if self.execution_stopped_at.is_some() || self.stopped_at.is_some() => "STOPPED",
            Status::Activating | Status::Running | Status::Deactivating | Status::Stopping => "RUNNING",
            Status::Deprovisioning | Status::Stopped => "STOPPED",
        };
        let mut container = json!({
            "containerArn": format!("{}/{}", self.arn.replacen(":task/", ":container/", 1), self.definition.container),
            "taskArn": self.arn,
            "name": self.definition.container,
            "image": self.definition.image,
            "runtimeId": format!("{}-0", self.id()),
            "lastStatus": last,
            "networkInterfaces": [{"attachmentId": self.id(), "privateIpv4Address": "127.0.0.1"}],
            "cpu": "0",
        });
        if let Some(code) = self.exit_code {
            container["exitCode"] = json!(code);
        }
        if let Some(reason) = &self.container_reason {
            container["reason"] = json!(reason);
        }
        container
    }
}

/// A time as events write it.
pub fn iso(at: Timestamp) -> String {
    DateTime::from_millis(at.0).fmt(Format::DateTime).unwrap_or_default()
}
