//! Calls to the emulator: the JSON protocol over plain HTTP. It checks no signatures, so none is made.

use std::time::Duration;

use serde_json::Value;

/// A client of the emulator for one account and region.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    url: String,
    region: String,
    account: String,
}

/// What a function answered.
#[derive(Debug, Clone, PartialEq)]
pub struct Invoked {
    /// Whether it ended in an error; the body then says which.
    pub failed: bool,
    /// Its answer.
    pub body: Value,
}

/// A call that did not work.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No answer.
    #[error("the emulator did not answer {operation}; see its log: {cause}")]
    Unreachable {
        /// What was asked.
        operation: String,
        /// Why.
        cause: reqwest::Error,
    },
    /// An error of the service.
    #[error("{operation}: {code}: {message}")]
    Refused {
        /// What was asked.
        operation: String,
        /// The error's name, such as `ResourceNotFoundException`.
        code: String,
        /// Its text.
        message: String,
    },
}

impl Api {
    /// A client of the emulator at `url`, as the account whose number is its access key id.
    pub fn new(url: &str, region: &str, account: &str) -> Self {
        let http = reqwest::Client::new();
        Self { http, url: url.to_owned(), region: region.to_owned(), account: account.to_owned() }
    }

    /// Where the emulator listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The region of every call.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account of every call.
    pub fn account(&self) -> &str {
        &self.account
    }

    /// One call of the JSON protocol, for example `AWSEvents.ListRules`.
    ///
    /// # Errors
    /// When there is no answer, or the answer is an error.
    pub async fn call(&self, target: &str, input: &Value) -> Result<Value, ApiError> {
        let request = self
            .http
            .post(&self.url)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1")
            .header("authorization", self.authorization(service_of(target)))
            .body(input.to_string());
        answer(target, request).await
    }

    /// Invokes a function without waiting for it (`InvocationType: Event`).
    ///
    /// # Errors
    /// When there is no answer, or the answer is an error.
    pub async fn invoke_event(&self, function: &str, payload: &Value) -> Result<(), ApiError> {
        // A function is addressed by its ARN, whose colons are fine in a path.
        let request = self
            .http
            .post(format!("{}/2015-03-31/functions/{function}/invocations", self.url))
            .header("x-amz-invocation-type", "Event")
            .header("content-type", "application/json")
            .header("authorization", self.authorization("lambda"))
            .timeout(Duration::from_secs(10))
            .body(payload.to_string());
        answer("Invoke", request).await.map(drop)
    }

    /// Invokes a function and waits for its answer (`InvocationType: RequestResponse`).
    ///
    /// # Errors
    /// When there is no answer, or Lambda itself refuses (throttled, no such function).
    pub async fn invoke(&self, function: &str, payload: &Value) -> Result<Invoked, ApiError> {
        let request = self
            .http
            .post(format!("{}/2015-03-31/functions/{function}/invocations", self.url))
            .header("content-type", "application/json")
            .header("authorization", self.authorization("lambda"))
            .body(payload.to_string());
        let unreachable = |cause| ApiError::Unreachable { operation: "Invoke".to_owned(), cause };
        let response = request.send().await.map_err(unreachable)?;
        let failed = response.headers().contains_key("x-amz-function-error");
        Ok(Invoked { failed, body: read("Invoke", response).await? })
    }

    /// One call of a REST service, for example `lambda`, `PUT`, `/2015-03-31/event-source-mappings/…`.
    ///
    /// # Errors
    /// When there is no answer, or the answer is an error.
    pub async fn rest(
        &self,
        service: &str,
        method: reqwest::Method,
        path: &str,
        body: String,
    ) -> Result<Value, ApiError> {
        let operation = format!("{method} {path}");
        let request = self
            .http
            .request(method, format!("{}{path}", self.url))
            .header("content-type", "application/json")
            .header("authorization", self.authorization(service))
            .body(body);
        answer(&operation, request).await
    }

    /// Names account, region and service, which is all that the emulator reads of it.
    fn authorization(&self, service: &str) -> String {
        format!(
            "AWS4-HMAC-SHA256 Credential={}/20260101/{}/{service}/aws4_request, SignedHeaders=host, Signature=0",
            self.account, self.region
        )
    }
}

/// The name under which a service's requests are signed.
fn service_of(target: &str) -> &'static str {
    match target.split(['.', '_']).next().unwrap_or_default() {
        "AmazonEC2ContainerServiceV20141113" => "ecs",
        "AWSEvents" => "events",
        "DynamoDB" | "DynamoDBStreams" => "dynamodb",
        "AmazonSQS" => "sqs",
        "Logs" => "logs",
        _ => "sts",
    }
}

async fn answer(operation: &str, request: reqwest::RequestBuilder) -> Result<Value, ApiError> {
    let unreachable = |cause| ApiError::Unreachable { operation: operation.to_owned(), cause };
    read(operation, request.send().await.map_err(unreachable)?).await
}

async fn read(operation: &str, response: reqwest::Response) -> Result<Value, ApiError> {
    let unreachable = |cause| ApiError::Unreachable { operation: operation.to_owned(), cause };
    let status = response.status();
    let body = response.bytes().await.map_err(unreachable)?;
    let value: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    if status.is_success() {
        return Ok(value);
    }
    let text = |keys: &[&str]| keys.iter().find_map(|key| value.get(*key)).and_then(Value::as_str).map(str::to_owned);
    Err(ApiError::Refused {
        operation: operation.to_owned(),
        code: text(&["__type", "Code"]).unwrap_or_else(|| status.to_string()),
        message: text(&["message", "Message"]).unwrap_or_else(|| String::from_utf8_lossy(&body).into_owned()),
    })
}
