//! What ECS remembers: tasks and client tokens. Pure; the clock is an argument.

use std::collections::{BTreeMap, HashMap};

use schemas::ids::Timestamp;
use serde_json::{Value, json};

use super::model::{Definition, Status, Stop, Task};
use super::request::{Refusal, RunTask};

const HOUR_MS: i64 = 3_600_000;

/// A client token's memory: what it was used with, and what came of it.
#[derive(Debug)]
struct Token {
    parameters: Value,
    tasks: Vec<String>,
    used_at: Timestamp,
}

/// What RunTask comes to.
#[derive(Debug, PartialEq, Eq)]
pub enum Launch {
    /// These were made now.
    New(Vec<String>),
    /// The token had made these before.
    Same(Vec<String>),
}

/// All tasks, of all clusters.
#[derive(Debug, Default)]
pub struct Store {
    tasks: BTreeMap<String, Task>,
    tokens: HashMap<(String, String), Token>,
}

impl Store {
    /// A task by ARN.
    pub fn task(&self, arn: &str) -> Option<&Task> {
        self.tasks.get(arn)
    }

    /// All tasks.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// What the token has made before, if it is still remembered: for min(24 h, life of the task + 1 h).
    ///
    /// # Errors
    /// ConflictException when it was used with other parameters.
    pub fn repeated(&self, cluster_arn: &str, request: &RunTask, now: Timestamp) -> Result<Option<Launch>, Refusal> {
        let Some(token) = &request.token else { return Ok(None) };
        let Some(known) = self.tokens.get(&(cluster_arn.to_owned(), token.clone())) else { return Ok(None) };
        if self.is_forgotten(known, now) {
            return Ok(None);
        }
        if known.parameters == request.parameters {
            return Ok(Some(Launch::Same(known.tasks.clone())));
        }
        let message = "The provided client token was used in a previous request with other parameters.";
        Err(Refusal { resource_ids: known.tasks.clone(), ..Refusal::new("ConflictException", message) })
    }

    fn is_forgotten(&self, token: &Token, now: Timestamp) -> bool {
        let ended = |arn: &String| self.tasks.get(arn).map_or(Some(Timestamp(0)), |task| task.stopped_at);
        let all_ended = token.tasks.iter().map(ended).collect::<Option<Vec<_>>>();
        let last_end = all_ended.and_then(|ends| ends.into_iter().max());
        now.since(token.used_at) > 24 * HOUR_MS || last_end.is_some_and(|end| now.since(end) > HOUR_MS)
    }

    /// Makes the tasks, named by `ids`, and remembers the token.
    pub fn launch(
        &mut self,
        cluster_arn: &str,
        request: &RunTask,
        made: &Definition,
        ids: &[String],
        now: Timestamp,
    ) -> Launch {
        let arn = |id: &String| format!("{}/{id}", cluster_arn.replacen(":cluster/", ":task/", 1));
        let arns: Vec<String> = ids.iter().map(arn).collect();
        for arn in &arns {
            let task = Task {
                arn: arn.clone(),
                cluster_arn: cluster_arn.to_owned(),
                definition: made.clone(),
                group: request.group.clone().unwrap_or_else(|| format!("family:{}", made.family)),
                started_by: request.started_by.clone(),
                tags: request.tags.clone(),
                overrides: request.overrides.clone(),
                subnet: request.subnet.clone(),
                status: Status::Provisioning,
                stop: None,
                version: 1,
                created_at: now,
                pulled: (None, None),
                started_at: None,
                stopping_at: None,
                execution_stopped_at: None,
                stopped_at: None,
                restarts: 0,
                exit_code: None,
                container_reason: None,
            };
            self.tasks.insert(arn.clone(), task);
        }
        if let Some(token) = &request.token {
            let memory = Token { parameters: request.parameters.clone(), tasks: arns.clone(), used_at: now };
            self.tokens.insert((cluster_arn.to_owned(), token.clone()), memory);
        }
        Launch::New(arns)
    }

    /// A task, for what ECS tells nobody.
    pub fn task_mut(&mut self, arn: &str) -> Option<&mut Task> {
        self.tasks.get_mut(arn)
    }

    /// Changes a task and raises its version; the task as it is then.
    pub fn change(&mut self, arn: &str, change: impl FnOnce(&mut Task)) -> Option<Task> {
        let task = self.tasks.get_mut(arn)?;
        change(task);
        task.version += 1;
        Some(task.clone())
    }

    /// StopTask: the wish. The first one counts; tags go.
    ///
    /// # Errors
    /// When there is no such task in this cluster.
    pub fn stop(&mut self, cluster_arn: &str, task: &str, stop: Stop) -> Result<Task, Refusal> {
        let missing = || Refusal::new("InvalidParameterException", "The referenced task was not found.");
        let arn = self.find(cluster_arn, task).ok_or_else(missing)?.arn.clone();
        if self.tasks.get(&arn).is_some_and(|task| task.stop.is_some()) {
            return self.tasks.get(&arn).cloned().ok_or_else(missing);
        }
        let change = |task: &mut Task| {
            task.stop = Some(stop);
            task.tags = json!([]);
        };
        self.change(&arn, change).ok_or_else(missing)
    }

    /// A task of this cluster, by ARN or id.
    pub fn find(&self, cluster_arn: &str, task: &str) -> Option<&Task> {
        let id = task.rsplit('/').next().unwrap_or_default();
        self.tasks.values().find(|t| t.cluster_arn == cluster_arn && t.id() == id)
    }

