//! A small internet of network namespaces, to try real NATs, firewalls and relays on one machine.
//!
//! ```text
//!  worker ── security group ── internet gateway ─┬─ relay (coturn)
//!  10.0.0.10                   192.0.2.10        └─ home router (symmetric NAT) ── speaker
//!                                                   203.0.113.77                   192.168.77.2
//! ```
//! The whole local stack runs in the worker's namespace; the speaker's reaches it through a forwarder from loopback to loopback, so that only
//! media goes over the wires. *Guarantee*: nothing is named and nothing stays: a namespace lives as long as its holder, a process that ends
//! with us, also when we are killed. Needs root.

mod forward;
mod place;

use std::fs::File;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use forward::Forwarder;
pub use place::Place;

/// Where the worker binds its media: a private address, as a Fargate task has.
pub const WORKER: &str = "10.0.0.10";
/// What the internet gateway makes of it.
pub const WORKER_PUBLIC: &str = "192.0.2.10";
/// STUN and TURN, on the port that KVS uses.
pub const RELAY: &str = "198.51.100.2:443";
/// What coturn shares with the stand-in of KVS.
pub const RELAY_SECRET: &str = "only-in-this-rig";
/// Where the speaker binds its media.
pub const SPEAKER: &str = "192.168.77.2";

/// What the internet lets through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weather {
    /// Everything.
    Fair,
    /// No UDP between the speaker's home and the worker; both reach the relay, and the relay both.
    NoDirectPath,
    /// The worker reaches nothing by UDP but the relay's own port, as behind a NAT gateway or a strict firewall.
    WorkerBehindRelay,
    /// No UDP at all.
    NoUdp,
}

impl Weather {
    /// Rules of the internet's forward chain; the worker's address is seen before the gateway translates it.
    fn rules(self) -> &'static str {
        match self {
            Self::Fair => "",
            Self::NoDirectPath => {
                "ip saddr 203.0.113.77 ip daddr 10.0.0.10 meta l4proto udp drop
                 ip saddr 10.0.0.10 ip daddr 203.0.113.77 meta l4proto udp drop"
            }
            Self::WorkerBehindRelay => {
                "ip daddr 10.0.0.10 udp sport != 443 drop
                 ip saddr 10.0.0.10 udp dport != 443 drop"
            }
            Self::NoUdp => "meta l4proto udp drop",
        }
    }
}

/// The running rig.
#[derive(Debug)]
pub struct Internet {
    worker: Place,
    internet: Place,
    relay: Place,
    _router: Place,
    speaker: Place,
    coturn: Child,
    folder: PathBuf,
}

impl Internet {
    /// Why the rig cannot stand on this machine; `None` when it can.
    #[must_use]
    pub fn missing() -> Option<String> {
        let tools = ["ip", "nft", "nsenter", "unshare", "setpriv", "turnserver"];
        let absent: Vec<_> = tools.into_iter().filter(|tool| !is_installed(tool)).collect();
        if !absent.is_empty() {
            return Some(format!("not installed: {} (scripts/setup does)", absent.join(", ")));
        }
        Place::new().err().map(|error| format!("a network namespace cannot be made, which needs root: {error}"))
    }

    /// Sets it up. `ports` is what the worker's security group lets in, as nft writes it: `50000-50031`.
    ///
    /// # Errors
    /// The first command that failed, with what it said.
    pub fn new(folder: &Path, ports: &str) -> Result<Self, String> {
        Self::with_relay(folder, ports, &[])
    }

    /// The same, with more options of coturn.
    ///
    /// # Errors
    /// The first command that failed, with what it said.
    pub fn with_relay(folder: &Path, ports: &str, options: &[&str]) -> Result<Self, String> {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let place = || Place::new().map_err(|e| e.to_string());
        let (worker, internet, relay, router, speaker) = (place()?, place()?, place()?, place()?, place()?);
        worker.wire("10.0.0.10/24", &internet, "aws", "10.0.0.1/24")?;
        relay.wire("198.51.100.2/24", &internet, "relay", "198.51.100.1/24")?;
        router.wire("203.0.113.77/24", &internet, "home", "203.0.113.1/24")?;
        speaker.wire("192.168.77.2/24", &router, "lan", "192.168.77.1/24")?;
        for forwards in [&internet, &router] {
            forwards.run("echo 1 > /proc/sys/net/ipv4/ip_forward")?;
        }
        worker.rules(&SECURITY_GROUP.replace("PORTS", ports))?;
        internet.rules(GATEWAY)?;
        router.rules(HOME)?;
        let coturn = start_relay(&relay, folder, options)?;
        let rig = Self { worker, internet, relay, _router: router, speaker, coturn, folder: folder.to_owned() };
        rig.until_relay_answers()?;
        rig.nat_is_symmetric()?;
        Ok(rig)
    }

