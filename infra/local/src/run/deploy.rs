//! The two templates: theirs as it lies in infra/local, ours as the CDK app writes it. Both go in through CloudFormation.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use super::layout::Layout;

/// The id of the WebSocket API. Chosen here, so that the worker's endpoint is known before the API exists.
pub const API_ID: &str = "sessions";
/// Its only stage.
pub const STAGE: &str = "prod";
/// Where functions' code is put.
const BUCKET: &str = "local-code";

/// A tool failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started.
    #[error("{tool} could not be started: {cause}; `local-stack doctor` tells what is missing")]
    Start {
        /// Which.
        tool: String,
        /// Why.
        cause: std::io::Error,
    },
    /// It ended with an error.
    #[error("{what} failed:\n{said}")]
    Failed {
        /// What was being done.
        what: &'static str,
        /// The tool's own words.
        said: String,
    },
}

/// Writes our template for the local environment, whose workers post to `gateway`; its path.
///
/// # Errors
/// When the CDK app fails.
pub async fn synthesize(layout: &Layout, gateway: &str, ice_bind: Option<Ipv4Addr>) -> Result<PathBuf, Error> {
    let out = layout.scratch.join("cdk.out");
    let mut context = vec![
        "env=local".to_owned(),
        "sessionsStreamArn=ssm:/session-service/local/sessions-stream-arn".to_owned(),
        format!("webSocketEndpoint={}", management_endpoint(gateway)),
        format!("controllerCode=s3://{BUCKET}/controller.zip"),
    ];
    context.extend(ice_bind.map(|address| format!("iceBind={address}")));
    let mut node = Command::new("node");
    node.args(["--import", "tsx", "bin/app.ts", "-o"]).arg(&out).args(context.iter().flat_map(|c| ["-c", c]));
    output("synthesis of the CDK app (infra/)", node.current_dir(layout.root.join("infra"))).await?;
    Ok(out.join("SessionWorkers-local.template.json"))
}

/// Where messages to connections are posted.
pub fn management_endpoint(gateway: &str) -> String {
    format!("{gateway}/_aws/execute-api/{API_ID}/{STAGE}")
}

/// Deploys their side: tables, WebSocket API.
///
/// # Errors
/// When the stack can't be created.
pub async fn session_service(layout: &Layout, environment: &[(String, String)]) -> Result<Value, Error> {
    let code = (layout.local("py/session_service.py"), "session_service.py");
    let parameters = [
        "Env=local".to_owned(),
        format!("ApiId={API_ID}"),
        format!("CodeBucket={BUCKET}"),
        "CodeKey=session-service.zip".to_owned(),
    ];
    let stack = ("SessionService-local", layout.local("session-service.yaml"));
    deploy(layout, stack, ("session-service.zip", code), &parameters, environment).await
}

/// Deploys our side, with the real controller.
///
/// # Errors
/// When the stack can't be created.
pub async fn session_workers(
    layout: &Layout,
    template: &Path,
    environment: &[(String, String)],
) -> Result<Value, Error> {
    let code = (layout.binary("controller"), "bootstrap");
    let stack = ("SessionWorkers-local", template.to_owned());
    deploy(layout, stack, ("controller.zip", code), &[], environment).await
}

async fn deploy(
    layout: &Layout,
    (stack, template): (&str, PathBuf),
    (key, (file, name)): (&str, (PathBuf, &str)),
    parameters: &[String],
    environment: &[(String, String)],
) -> Result<Value, Error> {
    let mut python = Command::new(layout.python());
    python.arg(layout.local("py/deploy.py")).args(["--stack", stack, "--bucket", BUCKET, "--template"]).arg(template);
    python.args(["--code", &format!("{key}={}={name}", file.display())]);
    python.args(parameters.iter().flat_map(|parameter| ["--parameter", parameter]));
    python.env_clear().envs(environment.iter().map(|(name, value)| (name, value)));
    let said = output("deployment of a CloudFormation template", &mut python).await?;
    Ok(said.lines().last().and_then(|line| serde_json::from_str(line).ok()).unwrap_or(Value::Null))
}

async fn output(what: &'static str, command: &mut Command) -> Result<String, Error> {
    let tool = command.as_std().get_program().to_string_lossy().into_owned();
    let ended = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let ended = ended.map_err(|cause| Error::Start { tool, cause })?;
    if ended.status.success() {
        return Ok(String::from_utf8_lossy(&ended.stdout).into_owned());
    }
    Err(Error::Failed { what, said: String::from_utf8_lossy(&ended.stderr).trim().to_owned() })
}
