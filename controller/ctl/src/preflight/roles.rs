//! Whether the deployed roles allow what the binaries call: IAM simulates each right of `infra/rights.json`, the list that the tests of the
//! template hold against the calls in the sources.

use super::{Check, Verdict, check, deploy, mended};
use crate::aws::Aws;
use crate::error::{Place, refused};
use aws_sdk_ecs::types::TaskDefinition;
use aws_sdk_iam::types::{ContextEntry, ContextKeyTypeEnum, PolicyEvaluationDecisionType};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What each role must be allowed, and on what.
const RIGHTS: &str = include_str!("../../../../infra/rights.json");
/// So many findings are told in one line; the rest is counted.
const MOST_TOLD: usize = 4;

/// The list.
#[derive(Debug, Deserialize)]
struct Rights {
    controller: Vec<Right>,
    worker: Vec<Right>,
}

/// One action.
#[derive(Debug, Deserialize)]
struct Right {
    action: String,
    /// The switch of the configuration without which nobody needs it.
    only: Option<String>,
    may: Vec<Object>,
}

/// What a call is made on, and the condition keys that come with it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Object {
    resource: String,
    #[serde(default)]
    context: BTreeMap<String, String>,
}

/// What fills the `{names}` of the list.
type Names = BTreeMap<&'static str, String>;

/// Simulates both roles.
pub(super) async fn read(aws: &Aws, definition: &TaskDefinition) -> Vec<Check> {
    let rights: Rights = match serde_json::from_str(RIGHTS) {
        Ok(rights) => rights,
        Err(e) => return vec![check("roles", Verdict::Unknown, format!("infra/rights.json was not understood: {e}"))],
    };
    let (Some(task), Some(execution)) = (definition.task_role_arn(), definition.execution_role_arn()) else {
        let said = "the task definition names no task role, or no execution role";
        return vec![mended(check("roles", Verdict::Missing, said), deploy(aws))];
    };
    let controller = controller_role(aws).await;
    let mut names = names(aws, definition, task, execution);
    if let Ok(role) = &controller {
        names.insert("controllerRole", role.clone());
    }
    for (name, table) in [("sessionsStream", aws.sessions_table()), ("rowsStream", aws.workers_table())] {
        names.extend(stream(aws, &table).await.map(|arn| (name, arn)));
    }
    names.extend(undelivered(aws, task).await.map(|arn| ("undeliveredQueue", arn)));
    let worker = simulated(aws, "worker's role", task, &rights.worker, &names).await;
    let controller = match controller {
        Ok(role) => simulated(aws, "controller's role", &role, &rights.controller, &names).await,
        Err(unknown) => unknown,
    };
    vec![worker, controller]
}

/// The names that the task definition tells; without one of them the rights that need it are not simulated.
fn names(aws: &Aws, definition: &TaskDefinition, task: &str, execution: &str) -> Names {
    let mut names: Names = [
        ("region", aws.place.region.clone()),
        ("env", aws.place.env.clone()),
        ("taskRole", task.to_owned()),
        ("executionRole", execution.to_owned()),
    ]
    .into();
    names.extend(task.split(':').nth(4).map(|account| ("account", account.to_owned())));
    let worker = definition.container_definitions().iter().find(|c| c.name() == Some("worker"));
    let variables = worker.map(|worker| worker.environment()).unwrap_or_default();
    let endpoint = variables.iter().find(|v| v.name() == Some(super::reach::ENDPOINT)).and_then(|v| v.value());
    if let Some((api, stage)) = endpoint.and_then(api_and_stage) {
        names.extend([("api", api), ("stage", stage)]);
    }
    names
}

/// Of `https://{api}.execute-api.{region}.amazonaws.com/{stage}`; a name of one's own does not tell the API.
fn api_and_stage(endpoint: &str) -> Option<(String, String)> {
    let (host, stage) = endpoint.strip_prefix("https://")?.split_once('/')?;
    let (api, rest) = host.split_once('.')?;
    rest.starts_with("execute-api.").then(|| (api.to_owned(), stage.to_owned()))
}

/// The stream of a table, if it has one; that it has is another check.
async fn stream(aws: &Aws, table: &str) -> Option<String> {
    let answer = aws.dynamodb.describe_table().table_name(table).send().await.ok()?;
    answer.table?.latest_stream_arn
}

/// The dead-letter queue, by the beginning of its name: CloudFormation chooses the rest. In the account of the role `task`.
async fn undelivered(aws: &Aws, task: &str) -> Option<String> {
    let beginning = format!("SessionWorkers-{}-ControllerUndelivered", aws.place.env);
    let found = aws.sqs.list_queues().queue_name_prefix(beginning).send().await.ok()?;
    let name = found.queue_urls().first()?.rsplit('/').next()?.to_owned();
    Some(format!("arn:aws:sqs:{}:{}:{name}", aws.place.region, task.split(':').nth(4)?))
}

/// The controller's role, by the beginning of its name: CloudFormation chooses the rest.
async fn controller_role(aws: &Aws) -> Result<String, Check> {
    let what = "controller's role";
    let beginning = format!("SessionWorkers-{}-ControllerRole", aws.place.env);
    let by_hand = format!("aws iam list-roles --query 'Roles[?starts_with(RoleName,`{beginning}`)].Arn' --output text");
    let mut pages = aws.iam.list_roles().into_paginator().items().send();
    while let Some(role) = pages.next().await {
        match role {
            Ok(role) if role.role_name().starts_with(&beginning) => return Ok(role.arn),
            Ok(_another) => {}
            Err(e) => {
                let said = format!("could not check: {}", refused("list the roles", &aws.place, &e));
                return Err(mended(check(what, Verdict::Unknown, said), by_hand));
            }
        }
    }
    Err(mended(check(what, Verdict::Missing, format!("no role is called {beginning}…")), deploy(aws)))
}