    /// Changes what the internet lets through, also for what flows already.
    ///
    /// # Errors
    /// What nft said.
    pub fn let_through(&self, weather: Weather) -> Result<(), String> {
        self.internet.rules(&format!(
            "table inet weather {{}}\ndelete table inet weather\n\
             table inet weather {{ chain forward {{ type filter hook forward priority -10;\n{}\n}}\n}}",
            weather.rules()
        ))
    }

    /// Packets of the speaker that reached the worker by themselves, and those that came through the relay, since the start.
    ///
    /// # Errors
    /// What nft said.
    pub fn packets_to_worker(&self) -> Result<(u64, u64), String> {
        let listed = self.internet.run("nft list chain ip gateway count")?;
        let count = |name: &str| {
            let line = listed.lines().find(|line| line.contains(name))?;
            line.split_whitespace().skip_while(|word| *word != "packets").nth(1)?.parse().ok()
        };
        count("203.0.113.77").zip(count("198.51.100.2")).ok_or(format!("no counters in\n{listed}"))
    }

    /// What starts a program where the worker is, with the STUN server's name known there as DNS would know it.
    ///
    /// # Errors
    /// When the file of names cannot be written.
    pub fn at_worker(&self) -> Result<Vec<String>, String> {
        let hosts = self.folder.join("hosts");
        let names = "127.0.0.1 localhost\n198.51.100.2 stun.kinesisvideo.us-east-1.amazonaws.com\n";
        std::fs::write(&hosts, names).map_err(|e| format!("{}: {e}", hosts.display()))?;
        let mut prefix = self.worker.prefix();
        // A mount namespace, so that nobody else's /etc/hosts changes.
        let script = "mount --bind \"$1\" /etc/hosts; shift; exec \"$@\"";
        prefix.extend(["unshare", "--mount", "sh", "-ec", script, "sh"].map(str::to_owned));
        prefix.push(hosts.display().to_string());
        Ok(prefix)
    }

    /// The speaker's place.
    #[must_use]
    pub fn speaker(&self) -> &Place {
        &self.speaker
    }

    /// The worker's place.
    #[must_use]
    pub fn worker(&self) -> &Place {
        &self.worker
    }

    /// What coturn has said so far.
    ///
    /// # Errors
    /// When its log cannot be read.
    pub fn relay_log(&self) -> Result<String, String> {
        std::fs::read_to_string(self.folder.join("coturn.txt")).map_err(|e| e.to_string())
    }

    /// Asks the relay for our address until it answers, as STUN does (RFC 5389).
    fn until_relay_answers(&self) -> Result<(), String> {
        let socket = self.relay.socket("198.51.100.2:0")?;
        let patience = socket.set_read_timeout(Some(Duration::from_millis(100)));
        patience.map_err(|e| e.to_string())?;
        let (start, mut answer) = (Instant::now(), [0; 128]);
        while start.elapsed() < Duration::from_secs(20) {
            let asked = socket.send_to(b"\x00\x01\x00\x00\x21\x12\xa4\x42rig-is-ready", RELAY);
            if asked.and_then(|_| socket.recv(&mut answer)).is_ok_and(|bytes| bytes >= 20) {
                return Ok(());
            }
        }
        Err(format!("coturn does not answer on {RELAY}:\n{}", self.relay_log().unwrap_or_default()))
    }

    /// A rig that is kinder than the world proves nothing: one socket at home must be seen with another port by another peer.
    fn nat_is_symmetric(&self) -> Result<(), String> {
        let home = self.speaker.socket(&format!("{SPEAKER}:0"))?;
        let seen = |port: u16| -> Result<u16, String> {
            let peer = self.relay.socket(&format!("198.51.100.2:{port}"))?;
            seen_from(&home, &peer).map_err(|e| format!("nothing gets out of the speaker's home: {e}"))
        };
        let (first, second) = (seen(40_001)?, seen(40_002)?);
        if first == second { Err(format!("the NAT is not symmetric: port {first} for both")) } else { Ok(()) }
    }
}

