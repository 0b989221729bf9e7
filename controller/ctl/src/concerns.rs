//! What is not fine about a session, in short sentences: the one place that `list`, `why` and their exit codes ask.

use crate::board::tenths;
use crate::money::claimed_at;
use crate::orders;
use crate::text::{age, duration};
use controller_core::restart;
use schemas::ids::Timestamp;
use schemas::worker::{Phase, Rung, WorkerRow, WorkerStatus};

/// A worker writes every 2 s; so long without a word is worth a look, ms. The controller replaces it after 30 s.
const QUIET: i64 = 10_000;
/// A launch on Fargate takes half a minute; so long is worth a look, ms.
const LONG_LAUNCH: i64 = 90_000;
/// The drain deadline and one look, ms.
const LONG_DRAIN: i64 = 120_000;
/// A speaker who has not come after so long, ms.
const LONG_WAIT: i64 = 300_000;
/// Text, translation or delivery that is behind by so much, ms.
const STAGE_BEHIND: i64 = 10_000;
/// A sound that no stream hears for so long, ms: a room that waits, or the wrong microphone.
const UNHEARD: i64 = 30_000;
/// The schedule looks every minute: twice that without a look that was due, ms.
const OVERDUE: i64 = 120_000;
/// Twice the product's promise of 2 s, ms.
const SLOW: u64 = 4_000;
/// A generation that has lived for so long is over the failures before it, ms.
const RECOVERED: i64 = 300_000;
/// Captions that are older say nothing of the lag now, ms.
const RECENT: i64 = 60_000;
/// Packets before a share of losses means anything.
const ENOUGH_PACKETS: u64 = 500;

/// Everything that is not fine, the worst first; empty for a session that is fine.
#[must_use]
pub fn concerns(row: &WorkerRow, now: Timestamp) -> Vec<String> {
    let mut said = of_phase(row, now);
    if row.phase.is_final() {
        return said;
    }
    if let Some(at) = row.next_look_at.filter(|at| now.since(*at) > OVERDUE) {
        said.push(format!("the controller should have looked {} ago", age(at, now)));
    }
    if let Some(worker) = &row.worker {
        of_worker(&mut said, row, worker, now);
    }
    let began = claimed_at(row).or(row.intent.as_ref().map(|intent| intent.decided_at));
    let young = began.is_none_or(|began| now.since(began) < RECOVERED);
    if row.restarts.consecutive > 0 && young {
        said.push(format!("{} failure(s) in a row: launches, or workers that crashed", row.restarts.consecutive));
    }
    if let Some((order, orders::Fate::Pending)) = orders::pending(row)
        && now.since(order.signed.at) > OVERDUE
        && orders::held(row, now).is_none()
    {
        said.push(format!("nobody has acted on the {} of {} ago", orders::verb(order.verb), age(order.signed.at, now)));
    }
    said
}

fn of_phase(row: &WorkerRow, now: Timestamp) -> Vec<String> {
    let since = now.since(row.phase_since);
    let late = |limit: i64, text: String| if since > limit { vec![text] } else { Vec::new() };
    match row.phase {
        Phase::Failed => vec!["failed, and nothing is retried".to_owned()],
        Phase::Queued if restart::is_parked(row.phase, row.why.cause) => {
            let next = row.restarts.not_before.map_or(0, |at| at.since(now).max(0));
            vec![format!(
                "kept from being served by a fault, for {}; tried again in {}",
                age(row.phase_since, now),
                duration(next)
            )]
        }
        Phase::Queued => vec![format!("has no worker, for {}", age(row.phase_since, now))],
        Phase::Launching | Phase::Joining => late(LONG_LAUNCH, format!("a start takes {}", duration(since))),
        Phase::WaitingForSpeaker => late(LONG_WAIT, format!("no speaker for {}", duration(since))),
        Phase::Draining => late(LONG_DRAIN, format!("has been ending for {}", duration(since))),
        Phase::Live | Phase::Paused | Phase::Stopped => Vec::new(),
    }
}

