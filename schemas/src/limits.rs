//! AWS limits that the code respects, each with its source.

use std::time::Duration;

/// Transcribe ends a stream that gets no audio for so long (AWS SDK issue reports, still current in 2025).
pub const TRANSCRIBE_IDLE: Duration = Duration::from_secs(15);
/// Longest audio of one Transcribe AudioEvent (SDK documentation of `AudioEvent`).
pub const TRANSCRIBE_EVENT_AUDIO: Duration = Duration::from_secs(1);
/// Longest Transcribe stream (Transcribe FAQ).
pub const TRANSCRIBE_STREAM: Duration = Duration::from_secs(4 * 3600);
/// Least that one Transcribe request is billed for (Transcribe pricing).
pub const TRANSCRIBE_LEAST_BILLED: Duration = Duration::from_secs(15);
/// Longest text of one TranslateText call, UTF-8 bytes (Translate developer guide).
pub const TRANSLATE_TEXT_BYTES: usize = 10_000;
/// Largest message of a WebSocket API, bytes (API Gateway quotas).
pub const WEBSOCKET_MESSAGE_BYTES: usize = 128 * 1024;
/// Largest frame of a WebSocket API, bytes: a larger message reaches the browser in pieces (API Gateway quotas).
pub const WEBSOCKET_FRAME_BYTES: usize = 32 * 1024;
/// Longest life of a KVS signaling connection (KVS WebRTC quotas).
pub const SIGNALING_CONNECTION: Duration = Duration::from_secs(3600);
/// A KVS signaling connection without traffic is closed after so long (KVS WebRTC quotas).
pub const SIGNALING_IDLE: Duration = Duration::from_secs(600);
/// Largest payload of a signaling message, bytes (KVS WebRTC quotas).
pub const SIGNALING_PAYLOAD_BYTES: usize = 10_000;
/// Longest `clientToken` of RunTask, characters (ECS API reference).
pub const RUN_TASK_TOKEN: usize = 64;
/// Longest JSON of RunTask overrides, characters (ECS API reference).
pub const RUN_TASK_OVERRIDES: usize = 8_192;
/// Longest `stopTimeout` of a Fargate container (ECS API reference, `ContainerDefinition`).
pub const FARGATE_STOP_TIMEOUT: Duration = Duration::from_secs(120);
/// Shortest `restartAttemptPeriod` of a container's restart policy: one that ran for less is not started again (ECS API reference,
/// `ContainerRestartPolicy`).
pub const RESTART_ATTEMPT_PERIOD_LEAST: Duration = Duration::from_secs(60);
/// Longest `restartAttemptPeriod` (same source).
pub const RESTART_ATTEMPT_PERIOD_MOST: Duration = Duration::from_secs(1_800);
/// vCPU of all Fargate tasks that a new account may run at once (quota L-3032A538; on Spot L-36FBB829).
pub const FARGATE_VCPU_OF_A_NEW_ACCOUNT: u32 = 6;
/// RunTask calls of an account per second on Fargate (ECS developer guide, "Request throttling").
pub const RUN_TASK_PER_SECOND: u32 = 20;
/// Transcribe streams that a new account may have open at once (quota L-0599F82B).
pub const TRANSCRIBE_STREAMS_OF_A_NEW_ACCOUNT: u32 = 25;
/// Requests per second of all APIs of an account, posts to connections included (API Gateway quotas).
pub const API_GATEWAY_REQUESTS_PER_SECOND: u32 = 10_000;
