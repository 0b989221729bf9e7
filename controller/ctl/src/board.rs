//! `list`: one line per session.

use crate::money::{cost, dollars};
use crate::store::Record;
use crate::text::{age, age_or_dash, cut};
use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use schemas::ids::{TaskArn, Timestamp};
use schemas::worker::{LanguageStatus, Phase, WorkerRow};
use serde_json::{Value, json};

/// Columns of a table that goes to a file or a pipe.
pub const PIPE_WIDTH: u16 = 120;
/// From so many columns on all is shown; below, what a person at a small terminal needs first.
const WIDE: u16 = 114;

/// Columns of numbers.
const RIGHT: [usize; 6] = [SINCE, GEN, AGE, LAG, RESTARTS, COST];
const PHASE: usize = 1;
const SINCE: usize = 2;
const GEN: usize = 3;
const TASK: usize = 4;
const AGE: usize = 5;
const LISTENERS: usize = 6;
const LAG: usize = 7;
const RESTARTS: usize = 8;
const COST: usize = 9;
const WHY: usize = 10;

/// The table for people, at most `width` columns wide.
#[must_use]
pub fn table(records: &[Record], now: Timestamp, width: u16) -> String {
    if records.is_empty() {
        return "no sessions".to_owned();
    }
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_HORIZONTAL_ONLY)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width);
    table.set_header([
        "SESSION",
        "PHASE",
        "SINCE",
        "GEN",
        "TASK",
        "AUDIO/\nTEXT/\nSENT",
        "LIS-\nTENERS",
        "LAG\np50/p95",
        "RE-\nSTARTS",
        "COST",
        "WHY",
    ]);
    for record in records {
        table.add_row(match record {
            Record::Row(row) => cells(row, now),
            Record::Unreadable { session, problem, .. } => unreadable(session, problem),
        });
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if RIGHT.contains(&index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        // What is broken over two lines cannot be copied or compared; only lists and sentences may be.
        column.set_constraint(match index {
            GEN | TASK | RESTARTS | COST if width < WIDE => ColumnConstraint::Hidden,
            PHASE if width < WIDE => ColumnConstraint::LowerBoundary(Width::Fixed(11)),
            LISTENERS => ColumnConstraint::LowerBoundary(Width::Fixed(7)),
            WHY => ColumnConstraint::LowerBoundary(Width::Fixed(11)),
            _ => ColumnConstraint::ContentWidth,
        });
    }
    table.trim_fmt()
}

fn cells(row: &WorkerRow, now: Timestamp) -> Vec<Cell> {
    let progress = row.worker.as_ref().map(|w| w.progress.clone()).unwrap_or_default();
    [
        row.session_id.to_string(),
        format!("{:?}", row.phase),
        age(row.phase_since, now),
        row.generation.to_string(),
        row.task.as_ref().map_or_else(|| "-".to_owned(), |t| short_task(&t.arn)),
        [progress.rtp_at, progress.transcript_at, progress.delivery_at].map(|at| age_or_dash(at, now)).join("/"),
        listeners(row),
        lag(row),
        row.restarts.consecutive.to_string(),
        dollars(cost(row, now).total),
        row.why.text.clone(),
    ]
    .into_iter()
    .map(Cell::new)
    .collect()
}

fn unreadable(session: &str, problem: &str) -> Vec<Cell> {
    let mut cells = vec![Cell::new(session), Cell::new("unreadable")];
    cells.resize(WHY, Cell::new("-"));
    cells.push(Cell::new(format!("this sessionctl cannot read the row: {problem}")));
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
    fn a_filter_never_hides_what_cannot_be_read() {
        let kept: Vec<_> = records().into_iter().filter(|r| wanted(r, &[Phase::Failed])).collect();
        assert!(matches!(kept.as_slice(), [Record::Unreadable { .. }]));
    }

    #[test]
    fn an_empty_table_says_so() {
        assert_eq!(table(&[], Timestamp(0), 80), "no sessions");
    }
}
