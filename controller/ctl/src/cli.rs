//! The command line.

use crate::rehearse::plan::ListenerPlan;
use clap::{Args, Parser, Subcommand, ValueEnum};
use schemas::ids::SessionId;
use std::path::PathBuf;

/// See which sessions are served and why, and rehearse a whole one.
///
/// Region, endpoints and credentials come from the environment, as for every AWS tool.
#[derive(Debug, Parser)]
#[command(
    name = "sessionctl",
    version,
    after_help = "Exit codes: 0 ok · 1 not found, or not healthy · 2 usage · 3 AWS refused"
)]
pub struct Cli {
    /// Environment whose tables are used: SessionWorkers-ENV, Sessions-ENV, Connections-ENV.
    #[arg(long, env = "SESSION_ENV", default_value = "dev", global = true, value_parser = env_name)]
    pub env: String,
    /// AWS region; the usual AWS configuration decides when it is absent.
    #[arg(long, global = true)]
    pub region: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// One line per session: phase, progress, listeners, lag, cost.
    List(ListArgs),
    /// Everything about one session: timeline, languages, usage, earlier generations.
    Show(OneArgs),
    /// One paragraph: the facts, the cause, who is to blame, and when somebody looks again.
    Why(OneArgs),
    /// Play a whole session with a speaker and listeners, then give a report card.
    Rehearse(Box<RehearseArgs>),
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only sessions in these phases.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PHASE,…")]
    pub phase: Vec<PhaseArg>,
    /// One JSON document.
    #[arg(long, conflicts_with = "watch")]
    pub json: bool,
    /// Show again every two seconds until Ctrl-C.
    #[arg(long)]
    pub watch: bool,
}

/// A phase on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PhaseArg {
    /// Wanted, waiting for capacity or a backoff.
    Queued,
    /// The task is being started.
    Launching,
    /// The worker joins the channel.
    Joining,
    /// Joined, no audio yet.
    WaitingForSpeaker,
    /// Audio flows.
    Live,
    /// Paused by the speaker.
    Paused,
    /// Flushing the last words.
    Draining,
    /// Ended as asked.
    Stopped,
    /// Ended by a fault.
    Failed,
}

impl From<PhaseArg> for schemas::worker::Phase {
    fn from(arg: PhaseArg) -> Self {
        match arg {
            PhaseArg::Queued => Self::Queued,
            PhaseArg::Launching => Self::Launching,
            PhaseArg::Joining => Self::Joining,
            PhaseArg::WaitingForSpeaker => Self::WaitingForSpeaker,
            PhaseArg::Live => Self::Live,
            PhaseArg::Paused => Self::Paused,
            PhaseArg::Draining => Self::Draining,
            PhaseArg::Stopped => Self::Stopped,
            PhaseArg::Failed => Self::Failed,
        }
    }
}

/// Arguments of `show` and `why`.
#[derive(Debug, Args)]
pub struct OneArgs {
    /// The session, for example blessed-shepherd-123.
    pub session: SessionId,
    /// One JSON document.
    #[arg(long)]
    pub json: bool,
}

/// How a rehearsal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum End {
    /// The session row says `status = ended`.
    Ended,
    /// The service's HTTP DELETE: the channel first, then the connection rows, then the session row.
    Delete,
    /// The speaker's browser is gone without a word.
    Vanish,
}

/// Arguments of `rehearse`.
#[derive(Debug, Args)]
pub struct RehearseArgs {
    /// What the speaker says: a WAV file of any rate, mono or stereo.
    #[arg(long, value_name = "FILE.wav")]
    pub audio: PathBuf,
    /// The same in words; gives the word error rate.
    #[arg(long, value_name = "FILE.txt")]
    pub script: Option<PathBuf>,
    /// Languages of the listeners; `es@12` joins 12 s after the speech began.
    #[arg(long, value_delimiter = ',', required = true, value_name = "LANG[@SECONDS],…")]
    pub listeners: Vec<ListenerPlan>,
    /// The speaker's language.
    #[arg(long, default_value = "en", value_name = "LANG")]
    pub source: schemas::ids::Language,
    /// How it ends.
    #[arg(long, value_enum, default_value = "ended")]
    pub end: End,
    /// WebSocket API of the session service, with its stage: wss://…/prod.
    #[arg(long, env = "SESSION_WEBSOCKET_URL", value_name = "URL")]
    pub websocket_url: url::Url,
    /// Session id; a fresh one when absent.
    #[arg(long, value_name = "ID")]
    pub session: Option<SessionId>,
    /// Longest wait for the start, and again for the end, seconds; 180 when absent, and 420 for the end by `vanish`,
    /// because a worker waits five minutes for a speaker to come back.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub timeout: Option<u64>,
    /// One JSON document on stdout; progress goes to stderr.
    #[arg(long)]
    pub json: bool,
}

fn env_name(text: &str) -> Result<String, String> {
    let valid = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if valid { Ok(text.to_owned()) } else { Err("expected 1 to 32 of [A-Za-z0-9-], for example dev".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_rehearsal_names_its_late_listener() {
        let cli = Cli::try_parse_from([
            "sessionctl",
            "rehearse",
            "--audio",
            "a.wav",
            "--listeners",
            "es,ca,en,es@12",
            "--websocket-url",
            "ws://127.0.0.1:1/prod",
        ])
        .unwrap();
        let Command::Rehearse(args) = cli.command else { panic!("another verb") };
        assert_eq!(args.listeners.len(), 4);
        assert_eq!(args.listeners[3].late_s, Some(12));
        assert_eq!(args.end, End::Ended);
    }

    #[test]
    fn an_environment_that_is_no_name_is_a_usage_error() {
        let error = Cli::try_parse_from(["sessionctl", "--env", "a b", "list"]).unwrap_err();
        assert_eq!(error.exit_code(), 2);
    }
}
