//! What the control plane and the sockets share: the channels, and a way to each connection.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use schemas::signaling::FromService;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::KvsConfig;
use super::channel::{Channel, Conn, Effect, Now, Rate, Refused};
use super::faults::{Cut, Faults, Knobs};
use super::sigv4::Key;
use crate::network::Roads;

/// To one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Out {
    /// A message.
    Message(FromService),
    /// The end, now.
    Cut(Cut),
    /// `GO_AWAY`, and the end after the grace period.
    GoAway,
    /// What is no message.
    Noise,
}

/// A channel and what the control plane knows of it.
#[derive(Debug)]
pub struct Entry {
    /// `session-…`.
    pub name: String,
    /// `arn:aws:kinesisvideo:…`.
    pub arn: String,
    /// Seconds since 1970.
    pub created: f64,
    /// `MessageTtlSeconds`.
    pub ttl_seconds: u64,
    /// Calls about this channel.
    pub calls: Rate,
    /// What happens in it.
    pub channel: Channel,
}

/// Everything that changes.
#[derive(Debug, Default)]
pub struct State {
    /// By ARN.
    pub channels: BTreeMap<String, Entry>,
    /// Streams by ARN.
    pub streams: BTreeMap<String, super::stream::Entry>,
    /// Faults that last.
    pub knobs: Knobs,
    sockets: BTreeMap<Conn, Socket>,
    last: Conn,
}

#[derive(Debug)]
struct Socket {
    to: mpsc::UnboundedSender<Out>,
    /// Its client id; `None` is a master.
    viewer: Option<String>,
}

/// What messages meet on their way.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    arn: &'a str,
    roads: Option<&'a Roads>,
}

/// The stand-in.
#[derive(Debug)]
pub struct Service {
    /// As it was configured.
    pub config: KvsConfig,
    /// Whose signatures are right.
    pub key: Key,
    /// Where masters connect.
    pub masters: SocketAddr,
    /// Where viewers connect.
    pub viewers: SocketAddr,
    started: Instant,
    state: Mutex<State>,
}

/// A new connection of a channel.
#[derive(Debug)]
pub struct Joined {
    /// Its number.
    pub conn: Conn,
    /// What is sent to it.
    pub out: mpsc::UnboundedReceiver<Out>,
}

impl Service {
    /// Without channels.
    pub fn new(config: KvsConfig, masters: SocketAddr, viewers: SocketAddr) -> Self {
        let key = Key {
            id: config.access_key_id.clone(),
            secret: config.secret_access_key.clone(),
            region: config.region.clone(),
        };
        Self { config, key, masters, viewers, started: Instant::now(), state: Mutex::new(State::default()) }
    }

    /// Since the start.
    pub fn now(&self) -> Now {
        self.started.elapsed()
    }

    /// By the wall clock, epoch ms.
    pub fn epoch_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    /// Looks at or changes the state.
    pub fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn way<'a>(&'a self, arn: &'a str) -> Way<'a> {
        Way { arn, roads: self.config.roads.as_deref() }
    }

    /// Makes a channel; `None` if the name is taken.
    pub fn create(&self, name: &str, ttl_seconds: u64) -> Option<String> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let KvsConfig { region, account, .. } = &self.config;
        self.with(|state| {
            if state.channels.values().any(|entry| entry.name == name) {
                return None;
            }
            let arn = format!("arn:aws:kinesisvideo:{region}:{account}:channel/{name}/{}", since.as_millis());
            let entry = Entry {
                name: name.to_owned(),
                arn: arn.clone(),
                created: (since.as_secs_f64() * 1_000.0).round() / 1_000.0,
                ttl_seconds,
                calls: Rate::default(),
                channel: Channel::new(Duration::from_secs(ttl_seconds)),
            };
            state.channels.insert(arn.clone(), entry);
            Some(arn)
        })
    }

    /// Removes a channel and closes its connections; `false` if there is none.
    pub fn delete(&self, arn: &str) -> bool {
        self.with(|state| {
            let Some(entry) = state.channels.remove(arn) else { return false };
            let effects = entry.channel.everyone().map(|(conn, _)| Effect::Close(conn)).collect();
            state.act(self.way(arn), effects);
            true
        })
    }

    /// Connects to a channel: as its master, or as the viewer of that id. `None` if there is no such channel.
    pub fn join(&self, arn: &str, viewer: Option<&str>) -> Option<Result<Joined, Refused>> {
        let (now, limits) = (self.now(), &self.config.limits);
        self.with(|state| {
            let conn = state.last + 1;
            let channel = &mut state.channels.get_mut(arn)?.channel;
            let effects = match viewer {
                None => channel.master(conn, now, limits),
                Some(id) => channel.viewer(conn, id, now, limits),
            };
            Some(effects.map(|effects| {
                let (to, out) = mpsc::unbounded_channel();
                state.last = conn;
                state.sockets.insert(conn, Socket { to, viewer: viewer.map(str::to_owned) });
                state.act(self.way(arn), effects);
                Joined { conn, out }
            }))
        })
    }

    /// A text frame came.
    pub fn message(&self, arn: &str, conn: Conn, text: &str) {
        let (now, limits) = (self.now(), &self.config.limits);
        self.with(|state| {
            if let Some(entry) = state.channels.get_mut(arn) {
                let effects = entry.channel.message(conn, text, now, limits);
                state.act(self.way(arn), effects);
            }
        });
    }

    /// A connection has ended.
    pub fn left(&self, arn: &str, conn: Conn) {
        self.with(|state| {
            state.sockets.remove(&conn);
            if let Some(entry) = state.channels.get_mut(arn) {
                entry.channel.left(conn);
            }
        });
    }

    /// Breaks what is to be broken.
    pub fn set(&self, faults: &Faults) {
        self.with(|state| {
            if let Some(latency) = faults.latency_ms {
                state.knobs.latency_ms = latency;
            }
            if let Some(refuse) = &faults.refuse {
                state.knobs.refuse = Some(refuse.clone());
            }
            let mut outs = Vec::new();
            for entry in state.channels.values_mut() {
                entry.channel.spoiled.set(faults);
                outs.extend(entry.channel.everyone());
            }
            for (conn, is_master) in outs {
                if faults.noise && !is_master {
                    state.send(conn, Out::Noise);
                }
                if !faults.of.concerns(is_master) {
                    continue;
                }
                if faults.reconnect_ice_server {
                    state.send(conn, Out::Message(notice("RECONNECT_ICE_SERVER")));
                }
                if faults.go_away {
                    state.send(conn, Out::GoAway);
                }
                if let Some(cut) = faults.cut {
                    state.send(conn, Out::Cut(cut));
                }
            }
        });
    }
}

impl State {
    fn act(&mut self, way: Way<'_>, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Send(conn, message) => {
                    let viewer = self.sockets.get(&conn).and_then(|socket| socket.viewer.as_deref());
                    let message = match way.roads {
                        Some(roads) => roads.through(way.arn, viewer, message),
                        None => message,
                    };
                    self.send(conn, Out::Message(message));
                }
                Effect::Close(conn) => self.send(conn, Out::Cut(Cut::Clean)),
            }
        }
    }

    fn send(&self, conn: Conn, out: Out) {
        if let Some(socket) = self.sockets.get(&conn) {
            // A socket that has just ended leaves by itself.
            let _ending = socket.to.send(out);
        }
    }
}

/// A message without a payload.
pub fn notice(kind: &str) -> FromService {
    FromService { message_type: kind.to_owned(), sender_client_id: None, message_payload: None, status_response: None }
}
