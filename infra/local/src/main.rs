//! `local-stack`: AWS on one machine, for as long as a command runs.
#![expect(clippy::print_stdout, reason = "what `up` and `doctor` answer is their output")]

use std::fs::File;
use std::io::stdin;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use local_stack::fault::{Fault, inject};
use local_stack::guard;
use local_stack::kvs::relay::Relay;
use local_stack::network::own::meeting_points;
use local_stack::run::command::{self, Interrupt, interrupted};
use local_stack::run::doctor::examine;
use local_stack::run::layout::Layout;
use local_stack::run::progress::Progress;
use local_stack::run::stack::{Options, Stack};
use local_stack::transcribe::Recogniser;
use tracing_subscriber::EnvFilter;

/// AWS on one machine: an emulator, stand-ins, the session service, and our CDK template with the real binaries.
#[derive(Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Start the stack, run a command in it, stop everything; the exit code is the command's.
    Run {
        #[command(flatten)]
        how: How,
        /// The command and its arguments.
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// Start the stack and keep it until Ctrl-C; prints the variables that a client needs.
    Up {
        #[command(flatten)]
        how: How,
    },
    /// Tell what is installed, what is missing, and how to get it.
    Doctor {
        #[command(flatten)]
        how: How,
    },
    /// Break something in a running stack (needs the stack's variables, as its command has them).
    Fault {
        #[command(subcommand)]
        fault: Fault,
    },
    /// The guard process: kills what its input names when the input ends.
    #[command(hide = true)]
    Guard,
}

#[derive(Args)]
struct How {
    /// Where the controller and the worker were built: `dev`, `demo` or `release`. Default: beside this executable.
    #[arg(long)]
    profile: Option<String>,
    /// Directory for the logs. Default: .local/logs.
    #[arg(long, value_name = "DIR")]
    keep_logs: Option<PathBuf>,
    /// A fixed port for the emulator. Default: a free one.
    #[arg(long)]
    port: Option<u16>,
    /// Serve the page (speaker, listeners, operator) on a free port, or on the one of --web-port.
    #[arg(long)]
    web: bool,
    /// A fixed port for the page.
    #[arg(long, requires = "web")]
    web_port: Option<u16>,
    /// Let telephones in the network read captions: serve the listener's page, and nothing else of it, on this address of the
    /// machine too. Whoever reaches the address and knows a session's name can read it. Default: loopback alone.
    #[arg(long, requires = "web", value_name = "ADDRESS")]
    web_bind: Option<IpAddr>,
    /// How long ECS takes for each step of a launch: 1 is as slow as AWS (20 s).
    #[arg(long, default_value_t = 0.05, value_name = "FACTOR")]
    ecs_pace: f64,
    /// What ECS starts in the worker's place, such as a script that starts the worker's image. Default: the worker that was built.
    #[arg(long, value_name = "FILE")]
    worker: Option<PathBuf>,
    /// Who listens. `auto` is Whisper where `make setup` could install it, else PocketSphinx.
    #[arg(long, value_enum, default_value_t = Listener::Auto)]
    recogniser: Listener,
    /// A directory with another model of faster-whisper, such as a multilingual one.
    #[arg(long, value_name = "DIR")]
    recogniser_model: Option<PathBuf>,
    /// Results from this file instead of real recognition, for fault tests.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["recogniser", "recogniser_model"])]
    transcript: Option<PathBuf>,
    /// A directory of CTranslate2 translation models (OPUS-MT, NLLB, Argos), which come before Apertium: folders such as DIR/en-es and
    /// DIR/nllb; infra/local/README.md tells what is in them.
    #[arg(long, value_name = "DIR")]
    translator_model: Option<PathBuf>,
    /// Where workers bind their media, for a network of its own around the stack. Default: loopback.
    #[arg(long, value_name = "ADDRESS")]
    ice_bind: Option<Ipv4Addr>,
    /// A TURN server that KVS hands out, such as coturn with `use-auth-secret`.
    #[arg(long, value_name = "ADDRESS:PORT", requires = "relay_secret")]
    relay: Option<SocketAddr>,
    /// The secret that the TURN server shares with the stand-in of KVS.
    #[arg(long, value_name = "TEXT", requires = "relay")]
    relay_secret: Option<String>,
}

/// The recognisers to choose from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Listener {
    Auto,
    Whisper,
    Pocketsphinx,
}

