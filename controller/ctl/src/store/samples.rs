//! Rows for tests.

use schemas::ids::{ChannelArn, Generation, Language, SessionId, TaskArn, Timestamp};
use schemas::reason::{Cause, Why};
use schemas::worker::{
    Desired, Intent, LanguageStatus, Media, Phase, Progress, Restarts, Rung, StartUp, TaskFacts, Usage, WorkerRow,
    WorkerStatus,
};

/// The time that samples speak of.
pub(crate) const T0: i64 = 1_800_000_000_000;

/// A healthy live session, ten seconds old.
pub(crate) fn row(session: &str) -> WorkerRow {
    let task =
        TaskArn::try_new("arn:aws:ecs:us-east-1:000000000000:task/session-workers-dev/0123456789abcdef").unwrap();
    WorkerRow {
        session_id: SessionId::try_new(session).unwrap(),
        schema: 1,
        revision: 2,
        generation: Generation(1),
        phase: Phase::Live,
        phase_since: Timestamp(T0 + 3_000),
        why: Why::new(Cause::SessionActive, "audio flows", Timestamp(T0 + 3_000)),
        next_look_at: Some(Timestamp(T0 + 60_000)),
        intent: Some(Intent {
            desired: Desired::Run,
            channel_arn: ChannelArn::try_new(
                "arn:aws:kinesisvideo:us-east-1:000000000000:channel/session-a-b-001/1234567890123",
            )
            .ok(),
            stream_arn: None,
            source_language: Language::try_new("en").unwrap(),
            expires_at: Timestamp(T0 + 86_400_000),
            decided_at: Timestamp(T0),
            wanted_since: None,
            task_definition: None,
            options: schemas::session::CaptionOptions::new(),
            speaker_connection: None,
        }),
        task: Some(TaskFacts {
            arn: task.clone(),
            last_status: "RUNNING".into(),
            launched_at: Timestamp(T0 + 200),
            started_at: Some(Timestamp(T0 + 1_000)),
            stopped_at: None,
            stop_code: None,
            stopped_reason: None,
            exit_code: None,
        }),
        restarts: Restarts::default(),
        worker: Some(WorkerStatus {
            version: "0.1.0".into(),
            task_arn: Some(task),
            heartbeat_at: Timestamp(T0 + 9_000),
            start_up: StartUp {
                process_at: Some(Timestamp(T0 + 1_100)),
                joined_at: Some(Timestamp(T0 + 1_500)),
                first_audio_at: Some(Timestamp(T0 + 3_000)),
                first_caption_at: Some(Timestamp(T0 + 6_000)),
            },
            progress: Progress {
                unheard_since: None,
                rtp_at: Some(Timestamp(T0 + 9_000)),
                speech_at: Some(Timestamp(T0 + 8_800)),
                transcript_at: Some(Timestamp(T0 + 8_000)),
                translation_at: Some(Timestamp(T0 + 7_000)),
                delivery_at: Some(Timestamp(T0 + 7_200)),
                waiting: schemas::worker::Waiting::default(),
            },
            media: Media { candidate_type: Some("host".into()), packets: 300, media_ms: 6_000, ..Media::default() },
            languages: [(
                Language::try_new("es").unwrap(),
                LanguageStatus {
                    listeners: 2,
                    last_cursor: 3,
                    lag_p50_ms: Some(1_100),
                    lag_p95_ms: Some(1_900),
                    erasure: None,
                },
            )]
            .into(),
            usage: Usage { transcribed_ms: 6_000, transcribe_streams: 1, posts: 30, ..Usage::default() },
            rung: Rung::Full,
            trouble: None,
            notes: Vec::new(),
            voice: None,
            voice_model: None,
            audio_quality: None,
            cpu_ms: 400,
            peak_memory_bytes: 20 << 20,
        }),
        operator: schemas::operator::Operator::default(),
        published: None,
        channel_deleted_at: None,
    }
}
