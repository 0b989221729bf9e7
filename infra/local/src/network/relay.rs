//! One relay: before one worker, for whoever speaks to it. Of each speaker's address it makes one of its own, as a NAT does, so that
//! the worker can tell them apart.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::{ANY, Dice, Network, locked};

/// A relay that nobody sends to for so long is at its end: a browser that is connected sends every few seconds.
const IDLE: Duration = Duration::from_secs(120);
/// Largest datagram.
const DATAGRAM: usize = 65_536;

/// Audio packets of the speaker, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Seen {
    /// Passed on, at least once.
    pub passed: u64,
    /// Lost on purpose.
    pub dropped: u64,
    /// Passed on twice.
    pub doubled: u64,
    /// RTP timestamp of the first packet that was passed on, and of the newest.
    #[serde(skip)]
    pub stamps: Option<(u32, u32)>,
}

/// A running relay. An older worker of the same session may still be heard through it, so it ends only when nobody uses it.
#[derive(Debug)]
pub(super) struct Relay {
    front: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    worker: SocketAddr,
    front: UdpSocket,
    network: Arc<Mutex<Network>>,
    chance: Mutex<Chance>,
    speakers: Mutex<HashMap<SocketAddr, Arc<Back>>>,
    over: AtomicBool,
}

#[derive(Debug)]
struct Chance {
    dice: Dice,
    /// What is left of a burst.
    burst: u32,
    seen: Seen,
}

/// What the worker takes for one speaker's address.
#[derive(Debug)]
struct Back {
    socket: UdpSocket,
    address: SocketAddr,
    /// Nothing is sent to an address that was only named.
    heard: AtomicBool,
}

impl Relay {
    /// Before this worker.
    pub(super) fn start(worker: SocketAddr, network: Arc<Mutex<Network>>, dice: Dice) -> std::io::Result<Self> {
        let (socket, front) = bind()?;
        let chance = Chance { dice, burst: 0, seen: Seen::default() };
        let shared = Arc::new(Shared {
            worker,
            front: socket,
            network,
            chance: Mutex::new(chance),
            speakers: Mutex::default(),
            over: AtomicBool::new(false),
        });
        tokio::spawn(shared.clone().listen());
        Ok(Self { front, shared })
    }

    /// Where speakers send.
    pub(super) fn front(&self) -> SocketAddr {
        self.front
    }

    /// Before whom it stands.
    pub(super) fn worker(&self) -> SocketAddr {
        self.shared.worker
    }

    /// Whether it has not ended for want of use.
    pub(super) fn is_used(&self) -> bool {
        !self.shared.over.load(Ordering::Relaxed)
    }

    /// What became of the audio packets so far.
    pub(super) fn seen(&self) -> Seen {
        locked(&self.shared.chance).seen
    }

    /// Where the worker sends what is for the speaker at `address`.
    pub(super) fn back_of(&self, address: SocketAddr) -> Option<SocketAddr> {
        address.is_ipv4().then(|| self.shared.back(address).ok()).flatten().map(|back| back.address)
    }
}

impl Shared {
    /// From speakers to the worker.
    async fn listen(self: Arc<Self>) {
        let mut buffer = vec![0; DATAGRAM];
        while let Ok(received) = timeout(IDLE, self.front.recv_from(&mut buffer)).await {
            let Ok((length, speaker)) = received else { continue };
            let Ok(back) = self.back(speaker) else { continue };
            back.heard.store(true, Ordering::Relaxed);
            let packet = buffer.get(..length).unwrap_or_default();
            for late in self.judge(packet) {
                self.pass(&back, packet, late).await;
            }
        }
        self.over.store(true, Ordering::Relaxed);
    }

    async fn pass(&self, back: &Arc<Back>, packet: &[u8], late: Duration) {
        // What does not arrive is lost, which is what UDP promises.
        if late.is_zero() {
            let _lost = back.socket.send_to(packet, self.worker).await;
            return;
        }
        let (back, packet, worker) = (back.clone(), packet.to_vec(), self.worker);
        tokio::spawn(async move {
            sleep(late).await;
            let _lost = back.socket.send_to(&packet, worker).await;
        });
    }

    /// From the worker to one speaker.
    async fn answer(self: Arc<Self>, back: Arc<Back>, speaker: SocketAddr) {
        let mut buffer = vec![0; DATAGRAM];
        while !self.over.load(Ordering::Relaxed) {
            let Ok(Ok((length, from))) = timeout(IDLE, back.socket.recv_from(&mut buffer)).await else { continue };
            if from == self.worker && back.heard.load(Ordering::Relaxed) {
                let _lost = self.front.send_to(buffer.get(..length).unwrap_or_default(), speaker).await;
            }
        }
    }

    /// What the worker takes for this speaker.
    fn back(self: &Arc<Self>, speaker: SocketAddr) -> std::io::Result<Arc<Back>> {
        let mut speakers = locked(&self.speakers);
        if let Some(known) = speakers.get(&speaker) {
            return Ok(known.clone());
        }
        let (socket, address) = bind()?;
        let back = Arc::new(Back { socket, address, heard: AtomicBool::new(false) });
        speakers.insert(speaker, back.clone());
        tokio::spawn(self.clone().answer(back.clone(), speaker));
        Ok(back)
    }

    /// After how long each copy of a packet is passed on.
    fn judge(&self, packet: &[u8]) -> Vec<Duration> {
        let Some(stamp) = rtp_timestamp(packet) else { return vec![Duration::ZERO] };
        let network = *locked(&self.network);
        let Chance { dice, burst, seen } = &mut *locked(&self.chance);
        if network.loses(dice, burst) {
            seen.dropped += 1;
            return Vec::new();
        }
        seen.passed += 1;
        seen.stamps = Some((seen.stamps.map_or(stamp, |(first, _)| first), stamp));
        let mut copies = vec![late(network, dice)];
        if network.doubled > 0.0 {
            let again = late(network, dice);
            if dice.roll() < network.doubled {
                seen.doubled += 1;
                copies.push(again);
            }
        }
        copies
    }
}

fn late(network: Network, dice: &mut Dice) -> Duration {
    Duration::from_secs_f64(network.late_ms(dice) / 1_000.0)
}

/// Of an RTP packet; `None` for what else shares its port (RFC 7983, and RFC 5761 for RTCP).
fn rtp_timestamp(packet: &[u8]) -> Option<u32> {
    let [first, kind, _, _, stamp @ ..] = packet else { return None };
    let is_rtp = (128..192).contains(first) && !(192..224).contains(kind) && packet.len() >= 12;
    let stamp = stamp.first_chunk::<4>().filter(|_| is_rtp)?;
    Some(u32::from_be_bytes(*stamp))
}

/// Any free port of loopback.
fn bind() -> std::io::Result<(UdpSocket, SocketAddr)> {
    let socket = std::net::UdpSocket::bind(ANY)?;
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}
