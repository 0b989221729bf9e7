//! ECS, the bus, the channels and the timers of the simulation.

use super::broken::Broken;
use super::physics::Call;
use super::ports::{Ports, aws};
use super::schedule::Event;
use super::world::number;
use controller::ports::{Bus, Channels, Orchestrator, PortError, Timer};
use controller_core::launch::Answer;
use controller_core::model::{Task, Tasks};
use controller_core::triggers::Wake;
use schemas::ids::{ChannelArn, SessionId, TaskArn, Timestamp};
use schemas::lifecycle::LifecycleEvent;
use schemas::worker::WorkerRow;
use std::collections::HashSet;

/// Tasks of a page of ListTasks, and of one DescribeTasks (ECS API reference).
const PAGE: usize = 100;

impl Bus for Ports {
    async fn publish(&self, _events: &[LifecycleEvent]) -> Result<(), PortError> {
        self.call(Call::PutEvents).await?;
        self.table_fails("PutEvents")
    }
}

impl Channels for Ports {
    async fn delete(&self, arn: &ChannelArn) -> Result<(), PortError> {
        self.call(Call::DeleteChannel).await?;
        self.table_fails("DeleteSignalingChannel")?;
        self.world().channel_goes(arn);
        Ok(())
    }
}

impl Orchestrator for Ports {
    async fn tasks(&self, id: &SessionId, row: Option<&WorkerRow>, hints: &[TaskArn]) -> Tasks {
        let listed = row.is_some_and(|row| row.task.is_none());
        if listed && let Err(error) = self.call(Call::ReadTasks).await {
            return Tasks::Unknown(error.to_string());
        }
        let asked = row.is_some_and(|row| row.task.is_some()) || !hints.is_empty();
        if asked && let Err(error) = self.call(Call::ReadTasks).await {
            return Tasks::Unknown(error.to_string());
        }
        if self.is_blind() {
            return Tasks::Unknown("throttled".into());
        }
        Tasks::Known(self.world().tasks(number(id), row, hints))
    }

    async fn run_task(&self, row: &WorkerRow) -> Answer {
        if self.call(Call::RunTask).await.is_err() {
            return Answer::Retry("timed out".into());
        }
        let ahead = self.world().broken_rule == Broken::LaunchAheadOfTheRow;
        let generation = if ahead { row.generation.next() } else { row.generation };
        let answer = self.world().run_task(number(&row.session_id), generation);
        self.stand().await;
        answer
    }

    async fn stop_task(&self, arn: &TaskArn, _reason: &str) -> Result<(), PortError> {
        self.call(Call::StopTask).await?;
        let mut world = self.world();
        let of_100_000 = world.weather.stop_failed;
        if world.rng.chance(of_100_000) {
            return Err(aws("StopTask"));
        }
        let invocation = world.invocation;
        world.stop_named(arn, invocation);
        Ok(())
    }

    async fn running(&self) -> Result<HashSet<TaskArn>, PortError> {
        let mut left = self.world().running_tasks();
        if self.world().broken_rule == Broken::EcsIsAskedForEach {
            let mut world = self.world();
            for _ in 0..left {
                let _at_once = world.ask(Call::ReadTasks, 1);
            }
        }
        loop {
            self.call(Call::ReadTasks).await?;
            if self.is_blind() {
                return Err(aws("ListTasks"));
            }
            left = left.saturating_sub(PAGE);
            if left == 0 {
                return Ok(self.world().all_running());
            }
        }
    }

    async fn described(&self, arns: &[TaskArn]) -> Result<Vec<(SessionId, Task)>, PortError> {
        let mut tasks = Vec::new();
        for chunk in arns.chunks(PAGE) {
            self.call(Call::ReadTasks).await?;
            if self.is_blind() {
                return Err(aws("DescribeTasks"));
            }
            let world = self.world();
            tasks.extend(chunk.iter().filter_map(|arn| world.described_by_name(arn)));
        }
        Ok(tasks)
    }
}

impl Timer for Ports {
    async fn at(&self, when: Timestamp, wake: &Wake, now: Timestamp) -> Result<(), PortError> {
        self.call(Call::SendMessage).await?;
        let mut world = self.world();
        let lost = world.weather.trigger_lost;
        if world.rng.chance(lost) {
            return Ok(());
        }
        // DelaySeconds is whole; a message comes a little after that.
        let ms = (when.since(now).max(0) + 999) / 1_000 * 1_000 + world.rng.between(5, 150);
        let place = world.wakes.len();
        world.wakes.push(Some(wake.clone()));
        world.after(ms, Event::Wake(place));
        Ok(())
    }
}