impl How {
    /// A model that was asked for is not replaced by another recogniser.
    fn recogniser(&self, python: PathBuf) -> Recogniser {
        match (&self.transcript, self.recogniser, &self.recogniser_model) {
            (Some(file), _, _) => Recogniser::Scripted { file: file.clone() },
            (None, Listener::Pocketsphinx, _) => Recogniser::PocketSphinx { python },
            (None, Listener::Auto, None) => Recogniser::Best { python },
            (None, Listener::Auto | Listener::Whisper, model) => Recogniser::Whisper { python, model: model.clone() },
        }
    }

    fn options(&self, layout: Layout) -> Options {
        let relay = self.relay.zip(self.relay_secret.clone());
        let recogniser = self.recogniser(layout.python());
        Options {
            layout,
            port: self.port,
            web: self.web.then(|| self.web_port.unwrap_or_default()),
            web_bind: self.web_bind,
            ecs_pace: self.ecs_pace.clamp(0.0, 10.0),
            worker: self.worker.clone(),
            recogniser,
            translator_model: self.translator_model.clone(),
            ice_bind: self.ice_bind,
            relay: relay.map(|(address, secret)| Relay { address, secret }),
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Cli::parse().what {
        What::Run { how, command } => run(&how, &command).await,
        What::Up { how } => run(&how, &[]).await,
        What::Doctor { how } => doctor(&how),
        What::Fault { fault } => break_it(&fault).await,
        What::Guard => {
            guard::keep(stdin().lock());
            Ok(0)
        }
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            Progress::fail(format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Without a command it only waits.
async fn run(how: &How, command: &[String]) -> anyhow::Result<u8> {
    let progress = Progress::start();
    let layout = Layout::find(how.profile.as_deref(), how.keep_logs.as_deref())?;
    layout.check()?;
    let lock = layout.prepare()?;
    log_to(&layout)?;
    let options = how.options(layout);
    let mut stack = tokio::select! {
        started = Stack::start(&options, lock, &progress) => started?,
        why = interrupted() => {
            progress.say("interrupted; everything is stopped");
            return Ok(why?.exit_code());
        }
    };
    progress.say(format!("ready; logs in {}", options.layout.logs.display()));
    if let Some(page) = stack.page() {
        progress.say(format!("the page is at {page}/"));
        progress.say(meeting_points(how.ice_bind));
    }
    if let Some(shared) = stack.shared() {
        progress.say(format!("open to the network, captions only: {shared}"));
    }
    let code = if command.is_empty() {
        until_interrupted(&mut stack).await
    } else {
        command::run(&mut stack, command).await.with_context(|| format!("{} could not be run", command[0]))
    };
    progress.say("stopping");
    stack.stop().await;
    progress.say("stopped");
    code
}

async fn until_interrupted(stack: &mut Stack) -> anyhow::Result<u8> {
    for (name, value) in stack.environment() {
        println!("export {name}={}", quoted(value));
    }
    tokio::select! {
        why = interrupted() => Ok(match why? {
            Interrupt::Terminal => 0,
            why @ Interrupt::Terminated => why.exit_code(),
        }),
        how = stack.broken() => anyhow::bail!("the emulator ended ({how}); see emulator.log"),
    }
}

/// As a shell reads it again: a text with blanks between single quotes.
fn quoted(value: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:@%+=,".contains(letter);
    if value.chars().all(plain) { value.to_owned() } else { format!("'{}'", value.replace('\'', r"'\''")) }
}

async fn break_it(fault: &Fault) -> anyhow::Result<u8> {
    println!("{}", inject(fault).await?);
    Ok(0)
}

fn doctor(how: &How) -> anyhow::Result<u8> {
    let layout = Layout::find(how.profile.as_deref(), how.keep_logs.as_deref())?;
    let findings = examine(&layout, how.translator_model.as_deref());
    for finding in &findings {
        match (&finding.found, finding.needed) {
            (Some(found), _) => println!("ok       {}: {found}", finding.what),
            (None, true) => println!("MISSING  {}: {}", finding.what, finding.remedy),
            (None, false) => println!("missing  {} (optional): {}", finding.what, finding.remedy),
        }
    }
    Ok(u8::from(findings.iter().any(|finding| finding.needed && finding.found.is_none())))
}

/// What the stand-ins have to say goes into a file: the terminal is the command's.
fn log_to(layout: &Layout) -> anyhow::Result<()> {
    let path = layout.logs.join("local-stack.log");
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    let filter = EnvFilter::try_from_env("LOG_LEVEL").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).with_writer(Mutex::new(file)).init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_with_blanks_is_quoted_for_a_shell() {
        assert_eq!(quoted("http://127.0.0.1:8400"), "http://127.0.0.1:8400");
        assert_eq!(quoted("en → es ca"), "'en → es ca'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
