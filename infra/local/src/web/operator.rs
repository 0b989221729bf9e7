//! The operator: the real `sessionctl`, as a child, in the environment that an operator of the stack has.

use std::process::{Output, Stdio};
use std::time::Duration;

use schemas::ids::SessionId;
use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use super::{Refused, WebConfig};

/// A look takes some tens of milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// A session id from a URL; one that `sessionctl` would take for an option is none.
pub(super) fn session(text: &str) -> Result<SessionId, Refused> {
    if text.starts_with('-') {
        return Err(Refused::bad(format!("{text:?} is no session id: it begins with a dash")));
    }
    SessionId::try_new(text).map_err(|problem| Refused::bad(format!("{text:?} is no session id: {problem}")))
}

/// The arguments of a wish.
pub(super) fn wish<'a>(verb: &'a str, session: &'a str) -> Result<Vec<&'a str>, Refused> {
    let signed = ["--by", "the page", "--note", "a button of the page"];
    let own: &[&str] = match verb {
        "hold" => &["--for", "10m"],
        "stop" => &["--yes"],
        "release" | "restart" | "drain" => &[],
        _ => return Err(Refused::bad(format!("sessionctl {verb} is not offered here"))),
    };
    Ok([verb, session].into_iter().chain(own.iter().copied()).chain(signed).collect())
}

/// What it answers as JSON; exit code 1 says "not fine", which is an answer too.
pub(super) async fn ask(config: &WebConfig, arguments: &[&str]) -> Result<Value, Refused> {
    let output = run(config, arguments).await?;
    serde_json::from_slice(&output.stdout).map_err(|_| Refused::upstream(last_words(&output)))
}

/// What it says, if it succeeds.
pub(super) async fn say(config: &WebConfig, arguments: &[&str]) -> Result<String, Refused> {
    let output = run(config, arguments).await?;
    if output.status.success() { Ok(last_words(&output)) } else { Err(Refused::bad(last_words(&output))) }
}

fn last_words(output: &Output) -> String {
    let both = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).trim().to_owned());
    both.join("\n").trim().to_owned()
}

async fn run(config: &WebConfig, arguments: &[&str]) -> Result<Output, Refused> {
    let mut command = Command::new(&config.sessionctl);
    let own = config.environment.iter().map(|(name, value)| (name, value));
    command.args(arguments).env_clear().envs(own).stdin(Stdio::null()).kill_on_drop(true);
    match timeout(PATIENCE, command.output()).await {
        Ok(output) => output.map_err(|problem| Refused::upstream(format!("sessionctl could not be run: {problem}"))),
        Err(_late) => Err(Refused::upstream(format!("sessionctl did not answer within {} s", PATIENCE.as_secs()))),
    }
}
