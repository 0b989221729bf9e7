//! `show`: one session in full.

use crate::board::{Scene, short_task, tenths};
use crate::definitions::{Definitions, revision};
use crate::money::{claimed_at, cost, dollars};
use crate::orders;
use crate::store::{Kept, Record};
use crate::text::{self, age, duration, mebibytes, utc, wrap};
use crate::voice;
use crate::why::{self, Theirs};
use schemas::ids::Timestamp;
use schemas::worker::{Media, MediaState, Step, WorkerRow, WorkerStatus};

/// The current row in full, and the story of every generation that is kept.
#[must_use]
pub fn page(kept: &Kept, theirs: &Theirs, scene: Scene<'_>) -> String {
    let mut lines = Vec::new();
    match &kept.current {
        Record::Row(row) => current(&mut lines, row, kept, theirs, scene),
        Record::Unreadable { session, record, problem } => {
            lines.push(format!("{session}: the row {record:?} cannot be read by this sessionctl: {problem}"));
        }
    }
    for record in &kept.earlier {
        earlier(&mut lines, record, &kept.steps, scene);
    }
    text::page(lines, usize::from(scene.width))
}

fn heading(lines: &mut Vec<String>, title: &str) {
    lines.push(String::new());
    lines.push(title.to_owned());
}

fn current(lines: &mut Vec<String>, row: &WorkerRow, kept: &Kept, theirs: &Theirs, scene: Scene<'_>) {
    let decision = why::Decision::read(kept.decision.as_deref());
    lines.extend(wrap(&why::paragraph(row, decision.as_ref(), Some(theirs), scene.now), usize::from(scene.width)));
    let mut orders = orders::past(row, &kept.orders);
    orders.extend(orders::sentences(row, scene.now));
    if !orders.is_empty() {
        heading(lines, "Operators");
        lines.extend(orders.into_iter().map(|order| format!("  {order}")));
    }
    heading(lines, &format!("Generation {}", row.generation));
    timeline(lines, row, &kept.steps, scene.width);
    start_up(lines, row);
    task(lines, row, scene.definitions);
    if let Some(worker) = &row.worker {
        languages(lines, worker);
        voice(lines, worker);
        media_and_usage(lines, worker, scene);
    }
    lines.extend(price(row, scene));
}

fn earlier(lines: &mut Vec<String>, record: &Record, steps: &[Step], scene: Scene<'_>) {
    match record {
        Record::Row(row) => {
            heading(lines, &format!("Generation {}", row.generation));
            timeline(lines, row, steps, scene.width);
            start_up(lines, row);
            lines.extend(orders::sentences(row, scene.now).into_iter().map(|order| format!("  {order}")));
            lines.extend(price(row, scene));
        }
        Record::Unreadable { record, problem, .. } => {
            heading(lines, record);
            lines.push(format!("  cannot be read: {problem}"));
        }
    }
}

/// Where the time of the start went: each step from the one before.
fn start_up(lines: &mut Vec<String>, row: &WorkerRow) {
    let (Some(intent), Some(task)) = (&row.intent, &row.task) else { return };
    let s = row.worker.as_ref().map(|w| w.start_up.clone()).unwrap_or_default();
    let claimed = claimed_at(row);
    let of_a_launch = |at: Option<Timestamp>| at.filter(|_| claimed.is_none());
    let begun = claimed.map_or(intent.decided_at, |at| s.process_at.unwrap_or(at));
    let steps = [
        ("RunTask", of_a_launch(Some(task.launched_at))),
        ("image and container", of_a_launch(task.started_at.or(s.process_at))),
        ("process", of_a_launch(s.process_at)),
        ("channel joined", s.joined_at),
        ("first audio", s.first_audio_at),
        ("first caption", s.first_caption_at),
    ];
    let mut before = begun;
    let mut said = Vec::new();
    for (what, at) in steps {
        if let Some(at) = at {
            said.push(format!("{what} {}", duration(at.since(before))));
            before = before.max(at);
        }
    }
    let total = s
        .first_caption_at
        .map_or_else(String::new, |at| format!(" = {} to the first caption", duration(at.since(begun))));
    let how = if claimed.is_some() { ", restarted within its task" } else { "" };
    lines.push(format!("  start-up{how}: {}{total}", said.join(" + ")));
}

