//! ECS behind [`crate::ports::Orchestrator`].

pub mod classify;
pub mod event;
mod task;

use crate::clients;
use crate::config::{Capacity, Config, PublicAddress};
use crate::ports::{Orchestrator, PortError};
use crate::remedy::{Remedy, aws};
use aws_sdk_ecs::operation::run_task::builders::RunTaskFluentBuilder;
use aws_sdk_ecs::operation::stop_task::StopTaskError;
use aws_sdk_ecs::types::{
    AssignPublicIp, AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerOverride, DesiredStatus, KeyValuePair,
    LaunchType, NetworkConfiguration, Tag, TaskOverride,
};
use controller_core::launch::{self, Answer};
use controller_core::model::{self, Task, Tasks};
use schemas::ids::{Generation, SessionId, TaskArn, client_token, parse_started_by, started_by};
use schemas::worker::WorkerRow;
use std::collections::{BTreeSet, HashSet};

/// Tasks of one DescribeTasks call at most (ECS API reference).
const DESCRIBE_AT_ONCE: usize = 100;

/// The cluster, and how tasks are started in it.
#[derive(Debug, Clone)]
pub struct Ecs {
    client: aws_sdk_ecs::Client,
    config: Config,
}

impl Ecs {
    /// The cluster of this configuration.
    #[must_use]
    pub fn new(client: aws_sdk_ecs::Client, config: Config) -> Self {
        Self { client, config }
    }

    /// The tasks that ECS wants to run, of one launch or (`None`) of the whole family.
    async fn list(&self, started_by: Option<String>) -> Result<Vec<TaskArn>, PortError> {
        let family = started_by.is_none().then(|| family_of(&self.config.task_definition).to_owned());
        let (mut arns, mut token) = (Vec::new(), None);
        loop {
            let request = self.client.list_tasks().cluster(&self.config.cluster).desired_status(DesiredStatus::Running);
            let request = request.set_started_by(started_by.clone()).set_family(family.clone()).set_next_token(token);
            let page = request.send().await.map_err(aws("ListTasks"))?;
            arns.extend(page.task_arns().iter().filter_map(|arn| TaskArn::try_new(arn).ok()));
            token = page.next_token;
            if token.is_none() {
                return Ok(arns);
            }
        }
    }

    /// What ECS says of these tasks; one that it does not know (yet, or any more) is left out.
    async fn describe(&self, arns: &BTreeSet<TaskArn>) -> Result<Vec<aws_sdk_ecs::types::Task>, PortError> {
        let arns: Vec<String> = arns.iter().map(ToString::to_string).collect();
        let mut tasks = Vec::new();
        for chunk in arns.chunks(DESCRIBE_AT_ONCE) {
            let request = self.client.describe_tasks().cluster(&self.config.cluster);
            let answer = request.set_tasks(Some(chunk.to_vec())).send().await.map_err(aws("DescribeTasks"))?;
            if let Some(failure) = answer.failures().iter().find(|f| f.reason() != Some("MISSING")) {
                let detail = format!("{:?}: {:?}", failure.reason(), failure.detail());
                return Err(PortError::Aws { operation: "DescribeTasks", remedy: Remedy::Again, detail });
            }
            tasks.extend(answer.tasks.unwrap_or_default());
        }
        Ok(tasks)
    }

    async fn tasks_of(
        &self,
        id: &SessionId,
        row: Option<&WorkerRow>,
        hints: &[TaskArn],
    ) -> Result<Vec<Task>, PortError> {
        let mut arns: BTreeSet<TaskArn> = hints.iter().cloned().collect();
        if let Some(row) = row {
            match &row.task {
                Some(task) => arns.extend([task.arn.clone()]),
                None => arns.extend(self.list(Some(started_by(id, row.generation))).await?),
            }
        }
        let tasks = self.describe(&arns).await?;
        let ours = tasks.iter().filter_map(|task| {
            let arn = TaskArn::try_new(task.task_arn()?).ok()?;
            let launched = launch_of(task).filter(|(session, _)| session == id).map(|(_, generation)| generation);
            task::read(task, model::generation_of(row, &arn, launched)?, &self.config.container)
        });
        Ok(ours.collect())
    }

    /// One subnet, another with each generation: a zone without room is followed by the next.
    fn network(&self, row: &WorkerRow) -> Result<NetworkConfiguration, String> {
        let subnets = &self.config.subnets;
        let subnet = subnets.get(launch::subnet(&row.session_id, row.generation, subnets.len()));
        let address = match self.config.public_address {
            PublicAddress::Assigned => AssignPublicIp::Enabled,
            PublicAddress::None => AssignPublicIp::Disabled,
        };
        let vpc = AwsVpcConfiguration::builder()
            .set_subnets(Some(subnet.into_iter().cloned().collect()))
            .set_security_groups(Some(self.config.security_groups.clone()))
            .assign_public_ip(address);
        Ok(NetworkConfiguration::builder().awsvpc_configuration(vpc.build().map_err(|e| e.to_string())?).build())
    }

