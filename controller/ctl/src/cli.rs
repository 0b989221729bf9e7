//! The command line.

use crate::rehearse::plan::ListenerPlan;
use clap::{Args, Parser, Subcommand, ValueEnum};
use schemas::ids::{Language, SessionId};
use std::path::PathBuf;
use std::time::Duration;

mod verbs;

pub use verbs::{
    CostArgs, DrainArgs, EmotionCommand, EvalArgs, HoldArgs, PreflightArgs, ReleaseArgs, RestartArgs, RolloutCommand,
    SignArgs, StopArgs, WaitArgs,
};

/// See which sessions are served and why, give orders for them, and rehearse a whole one.
///
/// Orders (hold, release, stop, restart, drain) are written into the session's row with who, when and why; the controller
/// acts on them within a minute. Region, endpoints and credentials (also SSO and profiles) come from the environment, as for
/// every AWS tool.
#[derive(Debug, Parser)]
#[command(
    name = "sessionctl",
    version,
    after_help = "Exit codes: 0 ok · 1 not found, not fine, or not done in time · 2 usage · 3 AWS refused\n\nAt 3 a.m.: `sessionctl list --not-fine`, then `sessionctl why ID`."
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
    /// One line per session: phase, progress, listeners, lag, cost; below it why, and what is not fine.
    #[command(after_help = LIST_HELP)]
    List(ListArgs),
    /// Everything about one session: timeline, start-up, languages, usage, earlier generations.
    Show(OneArgs),
    /// One paragraph: the facts, the rule that fired, the action, the next look. Exit code 1 when it is not fine.
    Why(OneArgs),
    /// Decide the stored inputs of the last noteworthy decision again, and compare.
    Replay(OneArgs),
    /// What sessions have cost, part by part, with the assumptions.
    #[command(after_help = "Examples:\n  sessionctl cost --today\n  sessionctl cost blessed-shepherd-123 --json")]
    Cost(CostArgs),
    /// Let no plan stop or replace anything of this session for a while.
    #[command(
        after_help = "Example:\n  sessionctl hold blessed-shepherd-123 --for 2h --note \"watching the relay with Bob\""
    )]
    Hold(HoldArgs),
    /// End a hold before its time.
    Release(ReleaseArgs),
    /// End the session's worker; the run stays ended. Asks first.
    #[command(
        after_help = "Examples:\n  sessionctl stop blessed-shepherd-123 --note \"asked by the host\"\n  sessionctl stop a-b-001 a-b-002 --yes --wait"
    )]
    Stop(StopArgs),
    /// Replace the worker now; captions pause for the time of a launch.
    #[command(
        after_help = "Example:\n  sessionctl restart blessed-shepherd-123 --wait --note \"no captions since 10:02\""
    )]
    Restart(RestartArgs),
    /// Replace workers one at a time, each at a silence of its speaker.
    #[command(
        after_help = "Examples:\n  sessionctl drain --old --note \"version 0.2\"\n  sessionctl drain blessed-shepherd-123 --wait"
    )]
    Drain(DrainArgs),
    /// Versions of the worker: which one is good, which one is tried, and who runs on which.
    Rollout {
        /// What to do.
        #[command(subcommand)]
        command: RolloutCommand,
    },
    /// Look at everything that must be in place, and change nothing.
    Preflight(PreflightArgs),
    /// Play a whole session with a speaker and listeners, then give a report card.
    Rehearse(Box<RehearseArgs>),
    /// How good the judgements of the voice are.
    Emotion {
        /// What to do.
        #[command(subcommand)]
        command: EmotionCommand,
    },
    /// Print completions for a shell.
    #[command(
        after_help = "Example:\n  sessionctl completions bash > ~/.local/share/bash-completion/completions/sessionctl"
    )]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

const LIST_HELP: &str =
    "Shown are the sessions that are open, those that failed within a day and those that stopped within an hour; \
--all shows the rest, --open reads only the index of the open ones.

Below each session: why it is so, ! what is not fine, * what operators have ordered, ~ an old task definition.

Examples:
  sessionctl list --not-fine
  sessionctl list --phase queued,launching --json
  sessionctl list --language es --older-than 2h --watch";

/// Arguments of `list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only these sessions.
    #[arg(value_name = "ID")]
    pub sessions: Vec<SessionId>,
    /// Only sessions in these phases.
    #[arg(long, value_enum, value_delimiter = ',', value_name = "PHASE,…")]
    pub phase: Vec<PhaseArg>,
    /// Only sessions with something that is not fine.
    #[arg(long)]
    pub not_fine: bool,
    /// Only sessions that are spoken in this language or have a listener in it.
    #[arg(long, value_name = "LANG")]
    pub language: Option<Language>,
    /// Only sessions that have been wanted for longer than this, for example 90m.
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub older_than: Option<Duration>,
    /// Only open sessions; reads the index, however many have ended.
    #[arg(long, conflicts_with = "all")]
    pub open: bool,
    /// Those that ended long ago, too.
    #[arg(long)]
    pub all: bool,
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

/// Arguments of `show`, `why` and `replay`.
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

