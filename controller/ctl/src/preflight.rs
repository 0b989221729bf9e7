//! `preflight`: reads everything that must be in place, and changes nothing.

use crate::aws::Aws;
use crate::definitions::{self, Size};
use crate::error::{CtlError, NO_REGION, refused};
use crate::text::wrap;
use aws_sdk_dynamodb::types::{StreamViewType, TableDescription, TableStatus, TimeToLiveStatus};
use aws_sdk_ecs::types::{CpuArchitecture, TaskDefinition};
use schemas::table::{connections, workers};
use serde::Serialize;
use std::io::{Write, stdout};

mod event;
mod quotas;
mod reach;
#[cfg(feature = "account")]
mod roles;
#[cfg(any(test, not(feature = "account")))]
mod unbuilt;

pub use event::Event;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// In place.
    Ok,
    /// Missing or wrong: sessions will not be served.
    Missing,
    /// Could not be looked at, or needs a look elsewhere.
    Unknown,
}

/// One thing that must be in place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What.
    pub what: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was seen, and what to do about it.
    pub said: String,
    /// The command that mends it, or that looks further.
    pub command: Option<String>,
}

fn check(what: impl Into<String>, verdict: Verdict, said: impl Into<String>) -> Check {
    Check { what: what.into(), verdict, said: said.into(), command: None }
}

fn mended(check: Check, command: String) -> Check {
    Check { command: Some(command), ..check }
}

/// The line that deploys our stack.
fn deploy(aws: &Aws) -> String {
    format!("npm --prefix infra run deploy -- -c env={}", aws.place.env)
}

/// Looks at everything and prints it; 1 when something is missing.
///
/// # Errors
/// [`CtlError::Refused`] when there is no region, or AWS does not accept the credentials: then nothing else can be seen.
pub async fn run(aws: &Aws, event: Option<Event>, json: bool) -> Result<u8, CtlError> {
    if aws.place.region == NO_REGION {
        return Err(CtlError::Refused("look at AWS: no region; set AWS_REGION or --region".into()));
    }
    let mut checks = vec![check("region", Verdict::Ok, aws.place.region.clone()), identity(aws).await?];
    checks.extend(our_table(aws).await);
    checks.push(sessions(aws).await);
    checks.push(connections(aws).await);
    checks.push(cluster(aws).await);
    #[cfg(feature = "account")]
    checks.push(timers(aws).await);
    let described = definitions::describe(aws, &aws.family()).await;
    checks.push(definition(aws, described.as_ref()));
    if let Ok(found) = &described {
        #[cfg(feature = "account")]
        checks.extend(roles::read(aws, found).await);
        #[cfg(not(feature = "account"))]
        checks.push(unbuilt::roles());
        checks.push(reach::web_socket(aws, found).await);
    }
    checks.push(reach::languages(aws).await);
    let size = described.ok().and_then(|found| size_of(&found)).unwrap_or(Size::STATED);
    checks.extend(quotas::read(aws, size, event).await);
    checks.extend(event.into_iter().flat_map(|event| event::checks(event, size)));
    let out = &mut stdout();
    if json {
        writeln!(out, "{}", serde_json::json!({ "env": aws.place.env, "checks": checks }))?;
    } else {
        writeln!(out, "{}", page(&checks, crate::commands::width()))?;
    }
    Ok(u8::from(checks.iter().any(|check| check.verdict == Verdict::Missing)))
}

/// One line per check, the remedies wrapped.
#[must_use]
pub fn page(checks: &[Check], width: u16) -> String {
    let mut lines = Vec::new();
    for Check { what, verdict, said, command } in checks {
        let mark = match verdict {
            Verdict::Ok => "ok     ",
            Verdict::Missing => "MISSING",
            Verdict::Unknown => "?      ",
        };
        let head = format!("{mark}  {what:<22}  ");
        let blank = " ".repeat(head.chars().count());
        let text = wrap(said, usize::from(width).saturating_sub(blank.len())).into_iter().enumerate();
        lines.extend(text.map(|(i, text)| format!("{}{text}", if i == 0 { &head } else { &blank })));
        // Not wrapped: it is there to be copied. What is in place needs no command.
        lines.extend(command.iter().filter(|_| *verdict != Verdict::Ok).map(|command| format!("         $ {command}")));
    }
    lines.join("\n")
}

async fn identity(aws: &Aws) -> Result<Check, CtlError> {
    let answer = aws.sts.get_caller_identity().send().await;
    let answer = answer.map_err(|e| refused("ask AWS who you are", &aws.place, &e))?;
    Ok(check("credentials", Verdict::Ok, answer.arn.unwrap_or_default()))
}