fn of_worker(said: &mut Vec<String>, row: &WorkerRow, worker: &WorkerStatus, now: Timestamp) {
    if now.since(worker.heartbeat_at) > QUIET {
        said.push(format!("no heartbeat for {}", age(worker.heartbeat_at, now)));
        return; // The rest is as old.
    }
    match worker.rung {
        Rung::Full => {}
        Rung::FinalsOnly => said.push("listeners get finals only".into()),
        Rung::OriginalOnly => said.push("listeners get the original only".into()),
        Rung::Paused => said.push("listeners get no captions".into()),
    }
    if let Some(trouble) = &worker.trouble {
        said.push(format!("{:?}: {}", trouble.cause, trouble.text.trim_end_matches('.')));
    }
    said.extend(worker.notes.iter().map(|note| note.trim_end_matches('.').to_owned()));
    let waiting = &worker.progress.waiting;
    let stages = [
        ("speech", "text", waiting.speech_since),
        ("text", "translation", waiting.transcript_since),
        ("text", "delivery", waiting.caption_since),
    ];
    for (from, to, since) in stages {
        if let Some(since) = since.filter(|since| now.since(*since) > STAGE_BEHIND) {
            said.push(format!("{from} without {to} for {}", age(since, now)));
        }
    }
    if let Some(since) = worker.progress.unheard_since.filter(|since| now.since(*since) > UNHEARD) {
        said.push(format!("sound without a stream for {}", age(since, now)));
    }
    let media = &worker.media;
    let sent = media.packets + media.lost;
    if row.phase == Phase::Live && sent > ENOUGH_PACKETS && media.lost * 20 > sent {
        said.push(format!("{} % of the packets lost", media.lost * 100 / sent));
    }
    // The lag of the last captions stays in the row for as long as nobody speaks: then it is no news.
    let spoken = worker.progress.delivery_at.is_some_and(|at| now.since(at) < RECENT);
    let slow =
        worker.languages.iter().filter_map(|(language, l)| Some((language, l.lag_p95_ms.filter(|ms| *ms > SLOW)?)));
    if let Some((language, p95)) = slow.max_by_key(|(_, p95)| *p95).filter(|_| spoken) {
        said.push(format!("slow captions: p95 {} s in {language}", tenths(p95)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};
    use schemas::reason::{Cause, Why};

    const NOW: Timestamp = Timestamp(T0 + 10_000);

    fn with(change: impl FnOnce(&mut WorkerStatus)) -> Vec<String> {
        let mut row = row("a-b-001");
        change(row.worker.as_mut().unwrap());
        concerns(&row, NOW)
    }

    #[test]
    fn a_healthy_session_gives_no_concern() {
        assert!(concerns(&row("a-b-001"), NOW).is_empty());
    }

    #[test]
    fn a_fresh_heartbeat_does_not_hide_a_stuck_stage() {
        let said = with(|w| w.progress.waiting.speech_since = Some(Timestamp(T0 - 10_000)));
        assert_eq!(said, ["speech without text for 20s"]);
    }

    #[test]
    fn a_silent_speaker_is_no_concern() {
        assert!(with(|w| w.progress.speech_at = Some(Timestamp(T0 - 3_600_000))).is_empty());
    }

    #[test]
    fn a_sound_that_no_stream_hears_is_a_concern_after_half_a_minute() {
        let unheard = |ms: i64| with(|w| w.progress.unheard_since = Some(NOW.plus_ms(-ms)));
        assert!(unheard(30_000).is_empty());
        assert_eq!(unheard(42_000), ["sound without a stream for 42s"]);
    }

    #[test]
    fn a_reduced_service_is_one() {
        let said = with(|w| {
            w.rung = Rung::OriginalOnly;
            w.trouble = Some(Why::new(Cause::Throttled, "Translate asks to slow down", NOW));
        });
        assert_eq!(said, ["listeners get the original only", "Throttled: Translate asks to slow down"]);
    }

    #[test]
    fn a_quiet_worker_and_a_controller_that_does_not_look_are_two() {
        let said = concerns(&row("a-b-001"), Timestamp(T0 + 600_000));
        assert_eq!(said, ["the controller should have looked 9m00s ago", "no heartbeat for 9m51s"]);
    }

    #[test]
    fn losses_count_only_when_there_were_enough_packets() {
        assert!(with(|w| (w.media.packets, w.media.lost) = (100, 50)).is_empty());
        assert_eq!(with(|w| (w.media.packets, w.media.lost) = (900, 100)), ["10 % of the packets lost"]);
    }

    #[test]
    fn slow_captions_are_a_concern_only_while_captions_come() {
        let slow = |delivered: i64| {
            with(|w| {
                w.languages.values_mut().for_each(|l| l.lag_p95_ms = Some(5_600));
                w.progress.delivery_at = Some(Timestamp(delivered));
            })
        };
        assert_eq!(slow(T0 + 8_000), ["slow captions: p95 5.6 s in es"]);
        assert!(slow(T0 - 60_000).is_empty(), "nobody has spoken for a minute");
    }

    #[test]
    fn a_session_that_a_fault_keeps_from_being_served_says_when_it_is_tried_again() {
        let mut row = row("a-b-001");
        (row.phase, row.why.cause) = (Phase::Queued, Cause::RestartBudgetSpent);
        row.restarts.not_before = Some(NOW.plus_ms(240_000));
        assert!(
            concerns(&row, NOW).iter().any(|said| said.ends_with("tried again in 4m00s")),
            "{:?}",
            concerns(&row, NOW)
        );
    }

    #[test]
    fn a_failed_session_stays_a_concern() {
        let mut row = row("a-b-001");
        row.phase = Phase::Failed;
        assert_eq!(concerns(&row, NOW).len(), 1);
    }
}
