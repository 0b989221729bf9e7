//! A local stack that stands while a test breaks things in it: real controller, real workers, no speech unless asked for.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Map, Value, json};

use crate::{binaries, root};

/// Longest wait for anything: a loaded machine is slow, not wrong.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// What the stand-ins read of a signature: whose it is.
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/";

/// A running stack. Dropping it stops it.
#[derive(Debug)]
pub struct Stack {
    process: Child,
    _stdout: BufReader<ChildStdout>,
    environment: Vec<(String, String)>,
    http: reqwest::Client,
    logs: String,
}

impl Stack {
    /// Starts one, with logs in a folder of this name. The small recogniser listens, which is light and says the same each time,
    /// unless the arguments choose another: what these stacks are for is not who listens.
    ///
    /// # Errors
    /// What is missing, or the stack's own words.
    pub fn up(name: &str) -> Result<Self, String> {
        Self::up_with(name, &[])
    }

    /// The same, with more arguments of `local-stack up`.
    ///
    /// # Errors
    /// What is missing, or the stack's own words.
    pub fn up_with(name: &str, arguments: &[&str]) -> Result<Self, String> {
        Self::up_by(&[], name, arguments)
    }

    /// The same, started by another program, such as one that enters a namespace.
    ///
    /// # Errors
    /// What is missing, or the stack's own words.
    pub fn up_by(launcher: &[String], name: &str, arguments: &[&str]) -> Result<Self, String> {
        let folder = binaries()?;
        let all = folder.join("../tmp/e2e");
        let logs = all.join(name);
        std::fs::create_dir_all(&logs).map_err(|e| format!("{}: {e}", logs.display()))?;
        // Not among the logs, which the stack clears.
        let said = std::fs::File::create(all.join(format!("{name}.up.txt"))).map_err(|e| e.to_string())?;
        let own = folder.join("local-stack");
        let mut command = match launcher.split_first() {
            Some((program, before)) => {
                let mut command = Command::new(program);
                command.args(before).arg(own);
                command
            }
            None => Command::new(own),
        };
        let chosen = |argument: &&str| argument.starts_with("--recogniser") || **argument == *"--transcript";
        let light: &[&str] = if arguments.iter().any(chosen) { &[] } else { &["--recogniser", "pocketsphinx"] };
        let mut process = command
            .arg("up")
            .arg("--keep-logs")
            .arg(&logs)
            .args(light)
            .args(arguments)
            .current_dir(root())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(said)
            .spawn()
            .map_err(|e| format!("the local stack did not start: {e}"))?;
        let mut stdout = BufReader::new(process.stdout.take().ok_or("no stdout")?);
        let environment = read_environment(&mut stdout);
        let stack = Self {
            process,
            _stdout: stdout,
            environment,
            http: reqwest::Client::new(),
            logs: logs.display().to_string(),
        };
        if stack.environment.is_empty() {
            return Err(format!("the local stack did not come up; see {}.up.txt", stack.logs));
        }
        Ok(stack)
    }

    /// A variable that clients get.
    #[must_use]
    pub fn variable(&self, name: &str) -> &str {
        self.environment.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// What a client of the stack needs in its environment.
    #[must_use]
    pub fn environment(&self) -> &[(String, String)] {
        &self.environment
    }

    /// One of our tools, with the stack's variables.
    ///
    /// # Errors
    /// When it is not built.
    pub fn tool(&self, name: &str) -> Result<Command, String> {
        let mut command = Command::new(binaries()?.join(name));
        command.current_dir(root()).envs(self.environment.iter().map(|(n, v)| (n, v))).stdin(Stdio::null());
        Ok(command)
    }

    /// A call of the emulator's JSON protocol, such as `DynamoDB_20120810.PutItem`.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn aws(&self, service: &str, target: &str, input: &Value) -> Result<Value, String> {
        let request = self.http.post(self.variable("AWS_ENDPOINT_URL")).header("x-amz-target", target);
        send(request.header("content-type", "application/x-amz-json-1.0"), service, Some(input)).await
    }

