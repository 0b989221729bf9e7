//! Task definitions: which one new workers come from, which workers are on an old one, and what size a task has.

use crate::aws::Aws;
use aws_sdk_ecs::error::DisplayErrorContext;
use aws_sdk_ecs::types::{CpuArchitecture, TaskDefinition};
use schemas::ids::Timestamp;
use schemas::worker::WorkerRow;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Definitions of old workers that are read for one list; more than two at a time is rare.
const MOST_READ: usize = 8;

/// What a task is billed by.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Size {
    /// vCPU.
    pub vcpu: f64,
    /// Memory, GB.
    pub gb: f64,
    /// arm64, which is a fifth cheaper than x86_64.
    pub arm64: bool,
    /// Whether this was read from the task definition; otherwise it is [`Size::STATED`].
    pub read: bool,
}

impl Size {
    /// The default of `infra/lib/config.ts` (`worker`, `architecture`), for tasks whose definition cannot be read.
    pub const STATED: Self = Self { vcpu: 0.25, gb: 0.5, arm64: true, read: false };

    /// Reads cpu units and MiB as ECS spells them.
    #[must_use]
    pub fn of(cpu: Option<&str>, memory: Option<&str>, arm64: bool) -> Option<Self> {
        let (units, mib): (f64, f64) = (cpu?.parse().ok()?, memory?.parse().ok()?);
        Some(Self { vcpu: units / 1024.0, gb: mib / 1024.0, arm64, read: true })
    }
}

/// The definition that new workers come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Current {
    /// Its ARN with revision.
    pub arn: String,
    /// When it was registered.
    pub registered_at: Option<Timestamp>,
}

/// What was read of ECS.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Definitions {
    /// The newest active definition of the family; `None` when ECS could not be asked.
    pub current: Option<Current>,
    /// Sizes by ARN.
    pub sizes: BTreeMap<String, Size>,
    /// Why ECS could not be asked, one line.
    pub problem: Option<String>,
}

impl Definitions {
    /// The size of a row's task.
    #[must_use]
    pub fn size(&self, row: &WorkerRow) -> Size {
        let own = definition(row).and_then(|arn| self.sizes.get(arn));
        let family = || self.current.as_ref().and_then(|current| self.sizes.get(&current.arn));
        own.or_else(family).copied().unwrap_or(Size::STATED)
    }

    /// Whether the row's worker runs on another definition than new ones would; never said of a row that has ended, nor, as
    /// in the controller's rollout, of one that does not say what it was launched from.
    #[must_use]
    pub fn is_old(&self, row: &WorkerRow) -> bool {
        let (Some(current), Some(own)) = (&self.current, definition(row)) else { return false };
        !row.phase.is_final() && row.task.is_some() && own != current.arn
    }
}

fn definition(row: &WorkerRow) -> Option<&str> {
    row.intent.as_ref()?.task_definition.as_deref()
}

/// `:7` of an ARN that ends in `session-worker-dev:7`.
#[must_use]
pub fn revision(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}

/// Asks ECS for the family's newest definition and those of these rows. A refusal is no failure: it is said, and sizes are
/// the stated ones.
pub async fn read<'a>(aws: &Aws, rows: impl Iterator<Item = &'a WorkerRow>) -> Definitions {
    let mut read = Definitions::default();
    match describe(aws, &aws.family()).await {
        Ok(found) => read.take(found, true),
        Err(problem) => {
            read.problem = Some(problem);
            return read;
        }
    }
    let wanted: BTreeSet<&str> = rows.filter_map(definition).filter(|arn| !read.sizes.contains_key(*arn)).collect();
    for arn in wanted.into_iter().take(MOST_READ) {
        if let Ok(found) = describe(aws, arn).await {
            read.take(found, false);
        }
    }
    read
}

impl Definitions {
    fn take(&mut self, found: TaskDefinition, current: bool) {
        let Some(arn) = found.task_definition_arn().map(ToOwned::to_owned) else { return };
        let arm64 = found.runtime_platform().and_then(|p| p.cpu_architecture()) == Some(&CpuArchitecture::Arm64);
        if let Some(size) = Size::of(found.cpu(), found.memory(), arm64) {
            self.sizes.insert(arn.clone(), size);
        }
        if current {
            let registered_at = found.registered_at().and_then(|at| at.to_millis().ok()).map(Timestamp);
            self.current = Some(Current { arn, registered_at });
        }
    }
}

/// One task definition, by ARN or by family.
///
/// # Errors
/// One line about what ECS said.
pub async fn describe(aws: &Aws, name: &str) -> Result<TaskDefinition, String> {
    let answer = aws.ecs.describe_task_definition().task_definition(name).send().await;
    let answer = answer.map_err(|error| {
        let said = error.as_service_error().and_then(|e| e.meta().message()).map(ToOwned::to_owned);
        said.unwrap_or_else(|| crate::text::cut(&DisplayErrorContext(&error).to_string().replace('\n', " "), 160))
    })?;
    answer.task_definition.ok_or_else(|| format!("ECS knows no task definition {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::row;

    const NEW: &str = "arn:aws:ecs:us-east-1:000000000000:task-definition/session-worker-dev:8";

    fn definitions() -> Definitions {
        Definitions {
            current: Some(Current { arn: NEW.into(), registered_at: None }),
            sizes: [(NEW.to_owned(), Size::of(Some("1024"), Some("2048"), false).unwrap())].into(),
            problem: None,
        }
    }

    #[test]
    fn a_worker_on_another_definition_is_old_until_it_ends() {
        let mut row = row("a-b-001");
        assert!(!definitions().is_old(&row), "launched by a controller that did not say from what");
        if let Some(intent) = &mut row.intent {
            intent.task_definition = Some(NEW.replace(":8", ":7"));
        }
        assert!(definitions().is_old(&row));
        if let Some(intent) = &mut row.intent {
            intent.task_definition = Some(NEW.into());
        }
        assert!(!definitions().is_old(&row));
        assert!(!Definitions::default().is_old(&row), "nobody knows what is current");
    }

    #[test]
    fn a_size_that_cannot_be_read_is_the_stated_one_and_says_so() {
        assert_eq!(Definitions::default().size(&row("a-b-001")), Size::STATED);
        assert!(Size::of(Some("1 vCPU"), Some("2048"), true).is_none());
        let size = definitions().size(&row("a-b-001"));
        assert!((size.vcpu - 1.0).abs() < 1e-9 && (size.gb - 2.0).abs() < 1e-9 && size.read);
    }

    #[test]
    fn the_stated_size_is_the_default_of_the_template() {
        let config =
            std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../infra/lib/config.ts")).unwrap();
        assert!(config.contains("raw['worker'] ?? { cpu: 256, memoryMiB: 512 }"), "Size::STATED must follow it");
    }
}
