//! Where things are: the checkout, the tools that set-up has put there, the binaries, the logs.

use std::fs::File;
use std::path::{Path, PathBuf};

/// Something that must be there is not; the message says how to get it.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// Not started within a checkout.
    #[error("this is not a checkout of the project (no infra/local/session-service.yaml above here): change into one")]
    Checkout,
    /// A file.
    #[error("{what} is missing ({path}): {remedy}")]
    File {
        /// What.
        what: &'static str,
        /// Where it was looked for.
        path: PathBuf,
        /// What to run.
        remedy: String,
    },
    /// A directory that can't be made or locked.
    #[error("{path}: {cause}")]
    Unusable {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// A second stack would take the first one's logs.
    #[error("another local stack writes to {0}: end it, or give this one a directory of its own with --keep-logs")]
    Running(PathBuf),
}

/// The places.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Root of the checkout.
    pub root: PathBuf,
    /// Where the built binaries are.
    pub binaries: PathBuf,
    /// Where logs go.
    pub logs: PathBuf,
    /// For this run only.
    pub scratch: PathBuf,
}

impl Layout {
    /// Finds the checkout around the working directory, or around this executable. `profile` is cargo's; without it the
    /// binaries beside this one are taken.
    ///
    /// # Errors
    /// When there is no checkout.
    pub fn find(profile: Option<&str>, logs: Option<&Path>) -> Result<Self, Missing> {
        let own = std::env::current_exe().ok();
        let starts = [std::env::current_dir().ok(), own.clone()];
        let root = starts.into_iter().flatten().find_map(|start| checkout(&start)).ok_or(Missing::Checkout)?;
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let binaries = match (profile, own.as_deref().and_then(Path::parent)) {
            (Some("dev"), _) => target.join("debug"),
            (Some(profile), _) => target.join(profile),
            (None, Some(beside)) => beside.to_owned(),
            (None, None) => target.join("debug"),
        };
        let logs = match logs {
            Some(logs) => std::path::absolute(logs).map_err(unusable(logs))?,
            None => root.join(".local/logs"),
        };
        Ok(Self { binaries, scratch: logs.join(".run"), logs, root })
    }

    /// The Python of the stack: `.local/venv`, else `$LOCAL_STACK_VENV`.
    pub fn python(&self) -> PathBuf {
        let own = self.root.join(".local/venv/bin/python");
        match std::env::var_os("LOCAL_STACK_VENV") {
            Some(venv) if !own.exists() => PathBuf::from(venv).join("bin/python"),
            Some(_) | None => own,
        }
    }

    /// A built binary.
    pub fn binary(&self, name: &str) -> PathBuf {
        self.binaries.join(name)
    }

    /// A file of infra/local.
    pub fn local(&self, name: &str) -> PathBuf {
        self.root.join("infra/local").join(name)
    }

    /// Checks that the stack can start at all. `local-stack doctor` tells more.
    ///
    /// # Errors
    /// The first thing that is missing.
    pub fn check(&self) -> Result<(), Missing> {
        let file = |what, path: PathBuf, remedy: &str| {
            if path.exists() { Ok(()) } else { Err(Missing::File { what, path, remedy: remedy.to_owned() }) }
        };
        file("the Python environment", self.python(), "run `make setup`, or set LOCAL_STACK_VENV")?;
        file("the CDK app's npm packages", self.root.join("infra/node_modules/tsx"), "run `npm ci` in infra/")?;
        for (what, name) in [("the controller", "controller"), ("the worker", "worker")] {
            file(what, self.binary(name), &format!("run `cargo build -p {name}`"))?;
        }
        Ok(())
    }

    /// Checks that the page can be served.
    ///
    /// # Errors
    /// The first thing that is missing.
    pub fn check_page(&self) -> Result<(), Missing> {
        let file = |what, path: PathBuf, remedy: &str| {
            if path.exists() { Ok(()) } else { Err(Missing::File { what, path, remedy: remedy.to_owned() }) }
        };
        file("sessionctl", self.binary("sessionctl"), "run `cargo build -p sessionctl`")?;
        let remedy = "run `npm ci && npm run build` in infra/local/web";
        file("the built page", self.local("web/dist/main.js"), remedy)
    }

    /// Makes the directories afresh and locks them for as long as the result lives.
    ///
    /// # Errors
    /// When a directory can't be made, or another stack uses it.
    pub fn prepare(&self) -> Result<Lock, Missing> {
        std::fs::create_dir_all(&self.logs).map_err(unusable(&self.logs))?;
        let path = self.logs.join(".lock");
        let lock = File::create(&path).map_err(unusable(&path))?;
        lock.try_lock().map_err(|error| match error {
            std::fs::TryLockError::WouldBlock => Missing::Running(self.logs.clone()),
            std::fs::TryLockError::Error(cause) => unusable(&path)(cause),
        })?;
        self.forget_logs().map_err(unusable(&self.logs))?;
        let _was_absent = std::fs::remove_dir_all(&self.scratch);
        std::fs::create_dir_all(&self.scratch).map_err(unusable(&self.scratch))?;
        Ok(Lock { scratch: self.scratch.clone(), _file: lock })
    }

    /// The last run's logs go, and only those.
    fn forget_logs(&self) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.logs)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                std::fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

/// The one stack that writes to these logs; dropping it removes the scratch directory.
#[derive(Debug)]
pub struct Lock {
    scratch: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        let _best_effort = std::fs::remove_dir_all(&self.scratch);
    }
}

fn unusable(path: &Path) -> impl Fn(std::io::Error) -> Missing {
    let path = path.to_owned();
    move |cause| Missing::Unusable { path: path.clone(), cause }
}

fn checkout(start: &Path) -> Option<PathBuf> {
    let holds = |dir: &&Path| dir.join("infra/local/session-service.yaml").exists();
    start.ancestors().find(holds).map(Path::to_owned)
}
