//! What a deployment changes while sessions run: the task definition, and the controller's switches; and what is seen of it from outside.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stack::{PATIENCE, Stack, send, send_for_text};

/// What a task definition is registered with, of what ECS tells about one.
const REGISTERED: [&str; 9] = [
    "family",
    "containerDefinitions",
    "cpu",
    "memory",
    "networkMode",
    "requiresCompatibilities",
    "taskRoleArn",
    "executionRoleArn",
    "runtimePlatform",
];

/// Events that are kept for whoever asks.
#[derive(Debug)]
pub struct Events {
    url: String,
}

impl Stack {
    /// Registers the next revision of the workers' task definition, which differs in a variable that no worker reads. Its ARN.
    ///
    /// # Errors
    /// When ECS refuses.
    pub async fn register_definition(&self, release: &str) -> Result<String, String> {
        let described = self.described_definition().await?;
        let mut next: Value = REGISTERED
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), described["taskDefinition"].get(name)?.clone())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        if let Some(variables) = next["containerDefinitions"][0]["environment"].as_array_mut() {
            variables.push(json!({"name": "RELEASE", "value": release}));
        }
        let registered = self.ecs("RegisterTaskDefinition", &next).await?;
        arn_of(&registered)
    }

    /// The newest revision of the workers' task definition: its ARN.
    ///
    /// # Errors
    /// When ECS knows none.
    pub async fn current_definition(&self) -> Result<String, String> {
        arn_of(&self.described_definition().await?)
    }

    async fn described_definition(&self) -> Result<Value, String> {
        self.ecs("DescribeTaskDefinition", &json!({"taskDefinition": "session-worker-local"})).await
    }

    /// Deploys the controller with other variables; the rest stays.
    ///
    /// # Errors
    /// When Lambda refuses.
    pub async fn reconfigure_controller(&self, variables: &Value) -> Result<(), String> {
        let url = format!(
            "{}/2015-03-31/functions/session-controller-local/configuration",
            self.variable("AWS_ENDPOINT_URL")
        );
        let before = send(self.http().get(&url), "lambda", None).await?;
        let mut after = before["Environment"]["Variables"].clone();
        for (name, value) in variables.as_object().into_iter().flatten() {
            after[name] = value.clone();
        }
        let asked = json!({"Environment": {"Variables": after}});
        // Twice: an invocation that begins during the first makes the emulator keep a process with the old variables for good.
        for _ in 0..2 {
            let request = self.http().put(&url).header("content-type", "application/json");
            send(request, "lambda", Some(&asked)).await?;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        // The emulator kills what is under way, which Lambda lets end: a sweep that was killed cannot give its lease back.
        let input = json!({
            "TableName": "SessionWorkers-local",
            "Key": {"sessionId": {"S": "#controllers"}, "record": {"S": "sweepLease"}},
            "UpdateExpression": "REMOVE #until", "ExpressionAttributeNames": {"#until": "until"},
        });
        self.aws("dynamodb", "DynamoDB_20120810.UpdateItem", &input).await.map(drop)
    }

    async fn ecs(&self, operation: &str, input: &Value) -> Result<Value, String> {
        let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
        let request = self.http().post(self.variable("AWS_ENDPOINT_URL_ECS")).header("x-amz-target", target);
        send(request.header("content-type", "application/x-amz-json-1.1"), "ecs", Some(input)).await
    }

    /// Whether the session's signaling channel is there.
    ///
    /// # Errors
    /// When KVS says something else than that it is, or is not.
    pub async fn has_channel(&self, arn: &str) -> Result<bool, String> {
        match self.channel("describeSignalingChannel", &json!({"ChannelARN": arn})).await {
            Ok(_) => Ok(true),
            Err(said) if said.starts_with("404") => Ok(false),
            Err(said) => Err(said),
        }
    }

    /// What Lambda put into the bucket of discarded records: keys and documents.
    ///
    /// # Errors
    /// When there is no such bucket.
    pub async fn discarded(&self) -> Result<Vec<(String, Value)>, String> {
        let get = async |path: &str| {
            let request = self.http().get(format!("{}{path}", self.variable("AWS_ENDPOINT_URL")));
            send_for_text(request, "s3", None).await
        };
        let buckets = between(&get("/").await?, "Name");
        let bucket = buckets.iter().find(|name| name.contains("discarded")).ok_or(format!("{buckets:?}"))?;
        let mut found = Vec::new();
        for key in between(&get(&format!("/{bucket}?list-type=2")).await?, "Key") {
            let text = get(&format!("/{bucket}/{key}")).await?;
            found.push((key, serde_json::from_str(&text).map_err(|e| format!("{e}: {text}"))?));
        }
        Ok(found)
    }

    /// What the controllers know of the versions of the worker.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn versions(&self) -> Result<Value, String> {
        let shared = self.record("#controllers", "admission").await?;
        Ok(shared["versions"].as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    /// Lets the controllers know this of the versions.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn set_versions(&self, known: &Value) -> Result<(), String> {
        let input = json!({
            "TableName": "SessionWorkers-local",
            "Key": {"sessionId": {"S": "#controllers"}, "record": {"S": "admission"}},
            "UpdateExpression": "SET versions = :known, versionsRevision = :one",
            "ExpressionAttributeValues": {":known": {"S": known.to_string()}, ":one": {"N": "1"}},
        });
        self.aws("dynamodb", "DynamoDB_20120810.UpdateItem", &input).await.map(drop)
    }

    /// Keeps the events of this `detail-type` that the bus gets from now on.
    ///
    /// # Errors
    /// When the queue or the rule cannot be made.
    pub async fn subscribe(&self, detail_type: &str) -> Result<Events, String> {
        let made = self.aws("sqs", "AmazonSQS.CreateQueue", &json!({"QueueName": "seen-events"})).await?;
        let url = made["QueueUrl"].as_str().ok_or_else(|| format!("no queue: {made:#}"))?.to_owned();
        let asked = json!({"QueueUrl": url, "AttributeNames": ["QueueArn"]});
        let arn = self.aws("sqs", "AmazonSQS.GetQueueAttributes", &asked).await?["Attributes"]["QueueArn"].clone();
        let (bus, rule) = ("session-workers-local", "seen-events");
        let pattern = json!({"detail-type": [detail_type]}).to_string();
        let asked = json!({"Name": rule, "EventBusName": bus, "EventPattern": pattern});
        self.aws("events", "AWSEvents.PutRule", &asked).await?;
        let asked = json!({"Rule": rule, "EventBusName": bus, "Targets": [{"Id": "queue", "Arn": arn}]});
        self.aws("events", "AWSEvents.PutTargets", &asked).await?;
        Ok(Events { url })
    }

    /// The next of these events.
    ///
    /// # Errors
    /// When none comes in time.
    pub async fn next_event(&self, events: &Events) -> Result<Value, String> {
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            let got = self.aws("sqs", "AmazonSQS.ReceiveMessage", &json!({"QueueUrl": events.url})).await?;
            if let Some(text) = got["Messages"][0]["Body"].as_str() {
                return serde_json::from_str(text).map_err(|e| format!("{e}: {text}"));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Err(format!("no event within {PATIENCE:?}"))
    }

    /// Waits until the controller has written this value of a metric, as it goes to CloudWatch in its log.
    ///
    /// # Errors
    /// When it is not written in time.
    pub async fn until_metric(&self, name: &str, value: u64) -> Result<(), String> {
        let (start, group) = (Instant::now(), "/session-workers/local/controller");
        while start.elapsed() < PATIENCE {
            let asked = json!({"logGroupName": group, "limit": 10_000});
            let answer = self.aws("logs", "Logs_20140328.FilterLogEvents", &asked).await?;
            let lines = answer["events"].as_array().into_iter().flatten().filter_map(|event| event["message"].as_str());
            let metrics = lines.filter_map(|line| serde_json::from_str::<Value>(line.trim()).ok());
            if metrics.filter(|line| line.get("_aws").is_some()).any(|line| line[name] == value) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Err(format!("{name} = {value} was not written within {PATIENCE:?}"))
    }

    /// Lets the phase of a row be older by so many minutes, which nobody waits for here.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub async fn age_phase(&self, session: &str, minutes: i64) -> Result<(), String> {
        let since = self.row(session).await?["phaseSince"].as_i64().ok_or("no phaseSince")? - minutes * 60_000;
        self.set_time(session, "phaseSince", since).await
    }

    /// Looks at the row until it is so, while the minutes of the schedule fly: before each tick the row is made due.
    ///
    /// # Errors
    /// The row as it was when patience ended.
    pub async fn while_minutes_fly(
        &self,
        session: &str,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let start = Instant::now();
        loop {
            let row = self.row(session).await?;
            if is_so(&row) {
                return Ok(row);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{session}: {what}: not within {PATIENCE:?}\n{row:#}"));
            }
            self.let_a_minute_fly(&[session]).await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// The schedule ticks, and these sessions are due.
    ///
    /// # Errors
    /// When a row cannot be read or written, or the controller fails.
    pub async fn let_a_minute_fly(&self, sessions: &[&str]) -> Result<(), String> {
        for session in sessions {
            if self.row(session).await?["nextLookAt"].is_number() {
                self.set_time(session, "nextLookAt", 0).await?;
            }
        }
        self.schedule().await.map(drop)
    }

    async fn set_time(&self, session: &str, name: &str, at: i64) -> Result<(), String> {
        let input = json!({
            "TableName": "SessionWorkers-local", "Key": {"sessionId": {"S": session}, "record": {"S": "current"}},
            "UpdateExpression": "SET #name = :at", "ConditionExpression": "attribute_exists(#name)",
            "ExpressionAttributeNames": {"#name": name}, "ExpressionAttributeValues": {":at": {"N": at.to_string()}},
        });
        match self.aws("dynamodb", "DynamoDB_20120810.UpdateItem", &input).await {
            // The row has ended in the meantime, and is due no more.
            Err(said) if said.contains("ConditionalCheckFailed") => Ok(()),
            other => other.map(drop),
        }
    }
}

/// The ARN of a task definition that ECS tells of.
fn arn_of(answer: &Value) -> Result<String, String> {
    let arn = answer["taskDefinition"]["taskDefinitionArn"].as_str();
    arn.map(str::to_owned).ok_or_else(|| format!("no ARN: {answer:#}"))
}

/// The texts between these tags, which hold no tags themselves.
fn between(text: &str, tag: &str) -> Vec<String> {
    let parts = text.split(&format!("<{tag}>")).skip(1).map(str::to_owned).collect::<Vec<_>>();
    parts.iter().filter_map(|part| Some(part.split_once('<')?.0.to_owned())).collect()
}
