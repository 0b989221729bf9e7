//! Arguments of the verbs that write an order, and of `cost` and `preflight`.

use super::duration;
use crate::evaluate::corpus::Layout;
use crate::evaluate::listen::Baseline;
use clap::{ArgGroup, Args, Subcommand};
use schemas::ids::SessionId;
use std::path::PathBuf;
use std::time::Duration;

/// Who orders it, and why.
#[derive(Debug, Clone, Args)]
pub struct SignArgs {
    /// Why, for whoever looks at it later.
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true, value_parser = note)]
    pub note: String,
    /// Who; the AWS identity when absent, or else the login name and the profile.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub by: Option<String>,
}

/// Whether to wait until it is done.
#[derive(Debug, Clone, Args)]
pub struct WaitArgs {
    /// Wait until it is done; exit code 1 when it is not in time.
    #[arg(long)]
    pub wait: bool,
    /// Longest wait.
    #[arg(long, value_name = "DURATION", default_value = "5m", requires = "wait", value_parser = duration)]
    pub timeout: Duration,
}

/// Arguments of `hold`.
#[derive(Debug, Args)]
pub struct HoldArgs {
    /// The session.
    pub session: SessionId,
    /// For how long; it ends by itself then.
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub lasts: Duration,
    /// Why, for whoever finds the session held.
    #[arg(long, value_name = "TEXT", value_parser = note)]
    pub note: String,
    /// Who; the AWS identity when absent, or else the login name and the profile.
    #[arg(long, value_name = "NAME", value_parser = name)]
    pub by: Option<String>,
}

/// Arguments of `release`.
#[derive(Debug, Args)]
pub struct ReleaseArgs {
    /// The session.
    pub session: SessionId,
    /// Who and why.
    #[command(flatten)]
    pub sign: SignArgs,
}

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// The sessions.
    #[arg(required = true, value_name = "ID")]
    pub sessions: Vec<SessionId>,
    /// Do not ask.
    #[arg(long, short)]
    pub yes: bool,
    /// Who and why.
    #[command(flatten)]
    pub sign: SignArgs,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Arguments of `restart`.
#[derive(Debug, Args)]
pub struct RestartArgs {
    /// The sessions.
    #[arg(required = true, value_name = "ID")]
    pub sessions: Vec<SessionId>,
    /// Who and why.
    #[command(flatten)]
    pub sign: SignArgs,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Arguments of `drain`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("which").required(true).args(["sessions", "all", "old"])))]
pub struct DrainArgs {
    /// The sessions.
    #[arg(value_name = "ID")]
    pub sessions: Vec<SessionId>,
    /// Every session that has a worker.
    #[arg(long)]
    pub all: bool,
    /// Every session whose worker is on an old task definition.
    #[arg(long)]
    pub old: bool,
    /// So many may be between two workers at the same time.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub at_once: u32,
    /// Do not ask before --all or --old.
    #[arg(long, short)]
    pub yes: bool,
    /// Who and why.
    #[command(flatten)]
    pub sign: SignArgs,
    /// Whether to wait.
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// What to do with the versions.
#[derive(Debug, Subcommand)]
pub enum RolloutCommand {
    /// Which version new sessions start from, and why; how many sessions run on which. Exit code 1 when the deployed version is bad.
    Status {
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Let no further session change its version. New sessions start from it all the same.
    Pause(SignArgs),
    /// Go on; a deployed version that was found bad is tried again.
    #[command(after_help = "Example:\n  sessionctl rollout resume --note \"the image is there now\"")]
    Resume(SignArgs),
    /// Go back to the version before: new sessions start from it, and with a rollout the others change to it, one at a time.
    #[command(after_help = "Example:\n  sessionctl rollout undo --note \"captions lag since the deployment\"")]
    Undo(SignArgs),
}

/// Arguments of `cost`.
#[derive(Debug, Args)]
pub struct CostArgs {
    /// One session, with its earlier generations; every kept session when absent.
    pub session: Option<SessionId>,
    /// What ran today (UTC); a generation that began before midnight counts whole.
    #[arg(long, conflicts_with = "session")]
    pub today: bool,
    /// One JSON document.
    #[arg(long)]
    pub json: bool,
}

/// What to do with `emotion`.
#[derive(Debug, Subcommand)]
pub enum EmotionCommand {
    /// Judge a corpus of acted emotions that you have, by the worker's own streaming analysis. Nothing is downloaded.
    #[command(
        after_help = "Exit codes: 0 evaluated · 1 some files could not be evaluated, or high or low arousal is missing · 2 no such corpus\n\nExamples:\n  sessionctl emotion eval --layout emodb --root emodb/wav --out report.json\n  sessionctl emotion eval --layout ravdess --root ravdess --agc --noise-snr 10 --out report.json --json\n\nA directory of your own (--layout csv) holds labels.csv with the columns path,speaker,emotion and, if known, gender."
    )]
    Eval(EvalArgs),
}

/// Arguments of `emotion eval`.
#[derive(Debug, Args)]
pub struct EvalArgs {
    /// How the corpus names its files.
    #[arg(long, value_enum)]
    pub layout: Layout,
    /// The directory that holds it.
    #[arg(long, value_name = "DIR")]
    pub root: PathBuf,
    /// Where the report goes, as JSON.
    #[arg(long, value_name = "FILE.json")]
    pub out: PathBuf,
    /// Take the microphones to level the loudness: it counts for nothing then.
    #[arg(long)]
    pub agc: bool,
    /// Add white noise at this ratio of the recording to it, dB.
    #[arg(long, value_name = "DB", value_parser = decibels, allow_negative_numbers = true)]
    pub noise_snr: Option<f64>,
    /// Whether a speaker's usual voice is learnt from one recording to the next, as in a session.
    #[arg(long, value_enum, default_value = "live")]
    pub baseline: Baseline,
    /// A model of your own (ONNX, with its description beside it): what it says of each recording is judged too.
    #[arg(long, value_name = "FILE.onnx")]
    pub model: Option<PathBuf>,
    /// The shared library of ONNX Runtime; where the system looks for libraries when absent.
    #[arg(long, value_name = "FILE.so", requires = "model")]
    pub model_library: Option<PathBuf>,
    /// Draws the order of the speakers, the noise and the intervals.
    #[arg(long, default_value = "1")]
    pub seed: u64,
    /// The same JSON on stdout, in place of the table.
    #[arg(long)]
    pub json: bool,
}

fn decibels(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|db: &f64| (-20.0..=100.0).contains(db));
    number.ok_or_else(|| "expected decibels from -20 to 100".to_owned())
}

/// Arguments of `preflight`.
#[derive(Debug, Args)]
pub struct PreflightArgs {
    /// Sessions that are to be live at once: quotas are held against them, and the price is forecast.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub sessions: Option<u32>,
    /// Listeners of each session.
    #[arg(long, value_name = "L", default_value_t = 50, requires = "sessions")]
    pub listeners: u32,
    /// Languages of the listeners of each session, beside the speaker's.
    #[arg(long, value_name = "K", default_value_t = 3, requires = "sessions")]
    pub languages: u32,
    /// One JSON document.
    #[arg(long)]
    pub json: bool,
}

fn note(text: &str) -> Result<String, String> {
    one_line(text, 200)
}

fn name(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("expected a name".into()) } else { one_line(text, 100) }
}

fn one_line(text: &str, most: usize) -> Result<String, String> {
    let text = text.trim();
    if text.chars().count() > most || text.contains(char::is_control) {
        return Err(format!("expected one line of at most {most} characters"));
    }
    Ok(text.to_owned())
}
