//! `list`: one line per session.

use crate::concerns::concerns;
use crate::definitions::{Definitions, revision};
use crate::money::{cost, dollars};
use crate::orders;
use crate::store::Record;
use crate::text::{age, age_or_dash, cut, page, wrap};
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use schemas::ids::{TaskArn, Timestamp};
use schemas::worker::{LanguageStatus, Phase, Progress, WorkerRow};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Columns of a table that goes to a file or a pipe.
pub const PIPE_WIDTH: u16 = 120;
/// From so many columns on all is shown; below, what a person at a small terminal needs first.
const WIDE: u16 = 110;
/// Longest list of languages in a line.
const LANGUAGES: usize = 24;

const SINCE: usize = 2;
const GEN: usize = 3;
const TASK: usize = 4;
const AGES: usize = 5;
const LAG: usize = 7;
const RESTARTS: usize = 8;
const COST: usize = 9;
/// Columns of numbers.
const RIGHT: [usize; 6] = [SINCE, GEN, AGES, LAG, RESTARTS, COST];

/// What a table is drawn with.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The time that ages are counted to.
    pub now: Timestamp,
    /// Columns of the terminal.
    pub width: u16,
    /// What ECS says of task definitions.
    pub definitions: &'a Definitions,
}

/// The table for people, at most `width` columns wide: one line of facts per session, and below it why it is so and what
/// is not fine.
#[must_use]
pub fn table(records: &[Record], scene: Scene<'_>) -> String {
    if records.is_empty() {
        return "no sessions".to_owned();
    }
    let mut facts =
        facts(records, scene).lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().into_iter();
    let width = usize::from(scene.width);
    let mut lines: Vec<String> = facts.next().map(|header| cut(&header, width)).into_iter().collect();
    for (line, record) in facts.zip(records) {
        lines.push(cut(&line, width));
        for (mark, text) in below(record, scene) {
            let wrapped = wrap(&text, width.saturating_sub(4)).into_iter();
            lines.extend(wrapped.enumerate().map(|(i, text)| format!("  {} {text}", if i == 0 { mark } else { ' ' })));
        }
    }
    lines.join("\n")
}