fn task(lines: &mut Vec<String>, row: &WorkerRow, definitions: &Definitions) {
    let Some(task) = &row.task else { return };
    let size = definitions.size(row);
    let definition = row.intent.as_ref().and_then(|i| i.task_definition.as_deref());
    lines.push(format!(
        "  task {} is {}, definition {}{}, {} vCPU, {} GB, {}{}",
        short_task(&task.arn),
        task.last_status,
        definition.map_or_else(|| "not recorded".to_owned(), |arn| format!(":{}", revision(arn))),
        if definitions.is_old(row) { " (old)" } else { "" },
        size.vcpu,
        size.gb,
        if size.arm64 { "arm64" } else { "x86_64" },
        if size.read { "" } else { " (assumed)" },
    ));
    if let Some(reason) = &task.stopped_reason {
        lines.push(format!("  ECS says: {} ({reason})", task.stop_code.as_deref().unwrap_or("no stop code")));
    }
}

fn price(row: &WorkerRow, scene: Scene<'_>) -> Option<String> {
    row.task.as_ref()?;
    let c = cost(row, scene.definitions.size(row), scene.now);
    Some(format!(
        "  {} = Fargate {} + IP {} + Transcribe {} + Translate {} + posts {} + rows {} (list prices)",
        dollars(c.total),
        dollars(c.fargate),
        dollars(c.address),
        dollars(c.transcribe),
        dollars(c.translate),
        dollars(c.posts),
        dollars(c.relay + c.rows)
    ))
}