fn seen_from(home: &UdpSocket, peer: &UdpSocket) -> std::io::Result<u16> {
    peer.set_read_timeout(Some(Duration::from_secs(2)))?;
    home.send_to(b"hello", peer.local_addr()?)?;
    Ok(peer.recv_from(&mut [0; 16])?.1.port())
}

impl Drop for Internet {
    fn drop(&mut self) {
        // The namespaces go with their holders.
        let _killed = self.coturn.kill();
        let _ended = self.coturn.wait();
    }
}

/// Everything out, and in: what was asked for, and the worker's media ports.
const SECURITY_GROUP: &str = "table inet group {
  chain in { type filter hook input priority 0; policy drop;
    iif lo accept
    ct state established,related accept
    udp dport PORTS accept
  }
}";

/// One public address for one private one, as an internet gateway does; what comes to the worker is counted by whence.
const GATEWAY: &str = "table ip gateway {
  chain in { type nat hook prerouting priority dstnat; ip daddr 192.0.2.10 dnat to 10.0.0.10; }
  chain out { type nat hook postrouting priority srcnat; ip saddr 10.0.0.10 snat to 192.0.2.10; }
  chain count { type filter hook forward priority 10;
    ip saddr 203.0.113.77 ip daddr 10.0.0.10 counter
    ip saddr 198.51.100.2 ip daddr 10.0.0.10 counter
  }
}";

/// A symmetric NAT: another port for every destination, and nothing comes in unasked.
const HOME: &str = "table ip home {
  chain out { type nat hook postrouting priority srcnat; oifname \"eth0\" masquerade fully-random; }
  chain through { type filter hook forward priority 0; policy drop;
    ct state established,related accept
    iifname \"lan\" accept
  }
  chain in { type filter hook input priority 0; policy drop;
    ct state established,related accept
    iifname \"lan\" accept
  }
}";

/// coturn with the credentials that the stand-in of KVS makes. Like KVS's, it lets nobody reach a private address.
fn start_relay(place: &Place, folder: &Path, more: &[&str]) -> Result<Child, String> {
    let file = |name: &str| folder.join(name).display().to_string();
    let log = File::create(folder.join("coturn.txt")).map_err(|e| e.to_string())?;
    let mut prefix = place.prefix();
    // Whatever kills us kills it.
    prefix.extend(["setpriv", "--pdeathsig", "KILL", "turnserver", "-n"].map(str::to_owned));
    let options = [
        "--no-cli".to_owned(),
        "--no-tls".to_owned(),
        "--no-dtls".to_owned(),
        "--simple-log".to_owned(),
        "--log-file=stdout".to_owned(),
        "--verbose".to_owned(),
        "--fingerprint".to_owned(),
        "--listening-ip=198.51.100.2".to_owned(),
        "--relay-ip=198.51.100.2".to_owned(),
        "--listening-port=443".to_owned(),
        "--min-port=49152".to_owned(),
        "--max-port=49999".to_owned(),
        "--realm=kinesisvideo".to_owned(),
        "--use-auth-secret".to_owned(),
        format!("--static-auth-secret={RELAY_SECRET}"),
        "--denied-peer-ip=10.0.0.0-10.255.255.255".to_owned(),
        "--denied-peer-ip=192.168.0.0-192.168.255.255".to_owned(),
        format!("--userdb={}", file("turn.sqlite")),
        format!("--pidfile={}", file("turn.pid")),
    ];
    let (program, arguments) = prefix.split_first().ok_or("no command")?;
    let mut command = Command::new(program);
    command.args(arguments).args(options).args(more).stdin(Stdio::null());
    let errors = log.try_clone().map_err(|e| e.to_string())?;
    command.stdout(log).stderr(errors).spawn().map_err(|e| format!("coturn did not start: {e}"))
}

fn is_installed(tool: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let sbin = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&folders).chain(sbin).any(|folder| folder.join(tool).is_file())
}
