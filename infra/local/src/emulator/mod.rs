//! The emulator: ministack, a Python package, which carries what is not ours to stand in (DynamoDB with streams, Lambda,
//! EventBridge, WebSocket API, CloudFormation). Here it is only started, awaited and stopped.

mod api;
mod functions;

use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

pub use self::api::{Api, ApiError, Invoked};
pub use self::functions::Functions;
use crate::guard::{Guard, Target};

/// The version that the stack is built on; another may behave differently.
pub const VERSION: &str = "1.5.33";

/// How long it may take to listen. It needs about 1 s; a loaded machine more.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the emulator needs to know.
#[derive(Debug, Clone)]
pub struct EmulatorConfig {
    /// A Python that has `ministack`.
    pub python: PathBuf,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    /// Region of every call.
    pub region: String,
    /// Account number, 12 digits; also the access key id.
    pub account: String,
    /// The secret that functions get.
    pub secret_access_key: String,
    /// Where its output goes.
    pub log: PathBuf,
    /// A directory for its files: unpacked functions, objects.
    pub scratch: PathBuf,
    /// What functions shall find in their environment besides AWS's variables: the endpoints of the stand-ins.
    pub function_environment: Vec<(String, String)>,
}

/// Why there is no emulator.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something could not be started or written.
    #[error("the emulator could not be started with {python}: {cause}; `local-stack doctor` tells what is missing")]
    Start {
        /// The Python.
        python: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It ended at once.
    #[error("the emulator ended at once ({status}); its last words are in {log}")]
    Ended {
        /// How.
        status: String,
        /// Where it says why.
        log: PathBuf,
    },
    /// It does not answer.
    #[error("the emulator does not answer on 127.0.0.1:{port} after {} s; see {log}", PATIENCE.as_secs())]
    Silent {
        /// The port.
        port: u16,
        /// Where it may say why.
        log: PathBuf,
    },
}

/// A running emulator. It is killed with everything that it started when this is dropped.
#[derive(Debug)]
pub struct Emulator {
    url: String,
    region: String,
    account: String,
    process: Child,
    group: Target,
    guard: Guard,
}

impl Emulator {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// When it can't be started or does not answer.
    pub async fn start(config: EmulatorConfig, guard: &Guard) -> Result<Self, Error> {
        let mut process = spawn(&config).map_err(|cause| Error::Start { python: config.python.clone(), cause })?;
        let group = Target::group_of(process.id());
        guard.watch(group);
        let url = format!("http://127.0.0.1:{}", config.port);
        if let Err(error) = wait_until_ready(&url, &mut process, &config).await {
            group.signal(Signal::SIGKILL);
            return Err(error);
        }
        let (region, account) = (config.region, config.account);
        Ok(Self { url, region, account, process, group, guard: guard.clone() })
    }

    /// A client of it.
    pub fn api(&self) -> Api {
        Api::new(&self.url, &self.region, &self.account)
    }

    /// The processes of its functions.
    pub fn functions(&self) -> Functions {
        Functions::of(self.process.id())
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Resolves when it ends by itself, which it should not.
    pub async fn ended(&mut self) -> String {
        match self.process.wait().await {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// Stops it and the functions that it runs.
    pub async fn stop(mut self) {
        // It keeps nothing that is worth an orderly end, and its functions do not end with it otherwise.
        self.group.signal(Signal::SIGTERM);
        let _in_time = timeout(Duration::from_millis(500), self.process.wait()).await;
        self.group.signal(Signal::SIGKILL);
        let _reaped = self.process.wait().await;
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.group.signal(Signal::SIGKILL);
        self.guard.release(self.group);
    }
}

fn spawn(config: &EmulatorConfig) -> std::io::Result<Child> {
    std::fs::create_dir_all(&config.scratch)?;
    let log = File::create(&config.log)?;
    let mut command = Command::new(&config.python);
    command.args(["-m", "ministack"]).env_clear().envs(environment(config));
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.process_group(0).kill_on_drop(true).spawn()
}

/// Its whole environment. Functions inherit it, so nothing of the user's may be in it.
fn environment(config: &EmulatorConfig) -> Vec<(String, String)> {
    let scratch = config.scratch.display().to_string();
    let own = [
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("HOME", scratch.clone()),
        ("TMPDIR", scratch.clone()),
        ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ("BIND_HOST", "127.0.0.1".to_owned()),
        ("MINISTACK_HOST", "127.0.0.1".to_owned()),
        ("MINISTACK_REGION", config.region.clone()),
        ("MINISTACK_ACCOUNT_ID", config.account.clone()),
        ("GATEWAY_PORT", config.port.to_string()),
        // The other ports that it would open.
        ("IOT_MTLS_ENABLED", "0".to_owned()),
        ("SFTP_ENABLED", "0".to_owned()),
        // The one that functions call back to.
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", config.port)),
        ("AWS_SECRET_ACCESS_KEY", config.secret_access_key.clone()),
        ("AWS_DEFAULT_REGION", config.region.clone()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    let own = own.into_iter().map(|(name, value)| (name.to_owned(), value));
    own.chain(config.function_environment.iter().cloned()).collect()
}

async fn wait_until_ready(url: &str, process: &mut Child, config: &EmulatorConfig) -> Result<(), Error> {
    let http = reqwest::Client::new();
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Ok(Some(status)) = process.try_wait() {
            return Err(Error::Ended { status: status.to_string(), log: config.log.clone() });
        }
        let asked = http.get(format!("{url}/_ministack/ready")).timeout(Duration::from_secs(2)).send().await;
        if asked.is_ok_and(|answer| answer.status().is_success()) {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Error::Silent { port: config.port, log: config.log.clone() });
        }
        sleep(Duration::from_millis(25)).await;
    }
}
