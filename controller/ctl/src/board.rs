//! `list`: one line per session.

use crate::money::{cost, dollars};
use crate::store::Record;
use crate::text::{age, age_or_dash, cut, wrap};
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, presets};
use schemas::ids::{TaskArn, Timestamp};
use schemas::worker::{LanguageStatus, Phase, WorkerRow};
use serde_json::{Value, json};

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

/// The table for people, at most `width` columns wide: one line of facts per session, and below it why it is so.
#[must_use]
pub fn table(records: &[Record], now: Timestamp, width: u16) -> String {
    if records.is_empty() {
        return "no sessions".to_owned();
    }
    let mut facts =
        facts(records, now, width).lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().into_iter();
    let width = usize::from(width);
    let mut lines: Vec<String> = facts.next().map(|header| cut(&header, width)).into_iter().collect();
    for (line, record) in facts.zip(records) {
        lines.push(cut(&line, width));
        lines.extend(wrap(&why(record), width.saturating_sub(4)).into_iter().map(|text| format!("    {text}")));
    }
    lines.join("\n")
}

fn facts(records: &[Record], now: Timestamp, width: u16) -> Table {
    let mut table = Table::new();
    // Cells are never broken: what stands on two lines cannot be copied or compared.
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header([
        "SESSION",
        "PHASE",
        "SINCE",
        "GEN",
        "TASK",
        "AUDIO/TEXT/SENT",
        "LISTENERS",
        "LAG P50/95",
        "RST",
        "COST",
    ]);
    for record in records {
        table.add_row(match record {
            Record::Row(row) => cells(row, now, width >= WIDE),
            Record::Unreadable { session, .. } => unreadable(session),
        });
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if RIGHT.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if width < WIDE && [GEN, TASK, RESTARTS, COST].contains(&index) {
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
    table
}

fn why(record: &Record) -> String {
    match record {
        Record::Row(row) => row.why.text.clone(),
        Record::Unreadable { problem, .. } => format!("this sessionctl cannot read the row: {problem}"),
    }
}

fn cells(row: &WorkerRow, now: Timestamp, wide: bool) -> Vec<Cell> {
    let progress = row.worker.as_ref().map(|w| w.progress.clone()).unwrap_or_default();
    [
        row.session_id.to_string(),
        cut(&format!("{:?}", row.phase), if wide { 17 } else { 12 }),
        age(row.phase_since, now),
        row.generation.to_string(),
        row.task.as_ref().map_or_else(|| "-".to_owned(), |t| short_task(&t.arn)),
        [progress.rtp_at, progress.transcript_at, progress.delivery_at].map(|at| age_or_dash(at, now)).join("/"),
        if wide { cut(&listeners(row), LANGUAGES) } else { headcount(row) },
        lag(row),
        row.restarts.consecutive.to_string(),
        dollars(cost(row, now).total),
    ]
    .into_iter()
    .map(Cell::new)
    .collect()
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

/// The same for machines: the rows as they stand, with the reckoned cost.
#[must_use]
pub fn json(records: &[Record], now: Timestamp) -> Value {
    let sessions: Vec<Value> = records
        .iter()
        .map(|record| match record {
            Record::Row(row) => json!({ "row": row, "cost": cost(row, now) }),
            Record::Unreadable { session, record, problem } => {
                json!({ "unreadable": { "sessionId": session, "record": record, "problem": problem } })
            }
        })
        .collect();
    json!({ "at": now, "sessions": sessions })
}

/// Whether a row is wanted: every row when no phase is named, and unreadable ones always.
#[must_use]
pub fn wanted(record: &Record, phases: &[Phase]) -> bool {
    match record {
        Record::Row(row) => phases.is_empty() || phases.contains(&row.phase),
        Record::Unreadable { .. } => true,
    }
}

/// One line that counts the phases, for the foot of a live table.
#[must_use]
pub fn summary(records: &[Record], width: u16) -> String {
    let count = |wanted: fn(&Record) -> bool| records.iter().filter(|r| wanted(r)).count();
    let failed = count(|r| r.row().is_some_and(|row| row.phase == Phase::Failed));
    let ended = count(|r| r.row().is_some_and(|row| row.phase == Phase::Stopped));
    let unreadable = count(|r| r.row().is_none());
    let open = records.len() - failed - ended - unreadable;
    cut(&format!("{open} open · {ended} stopped · {failed} failed · {unreadable} unreadable"), usize::from(width))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};
    use unicode_width::UnicodeWidthStr;

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
        let shown = table(&records(), Timestamp(T0 + 10_000), 120);
        for word in ["blessed-shepherd-123", "Live", "7s", "01234567", "1s/2s/2s", "es×2", "1.1/1.9s", "audio flows"] {
            assert!(shown.contains(word), "{word} is missing:\n{shown}");
        }
    }

    #[test]
    fn a_row_that_cannot_be_read_is_shown_as_such() {
        let shown = table(&records(), Timestamp(T0), 120);
        assert!(shown.contains("odd-one-007") && shown.contains("unreadable"), "{shown}");
    }

    #[test]
    fn the_table_keeps_to_its_width() {
        for width in [80, 100, 120, 160] {
            let shown = table(&records(), Timestamp(T0 + 10_000), width);
            assert!(shown.lines().all(|line| line.width() <= usize::from(width)), "{width}:\n{shown}");
        }
    }

    #[test]
    fn every_session_has_one_line_of_facts_and_its_why_below() {
        let shown = table(&records(), Timestamp(T0 + 10_000), 120);
        let lines: Vec<_> = shown.lines().collect();
        assert_eq!(lines.len(), 5, "{shown}");
        assert!(lines[1].starts_with("blessed-shepherd-123") && lines[2] == "    audio flows", "{shown}");
    }

    #[test]
    fn a_filter_never_hides_what_cannot_be_read() {
        let kept: Vec<_> = records().into_iter().filter(|r| wanted(r, &[Phase::Failed])).collect();
        assert!(matches!(kept.as_slice(), [Record::Unreadable { .. }]));
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(table(&[], Timestamp(0), 80), "no sessions");
    }
}
