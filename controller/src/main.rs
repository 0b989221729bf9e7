//! The Lambda function.

use controller::config::Config;
use controller::handler::Controller;
use controller::memory::Memory;
use controller::{channels, clients, ecs, events, sqs, store, telemetry};
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;
use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    telemetry::init();
    let config = match Config::try_new(|name| std::env::var(name).ok()) {
        Ok(config) => config,
        Err(error) => {
            tracing::error!(%error, "the controller cannot start");
            return ExitCode::FAILURE;
        }
    };
    let clients = clients::build().await;
    let policy = config.policy();
    let environment = config.environment.clone();
    let controller = Controller {
        sessions: store::SessionsTable::new(clients.dynamodb.clone(), config.sessions_table.clone()),
        workers: store::WorkersTable::new(clients.dynamodb, config.workers_table.clone(), config.open_index)
            .named(telemetry::process_name()),
        bus: events::EventBridge::new(clients.eventbridge, config.event_bus.clone()),
        channels: channels::Kinesis::new(clients.kinesisvideo),
        timer: sqs::Queue::new(clients.sqs, config.timer_queue.clone()),
        memory: Memory::default(),
        orchestrator: ecs::Ecs::new(clients.ecs, config),
        policy,
        clock: telemetry::wall_clock,
        pause: |time| Box::pin(tokio::time::sleep(time)),
    };
    let handle = async |event: LambdaEvent<Value>| {
        let answer = controller.handle(&event.payload, event.context.deadline).await;
        telemetry::write_metrics(&controller.memory, &environment);
        answer
    };
    match lambda_runtime::run(service_fn(handle)).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}