/// How the speaker is heard in a rehearsal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Via {
    /// WebRTC over a signaling channel, as the product has it.
    Channel,
    /// A KVS stream: PutMedia by the rehearsal, GetMedia by the worker.
    Stream,
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
    /// With a script: the rehearsal fails when more of its words are wrong, 0 to 100; characters count in a language that is written without spaces.
    #[arg(long, value_name = "PERCENT", default_value = "50", requires = "script", value_parser = percent)]
    pub max_wer: f64,
    /// Languages of the listeners; `es:stable` and `es:fast` choose how to read, `es@12` joins 12 s after the speech began. On a local stack something really translates into es and ca, and
    /// into what `local-stack doctor` tells beyond; the others come untranslated.
    #[arg(long, value_delimiter = ',', required = true, value_name = "LANG[:MODE][@SECONDS],…")]
    pub listeners: Vec<ListenerPlan>,
    /// The speaker's language.
    #[arg(long, default_value = "en", value_name = "LANG")]
    pub source: Language,
    /// What the session asks of its captions (docs/adopting.md has the keys), for example `terminology=church`; may be repeated.
    #[arg(long = "option", value_name = "KEY=VALUE", value_parser = option)]
    pub options: Vec<(String, String)>,
    /// How it ends.
    #[arg(long, value_enum, default_value = "ended")]
    pub end: End,
    /// How the speaker is heard: from a browser over a signaling channel, or from a producer over a KVS stream, which the worker reads by
    /// GetMedia.
    #[arg(long, value_enum, default_value = "channel")]
    pub via: Via,
    /// WebSocket API of the session service, with its stage: wss://…/prod.
    #[arg(long, env = "SESSION_WEBSOCKET_URL", value_name = "URL")]
    pub websocket_url: url::Url,
    /// Session id; a fresh one when absent.
    #[arg(long, value_name = "ID")]
    pub session: Option<SessionId>,
    /// Address for the speaker's media; when absent, every interface but loopback, or loopback alone when signaling is there.
    #[arg(long, value_name = "ADDRESS")]
    pub ice_bind: Option<std::net::IpAddr>,
    /// The speaker's front end names the recipient of its candidates, so that they reach the worker; the product's does not.
    #[arg(long)]
    pub patched: bool,
    /// Longest wait for the start, and again for the end, seconds; 180 when absent, and 420 for the end by `vanish`,
    /// because a worker waits five minutes for a speaker to come back.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub timeout: Option<u64>,
    /// One JSON document on stdout; progress goes to stderr.
    #[arg(long)]
    pub json: bool,
    /// Write what each listener read and when into this directory, LISTENER.jsonl each, as logs of simulstream: rulers such as `omnisteval` score
    /// lag, quality and flicker with them.
    #[arg(long, value_name = "DIR")]
    pub log: Option<PathBuf>,
    /// A line for the report card; a local stack tells here what stands in for the translation service.
    #[arg(long, env = "SESSION_REHEARSAL_NOTE", value_name = "TEXT")]
    pub note: Option<String>,
}

fn percent(text: &str) -> Result<f64, String> {
    let asked = text.trim_end_matches('%').trim_end().parse::<f64>().ok();
    asked.filter(|percent| (0.0..=100.0).contains(percent)).ok_or("expected 0 to 100, for example 25".into())
}

/// `terminology=church`.
fn option(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE, for example terminology=church")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// `2h`, `90m`, `1h 30m`: from a second to 30 days.
fn duration(text: &str) -> Result<Duration, String> {
    let asked = humantime::parse_duration(text).map_err(|e| format!("{e}; expected for example 90m or 2h"))?;
    let bounds = Duration::from_secs(1)..=Duration::from_secs(30 * 86_400);
    if bounds.contains(&asked) { Ok(asked) } else { Err("expected 1s to 30d".into()) }
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

    fn parse(line: &str) -> Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split(' '))
    }

    #[test]
    fn a_hold_needs_an_end_and_a_note() {
        assert!(parse("sessionctl hold a-b-001 --for 2h --note why").is_ok());
        for line in [
            "sessionctl hold a-b-001 --note why",
            "sessionctl hold a-b-001 --for 2h",
            "sessionctl hold a-b-001 --for 2 --note x",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn half_of_a_scripts_words_may_be_wrong_unless_told_otherwise() {
        let most = |more: &str| {
            let line =
                format!("sessionctl rehearse --audio a.wav --listeners es --websocket-url ws://127.0.0.1:1 {more}");
            let Command::Rehearse(args) = parse(line.trim_end()).map_err(|e| e.exit_code())?.command else {
                panic!("another verb")
            };
            Ok(args.max_wer)
        };
        assert_eq!(most("--script a.txt"), Ok(50.0));
        assert_eq!(most(""), Ok(50.0), "without a script it is not asked");
        assert_eq!(most("--script a.txt --max-wer 12.5"), Ok(12.5));
        assert_eq!(most("--max-wer 10"), Err(2), "there is nothing to compare with");
        for wrong in ["many", "-1", "NaN", "101"] {
            assert_eq!(most(&format!("--script a.txt --max-wer={wrong}")), Err(2), "{wrong}");
        }
    }

    #[test]
    fn a_drain_says_of_what() {
        for line in ["sessionctl drain a-b-001", "sessionctl drain --all", "sessionctl drain --old"] {
            assert!(parse(line).is_ok(), "{line}");
        }
        for line in
            ["sessionctl drain", "sessionctl drain --all --old", "sessionctl drain a-b-001 --all", "sessionctl stop"]
        {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }

    #[test]
    fn completions_name_every_verb() {
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
            let mut out = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "sessionctl", &mut out);
            let out = String::from_utf8(out).unwrap();
            for verb in Cli::command().get_subcommands() {
                assert!(out.contains(verb.get_name()), "{shell}: {}", verb.get_name());
            }
        }
    }
}