async fn table(aws: &Aws, name: &str) -> Result<TableDescription, Check> {
    let answer = aws.dynamodb.describe_table().table_name(name).send().await;
    let missing = |said: String| check(name, Verdict::Missing, said);
    let answer =
        answer.map_err(|e| missing(refused(&format!("describe the table {name}"), &aws.place, &e).to_string()))?;
    let table = answer.table.ok_or_else(|| missing("AWS describes no such table".to_owned()))?;
    match table.table_status() {
        Some(TableStatus::Active | TableStatus::Updating) => Ok(table),
        other => Err(missing(format!("is {}", other.map_or("in no state", TableStatus::as_str)))),
    }
}

async fn our_table(aws: &Aws) -> Vec<Check> {
    let name = aws.workers_table();
    let described = match table(aws, &name).await {
        Ok(described) => described,
        Err(check) => return vec![check],
    };
    vec![
        index(aws, &name, has_index(&described, workers::BY_DUE), has_index(&described, workers::BY_SHARD)),
        ttl(aws, &name).await,
    ]
}

/// By which index its open rows are found, and what is next on the way to the new one.
fn index(aws: &Aws, table: &str, old: bool, new: bool) -> Check {
    let (by_due, by_shard) = (workers::BY_DUE, workers::BY_SHARD);
    match (old, new) {
        (false, true) => check(table, Verdict::Ok, format!("with its index {by_shard}")),
        (true, true) => check(
            table,
            Verdict::Ok,
            format!(
                "with its indexes {by_due} and {by_shard}: five minutes after the deployment, deploy openIndex: new"
            ),
        ),
        (true, false) => check(
            table,
            Verdict::Ok,
            format!("with its index {by_due} alone, which near 650 sessions is throttled: deploy openIndex: both"),
        ),
        (false, false) => mended(check(table, Verdict::Missing, format!("has no index {by_shard}")), deploy(aws)),
    }
}

async fn ttl(aws: &Aws, name: &str) -> Check {
    let what = "  its TTL";
    match aws.dynamodb.describe_time_to_live().table_name(name).send().await {
        Ok(answer) => match answer.time_to_live_description().and_then(|d| d.time_to_live_status()) {
            Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling) => check(what, Verdict::Ok, "enabled"),
            _ => mended(
                check(what, Verdict::Missing, "not enabled: ended rows are never forgotten"),
                format!(
                    "aws dynamodb update-time-to-live --table-name {name} --time-to-live-specification Enabled=true,AttributeName={}",
                    workers::TTL
                ),
            ),
        },
        Err(e) => check(what, Verdict::Unknown, refused("read it", &aws.place, &e).to_string()),
    }
}

async fn sessions(aws: &Aws) -> Check {
    let name = aws.sessions_table();
    let described = match table(aws, &name).await {
        Ok(described) => described,
        Err(check) => return check,
    };
    let stream = described.stream_specification();
    let view = stream.filter(|s| s.stream_enabled()).and_then(|s| s.stream_view_type());
    match view {
        Some(StreamViewType::NewAndOldImages) => check(&name, Verdict::Ok, "with its stream (NEW_AND_OLD_IMAGES)"),
        // A stream's view cannot be changed: it is made anew, under another ARN.
        Some(other) => mended(
            check(
                &name,
                Verdict::Missing,
                format!("its stream is {other}; it must be NEW_AND_OLD_IMAGES, then deploy with its new ARN"),
            ),
            format!(
                "aws dynamodb update-table --table-name {name} --stream-specification StreamEnabled=false && aws dynamodb wait table-exists --table-name {name} && {}",
                enable_stream(&name)
            ),
        ),
        None => mended(
            check(
                &name,
                Verdict::Missing,
                "has no stream: sessions are only found by the schedule, up to a minute late; enable NEW_AND_OLD_IMAGES (docs/adopting.md, P1)",
            ),
            enable_stream(&name),
        ),
    }
}

fn enable_stream(table: &str) -> String {
    format!(
        "aws dynamodb update-table --table-name {table} --stream-specification StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES"
    )
}

async fn connections(aws: &Aws) -> Check {
    let name = aws.connections_table();
    match table(aws, &name).await {
        Ok(described) if has_index(&described, connections::BY_SESSION) => {
            check(&name, Verdict::Ok, format!("with its index {}", connections::BY_SESSION))
        }
        Ok(_) => mended(
            check(&name, Verdict::Missing, format!("has no index {}: no listener is found", connections::BY_SESSION)),
            add_index(&name),
        ),
        Err(check) => check,
    }
}

