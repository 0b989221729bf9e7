//! `list`, once or as a live table.

use super::{definitions_of, say, session_of, width};
use crate::aws::Aws;
use crate::board::{self, Scene};
use crate::cli::ListArgs;
use crate::definitions::Definitions;
use crate::error::CtlError;
use crate::filter::Filter;
use crate::store::{self, Record, Which};
use crate::text::cut;
use crate::versions;
use crossterm::{cursor, execute, queue, style::Print, terminal};
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::Instant;
use unicode_width::UnicodeWidthStr;

/// Time between two pictures of `list --watch`.
const WATCH: Duration = Duration::from_secs(2);
/// Every so many pictures the ended sessions and the task definitions are read again.
const REFRESH: u32 = 15;

/// `list`.
///
/// # Errors
/// [`CtlError`] when AWS refuses or the output cannot be written.
pub(super) async fn list(aws: &Aws, args: &ListArgs) -> Result<u8, CtlError> {
    let filter = Filter::of(args);
    if args.watch {
        return watch(aws, args, &filter).await;
    }
    let records = store::rows(aws, which(args)).await?;
    let definitions = definitions_of(aws, &records).await;
    let now = store::now();
    let kept: Vec<Record> = records.iter().filter(|record| filter.takes(record, now)).cloned().collect();
    if args.json {
        say(&board::json(&kept, &definitions, now).to_string())?;
    } else {
        let scene = Scene { now, width: width(), definitions: &definitions };
        let text = page(&kept, records.len() - kept.len(), scene);
        say(&above(&banner(aws, &definitions).await, &text))?;
    }
    let missing: Vec<_> =
        args.sessions.iter().filter(|id| !records.iter().any(|r| session_of(r) == Some(*id))).collect();
    if let Some(first) = missing.first() {
        return Err(CtlError::NotFound(format!("no row of session {first} in {}", aws.workers_table())));
    }
    Ok(0)
}

fn which(args: &ListArgs) -> Which {
    if args.open { Which::Open } else { Which::Current }
}

fn page(records: &[Record], hidden: usize, scene: Scene<'_>) -> String {
    let hidden = if hidden == 0 { String::new() } else { format!("\n{hidden} more by other filters or --all") };
    if records.is_empty() {
        return format!("no sessions{hidden}");
    }
    format!("{}\n\n{}{hidden}", board::table(records, scene), board::summary(records, scene))
}

/// What is to be said of the versions of the worker, above all sessions.
async fn banner(aws: &Aws, definitions: &Definitions) -> Vec<String> {
    let deployed = definitions.current.as_ref().map(|current| current.arn.as_str());
    match store::versions::read(aws).await {
        Ok((known, _)) => versions::banner(&known, deployed, store::now()),
        Err(problem) => vec![format!("! what is known of the versions could not be read: {problem}")],
    }
}

fn above(banner: &[String], text: &str) -> String {
    if banner.is_empty() { text.to_owned() } else { format!("{}\n\n{text}", banner.join("\n")) }
}

/// Rows as they were last read. The open ones come from the index each time; the ended ones move slowly.
struct Live {
    ended: Vec<Record>,
    definitions: Definitions,
    banner: Vec<String>,
    pictures: u32,
}

impl Live {
    async fn read(&mut self, aws: &Aws, args: &ListArgs) -> Result<Vec<Record>, CtlError> {
        let mut records = if self.pictures.is_multiple_of(REFRESH) {
            let all = store::rows(aws, which(args)).await?;
            self.definitions = definitions_of(aws, &all).await;
            self.ended = all.iter().filter(|r| r.row().is_none_or(|row| row.phase.is_final())).cloned().collect();
            all
        } else {
            let open = store::rows(aws, Which::Open).await?;
            let ids: BTreeSet<_> = open.iter().filter_map(session_of).cloned().collect();
            self.ended.retain(|r| session_of(r).is_none_or(|id| !ids.contains(id)));
            open.into_iter().chain(self.ended.iter().cloned()).collect()
        };
        self.banner = banner(aws, &self.definitions).await;
        // A session that has just ended has left the index: read everything with the next picture.
        self.pictures = self.pictures.wrapping_add(1);
        records.sort_by_key(|r| session_of(r).map(ToString::to_string));
        Ok(records)
    }
}

/// The terminal in its usual state again, however the picture ends.
struct Screen;

impl Screen {
    fn open() -> std::io::Result<Self> {
        execute!(stdout(), terminal::EnterAlternateScreen, cursor::Hide)?;
        Ok(Self)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // Nobody is left to tell of a failure.
        let _ = execute!(stdout(), cursor::Show, terminal::LeaveAlternateScreen);
    }
}

