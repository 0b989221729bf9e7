//! `show`: one session in full.

use crate::board::{short_task, tenths};
use crate::money::{cost, dollars};
use crate::store::Record;
use crate::text::{age, duration, mebibytes, utc, wrap};
use crate::why;
use schemas::ids::Timestamp;
use schemas::worker::{WorkerRow, WorkerStatus};

/// The current row in full, and one line per earlier generation.
#[must_use]
pub fn page(records: &[Record], now: Timestamp, width: u16) -> String {
    let mut lines = Vec::new();
    let mut records = records.iter();
    match records.next() {
        Some(Record::Row(row)) => current(&mut lines, row, now, width),
        Some(Record::Unreadable { session, record, problem }) => {
            lines.push(format!("{session}: the row {record:?} cannot be read by this sessionctl: {problem}"));
        }
        None => lines.push("no record".to_owned()),
    }
    let earlier: Vec<_> = records.collect();
    if !earlier.is_empty() {
        heading(&mut lines, "Earlier generations");
        lines.extend(earlier.into_iter().map(history));
    }
    lines.join("\n")
}

fn heading(lines: &mut Vec<String>, title: &str) {
    lines.push(String::new());
    lines.push(title.to_owned());
}

fn current(lines: &mut Vec<String>, row: &WorkerRow, now: Timestamp, width: u16) {
    lines.extend(wrap(&why::paragraph(row, now), usize::from(width)));
    heading(lines, "Timeline");
    timeline(lines, row);
    if let Some(worker) = &row.worker {
        languages(lines, worker);
        media_and_usage(lines, row, worker, now);
    }
}

/// Every moment that the row knows, in order, with the step from the one before.
#[must_use]
pub fn moments(row: &WorkerRow) -> Vec<(Timestamp, String)> {
    let mut moments: Vec<(Timestamp, String)> = Vec::new();
    let mut add = |at: Option<Timestamp>, what: String| moments.extend(at.map(|at| (at, what)));
    add(row.intent.as_ref().map(|i| i.decided_at), format!("generation {} decided", row.generation));
    if let Some(task) = &row.task {
        add(Some(task.launched_at), format!("task {} launched", short_task(&task.arn)));
        add(task.started_at, "container started".into());
        let code = task.exit_code.map_or_else(String::new, |c| format!(", exit code {c}"));
        add(task.stopped_at, format!("task stopped{code}"));
    }
    if let Some(worker) = &row.worker {
        let s = &worker.start_up;
        add(s.process_at, format!("worker {} began", worker.version));
        add(s.joined_at, "channel joined".into());
        add(s.first_audio_at, "first audio".into());
        add(s.first_caption_at, "first caption posted".into());
    }
    add(Some(row.phase_since), format!("{:?}: {}", row.phase, row.why.text));
    moments.sort_by_key(|(at, _)| *at);
    moments
}

fn timeline(lines: &mut Vec<String>, row: &WorkerRow) {
    let mut before: Option<Timestamp> = None;
    for (at, what) in moments(row) {
        let step = before.map_or_else(String::new, |b| format!("+{}", duration(at.since(b))));
        lines.push(format!("  {}  {step:>8}  {what}", utc(at)));
        before = Some(at);
    }
}

fn languages(lines: &mut Vec<String>, worker: &WorkerStatus) {
    heading(lines, "Languages");
    if worker.languages.is_empty() {
        lines.push("  nobody listens".into());
    }
    for (language, l) in &worker.languages {
        let lag = match (l.lag_p50_ms, l.lag_p95_ms) {
            (Some(p50), Some(p95)) => format!("lag {} s, p95 {} s", tenths(p50), tenths(p95)),
            (Some(_), None) | (None, Some(_)) | (None, None) => "no lag yet".to_owned(),
        };
        let erasure = l.erasure.map_or_else(String::new, |e| format!(", erasure {e:.2}"));
        lines.push(format!("  {language}  {} listening, {} finals, {lag}{erasure}", l.listeners, l.last_cursor));
    }
}

fn media_and_usage(lines: &mut Vec<String>, row: &WorkerRow, worker: &WorkerStatus, now: Timestamp) {
    let (m, u) = (&worker.media, &worker.usage);
    heading(lines, "Media");
    lines.push(format!(
        "  {} candidate, {} packets, {} lost, jitter {:.1} ms, {} of audio, {} made up",
        m.candidate_type.as_deref().unwrap_or("no"),
        m.packets,
        m.lost,
        m.jitter_ms,
        duration(ms(m.media_ms)),
        duration(ms(m.concealed_ms))
    ));
    heading(lines, "Usage");
    lines.push(format!(
        "  {} transcribed in {} stream(s), {} characters translated in {} calls, {} posts ({} failed)",
        duration(ms(u.transcribed_ms)),
        u.transcribe_streams,
        u.translated_characters,
        u.translations,
        u.posts,
        u.posts_failed
    ));
    lines.push(format!(
        "  {} of processor time, {} at most",
        duration(ms(worker.cpu_ms)),
        mebibytes(worker.peak_memory_bytes)
    ));
    let c = cost(row, now);
    lines.push(format!(
        "  {} = compute {} + transcription {} + translation {} + delivery {} (list prices)",
        dollars(c.total),
        dollars(c.compute),
        dollars(c.transcribe),
        dollars(c.translate),
        dollars(c.delivery)
    ));
    lines.push(format!("  service: {:?}, last heartbeat {} ago", worker.rung, age(worker.heartbeat_at, now)));
}

fn ms(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn history(record: &Record) -> String {
    match record {
        Record::Row(row) => {
            format!("  {}  {}  {:?}: {}", row.generation, utc(row.phase_since), row.phase, row.why.text)
        }
        Record::Unreadable { record, problem, .. } => format!("  {record}: cannot be read: {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};

    #[test]
    fn the_timeline_is_in_order_and_complete() {
        let whats: Vec<_> = moments(&row("a-b-001")).into_iter().map(|(_, what)| what).collect();
        assert_eq!(
            whats,
            [
                "generation 1 decided",
                "task 01234567 launched",
                "container started",
                "worker 0.1.0 began",
                "channel joined",
                "first audio",
                "Live: audio flows",
                "first caption posted",
            ]
        );
    }

    #[test]
    fn earlier_generations_are_kept_in_sight() {
        let mut old = row("a-b-001");
        old.why.text = "the host went away".into();
        let records = [row("a-b-001"), old].map(|r| Record::Row(Box::new(r)));
        let page = page(&records, Timestamp(T0 + 10_000), 100);
        assert!(page.contains("Earlier generations") && page.contains("the host went away"), "{page}");
    }

    #[test]
    fn a_row_without_a_worker_still_has_a_page() {
        let mut row = row("a-b-001");
        row.worker = None;
        row.task = None;
        assert!(page(&[Record::Row(Box::new(row))], Timestamp(T0), 100).contains("generation 1 decided"));
    }
}