    /// A call of the admin endpoint.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn admin(&self, path: &str, input: Option<&Value>) -> Result<Value, String> {
        let url = format!("{}/{path}", self.variable("LOCAL_STACK_ADMIN"));
        let request = if input.is_some() { self.http.post(url) } else { self.http.get(url) };
        send(request.header("content-type", "application/json"), "admin", input).await
    }

    /// What EventBridge does every minute; as there, an invocation that fails is tried twice more.
    ///
    /// # Errors
    /// When the controller fails each time.
    pub async fn schedule(&self) -> Result<Value, String> {
        for _ in 0..2 {
            if let Ok(answer) = self.tick().await {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        self.tick().await
    }

    async fn tick(&self) -> Result<Value, String> {
        let url = self.variable("AWS_ENDPOINT_URL");
        let request = self.http.post(format!("{url}/2015-03-31/functions/session-controller-local/invocations"));
        let event = json!({"version": "0", "detail-type": "Scheduled Event", "source": "aws.events", "detail": {}});
        let request = request.header("content-type", "application/json");
        let start = Instant::now();
        loop {
            let again = request.try_clone().ok_or("the request cannot be repeated")?;
            let answer = send(again, "lambda", Some(&event)).await?;
            // The schedule itself may sweep at this moment, or may have died in a sweep.
            if answer["heldBy"].is_null() || start.elapsed() > PATIENCE {
                return Ok(answer);
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// A session as the session service makes one: its channel, then its row. The channel's ARN.
    ///
    /// # Errors
    /// When one of both is refused.
    pub async fn put_session(&self, session: &str) -> Result<String, String> {
        let asked = json!({
            "ChannelName": format!("session-{session}"), "ChannelType": "SINGLE_MASTER",
            "SingleMasterConfiguration": {"MessageTtlSeconds": 60},
        });
        let channel = self.channel("createSignalingChannel", &asked).await?;
        let arn = channel["ChannelARN"].as_str().unwrap_or_default().to_owned();
        let now = now_ms();
        let row = json!({
            "sessionId": {"S": session}, "speakerId": {"S": "speaker"}, "sourceLanguage": {"S": "en"},
            "qualityTier": {"S": "standard"}, "status": {"S": "active"}, "listenerCount": {"N": "0"},
            "createdAt": {"N": now.to_string()}, "updatedAt": {"N": now.to_string()},
            "expiresAt": {"N": (now / 1_000 + 86_400).to_string()},
            "kvsChannelArn": {"S": arn}, "kvsChannelName": {"S": format!("session-{session}")},
        });
        self.aws("dynamodb", "DynamoDB_20120810.PutItem", &json!({"TableName": "Sessions-local", "Item": row})).await?;
        Ok(arn)
    }

    /// A session that is heard on a stream: a row with `kvsStreamArn` and no channel.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn put_session_on_stream(&self, session: &str, stream: &str) -> Result<(), String> {
        let now = now_ms();
        let row = json!({
            "sessionId": {"S": session}, "speakerId": {"S": "speaker"}, "sourceLanguage": {"S": "en"},
            "qualityTier": {"S": "standard"}, "status": {"S": "active"}, "listenerCount": {"N": "0"},
            "createdAt": {"N": now.to_string()}, "updatedAt": {"N": now.to_string()},
            "expiresAt": {"N": (now / 1_000 + 86_400).to_string()}, "kvsStreamArn": {"S": stream},
        });
        self.aws("dynamodb", "DynamoDB_20120810.PutItem", &json!({"TableName": "Sessions-local", "Item": row}))
            .await
            .map(drop)
    }

    /// Ends it as the session service does.
    ///
    /// # Errors
    /// When it is refused.
    pub async fn end_session(&self, session: &str) -> Result<(), String> {
        let input = json!({
            "TableName": "Sessions-local", "Key": {"sessionId": {"S": session}},
            "UpdateExpression": "SET #s = :ended", "ExpressionAttributeNames": {"#s": "status"},
            "ExpressionAttributeValues": {":ended": {"S": "ended"}},
        });
        self.aws("dynamodb", "DynamoDB_20120810.UpdateItem", &input).await.map(drop)
    }

    /// The product's HTTP DELETE, in its order: the channel, the connections, the row.
    ///
    /// # Errors
    /// When one of them is refused.
    pub async fn delete_session(&self, session: &str, channel: &str) -> Result<(), String> {
        self.channel("deleteSignalingChannel", &json!({"ChannelARN": channel})).await?;
        let rows = json!({
            "TableName": "Connections-local", "IndexName": "sessionId-targetLanguage-index",
            "KeyConditionExpression": "sessionId = :s", "ExpressionAttributeValues": {":s": {"S": session}},
        });
        let rows = self.aws("dynamodb", "DynamoDB_20120810.Query", &rows).await?;
        for row in rows["Items"].as_array().into_iter().flatten() {
            let key = json!({"TableName": "Connections-local", "Key": {"connectionId": row["connectionId"]}});
            self.aws("dynamodb", "DynamoDB_20120810.DeleteItem", &key).await?;
        }
        let key = json!({"TableName": "Sessions-local", "Key": {"sessionId": {"S": session}}});
        self.aws("dynamodb", "DynamoDB_20120810.DeleteItem", &key).await.map(drop)
    }

    pub(crate) async fn channel(&self, operation: &str, input: &Value) -> Result<Value, String> {
        let url = format!("{}/{operation}", self.variable("AWS_ENDPOINT_URL_KINESIS_VIDEO"));
        send(self.http.post(url).header("content-type", "application/json"), "kinesisvideo", Some(input)).await
    }

    /// The worker row of a session as plain JSON; null while there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn row(&self, session: &str) -> Result<Value, String> {
        self.record(session, "current").await
    }

    /// A record of a session in the workers table, such as `generation#00000001`; null while there is none.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn record(&self, session: &str, record: &str) -> Result<Value, String> {
        let key = json!({"sessionId": {"S": session}, "record": {"S": record}});
        let input = json!({"TableName": "SessionWorkers-local", "Key": key, "ConsistentRead": true});
        let answer = self.aws("dynamodb", "DynamoDB_20120810.GetItem", &input).await?;
        Ok(answer.get("Item").map_or(Value::Null, |item| plain(&json!({ "M": item }))))
    }

    /// Every task that was ever started for a session.
    ///
    /// # Errors
    /// When ECS does not answer.
    pub async fn tasks(&self, session: &str) -> Result<Vec<Value>, String> {
        let prefix = format!("{session}/");
        let all = self.admin("ecs/tasks", None).await?;
        let of_session = |task: &&Value| task["startedBy"].as_str().is_some_and(|by| by.starts_with(&prefix));
        Ok(all.as_array().into_iter().flatten().filter(of_session).cloned().collect())
    }

    /// Looks at the row until it is so. With `scheduled`, the schedule ticks meanwhile, every 2 s instead of every minute.
    ///
    /// # Errors
    /// The row as it was when patience ended.
    pub async fn until_row(
        &self,
        session: &str,
        scheduled: bool,
        what: &str,
        is_so: impl Fn(&Value) -> bool,
    ) -> Result<Value, String> {
        let (start, mut ticked) = (Instant::now(), Instant::now());
        loop {
            let row = self.row(session).await?;
            if is_so(&row) {
                return Ok(row);
            }
            if start.elapsed() > PATIENCE {
                let tasks = self.tasks(session).await?;
                return Err(format!(
                    "{session}: {what}: not within {PATIENCE:?}; logs in {}\n{row:#}\n{tasks:#?}",
                    self.logs
                ));
            }
            if scheduled && ticked.elapsed() > Duration::from_secs(2) {
                self.schedule().await?;
                ticked = Instant::now();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits for a condition on what the admin endpoint shows at `path`.
    ///
    /// # Errors
    /// What was shown when patience ended.
    pub async fn until_shown(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Result<Value, String> {
        let start = Instant::now();
        loop {
            let shown = self.admin(path, None).await?;
            if is_so(&shown) {
                return Ok(shown);
            }
            if start.elapsed() > PATIENCE {
                return Err(format!("{path}: not within {PATIENCE:?}; logs in {}\n{shown:#}", self.logs));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let id = i32::try_from(self.process.id()).unwrap_or(i32::MAX);
        let _asked = kill(Pid::from_raw(id), Signal::SIGTERM);
        let _ended = self.process.wait();
    }
}

/// `export NAME=VALUE` lines up to the last one.
fn read_environment(stdout: &mut impl BufRead) -> Vec<(String, String)> {
    let mut environment = Vec::new();
    for line in stdout.lines().map_while(Result::ok) {
        let Some((name, value)) = line.strip_prefix("export ").and_then(|pair| pair.split_once('=')) else { continue };
        // A text with blanks stands between quotes.
        environment.push((name.to_owned(), value.trim_matches('\'').to_owned()));
        if name == "LOCAL_STACK_ADMIN" {
            return environment;
        }
    }
    Vec::new()
}

pub(crate) async fn send(
    request: reqwest::RequestBuilder,
    service: &str,
    input: Option<&Value>,
) -> Result<Value, String> {
    let text = send_for_text(request, service, input).await?;
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// The same, for services that do not answer in JSON.
pub(crate) async fn send_for_text(
    request: reqwest::RequestBuilder,
    service: &str,
    input: Option<&Value>,
) -> Result<String, String> {
    let request = request
        .header("authorization", format!("{AUTHORIZATION}{service}/aws4_request, SignedHeaders=host, Signature=0"));
    let request = match input {
        Some(input) => request.body(input.to_string()),
        None => request,
    };
    let answer = request.send().await.map_err(|e| e.to_string())?;
    let (status, failed) = (answer.status(), answer.headers().contains_key("x-amz-function-error"));
    let text = answer.text().await.map_err(|e| e.to_string())?;
    if !status.is_success() || failed {
        return Err(format!("{status}: {text}"));
    }
    Ok(text)
}

/// DynamoDB's typed values as plain JSON.
fn plain(typed: &Value) -> Value {
    let Some((kind, value)) = typed.as_object().and_then(|typed| typed.iter().next()) else { return Value::Null };
    match (kind.as_str(), value) {
        ("M", Value::Object(fields)) => {
            Value::Object(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect::<Map<_, _>>())
        }
        ("L", Value::Array(items)) => items.iter().map(plain).collect(),
        ("N", Value::String(number)) => serde_json::from_str(number).unwrap_or(Value::Null),
        ("NULL", _) => Value::Null,
        (_, value) => value.clone(),
    }
}

/// Now, epoch ms.
fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis()
}