/// What may come while a picture stands.
struct Signals {
    resized: Signal,
    terminated: Signal,
    hung_up: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            resized: signal(SignalKind::window_change())?,
            terminated: signal(SignalKind::terminate())?,
            hung_up: signal(SignalKind::hangup())?,
        })
    }
}

async fn watch(aws: &Aws, args: &ListArgs, filter: &Filter) -> Result<u8, CtlError> {
    let mut live = Live { ended: Vec::new(), definitions: Definitions::default(), banner: Vec::new(), pictures: 0 };
    // The first read fails in the usual way, before the screen is taken.
    let mut records = live.read(aws, args).await?;
    let screen = stdout().is_terminal().then(Screen::open).transpose()?;
    let mut open_before = 0;
    let mut trouble: Option<String> = None;
    let mut next = Instant::now() + WATCH;
    let mut signals = Signals::listen()?;
    loop {
        let now = store::now();
        let kept: Vec<Record> = records.iter().filter(|record| filter.takes(record, now)).cloned().collect();
        let scene = Scene { now, width: width(), definitions: &live.definitions };
        let mut text = above(&live.banner, &page(&kept, 0, scene));
        if let Some(trouble) = &trouble {
            text = format!("{text}\n! as it was: {trouble}");
        }
        picture(&text, screen.is_some())?;
        tokio::select! {
            // Whoever ends us, the terminal is given back.
            _ = tokio::signal::ctrl_c() => return Ok(0),
            _ = signals.terminated.recv() => return Ok(0),
            _ = signals.hung_up.recv() => return Ok(0),
            _ = signals.resized.recv() => continue, // what was read fits anew; the next read comes in its time
            () = tokio::time::sleep_until(next) => next = Instant::now() + WATCH,
        }
        match live.read(aws, args).await {
            Ok(read) => {
                let open = read.iter().filter(|r| r.row().is_some_and(|row| !row.phase.is_final())).count();
                if open < open_before {
                    live.pictures = 0;
                }
                open_before = open;
                (records, trouble) = (read, None);
            }
            Err(error) => trouble = Some(error.to_string()),
        }
    }
}

/// Draws over the picture before, as much as fits, the counters always; in a pipe, below it.
fn picture(text: &str, screen: bool) -> Result<(), CtlError> {
    let mut out = stdout();
    if !screen {
        writeln!(out, "{text}")?;
        return Ok(out.flush()?);
    }
    let (columns, rows) = terminal::size().unwrap_or((80, 24));
    let lines = fitting(text, usize::from(rows));
    queue!(out, terminal::BeginSynchronizedUpdate)?;
    for (row, line) in (0_u16..).zip(&lines) {
        // What is longer than the terminal (it may be narrower than any table) is cut: a line break would move all below.
        let line = cut(line, usize::from(columns));
        queue!(out, cursor::MoveTo(0, row), Print(&line))?;
        // Behind a full line stands no free column: clearing from there would take its last character.
        if line.width() < usize::from(columns) {
            queue!(out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
        }
    }
    if lines.len() < usize::from(rows) {
        let below = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        queue!(out, cursor::MoveTo(0, below), terminal::Clear(terminal::ClearType::FromCursorDown))?;
    }
    queue!(out, terminal::EndSynchronizedUpdate)?;
    Ok(out.flush()?)
}

/// As many lines as there are rows: the first ones, how many are not shown, and the counters.
fn fitting(text: &str, rows: usize) -> Vec<String> {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= rows {
        return lines.into_iter().map(str::to_owned).collect();
    }
    let foot = lines.iter().rposition(|line| line.is_empty()).map_or(lines.len(), |at| at + 1);
    let foot = &lines[foot.max(lines.len().saturating_sub(rows / 2))..];
    let shown = rows.saturating_sub(foot.len() + 1);
    let hidden = lines.len() - foot.len() - shown;
    let mut fitted: Vec<String> = lines[..shown].iter().map(|line| (*line).to_owned()).collect();
    fitted.push(format!("… {hidden} more lines: enlarge the window, or filter"));
    fitted.extend(foot.iter().map(|line| (*line).to_owned()));
    fitted.truncate(rows);
    fitted
}

#[cfg(test)]
mod tests {
    use super::fitting;

    #[test]
    fn a_picture_that_is_too_long_says_how_much_is_missing_and_keeps_its_counters() {
        let text = format!("HEAD\n{}\n\n8 live", (0..8).map(|n| format!("s{n}")).collect::<Vec<_>>().join("\n"));
        assert_eq!(fitting(&text, 5), ["HEAD", "s0", "s1", "… 7 more lines: enlarge the window, or filter", "8 live"]);
        assert_eq!(fitting(&text, 11).len(), 11, "it fits");
        for rows in 0..12 {
            assert!(fitting(&text, rows).len() <= rows, "{rows}");
        }
    }
}
