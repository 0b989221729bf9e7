//! `cost`: what sessions have cost, part by part.

use crate::board::stylesheet;
use crate::definitions::Definitions;
use crate::money::{Cost, assumptions, cost, dollars};
use crate::store::Record;
use crate::text::{cut, page};
use comfy_table::{Cell, CellAlignment, ColumnConstraint};
use schemas::ids::Timestamp;
use schemas::worker::WorkerRow;
use serde_json::{Value, json};

/// A day, ms.
const DAY: i64 = 86_400_000;

/// From so many columns on every part is shown; below, those that matter.
const WIDE: u16 = 100;
/// Columns of the parts that are a hundredth of the whole.
const SMALL: [usize; 3] = [7, 8, 9];

/// One line of the bill.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// The session.
    pub session: String,
    /// The generation.
    pub generation: u64,
    /// What it cost.
    pub cost: Cost,
    /// Whether the task's size was read, not assumed.
    pub size_read: bool,
}

/// A line per generation that ran since `from`; `None` takes all.
#[must_use]
pub fn lines(records: &[Record], definitions: &Definitions, from: Option<Timestamp>, now: Timestamp) -> Vec<Line> {
    let rows = records.iter().filter_map(Record::row).filter(|row| ran_since(row, from));
    rows.map(|row| {
        let size = definitions.size(row);
        Line {
            session: row.session_id.to_string(),
            generation: row.generation.0,
            cost: cost(row, size, now),
            size_read: size.read,
        }
    })
    .collect()
}

fn ran_since(row: &WorkerRow, from: Option<Timestamp>) -> bool {
    let Some(task) = &row.task else { return false };
    let last =
        task.stopped_at.unwrap_or(row.phase_since).max(row.worker.as_ref().map_or(row.phase_since, |w| w.heartbeat_at));
    from.is_none_or(|from| last >= from)
}

/// Midnight, UTC.
#[must_use]
pub fn midnight(now: Timestamp) -> Timestamp {
    Timestamp(now.0.div_euclid(DAY) * DAY)
}

/// The sum.
#[must_use]
pub fn total(lines: &[Line]) -> Cost {
    lines.iter().fold(Cost::default(), |mut sum, line| {
        sum += line.cost;
        sum
    })
}

/// The table for people, with its assumptions below.
#[must_use]
pub fn table(lines: &[Line], width: u16) -> String {
    if lines.is_empty() {
        return "nothing ran: no cost".to_owned();
    }
    let mut table = stylesheet();
    table.set_header(["SESSION", "GEN", "TOTAL", "TRANSCRIBE", "TRANSLATE", "FARGATE", "POSTS", "IP", "RELAY", "ROWS"]);
    for line in lines {
        table.add_row(cells(&line.session, &line.generation.to_string(), &line.cost));
    }
    if lines.len() > 1 {
        table.add_row(cells("total", &lines.len().to_string(), &total(lines)));
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 1));
        if index > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
        if width < WIDE && SMALL.contains(&index) {
            column.set_constraint(ColumnConstraint::Hidden);
        }
    }
    let width = usize::from(width);
    let mut said: Vec<String> = table.lines().map(|line| cut(line.trim_end(), width)).collect();
    said.push(String::new());
    if lines.iter().any(|line| !line.size_read) {
        said.push(
            "Size of some tasks not read: 0.25 vCPU, 0.5 GB, arm64 assumed (default of infra/lib/config.ts).".into(),
        );
    }
    said.extend(assumptions());
    page(said, width)
}

fn cells(session: &str, generation: &str, c: &Cost) -> Vec<Cell> {
    let parts = [c.total, c.transcribe, c.translate, c.fargate, c.posts, c.address, c.relay, c.rows];
    [session.to_owned(), generation.to_owned()].into_iter().chain(parts.map(dollars)).map(Cell::new).collect()
}

/// The same for machines.
#[must_use]
pub fn json(lines: &[Line], now: Timestamp) -> Value {
    let each: Vec<Value> = lines
        .iter()
        .map(|l| json!({ "sessionId": l.session, "generation": l.generation, "cost": l.cost, "sizeRead": l.size_read }))
        .collect();
    json!({ "at": now, "generations": each, "total": total(lines), "assumptions": assumptions() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::samples::{T0, row};
    use unicode_width::UnicodeWidthStr;

    fn records() -> Vec<Record> {
        let mut old = row("a-b-001");
        old.generation = schemas::ids::Generation(7);
        if let Some(task) = &mut old.task {
            task.stopped_at = Some(Timestamp(T0 + 9_000));
        }
        vec![Record::Row(Box::new(row("a-b-002"))), Record::Row(Box::new(old))]
    }

    #[test]
    fn every_generation_has_its_line_and_the_sum_stands_below() {
        let lines = lines(&records(), &Definitions::default(), None, Timestamp(T0 + 10_000));
        let shown = table(&lines, 120);
        assert!(lines.len() == 2 && shown.contains("\ntotal") && shown.contains("infra/lib/config.ts"), "{shown}");
        assert!((total(&lines).total - lines.iter().map(|l| l.cost.total).sum::<f64>()).abs() < 1e-12);
    }

    #[test]
    fn the_bill_of_a_day_leaves_out_what_ended_before_it() {
        let midnight = midnight(Timestamp(T0 + DAY));
        assert!(lines(&records(), &Definitions::default(), Some(midnight), Timestamp(T0 + DAY)).is_empty());
        assert_eq!(midnight.0 % DAY, 0);
    }

    #[test]
    fn the_bill_keeps_to_its_width() {
        for width in [80, 120] {
            let shown = table(&lines(&records(), &Definitions::default(), None, Timestamp(T0)), width);
            assert!(shown.lines().all(|line| line.width() <= usize::from(width)), "{width}:\n{shown}");
        }
    }
}