fn add_index(table: &str) -> String {
    let index = connections::BY_SESSION;
    let create = format!(
        r#"[{{"Create":{{"IndexName":"{index}","KeySchema":[{{"AttributeName":"sessionId","KeyType":"HASH"}},{{"AttributeName":"targetLanguage","KeyType":"RANGE"}}],"Projection":{{"ProjectionType":"ALL"}}}}}}]"#
    );
    format!(
        "aws dynamodb update-table --table-name {table} --attribute-definitions AttributeName=sessionId,AttributeType=S AttributeName=targetLanguage,AttributeType=S --global-secondary-index-updates '{create}'"
    )
}

fn has_index(table: &TableDescription, name: &str) -> bool {
    table.global_secondary_indexes().iter().any(|index| index.index_name() == Some(name))
}

async fn cluster(aws: &Aws) -> Check {
    let name = aws.cluster();
    match aws.ecs.describe_clusters().clusters(&name).send().await {
        Ok(answer) => match answer.clusters().first() {
            Some(cluster) if cluster.status() == Some("ACTIVE") => check(
                &name,
                Verdict::Ok,
                format!(
                    "{} task(s) running, {} starting",
                    cluster.running_tasks_count(),
                    cluster.pending_tasks_count()
                ),
            ),
            Some(cluster) => {
                check(&name, Verdict::Missing, format!("is {}", cluster.status().unwrap_or("in no state")))
            }
            None => {
                mended(check(&name, Verdict::Missing, format!("no such cluster in {}", aws.place.region)), deploy(aws))
            }
        },
        Err(e) => check(&name, Verdict::Unknown, refused("describe the cluster", &aws.place, &e).to_string()),
    }
}

/// The queue of timers. Without it everything waits for the next tick.
#[cfg(feature = "account")]
async fn timers(aws: &Aws) -> Check {
    let name = aws.timer_queue();
    match aws.sqs.get_queue_url().queue_name(&name).send().await {
        Ok(_) => check(&name, Verdict::Ok, "looks that cannot wait for the next tick"),
        Err(e) if e.as_service_error().is_some_and(|e| e.is_queue_does_not_exist()) => mended(
            check(
                &name,
                Verdict::Missing,
                "no such queue: what is due in seconds waits for the next tick, up to a minute",
            ),
            deploy(aws),
        ),
        Err(e) => check(&name, Verdict::Unknown, refused("look for the queue", &aws.place, &e).to_string()),
    }
}

fn size_of(found: &TaskDefinition) -> Option<Size> {
    let platform = found.runtime_platform().and_then(|platform| platform.cpu_architecture());
    Size::of(found.cpu(), found.memory(), platform == Some(&CpuArchitecture::Arm64))
}

fn definition(aws: &Aws, found: Result<&TaskDefinition, &String>) -> Check {
    let family = aws.family();
    let found = match found {
        Ok(found) => found,
        Err(problem) => return mended(check(&family, Verdict::Missing, problem), deploy(aws)),
    };
    let size = size_of(found).map_or_else(|| "no size".to_owned(), |s| format!("{} vCPU, {} GB", s.vcpu, s.gb));
    let worker = found.container_definitions().iter().find(|c| c.name() == Some("worker"));
    match worker.map(|worker| worker.image().unwrap_or("unnamed")) {
        Some(image) => check(&family, Verdict::Ok, format!(":{}, {size}, image {image}", found.revision())),
        None => mended(
            check(&family, Verdict::Missing, format!(":{} has no container named worker", found.revision())),
            deploy(aws),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthStr;

    #[test]
    fn what_is_missing_says_the_command_that_mends_it_on_a_line_of_its_own() {
        let index = mended(check("Connections-dev", Verdict::Missing, "has no index"), add_index("Connections-dev"));
        let shown = page(&[index, mended(check("roles", Verdict::Ok, "named"), "aws iam".to_owned())], 80);
        let command = shown.lines().find_map(|line| line.trim_start().strip_prefix("$ ")).unwrap();
        let json = command.split('\'').nth(1).unwrap();
        let json: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(json[0]["Create"]["IndexName"], connections::BY_SESSION);
        assert!(!shown.contains("$ aws iam"), "nothing is to be done: {shown}");
    }

    #[test]
    fn every_check_keeps_to_the_width_and_starts_with_its_verdict() {
        let checks =
            [check("region", Verdict::Ok, "us-east-1"), check("Sessions-dev", Verdict::Missing, "x ".repeat(90))];
        for width in [80, 120] {
            let shown = page(&checks, width);
            assert!(shown.lines().all(|line| line.width() <= usize::from(width)), "{shown}");
            assert!(shown.contains("MISSING  Sessions-dev"), "{shown}");
        }
    }
}