/// One question to IAM: these actions on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Question {
    object: Object,
    actions: Vec<String>,
}

/// The rights as few questions, and the actions whose object nobody could name.
fn questions(rights: &[Right], names: &Names) -> (Vec<Question>, Vec<String>) {
    let mut by_object: BTreeMap<Object, Vec<String>> = BTreeMap::new();
    let mut unnamed = Vec::new();
    for right in rights.iter().filter(|right| right.only.is_none()) {
        for object in &right.may {
            match filled(object, names) {
                Some(object) => by_object.entry(object).or_default().push(right.action.clone()),
                None => unnamed.push(right.action.clone()),
            }
        }
    }
    unnamed.dedup();
    (by_object.into_iter().map(|(object, actions)| Question { object, actions }).collect(), unnamed)
}

/// The object with its names; `None` when one is not known.
fn filled(object: &Object, names: &Names) -> Option<Object> {
    let fill = |text: &str| {
        let text =
            names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value));
        (!text.contains('{')).then_some(text)
    };
    let context = object.context.iter().map(|(key, value)| Some((key.clone(), fill(value)?))).collect::<Option<_>>()?;
    Some(Object { resource: fill(&object.resource)?, context })
}

/// An action that IAM would not allow.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Denied {
    action: String,
    resource: String,
    /// A policy denies it; otherwise none allows it.
    explicitly: bool,
}

async fn simulated(aws: &Aws, what: &str, role: &str, rights: &[Right], names: &Names) -> Check {
    let (asked, unnamed) = questions(rights, names);
    match ask(&aws.iam, &aws.place, role, &asked).await {
        Ok(denied) => judged(what, role, &asked, &denied, &unnamed, &deploy(aws)),
        Err(said) => {
            let actions: Vec<&str> =
                asked.first().map(|q| q.actions.iter().map(String::as_str).collect()).unwrap_or_default();
            mended(
                check(what, Verdict::Unknown, format!("could not check: {said}; you need iam:SimulatePrincipalPolicy")),
                format!(
                    "aws iam simulate-principal-policy --policy-source-arn {role} --action-names {}",
                    actions.join(" ")
                ),
            )
        }
    }
}

/// Asks IAM what of it the role is denied.
async fn ask(
    iam: &aws_sdk_iam::Client,
    place: &Place,
    role: &str,
    questions: &[Question],
) -> Result<Vec<Denied>, String> {
    let mut denied = Vec::new();
    for Question { object, actions } in questions {
        let context = object.context.iter().map(|(key, value)| {
            ContextEntry::builder()
                .context_key_name(key)
                .context_key_values(value)
                .context_key_type(ContextKeyTypeEnum::String)
                .build()
        });
        let call = iam.simulate_principal_policy().policy_source_arn(role).resource_arns(&object.resource);
        let call = call.set_action_names(Some(actions.clone())).set_context_entries(Some(context.collect()));
        let mut pages = call.into_paginator().items().send();
        while let Some(result) = pages.next().await {
            let result = result.map_err(|e| refused("simulate it", place, &e).to_string())?;
            if *result.eval_decision() != PolicyEvaluationDecisionType::Allowed {
                denied.push(Denied {
                    action: result.eval_action_name().to_owned(),
                    resource: object.resource.clone(),
                    explicitly: *result.eval_decision() == PolicyEvaluationDecisionType::ExplicitDeny,
                });
            }
        }
    }
    Ok(denied)
}

fn judged(what: &str, role: &str, asked: &[Question], denied: &[Denied], unnamed: &[String], deploy: &str) -> Check {
    let name = role.rsplit('/').next().unwrap_or(role);
    let skipped = if unnamed.is_empty() {
        String::new()
    } else {
        format!("; not looked at, because what it is called on could not be read: {}", unnamed.join(", "))
    };
    if denied.is_empty() {
        let count: usize = asked.iter().map(|question| question.actions.len()).sum();
        let said = format!("{name} allows all {count} calls on what they are made on{skipped}");
        return match unnamed.first() {
            None => check(what, Verdict::Ok, said),
            Some(action) => mended(check(what, Verdict::Unknown, said), by_hand(role, action, "RESOURCE")),
        };
    }
    let told = denied.iter().take(MOST_TOLD).map(|denied| format!("{} on {}", denied.action, denied.resource));
    let told = told.collect::<Vec<_>>().join(", nor ");
    let more = denied.len().saturating_sub(MOST_TOLD);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let said = format!("{name} may not {told}{more}{skipped}");
    match denied.iter().find(|denied| denied.explicitly) {
        None => mended(check(what, Verdict::Missing, said), deploy.to_owned()),
        // What a policy of the account or the organisation denies, no deployment gives.
        Some(Denied { action, resource, .. }) => {
            let said = format!("{said}; {action} is denied by a policy, not merely allowed by none");
            mended(check(what, Verdict::Missing, said), by_hand(role, action, resource))
        }
    }
}

/// The line that asks IAM about one call, and shows which statement decides.
fn by_hand(role: &str, action: &str, resource: &str) -> String {
    format!(
        "aws iam simulate-principal-policy --policy-source-arn {role} --action-names {action} --resource-arns '{resource}'"
    )
}

#[cfg(test)]
mod tests;
