//! How a process begins: it reads the session's row, claims it where it must, and learns whom to hear.

use crate::config::Config;
use crate::io::table::{Table, TableError};
use crate::shell::Speaker;
use schemas::ids::{TaskArn, Timestamp};
use schemas::worker::{EXIT_NOT_STARTED, WorkerRow};
use worker_core::start::{self, Budget, Claim, Process, Start};

/// The row may change between a read and a claim; so often it is read again.
const LOOKS: usize = 4;

/// What a process that has just begun comes to.
#[derive(Debug, PartialEq)]
pub(crate) enum Orders {
    /// Serve this speaker, as the generation of this row.
    Serve(Box<WorkerRow>, Speaker),
    /// End at once.
    Leave(u8, String),
}

/// Reads the row, and takes the session over where an earlier life within this task has left it.
pub(crate) async fn orders(
    table: &mut Table,
    config: &Config,
    task: Option<TaskArn>,
    now: impl Fn() -> Timestamp,
) -> Result<Orders, TableError> {
    let process = Process { launched: config.generation, task, budget: Budget::default() };
    let mut tried: Option<Box<Claim>> = None;
    for _ in 0..LOOKS {
        let row = match start::decide(table.read().await?, &process, now()) {
            Start::Leave { code, why } => return Ok(Orders::Leave(code, why)),
            Start::Serve(row) => {
                // A claim of ours stands although its answer was lost.
                if let Some(claim) = tried.filter(|claim| claim.after.generation == row.generation) {
                    table.claimed(&claim, &row).await;
                }
                *row
            }
            Start::Claim(claim) => match table.claim(&claim).await {
                Ok(Some(row)) => row,
                // Somebody was first, or nobody knows: what the row says now decides.
                lost => {
                    if let Err(error) = lost {
                        tracing::warn!(%error, "a claim without an answer");
                    }
                    tried = Some(claim);
                    continue;
                }
            },
        };
        if row.generation != config.generation {
            tracing::Span::current().record("generation", row.generation.0);
            tracing::warn!(event = "restarted_in_place", detail = row.why.text, failures = row.restarts.consecutive);
        }
        table.serve_as(row.generation);
        return Ok(heard(row));
    }
    Err(TableError::Busy)
}

/// Whom to hear.
fn heard(row: WorkerRow) -> Orders {
    // A browser on a channel is heard a fragment earlier than a stream is read.
    let speaker = row.intent.as_ref().and_then(|intent| match (&intent.channel_arn, &intent.stream_arn) {
        (Some(channel), _) => Some(Speaker::Channel(channel.clone())),
        (None, Some(stream)) => Some(Speaker::Stream(stream.clone())),
        (None, None) => None,
    });
    match speaker {
        Some(speaker) => Orders::Serve(Box::new(row), speaker),
        None => Orders::Leave(EXIT_NOT_STARTED, "the row names neither a signaling channel nor a stream".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::ids::{ChannelArn, Generation, Language, SessionId};
    use schemas::reason::{Cause, Why};
    use schemas::worker::{Desired, Intent, Phase, Restarts};

    fn row(change: impl FnOnce(&mut WorkerRow)) -> WorkerRow {
        let arn = "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-a-b-1/1700000000000";
        let mut row = WorkerRow {
            session_id: SessionId::try_new("a-b-1").unwrap(),
            schema: 1,
            revision: 1,
            generation: Generation(2),
            phase: Phase::Launching,
            phase_since: Timestamp(0),
            why: Why::new(Cause::SessionActive, "wanted", Timestamp(0)),
            next_look_at: Some(Timestamp(1)),
            intent: Some(Intent {
                desired: Desired::Run,
                channel_arn: Some(ChannelArn::try_new(arn).unwrap()),
                stream_arn: None,
                source_language: Language::try_new("en").unwrap(),
                expires_at: Timestamp(9),
                decided_at: Timestamp(0),
                wanted_since: None,
                task_definition: None,
                options: schemas::session::CaptionOptions::new(),
                speaker_connection: None,
            }),
            task: None,
            restarts: Restarts::default(),
            worker: None,
            operator: schemas::operator::Operator::default(),
            published: None,
            channel_deleted_at: None,
        };
        change(&mut row);
        row
    }

    #[test]
    fn a_session_with_a_stream_only_is_served_from_it_and_a_channel_is_preferred() {
        let arn = "arn:aws:kinesisvideo:us-east-1:123456789012:stream/hall/1700000000000";
        let stream = schemas::ids::StreamArn::try_new(arn).unwrap();
        let speaker = |channel: bool| {
            let row = row(|r| {
                let intent = r.intent.as_mut().unwrap();
                intent.stream_arn = Some(stream.clone());
                intent.channel_arn = intent.channel_arn.take().filter(|_| channel);
            });
            match heard(row) {
                Orders::Serve(_, speaker) => speaker,
                Orders::Leave(code, why) => panic!("left with {code}: {why}"),
            }
        };
        assert_eq!(speaker(false), Speaker::Stream(stream.clone()));
        assert!(matches!(speaker(true), Speaker::Channel(_)));
    }

    #[test]
    fn a_session_that_names_nobody_to_hear_is_left_and_not_begun_again_in_place() {
        let nobody = heard(row(|r| r.intent.as_mut().unwrap().channel_arn = None));
        assert!(matches!(nobody, Orders::Leave(EXIT_NOT_STARTED, _)), "{nobody:?}");
        assert!(schemas::worker::CHOSEN_EXITS.contains(&EXIT_NOT_STARTED));
    }
}
