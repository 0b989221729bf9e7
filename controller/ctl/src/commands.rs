//! The verbs.

use crate::aws::{Aws, connect};
use crate::cli::{Cli, Command, ListArgs, OneArgs};
use crate::error::CtlError;
use crate::store::{self, Record};
use crate::{board, rehearse, show, why};
use schemas::worker::Phase;
use std::io::{IsTerminal, Write, stdout};
use std::time::Duration;

/// Time between two pictures of `list --watch`.
const WATCH: Duration = Duration::from_secs(2);

/// Does what the command line says and gives the exit code.
///
/// # Errors
/// [`CtlError`], in one line that says what to do.
pub async fn run(cli: Cli) -> Result<u8, CtlError> {
    match cli.command {
        Command::Rehearse(args) => rehearse::run(&cli.env, cli.region.as_deref(), *args).await,
        Command::List(args) => list(&connect(&cli.env, cli.region.as_deref()).await, &args).await,
        Command::Show(args) => show(&connect(&cli.env, cli.region.as_deref()).await, &args).await,
        Command::Why(args) => why(&connect(&cli.env, cli.region.as_deref()).await, &args).await,
    }
}

async fn list(aws: &Aws, args: &ListArgs) -> Result<u8, CtlError> {
    let phases: Vec<Phase> = args.phase.iter().map(|p| (*p).into()).collect();
    if args.watch {
        return watch(aws, &phases).await;
    }
    let records = wanted(aws, &phases).await?;
    let now = store::now();
    if args.json {
        writeln!(stdout(), "{}", board::json(&records, now))?;
    } else {
        writeln!(stdout(), "{}", board::table(&records, now, width()))?;
    }
    Ok(0)
}

async fn wanted(aws: &Aws, phases: &[Phase]) -> Result<Vec<Record>, CtlError> {
    Ok(store::current_rows(aws).await?.into_iter().filter(|r| board::wanted(r, phases)).collect())
}

async fn watch(aws: &Aws, phases: &[Phase]) -> Result<u8, CtlError> {
    let mut tick = tokio::time::interval(WATCH);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => return Ok(0),
            _ = tick.tick() => picture(&wanted(aws, phases).await?)?,
        }
    }
}

/// Draws over the picture before; in a pipe, below it.
fn picture(records: &[Record]) -> Result<(), CtlError> {
    use crossterm::{cursor::MoveTo, queue, style::Print, terminal as t};
    let text = format!("{}\n{}", board::table(records, store::now(), width()), board::summary(records, width()));
    let mut out = stdout();
    if out.is_terminal() {
        queue!(out, t::BeginSynchronizedUpdate, MoveTo(0, 0))?;
        for line in text.lines() {
            queue!(out, Print(line), t::Clear(t::ClearType::UntilNewLine), Print("\r\n"))?;
        }
        queue!(out, t::Clear(t::ClearType::FromCursorDown), t::EndSynchronizedUpdate)?;
    } else {
        writeln!(out, "{text}")?;
    }
    Ok(out.flush()?)
}

async fn show(aws: &Aws, args: &OneArgs) -> Result<u8, CtlError> {
    let records = store::records_of(aws, &args.session).await?;
    let now = store::now();
    if args.json {
        writeln!(stdout(), "{}", board::json(&records, now))?;
    } else {
        writeln!(stdout(), "{}", show::page(&records, now, width()))?;
    }
    Ok(health(records.first()))
}

async fn why(aws: &Aws, args: &OneArgs) -> Result<u8, CtlError> {
    let records = store::records_of(aws, &args.session).await?;
    let now = store::now();
    let said = match records.first() {
        Some(Record::Row(row)) => why::paragraph(row, now),
        Some(Record::Unreadable { problem, .. }) => format!("The row cannot be read by this sessionctl: {problem}."),
        None => String::new(),
    };
    if args.json {
        let why = records.first().and_then(Record::row).map(|row| &row.why);
        writeln!(stdout(), "{}", serde_json::json!({ "sessionId": args.session, "why": why, "text": said }))?;
    } else {
        for line in crate::text::wrap(&said, usize::from(width())) {
            writeln!(stdout(), "{line}")?;
        }
    }
    Ok(health(records.first()))
}

fn health(record: Option<&Record>) -> u8 {
    u8::from(!record.and_then(Record::row).is_some_and(why::healthy))
}

/// Columns of the terminal; of a pipe, [`board::PIPE_WIDTH`].
#[must_use]
pub fn width() -> u16 {
    if stdout().is_terminal() {
        crossterm::terminal::size().map_or(board::PIPE_WIDTH, |(columns, _)| columns.max(60))
    } else {
        board::PIPE_WIDTH
    }
}