/// A table without borders whose cells are never broken: what stands on two lines cannot be copied or compared.
#[must_use]
pub fn stylesheet() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn facts(records: &[Record], scene: Scene<'_>) -> Table {
    let mut table = stylesheet();
    let wide = scene.width >= WIDE;
    table.set_header([
        "SESSION",
        "PHASE",
        "SINCE",
        "GEN",
        "TASK",
        if wide { "AUDIO/TEXT/TRANSL/SENT" } else { "AUDIO/TEXT/SENT" },
        "LISTENERS",
        "LAG P50/95",
        "RST",
        "COST",
    ]);
    for record in records {
        table.add_row(match record {
            Record::Row(row) => cells(row, scene, wide),
            Record::Unreadable { session, .. } => unreadable(session),
        });
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if RIGHT.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if !wide && [GEN, TASK, RESTARTS, COST].contains(&index) {
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
    table
}

/// What stands below the facts: `!` what is not fine, `*` what operators have ordered, and why.
fn below(record: &Record, scene: Scene<'_>) -> Vec<(char, String)> {
    match record {
        Record::Row(row) => {
            let marks = orders::marks(row, scene.now).join("; ");
            let mut concerns = concerns(row, scene.now);
            if row.phase.is_final() {
                concerns.clear(); // The phase says it, and why stands there.
            }
            let old =
                if scene.definitions.is_old(row) { vec!["on an old task definition".to_owned()] } else { Vec::new() };
            let said = [(' ', row.why.text.clone()), ('!', concerns.join("; ")), ('*', marks), ('~', old.join("; "))];
            said.into_iter().filter(|(_, text)| !text.is_empty()).collect()
        }
        Record::Unreadable { problem, .. } => {
            vec![('!', format!("this sessionctl cannot read the row: {problem}"))]
        }
    }
}

fn cells(row: &WorkerRow, scene: Scene<'_>, wide: bool) -> Vec<Cell> {
    let now = scene.now;
    let progress = row.worker.as_ref().map(|w| w.progress.clone()).unwrap_or_default();
    [
        row.session_id.to_string(),
        cut(&format!("{:?}", row.phase), if wide { 17 } else { 12 }),
        age(row.phase_since, now),
        row.generation.to_string(),
        row.task.as_ref().map_or_else(|| "-".to_owned(), |t| short_task(&t.arn)),
        stages(&progress, wide).map(|at| age_or_dash(at, now)).collect::<Vec<_>>().join("/"),
        if wide { cut(&listeners(row), LANGUAGES) } else { headcount(row) },
        lag(row),
        row.restarts.consecutive.to_string(),
        dollars(cost(row, scene.definitions.size(row), now).total),
    ]
    .into_iter()
    .map(Cell::new)
    .collect()
}

/// The last progress of each stage; translation where there is room for it.
fn stages(progress: &Progress, wide: bool) -> impl Iterator<Item = Option<Timestamp>> {
    let translation = wide.then_some(progress.translation_at);
    [Some(progress.rtp_at), Some(progress.transcript_at), translation, Some(progress.delivery_at)].into_iter().flatten()
}

fn unreadable(session: &str) -> Vec<Cell> {
    let mut cells = vec![Cell::new(session), Cell::new("unreadable")];
    cells.resize(COST + 1, Cell::new("-"));
    cells
}

/// The last characters of the task's id: what the ECS console shows is searched by them.
#[must_use]
pub fn short_task(arn: &TaskArn) -> String {
    let id = arn.as_str().rsplit('/').next().unwrap_or_default();
    id.chars().take(8).collect()
}

fn listeners(row: &WorkerRow) -> String {
    let languages = row.worker.iter().flat_map(|w| &w.languages);
    let shown: Vec<_> = languages.map(|(language, status)| format!("{language}\u{d7}{}", status.listeners)).collect();
    if shown.is_empty() { "-".to_owned() } else { shown.join(" ") }
}

/// `16 in 3`: listeners and languages.
fn headcount(row: &WorkerRow) -> String {
    let languages = || row.worker.iter().flat_map(|w| w.languages.values());
    let (heads, count) = (languages().map(|l| l.listeners).sum::<u32>(), languages().count());
    if count == 0 { "-".to_owned() } else { format!("{heads} in {count}") }
}

/// The worst language's median and 95th percentile: the table is read to find what is not fine.
fn lag(row: &WorkerRow) -> String {
    let worst = |of: fn(&LanguageStatus) -> Option<u64>| {
        row.worker.iter().flat_map(|w| w.languages.values()).filter_map(of).max()
    };
    match (worst(|l| l.lag_p50_ms), worst(|l| l.lag_p95_ms)) {
        (Some(p50), Some(p95)) => format!("{}/{}s", tenths(p50), tenths(p95)),
        (Some(_), None) | (None, Some(_)) | (None, None) => "-".to_owned(),
    }
}

/// Milliseconds as seconds with one decimal, rounded.
#[must_use]
pub fn tenths(ms: u64) -> String {
    let tenths = (ms + 50) / 100;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// The same for machines: the rows as they stand, with the reckoned cost and what is not fine.
#[must_use]
pub fn json(records: &[Record], definitions: &Definitions, now: Timestamp) -> Value {
    let sessions: Vec<Value> = records
        .iter()
        .map(|record| match record {
            Record::Row(row) => json!({
                "row": row,
                "cost": cost(row, definitions.size(row), now),
                "concerns": concerns(row, now),
                "oldTaskDefinition": definitions.is_old(row),
            }),
            Record::Unreadable { session, record, problem } => {
                json!({ "unreadable": { "sessionId": session, "record": record, "problem": problem } })
            }
        })
        .collect();
    json!({ "at": now, "taskDefinition": definitions.current.as_ref().map(|c| &c.arn), "sessions": sessions })
}

/// The counters at the foot: `3 live, 1 queued (no capacity), 1 held; task definition :7 registered 2d03h ago`.
#[must_use]
pub fn summary(records: &[Record], scene: Scene<'_>) -> String {
    let rows = || records.iter().filter_map(Record::row);
    let mut said: Vec<String> = Vec::new();
    for phase in PHASES {
        let those: Vec<_> = rows().filter(|row| row.phase == phase).collect();
        if those.is_empty() {
            continue;
        }
        let mut line = format!("{} {}", those.len(), in_words(phase));
        if matches!(phase, Phase::Queued | Phase::Failed) {
            let causes: BTreeSet<String> = those.iter().map(|row| spaced(&format!("{:?}", row.why.cause))).collect();
            line.push_str(&format!(" ({})", causes.into_iter().collect::<Vec<_>>().join(", ")));
        }
        said.push(line);
    }
    let mut count = |n: usize, what: &str| said.extend((n > 0).then(|| format!("{n} {what}")));
    count(records.len() - rows().count(), "unreadable");
    count(rows().filter(|row| !row.phase.is_final() && orders::held(row, scene.now).is_some()).count(), "held");
    count(rows().filter(|row| orders::pending(row).is_some()).count(), "with a pending order");
    count(rows().filter(|row| !row.phase.is_final() && !concerns(row, scene.now).is_empty()).count(), "not fine");
    count(rows().filter(|row| scene.definitions.is_old(row)).count(), "on an old task definition");
    if said.is_empty() {
        said.push("nothing runs".to_owned());
    }
    let definition = match (&scene.definitions.current, &scene.definitions.problem) {
        (Some(current), _) => {
            let registered = current.registered_at.map(|at| format!(", registered {} ago", age(at, scene.now)));
            format!(" · task definition :{}{}", revision(&current.arn), registered.unwrap_or_default())
        }
        (None, Some(problem)) => format!(" · task definition unknown: {problem}"),
        (None, None) => String::new(),
    };
    page([format!("{}{definition}", said.join(", "))], usize::from(scene.width))
}

/// The order in which the counters stand.
const PHASES: [Phase; 9] = [
    Phase::Live,
    Phase::Paused,
    Phase::WaitingForSpeaker,
    Phase::Joining,
    Phase::Launching,
    Phase::Queued,
    Phase::Draining,
    Phase::Failed,
    Phase::Stopped,
];

fn in_words(phase: Phase) -> String {
    spaced(&format!("{phase:?}"))
}

/// `NoCapacity` as `no capacity`.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(c.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};
    use unicode_width::UnicodeWidthStr;

    static NONE: Definitions = Definitions { current: None, sizes: std::collections::BTreeMap::new(), problem: None };

    fn at(now: i64, width: u16) -> Scene<'static> {
        Scene { now: Timestamp(now), width, definitions: &NONE }
    }

    fn records() -> Vec<Record> {
        vec![
            Record::Row(Box::new(row("blessed-shepherd-123"))),
            Record::Unreadable {
                session: "odd-one-007".into(),
                record: "current".into(),
                problem: "missing field `schema`".into(),
            },
        ]
    }

    #[test]
    fn a_row_says_what_moves_and_how_late_it_is() {
        let shown = table(&records(), at(T0 + 10_000, 120));
        for word in ["blessed-shepherd-123", "Live", "7s", "01234567", "1s/2s/3s/2s", "es×2", "1.1/1.9s", "audio flows"]
        {
            assert!(shown.contains(word), "{word} is missing:\n{shown}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_is_shown_as_such() {
        let shown = table(&records(), at(T0, 120));
        assert!(shown.contains("odd-one-007") && shown.contains("unreadable"), "{shown}");
    }

    #[test]
    fn the_table_keeps_to_its_width() {
        for width in [80, 100, 120, 160] {
            let shown = table(&records(), at(T0 + 10_000, width));
            assert!(shown.lines().all(|line| line.width() <= usize::from(width)), "{width}:\n{shown}");
        }
    }

    #[test]
    fn every_session_has_one_line_of_facts_and_its_why_below() {
        let shown = table(&records(), at(T0 + 10_000, 120));
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 5, "{shown}");
        assert!(lines[1].starts_with("blessed-shepherd-123") && lines[2] == "    audio flows", "{shown}");
    }

    #[test]
    fn the_counters_say_why_sessions_wait() {
        let mut queued = row("a-b-002");
        queued.phase = Phase::Queued;
        queued.why = schemas::reason::Why::new(schemas::reason::Cause::NoCapacity, "no room", Timestamp(T0));
        queued.operator.hold = Some(schemas::operator::Hold {
            until: Timestamp(T0 + 99_000),
            signed: schemas::operator::Signed { by: "alice".into(), at: Timestamp(T0), note: "call me".into() },
        });
        let records = [row("a-b-001"), queued].map(|row| Record::Row(Box::new(row)));
        let said = summary(&records, at(T0 + 10_000, 120));
        assert_eq!(said, "1 live, 1 queued (no capacity), 1 held, 1 not fine");
        let shown = table(&records, at(T0 + 10_000, 120));
        assert!(
            shown.contains("  * held for 1m29s by alice (\"call me\")") && shown.contains("  ! has no worker"),
            "{shown}"
        );
    }

    #[test]
    fn an_old_task_definition_is_marked() {
        let definitions = Definitions {
            current: Some(crate::definitions::Current {
                arn: "arn:aws:ecs:us-east-1:000000000000:task-definition/session-worker-dev:8".into(),
                registered_at: Some(Timestamp(T0)),
            }),
            ..Definitions::default()
        };
        let scene = Scene { definitions: &definitions, ..at(T0 + 10_000, 120) };
        let mut rows = records();
        if let Record::Row(row) = &mut rows[0]
            && let Some(intent) = &mut row.intent
        {
            intent.task_definition =
                Some("arn:aws:ecs:us-east-1:000000000000:task-definition/session-worker-dev:7".into());
        }
        assert!(table(&rows, scene).contains("~ on an old task definition"));
        assert!(summary(&rows, scene).ends_with("task definition :8, registered 10s ago"), "{}", summary(&rows, scene));
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(table(&[], at(0, 80)), "no sessions");
    }
}
