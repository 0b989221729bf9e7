//! One network namespace.

use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};

use nix::sched::{CloneFlags, setns};

/// A network namespace that lives as long as its holder, a `cat` whose input is ours.
#[derive(Debug)]
pub struct Place {
    holder: Child,
}

impl Place {
    /// An empty one, with loopback up.
    ///
    /// # Errors
    /// When the machine does not allow it.
    pub fn new() -> Result<Self, String> {
        let script = "ip link set lo up && echo made && exec cat";
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = command.spawn().map_err(|e| format!("unshare: {e}"))?;
        let mut said = String::new();
        if let Some(stdout) = holder.stdout.take() {
            let _read = BufReader::new(stdout).read_line(&mut said);
        }
        let place = Self { holder };
        if said.trim() == "made" { Ok(place) } else { Err(format!("unshare --net was refused {said}")) }
    }

    pub(super) fn path(&self) -> String {
        format!("/proc/{}/ns/net", self.holder.id())
    }

    /// What stands before a command that shall run here.
    #[must_use]
    pub fn prefix(&self) -> Vec<String> {
        vec!["nsenter".into(), format!("--net={}", self.path()), "--".into()]
    }

    /// A command that runs here.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path())).arg("--").arg(program);
        command
    }

    /// Runs a shell script here; what it printed.
    ///
    /// # Errors
    /// What it said when it failed.
    pub fn run(&self, script: &str) -> Result<String, String> {
        let mut command = self.command("sh");
        let ended = command.args(["-ec", script]).stdin(Stdio::null()).output().map_err(|e| format!("nsenter: {e}"))?;
        let said = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        if ended.status.success() {
            Ok(String::from_utf8_lossy(&ended.stdout).into_owned())
        } else {
            Err(format!("{script}: {said}"))
        }
    }

    /// Adds nftables rules.
    ///
    /// # Errors
    /// What nft said.
    pub fn rules(&self, rules: &str) -> Result<(), String> {
        let mut nft = self.command("nft");
        nft.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut nft = nft.spawn().map_err(|e| format!("nsenter: {e}"))?;
        if let Some(mut stdin) = nft.stdin.take() {
            stdin.write_all(rules.as_bytes()).map_err(|e| e.to_string())?;
        }
        let ended = nft.wait_with_output().map_err(|e| e.to_string())?;
        if ended.status.success() { Ok(()) } else { Err(format!("nft: {}", String::from_utf8_lossy(&ended.stderr))) }
    }

    /// A wire from here, where it is `eth0` and the way to everywhere, to another place.
    ///
    /// # Errors
    /// What ip said.
    pub fn wire(&self, address: &str, other: &Self, name: &str, gateway: &str) -> Result<(), String> {
        let (here, there) = (self.holder.id(), other.holder.id());
        self.run(&format!("ip link add eth0 netns {here} type veth peer name {name} netns {there}"))?;
        other.run(&format!("ip addr add {gateway} dev {name} && ip link set {name} up"))?;
        let via = gateway.split('/').next().unwrap_or_default();
        self.run(&format!("ip addr add {address} dev eth0 && ip link set eth0 up && ip route add default via {via}"))
            .map(drop)
    }

    /// Lets the calling thread, and what it starts from now on, live here.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn enter(&self) -> Result<(), String> {
        let file = std::fs::File::open(self.path()).map_err(|e| format!("{}: {e}", self.path()))?;
        setns(file, CloneFlags::CLONE_NEWNET).map_err(|e| format!("setns: {e}"))
    }

    /// Does something here, on a thread of its own.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn within<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T, String> {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| self.enter().map(|()| act()));
            thread.join().unwrap_or_else(|_| Err("the thread panicked".into()))
        })
    }

    /// A UDP socket of this place, for any thread.
    ///
    /// # Errors
    /// When it cannot be bound.
    pub fn socket(&self, address: &str) -> Result<UdpSocket, String> {
        self.within(|| UdpSocket::bind(address))?.map_err(|e| format!("{address}: {e}"))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Its end of input would do; this does not wait for who else lives here.
        let _killed = self.holder.kill();
        let _ended = self.holder.wait();
    }
}
