//! The verbs: read, ask the pure modules, print.

use crate::aws::{Aws, connect};
use crate::bill;
use crate::board::{self, Scene};
use crate::cli::{Cli, Command, CostArgs, EmotionCommand, OneArgs, PreflightArgs};
use crate::definitions::{self, Definitions};
use crate::error::CtlError;
use crate::store::{self, Record, Which};
use crate::why::{self, Theirs};
use crate::{evaluate, preflight, rehearse, replay, show, versions};
use clap::CommandFactory;
use schemas::ids::{SessionId, Timestamp};
use std::io::{IsTerminal, Write, stdout};

mod list;
mod order;
mod rollout;

/// Does what the command line says and gives the exit code.
///
/// # Errors
/// [`CtlError`], in one line that says what to do.
pub async fn run(cli: Cli) -> Result<u8, CtlError> {
    let region = cli.region.as_deref();
    let aws = || connect(&cli.env, region);
    match cli.command {
        Command::List(args) => list::list(&aws().await, &args).await,
        Command::Show(args) => show(&aws().await, &args).await,
        Command::Why(args) => why(&aws().await, &args).await,
        Command::Replay(args) => replay(&aws().await, &args).await,
        Command::Cost(args) => cost(&aws().await, &args).await,
        Command::Hold(args) => order::hold(&aws().await, args).await,
        Command::Release(args) => order::release(&aws().await, args).await,
        Command::Stop(args) => order::stop(&aws().await, args).await,
        Command::Restart(args) => order::restart(&aws().await, args).await,
        Command::Drain(args) => order::drain(&aws().await, args).await,
        Command::Rollout { command } => rollout::run(&aws().await, command).await,
        Command::Preflight(args) => preflight::run(&aws().await, event(&args), args.json).await,
        Command::Rehearse(args) => rehearse::run(&cli.env, region, *args).await,
        Command::Emotion { command: EmotionCommand::Eval(args) } => evaluate::run(&args),
        Command::Completions { shell } => completions(shell),
    }
}

fn event(args: &PreflightArgs) -> Option<preflight::Event> {
    let PreflightArgs { sessions, listeners, languages, json: _ } = *args;
    sessions.map(|sessions| preflight::Event { sessions, listeners, languages })
}

fn completions(shell: clap_complete::Shell) -> Result<u8, CtlError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sessionctl", &mut script);
    stdout().write_all(&script)?;
    Ok(0)
}

async fn show(aws: &Aws, args: &OneArgs) -> Result<u8, CtlError> {
    let kept = store::session(aws, &args.session).await?;
    let definitions = definitions::read(aws, kept.records().filter_map(Record::row)).await;
    let now = store::now();
    if args.json {
        let records: Vec<Record> = kept.records().cloned().collect();
        say(&board::json(&records, &definitions, now).to_string())?;
    } else {
        let theirs = theirs(aws, &args.session).await;
        say(&show::page(&kept, &theirs, Scene { now, width: width(), definitions: &definitions }))?;
    }
    Ok(health(&kept.current, now))
}

async fn why(aws: &Aws, args: &OneArgs) -> Result<u8, CtlError> {
    let kept = store::session(aws, &args.session).await?;
    let theirs = theirs(aws, &args.session).await;
    let now = store::now();
    let decision = why::Decision::read(kept.decision.as_deref());
    let said = match &kept.current {
        Record::Row(row) => {
            let mut said = vec![why::paragraph(row, decision.as_ref(), Some(&theirs), now)];
            said.extend(match store::versions::read(aws).await {
                Ok((known, _)) => versions::of_row(&known, row, now),
                Err(problem) => vec![format!("What is known of the versions could not be read: {problem}.")],
            });
            said.join(" ")
        }
        Record::Unreadable { problem, .. } => format!("The row cannot be read by this sessionctl: {problem}."),
    };
    if args.json {
        let row = kept.current.row();
        let document = serde_json::json!({
            "sessionId": args.session,
            "why": row.map(|row| &row.why),
            "concerns": row.map(|row| crate::concerns::concerns(row, now)),
            "nextLookAt": row.and_then(|row| row.next_look_at),
            "decision": decision.map(|d| serde_json::json!({
                "at": d.at,
                "plan": d.plan,
                "rule": d.rule.map(controller_core::rule::Rule::in_words),
            })),
            "text": said,
        });
        say(&document.to_string())?;
    } else {
        say(&crate::text::wrap(&said, usize::from(width())).join("\n"))?;
    }
    Ok(health(&kept.current, now))
}

async fn replay(aws: &Aws, args: &OneArgs) -> Result<u8, CtlError> {
    let kept = store::session(aws, &args.session).await?;
    let Some(decision) = kept.decision else {
        let session = &args.session;
        return Err(CtlError::NotFound(format!(
            "no decision of session {session} is stored: the controller has not done anything noteworthy for it"
        )));
    };
    let stored = replay::read(&decision).map_err(CtlError::NotFound)?;
    let replayed = replay::replay(stored).map_err(CtlError::NotFound)?;
    if args.json {
        say(&replayed.json().to_string())?;
    } else {
        say(&replayed.page(store::now(), width()))?;
    }
    Ok(u8::from(!replayed.differences.is_empty()))
}

async fn cost(aws: &Aws, args: &CostArgs) -> Result<u8, CtlError> {
    let records: Vec<Record> = match &args.session {
        Some(session) => store::session(aws, session).await?.records().cloned().collect(),
        None => store::rows(aws, Which::All).await?,
    };
    let definitions = definitions::read(aws, records.iter().filter_map(Record::row)).await;
    let now = store::now();
    let lines = bill::lines(&records, &definitions, args.today.then(|| bill::midnight(now)), now);
    if args.json {
        say(&bill::json(&lines, now).to_string())?;
    } else {
        say(&bill::table(&lines, width()))?;
    }
    Ok(0)
}

/// What the session service's row says; that it cannot be read is told, and no failure.
async fn theirs(aws: &Aws, session: &SessionId) -> Theirs {
    store::theirs(aws, session).await.map_or_else(|problem| Theirs::Unread(problem.to_string()), Theirs::Read)
}

fn say(text: &str) -> Result<(), CtlError> {
    Ok(writeln!(stdout(), "{text}")?)
}

fn health(record: &Record, now: Timestamp) -> u8 {
    u8::from(!record.row().is_some_and(|row| why::healthy(row, now)))
}

/// The definitions of these rows' tasks.
async fn definitions_of(aws: &Aws, records: &[Record]) -> Definitions {
    definitions::read(aws, records.iter().filter_map(Record::row)).await
}

/// The session that a record speaks of.
fn session_of(record: &Record) -> Option<&SessionId> {
    record.row().map(|row| &row.session_id)
}

/// Columns of the terminal; of a pipe, those that `COLUMNS` names, or [`board::PIPE_WIDTH`].
#[must_use]
pub fn width() -> u16 {
    let named = || std::env::var("COLUMNS").ok().and_then(|c| c.parse().ok()).unwrap_or(board::PIPE_WIDTH);
    let columns = if stdout().is_terminal() {
        crossterm::terminal::size().map_or(board::PIPE_WIDTH, |(columns, _)| columns)
    } else {
        named()
    };
    columns.clamp(60, 300)
}