    /// Launch type or capacity provider: ECS takes one of the two.
    fn on_capacity(&self, request: RunTaskFluentBuilder) -> Result<RunTaskFluentBuilder, String> {
        match self.config.capacity {
            Capacity::OnDemand => Ok(request.launch_type(LaunchType::Fargate)),
            Capacity::Spot => {
                let spot = CapacityProviderStrategyItem::builder().capacity_provider("FARGATE_SPOT").weight(1).build();
                Ok(request.capacity_provider_strategy(spot.map_err(|e| e.to_string())?))
            }
        }
    }

    /// What the bill can be read by.
    fn tags(&self, row: &WorkerRow) -> Vec<Tag> {
        let tag = |key: &str, value: String| Tag::builder().key(key).value(value).build();
        vec![
            tag("service", "session-workers".to_owned()),
            tag("environment", self.config.environment.clone()),
            tag("session", row.session_id.to_string()),
            tag("generation", row.generation.to_string()),
        ]
    }

    /// Session and generation, and nothing else: the same launch always has the same parameters.
    fn overrides(&self, row: &WorkerRow) -> TaskOverride {
        let variable = |name: &str, value: String| KeyValuePair::builder().name(name).value(value).build();
        let container = ContainerOverride::builder()
            .name(&self.config.container)
            .environment(variable("SESSION_ID", row.session_id.to_string()))
            .environment(variable("GENERATION", row.generation.to_string()));
        TaskOverride::builder().container_overrides(container.build()).build()
    }
}

impl Orchestrator for Ecs {
    async fn tasks(&self, id: &SessionId, row: Option<&WorkerRow>, hints: &[TaskArn]) -> Tasks {
        match self.tasks_of(id, row, hints).await {
            Ok(tasks) => Tasks::Known(tasks),
            Err(error) => {
                tracing::warn!(session = %id, %error, "ECS could not be asked");
                Tasks::Unknown(error.to_string())
            }
        }
    }

    async fn run_task(&self, row: &WorkerRow) -> Answer {
        let network = match self.network(row) {
            Ok(network) => network,
            Err(error) => return Answer::Refused(error),
        };
        let intent = row.intent.as_ref();
        let task_definition =
            intent.and_then(|intent| intent.task_definition.as_ref()).unwrap_or(&self.config.task_definition);
        let request = match self.on_capacity(self.client.run_task()) {
            Ok(request) => request.cluster(&self.config.cluster).count(1),
            Err(error) => return Answer::Refused(error),
        };
        let request = request
            .task_definition(task_definition)
            .set_tags(Some(self.tags(row)))
            .client_token(client_token(&row.session_id, row.generation))
            .started_by(started_by(&row.session_id, row.generation))
            .network_configuration(network)
            .overrides(self.overrides(row));
        classify::answer(request.customize().config_override(clients::of_a_launch()).send().await)
    }

    async fn stop_task(&self, arn: &TaskArn, reason: &str) -> Result<(), PortError> {
        let reason: String = reason.chars().take(255).collect();
        let request = self.client.stop_task().cluster(&self.config.cluster).task(arn.as_str()).reason(reason);
        match request.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(is_gone) => Ok(()),
            Err(error) => Err(aws("StopTask")(error)),
        }
    }

    async fn running(&self) -> Result<HashSet<TaskArn>, PortError> {
        Ok(self.list(None).await?.into_iter().collect())
    }

    async fn described(&self, arns: &[TaskArn]) -> Result<Vec<(SessionId, Task)>, PortError> {
        let tasks = self.describe(&arns.iter().cloned().collect()).await?;
        let ours = tasks.iter().filter_map(|task| {
            let (session, generation) = launch_of(task)?;
            Some((session, task::read(task, generation, &self.config.container)?))
        });
        Ok(ours.collect())
    }
}

/// The launch that a task belongs to; `None` for a task that is none of ours.
fn launch_of(task: &aws_sdk_ecs::types::Task) -> Option<(SessionId, Generation)> {
    parse_started_by(task.started_by()?)
}

/// Whether ECS says that it does not know the task (any more).
fn is_gone(error: &StopTaskError) -> bool {
    let text = error.meta().message().unwrap_or_default().to_ascii_lowercase();
    error.is_invalid_parameter_exception() && text.contains("not found")
}

/// `arn:…:task-definition/family:revision` or `family:revision` → `family`.
fn family_of(task_definition: &str) -> &str {
    let name = task_definition.rsplit('/').next().unwrap_or(task_definition);
    if name.starts_with("arn:") { name } else { name.split(':').next().unwrap_or(name) }
}

#[cfg(test)]
mod tests {
    use super::family_of;

    #[test]
    fn the_family_is_read_from_an_arn_and_from_a_short_name() {
        assert_eq!(
            family_of("arn:aws:ecs:us-east-1:123456789012:task-definition/session-worker-dev:7"),
            "session-worker-dev"
        );
        assert_eq!(family_of("session-worker-dev:7"), "session-worker-dev");
    }
}