    /// ListTasks: ARNs, newest last. STOPPED tasks are shown for an hour.
    ///
    /// # Errors
    /// When the filters exclude each other.
    pub fn list(&self, cluster_arn: &str, input: &Value, now: Timestamp) -> Result<Value, Refusal> {
        let (family, started_by) = (input["family"].as_str(), input["startedBy"].as_str());
        if started_by.is_some() && (family.is_some() || input["serviceName"].is_string()) {
            let message = "startedBy must be the only filter.";
            return Err(Refusal::new("InvalidParameterException", message));
        }
        let desired = input["desiredStatus"].as_str().unwrap_or("RUNNING");
        let shown = |task: &&Task| {
            task.cluster_arn == cluster_arn
                && task.desired() == desired
                && task.stopped_at.is_none_or(|at| now.since(at) < HOUR_MS)
                && family.is_none_or(|family| task.definition.family == family)
                && started_by.is_none_or(|by| task.started_by.as_deref() == Some(by))
        };
        let mut tasks: Vec<&Task> = self.tasks.values().filter(shown).collect();
        tasks.sort_by_key(|task| task.created_at);
        let page = input["maxResults"].as_u64().and_then(|n| usize::try_from(n).ok()).unwrap_or(100).clamp(1, 100);
        let from = input["nextToken"].as_str().and_then(|token| token.parse::<usize>().ok()).unwrap_or(0);
        let arns: Vec<&str> = tasks.iter().skip(from).take(page).map(|task| task.arn.as_str()).collect();
        let mut answer = json!({"taskArns": arns});
        if from + page < tasks.len() {
            answer["nextToken"] = json!((from + page).to_string());
        }
        Ok(answer)
    }

    /// DescribeTasks. A task younger than `invisible_ms` is MISSING: ECS is eventually consistent.
    pub fn describe(&self, cluster_arn: &str, input: &Value, invisible_ms: i64, now: Timestamp) -> Value {
        let with_tags = input["include"].as_array().is_some_and(|include| include.contains(&json!("TAGS")));
        let (mut tasks, mut failures) = (Vec::new(), Vec::new());
        for asked in super::model::texts(&input["tasks"]) {
            let found = self.find(cluster_arn, &asked);
            match found.filter(|task| now.since(task.created_at) >= invisible_ms) {
                Some(task) => tasks.push(task.shown(with_tags)),
                None => failures.push(json!({"arn": asked, "reason": "MISSING"})),
            }
        }
        json!({"tasks": tasks, "failures": failures})
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = "arn:aws:ecs:us-east-1:000000000000:cluster/c";

    fn request() -> RunTask {
        let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-1"]}});
        RunTask::parse(&json!({"taskDefinition": "f:1", "clientToken": "t", "networkConfiguration": network})).unwrap()
    }

    fn store_with_a_task() -> (Store, String) {
        let definition = Definition::parse(&json!({
            "taskDefinitionArn": "arn:f:1", "family": "f", "cpu": "256", "memory": "512",
            "containerDefinitions": [{"name": "worker", "image": "i"}],
        }));
        let mut store = Store::default();
        let made = store.launch(CLUSTER, &request(), &definition.unwrap(), &["id".to_owned()], Timestamp(0));
        let arn = "arn:aws:ecs:us-east-1:000000000000:task/c/id".to_owned();
        assert_eq!(made, Launch::New(vec![arn.clone()]));
        (store, arn)
    }

    #[test]
    fn a_token_lives_an_hour_longer_than_its_task() {
        let (mut store, arn) = store_with_a_task();
        let end = Timestamp(5 * HOUR_MS);
        store.change(&arn, |task| task.stopped_at = Some(end));
        let same = Ok(Some(Launch::Same(vec![arn])));
        assert_eq!(store.repeated(CLUSTER, &request(), end.plus_ms(HOUR_MS)), same);
        assert_eq!(store.repeated(CLUSTER, &request(), end.plus_ms(HOUR_MS + 1)), Ok(None));
    }

    #[test]
    fn a_token_lives_a_day_at_most() {
        let (store, arn) = store_with_a_task();
        assert_eq!(store.repeated(CLUSTER, &request(), Timestamp(24 * HOUR_MS)), Ok(Some(Launch::Same(vec![arn]))));
        assert_eq!(store.repeated(CLUSTER, &request(), Timestamp(24 * HOUR_MS + 1)), Ok(None));
    }

    #[test]
    fn a_token_counts_in_its_own_cluster_only() {
        let (store, _arn) = store_with_a_task();
        assert_eq!(store.repeated("arn:aws:ecs:us-east-1:000000000000:cluster/d", &request(), Timestamp(1)), Ok(None));
    }

    #[test]
    fn the_first_stop_counts_and_takes_the_tags() {
        let (mut store, arn) = store_with_a_task();
        store.stop(CLUSTER, &arn, Stop::new("UserInitiated", "first")).unwrap();
        let task = store.stop(CLUSTER, "id", Stop::new("UserInitiated", "second")).unwrap();
        assert_eq!((task.stop.unwrap().reason, task.tags), ("first".to_owned(), json!([])));
        assert!(store.stop(CLUSTER, "other", Stop::new("UserInitiated", "")).is_err());
    }
}
