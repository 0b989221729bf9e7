//! What a deployment changes while sessions run: the task definition, and the controller's switches.

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

impl Stack {
    /// Registers the next revision of the workers' task definition, which differs in a variable that nobody reads. Its ARN.
    ///
    /// # Errors
    /// When ECS refuses.
    pub async fn register_next_definition(&self) -> Result<String, String> {
        let asked = json!({"taskDefinition": "session-worker-local"});
        let described = self.ecs("DescribeTaskDefinition", &asked).await?;
        let mut next: Value = REGISTERED
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), described["taskDefinition"].get(name)?.clone())))
            .collect::<serde_json::Map<_, _>>()
            .into();
        if let Some(variables) = next["containerDefinitions"][0]["environment"].as_array_mut() {
            variables.push(json!({"name": "RELEASE", "value": "next"}));
        }
        let registered = self.ecs("RegisterTaskDefinition", &next).await?;
        let arn = registered["taskDefinition"]["taskDefinitionArn"].as_str();
        arn.map(str::to_owned).ok_or_else(|| format!("no ARN: {registered:#}"))
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
        let request = self.http().put(&url).header("content-type", "application/json");
        send(request, "lambda", Some(&asked)).await.map(drop)
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
            if row["nextLookAt"].is_number() {
                self.set_time(session, "nextLookAt", 0).await?;
            }
            self.schedule().await?;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
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

/// The texts between these tags, which hold no tags themselves.
fn between(text: &str, tag: &str) -> Vec<String> {
    let parts = text.split(&format!("<{tag}>")).skip(1).map(str::to_owned).collect::<Vec<_>>();
    parts.iter().filter_map(|part| Some(part.split_once('<')?.0.to_owned())).collect()
}