/// Every moment of the row's generation that is known, in order: what the row says, and every phase with its reason, of which
/// the row itself keeps the last.
#[must_use]
pub fn moments(row: &WorkerRow, steps: &[Step]) -> Vec<(Timestamp, String)> {
    let mut moments: Vec<(Timestamp, String)> = Vec::new();
    let mut add = |at: Option<Timestamp>, what: String| moments.extend(at.map(|at| (at, what)));
    let is_launch = claimed_at(row).is_none();
    if is_launch {
        add(row.intent.as_ref().map(|i| i.decided_at), format!("generation {} decided", row.generation));
    }
    if let Some(task) = &row.task {
        if is_launch {
            add(Some(task.launched_at), format!("task {} launched", short_task(&task.arn)));
            add(task.started_at, "container started".into());
        }
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
    add(row.channel_deleted_at, "signaling channel deleted".into());
    let steps = || steps.iter().filter(|step| step.generation == row.generation);
    for step in steps() {
        add(Some(step.at), format!("{:?}: {}", step.phase, step.why.text));
    }
    if !steps().any(|step| step.phase == row.phase && step.at >= row.phase_since) {
        add(Some(row.phase_since), format!("{:?}: {}", row.phase, row.why.text));
    }
    moments.sort_by_key(|(at, _)| *at);
    moments
}

fn timeline(lines: &mut Vec<String>, row: &WorkerRow, steps: &[Step], width: u16) {
    let mut before: Option<Timestamp> = None;
    for (at, what) in moments(row, steps) {
        let step = before.map_or_else(String::new, |b| format!("+{}", duration(at.since(b))));
        let head = format!("  {}  {step:>8}  ", utc(at));
        let room = usize::from(width).saturating_sub(head.len()).max(20);
        let blank = " ".repeat(head.len());
        let told = wrap(&what, room).into_iter().enumerate();
        lines.extend(told.map(|(i, text)| format!("{}{text}", if i == 0 { &head } else { &blank })));
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

fn voice(lines: &mut Vec<String>, worker: &WorkerStatus) {
    let (sound, model) = (worker.voice.iter().map(voice::flagged), worker.voice_model.iter().map(voice::model));
    let told: Vec<String> = sound.chain(model).chain(worker.audio_quality.iter().map(voice::microphone)).collect();
    if !told.is_empty() {
        heading(lines, "Voice");
        lines.extend(told.into_iter().map(|line| format!("  {line}")));
    }
}

fn media_and_usage(lines: &mut Vec<String>, worker: &WorkerStatus, scene: Scene<'_>) {
    let (m, u) = (&worker.media, &worker.usage);
    heading(lines, "Media");
    lines.push(way(m, worker.progress.rtp_at, scene.now));
    lines.extend(packets(m));
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
    lines.push(format!("  service: {:?}, last heartbeat {} ago", worker.rung, age(worker.heartbeat_at, scene.now)));
}

/// How the audio comes: the worker's candidate, then the speaker's.
fn way(m: &Media, rtp_at: Option<Timestamp>, now: Timestamp) -> String {
    let state = m.state.map_or_else(String::new, |state| format!("{}, ", format!("{state:?}").to_lowercase()));
    let which = if m.state.is_none_or(|state| state == MediaState::Connected) { "path" } else { "last path" };
    let path = match (&m.candidate_type, &m.remote_candidate_type) {
        (None, _) => "no path".to_owned(),
        (Some(own), None) => format!("{which} {own}"),
        (Some(own), Some(speakers)) => format!("{which} {own} to {speakers}"),
    };
    let round_trip = m.round_trip_ms.map_or_else(String::new, |ms| format!(", round trip {ms:.1} ms"));
    let last = rtp_at.map_or_else(|| "no packet yet".to_owned(), |at| format!("last packet {} ago", age(at, now)));
    format!("  {state}{path}{round_trip}, {last}, {} kbit/s", m.bitrate / 1_000)
}

/// What came of it, and what it took to keep it.
fn packets(m: &Media) -> [String; 2] {
    [
        format!(
            "  {} packets, {} lost ({} of them recovered by RED, {} by FEC; {} late), jitter {:.1} ms, buffer {:.0} ms",
            m.packets, m.lost, m.red_recovered, m.fec_recovered, m.late, m.jitter_ms, m.buffer_ms
        ),
        format!(
            "  {} of audio, {} made up, clock {:+.0} ms; {} connection(s), {} ICE restart(s), audio taken away {} time(s)",
            duration(ms(m.media_ms)),
            duration(ms(m.concealed_ms)),
            m.clock_drift_ms,
            m.peers,
            m.ice_restarts,
            m.stolen
        ),
    ]
}

fn ms(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};

    #[test]
    fn the_timeline_is_in_order_and_complete() {
        let whats: Vec<_> = moments(&row("a-b-001"), &[]).into_iter().map(|(_, what)| what).collect();
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
    fn a_path_that_is_gone_is_called_the_last_one() {
        let (host, prflx) = (Some("host".to_owned()), Some("prflx".to_owned()));
        let media = Media {
            candidate_type: host,
            remote_candidate_type: prflx,
            round_trip_ms: Some(0.52),
            bitrate: 33_400,
            ..Media::default()
        };
        let told =
            |state| way(&Media { state: Some(state), ..media.clone() }, Some(Timestamp(T0)), Timestamp(T0 + 2_000));
        let connected = "  connected, path host to prflx, round trip 0.5 ms, last packet 2s ago, 33 kbit/s";
        assert_eq!(told(MediaState::Connected), connected);
        assert!(told(MediaState::Offering).starts_with("  offering, last path host to prflx"));
        let nothing = Media { state: Some(MediaState::Offering), ..Media::default() };
        assert_eq!(way(&nothing, None, Timestamp(T0)), "  offering, no path, no packet yet, 0 kbit/s");
    }

    #[test]
    fn every_phase_stands_in_the_timeline_with_its_reason_and_the_last_one_once() {
        use schemas::reason::{Cause, Why};
        use schemas::worker::Phase;
        let step = |generation, phase, at, cause, text: &str| Step {
            generation: schemas::ids::Generation(generation),
            phase,
            at: Timestamp(T0 + at),
            why: Why::new(cause, text, Timestamp(T0 + at)),
        };
        let row = row("a-b-001");
        let steps = [
            step(1, Phase::Queued, -60_000, Cause::NoCapacity, "no room"),
            step(1, Phase::Launching, 0, Cause::SessionActive, "the session row wants a worker"),
            step(1, Phase::Live, 3_000, Cause::SessionActive, "audio flows"),
            step(2, Phase::Launching, 9_000, Cause::SessionActive, "of another generation"),
        ];
        let whats: Vec<_> = moments(&row, &steps).into_iter().map(|(_, what)| what).collect();
        assert_eq!(whats[0], "Queued: no room");
        assert!(whats.contains(&"Launching: the session row wants a worker".to_owned()), "{whats:?}");
        assert_eq!(whats.iter().filter(|what| what.starts_with("Live")).count(), 1, "{whats:?}");
        assert!(!whats.iter().any(|what| what.contains("another generation")), "{whats:?}");
    }

    fn shown(current: WorkerRow, earlier: Vec<WorkerRow>) -> String {
        let kept = Kept {
            current: Record::Row(Box::new(current)),
            section: orders::Section::Present,
            earlier: earlier.into_iter().map(|row| Record::Row(Box::new(row))).collect(),
            decision: None,
            steps: Vec::new(),
            orders: Vec::new(),
        };
        page(
            &kept,
            &Theirs::Read(None),
            Scene { now: Timestamp(T0 + 10_000), width: 100, definitions: &Definitions::default() },
        )
    }

    #[test]
    fn earlier_generations_are_told_as_fully() {
        let mut old = row("a-b-001");
        old.generation = schemas::ids::Generation(7);
        old.why.text = "the host went away".into();
        let page = shown(row("a-b-001"), vec![old]);
        assert!(page.contains("\nGeneration 7\n") && page.contains("the host went away"), "{page}");
        assert_eq!(page.matches("start-up:").count(), 2, "{page}");
    }

    #[test]
    fn a_worker_that_was_restarted_within_its_task_is_told_from_there_on() {
        let mut current = row("a-b-001");
        current.generation = schemas::ids::Generation(2);
        let text = "the process of generation 1 ended unexpectedly; ECS restarted it within its task";
        let why = schemas::reason::Why::new(schemas::reason::Cause::WorkerCrashed, text, Timestamp(T0 + 1_150));
        current.restarts.last = Some(why);
        let page = shown(current, Vec::new());
        assert!(!page.contains("decided") && !page.contains("launched"), "that was generation 1: {page}");
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            page.contains("start-up, restarted within its task: channel joined 400ms + first audio 1.5s"),
            "{page}"
        );
    }

    #[test]
    fn the_start_up_says_where_the_time_went() {
        let page = shown(row("a-b-001"), Vec::new());
        let told = "start-up: RunTask 200ms + image and container 800ms + process 100ms + channel joined 400ms + first audio 1.5s + first caption 3.0s = 6.0s to the first caption";
        let page = page.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(page.contains(told), "{page}");
    }

    #[test]
    fn a_line_tells_how_the_speaker_sounds_and_one_how_good_the_microphone_is() {
        let golden: WorkerRow = serde_json::from_str(include_str!("../../../schemas/golden/worker-row.json")).unwrap();
        let mut row = row("a-b-001");
        row.worker = golden.worker;
        let page = shown(row, Vec::new()).split_whitespace().collect::<Vec<_>>().join(" ");
        for told in [
            "medium, -17 dBFS (+1 dB) · slow, 118 words/min · 212 Hz (+0.6 semitones)",
            "model mine.onnx: 41 utterances judged, 3 skipped, 1 too late, 2 failed",
            "signal to noise 18 dB, loudness -24 LUFS, 0.0 % clipped, echo none, 0.2 % of packets lost; wrong now: snr low; warned of snr low 2×, silence 1×",
        ] {
            assert!(page.contains(told), "{page}");
        }
    }

    #[test]
    fn a_row_without_a_worker_still_has_a_page() {
        let mut row = row("a-b-001");
        row.worker = None;
        row.task = None;
        assert!(shown(row, Vec::new()).contains("generation 1 decided"));
    }
}
