//! A bad network between the speaker's browser and the workers, on loopback: a relay that loses, delays and doubles sound.
//!
//! The stand-in of KVS signaling puts the relay into the candidates that it passes on, so that both sides speak to it and neither knows:
//!
//! ```text
//!   browser ──▶ front of the relay ── what Network lets through ──▶ worker
//!           ◀──────────────────────── everything ─────────────────
//! ```
//!
//! *Guarantees*: only audio (RTP) towards the worker is touched; ICE checks, DTLS and reports pass, so that it is the sound that gets worse, and
//! not the connection that breaks. The relay stands only before workers that are on loopback, and sends to nobody who has not sent to it.
//! It listens on loopback, and, where a page is served, also at the machine's own address ([`own`]), because Firefox leaves loopback out. It takes
//! nothing at either that does not come from an address of this machine, so nobody on the network gets through it.
//!
//! `POST /_local/network/faults` of KVS sets it, while sessions run, for all of them ([`Network`]: `{"loss": 0.2, "burst": 3}`); `GET` tells what is
//! set and what came of it.

pub mod own;
mod relay;
mod rewrite;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use schemas::signaling::FromService;
use serde::{Deserialize, Serialize};

use relay::Relay;
pub use relay::Seen;

/// Numbers from a seed (splitmix64): chance that comes the same each time.
#[derive(Debug)]
pub struct Dice(pub u64);

impl Dice {
    /// The next, from 0 to 1.
    pub fn roll(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let (number, end) = (((z ^ (z >> 31)) >> 11) as f64, (1_u64 << 53) as f64);
        number / end
    }
}

/// What the network does to audio packets.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Network {
    /// Share of the packets that are lost, 0 to 1.
    pub loss: f64,
    /// Packets that are lost together; 0 is 1. None begins within another, so the share gets a little smaller: of 20 % in bursts of 3, 17.6 %.
    pub burst: u32,
    /// Each packet is late by up to so much, ms, which reorders those that are closer together.
    pub jitter_ms: f64,
    /// Share of the packets that come twice, 0 to 1.
    pub doubled: f64,
}

impl Network {
    /// Whether the next packet is lost; `left` is what is left of the burst.
    pub fn loses(&self, dice: &mut Dice, left: &mut u32) -> bool {
        let length = self.burst.max(1);
        if *left == 0 && dice.roll() < self.loss / f64::from(length) {
            *left = length;
        }
        let lost = *left > 0;
        *left = left.saturating_sub(1);
        lost
    }

    /// How late a packet is, ms.
    pub fn late_ms(&self, dice: &mut Dice) -> f64 {
        dice.roll() * self.jitter_ms
    }

    /// What is wrong with it, in words.
    fn check(&self) -> Result<(), String> {
        let share = |name: &str, value: f64| match (0.0..=1.0).contains(&value) {
            true => Ok(()),
            false => Err(format!("{name} is a share of the packets, 0 to 1, not {value}")),
        };
        share("loss", self.loss)?;
        share("doubled", self.doubled)?;
        match (0.0..=10_000.0).contains(&self.jitter_ms) && self.burst <= 1_000 {
            true => Ok(()),
            false => Err("jitter_ms goes to 10000, burst to 1000".to_owned()),
        }
    }
}

/// The relays before all workers, and what each of them does.
#[derive(Debug)]
pub struct Roads {
    network: Arc<Mutex<Network>>,
    /// By channel and viewer: the newest, before the worker as it was offered last. Older ones end by themselves when nobody uses them.
    relays: Mutex<BTreeMap<(String, String), Relay>>,
    seed: u64,
    /// The machine's own address, if browsers shall be met there too; asked for each relay, since machines move between networks.
    own: fn() -> Option<Ipv4Addr>,
}

/// What [`Roads`] tell.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    /// What is set.
    pub set: Network,
    /// Audio packets that came to the newest relay of each channel, and what became of them.
    pub seen: BTreeMap<String, Seen>,
}

impl Roads {
    /// Good ones, on loopback only; chance comes from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { network: Arc::default(), relays: Mutex::default(), seed, own: || None }
    }

    /// The same, also at an address of this machine that is not loopback, for browsers that leave loopback out.
    #[must_use]
    pub fn also_at(self, own: fn() -> Option<Ipv4Addr>) -> Self {
        Self { own, ..self }
    }

    /// Sets what the network does from now on, to every session.
    pub fn set(&self, network: Network) {
        *locked(&self.network) = network;
    }

    /// The same with only the fields of `change` set.
    ///
    /// # Errors
    /// What is wrong with the change, in words.
    pub(crate) fn change(&self, change: &serde_json::Value) -> Result<(), String> {
        let mut network = locked(&self.network);
        let wanted = crate::standin::merged(&*network, change)?;
        wanted.check()?;
        *network = wanted;
        Ok(())
    }

    /// What is set, and what came of it.
    #[must_use]
    pub fn told(&self) -> Told {
        let seen = locked(&self.relays).iter().map(|((channel, _), relay)| (channel.clone(), relay.seen())).collect();
        Told { set: *locked(&self.network), seen }
    }

    /// A message on its way to the viewer `to`, or from the viewer that it names to the master: its candidates lead through the relay.
    pub(crate) fn through(&self, channel: &str, to: Option<&str>, message: FromService) -> FromService {
        let Some(payload) = &message.message_payload else { return message };
        let rewritten = match (&message.sender_client_id, to) {
            (Some(viewer), _) => rewrite::payload(payload, |address| self.before(channel, viewer, address)),
            (None, Some(viewer)) => {
                rewrite::payload(payload, |address| self.behind(channel, viewer, address).into_iter().collect())
            }
            (None, None) => None,
        };
        FromService { message_payload: rewritten.or(message.message_payload), ..message }
    }

    /// Where the speaker shall send what is for the worker at `address`. Workers elsewhere than on loopback are none of ours.
    fn before(&self, channel: &str, viewer: &str, address: SocketAddr) -> Vec<SocketAddr> {
        if !address.ip().is_loopback() {
            return Vec::new();
        }
        let mut relays = locked(&self.relays);
        relays.retain(|_, relay| relay.is_used());
        let key = (channel.to_owned(), viewer.to_owned());
        if let Some(relay) = relays.get(&key).filter(|relay| relay.worker() == address) {
            return relay.fronts().to_vec();
        }
        match Relay::start(address, (self.own)(), self.network.clone(), Dice(self.seed)) {
            Ok(relay) => {
                let fronts = relay.fronts().to_vec();
                relays.insert(key, relay);
                fronts
            }
            Err(error) => {
                tracing::warn!(%error, "no relay before a worker: its network can't be made bad");
                Vec::new()
            }
        }
    }

    /// Where the worker shall send what is for the speaker at `address`.
    fn behind(&self, channel: &str, viewer: &str, address: SocketAddr) -> Option<SocketAddr> {
        let relays = locked(&self.relays);
        relays.get(&(channel.to_owned(), viewer.to_owned()))?.back_of(address)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Any free port of loopback.
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);
