//! One relay: before one worker, for whoever speaks to it. Of each speaker's address it makes one of its own, as a NAT does, so that
//! the worker can tell them apart.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::select_all;
use serde::Serialize;
use tokio::net::UdpSocket;
use tokio::time::{sleep, timeout};

use super::own::is_ours;
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
    fronts: Vec<SocketAddr>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    worker: SocketAddr,
    /// On loopback, and where it could be had at the machine's own address.
    fronts: Vec<UdpSocket>,
    network: Arc<Mutex<Network>>,
    chance: Mutex<Chance>,
    /// By the front that they send to (its place), and their address: who checks both ways is answered on each from where it asked.
    speakers: Mutex<HashMap<(usize, SocketAddr), Arc<Back>>>,
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
    /// Before this worker; also at the machine's `own` address, if it has one.
    pub(super) fn start(
        worker: SocketAddr,
        own: Option<Ipv4Addr>,
        network: Arc<Mutex<Network>>,
        dice: Dice,
    ) -> std::io::Result<Self> {
        let mut sockets = vec![bind(ANY)?];
        match own.map(|own| bind(SocketAddr::new(own.into(), 0))).transpose() {
            Ok(more) => sockets.extend(more),
            Err(error) => tracing::warn!(%error, ?own, "no relay at the machine's own address: Firefox can't speak"),
        }
        let (sockets, fronts) = sockets.into_iter().unzip();
        let chance = Chance { dice, burst: 0, seen: Seen::default() };
        let shared = Arc::new(Shared {
            worker,
            fronts: sockets,
            network,
            chance: Mutex::new(chance),
            speakers: Mutex::default(),
            over: AtomicBool::new(false),
        });
        tokio::spawn(shared.clone().listen());
        Ok(Self { fronts, shared })
    }

    /// Where speakers send: on loopback first.
    pub(super) fn fronts(&self) -> &[SocketAddr] {
        &self.fronts
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

    /// Where the worker sends what is for the speaker at `address`. Who is not on loopback comes to the machine's own address, if we are there.
    pub(super) fn back_of(&self, address: SocketAddr) -> Option<SocketAddr> {
        let front = if address.ip().is_loopback() { 0 } else { self.fronts.len() - 1 };
        address.is_ipv4().then(|| self.shared.back(front, address).ok()).flatten().map(|back| back.address)
    }
}

impl Shared {
    /// From speakers to the worker.
    async fn listen(self: Arc<Self>) {
        let mut buffer = vec![0; DATAGRAM];
        while let Ok((front, length, speaker)) = timeout(IDLE, self.receive(&mut buffer)).await {
            let Ok(back) = self.back(front, speaker) else { continue };
            back.heard.store(true, Ordering::Relaxed);
            let packet = buffer.get(..length).unwrap_or_default();
            for late in self.judge(packet) {
                self.pass(&back, packet, late).await;
            }
        }
        self.over.store(true, Ordering::Relaxed);
    }

    /// The next datagram at any front: which, how long, from whom.
    async fn receive(&self, buffer: &mut [u8]) -> (usize, usize, SocketAddr) {
        loop {
            let ready = self.fronts.iter().map(|front| Box::pin(front.readable()));
            let (_ready, place, _others) = select_all(ready).await;
            if let Some(Ok((length, speaker))) = self.fronts.get(place).map(|front| front.try_recv_from(buffer)) {
                return (place, length, speaker);
            }
        }
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
    async fn answer(self: Arc<Self>, back: Arc<Back>, front: usize, speaker: SocketAddr) {
        let mut buffer = vec![0; DATAGRAM];
        while !self.over.load(Ordering::Relaxed) {
            let Ok(Ok((length, from))) = timeout(IDLE, back.socket.recv_from(&mut buffer)).await else { continue };
            let front = self.fronts.get(front).filter(|_| from == self.worker && back.heard.load(Ordering::Relaxed));
            if let Some(front) = front {
                let _lost = front.send_to(buffer.get(..length).unwrap_or_default(), speaker).await;
            }
        }
    }

    /// What the worker takes for this speaker at this front. Others than this machine get nothing: the kernel lets nobody on the network send in
    /// its name (a "martian" source), so the address proves it.
    fn back(self: &Arc<Self>, front: usize, speaker: SocketAddr) -> std::io::Result<Arc<Back>> {
        let mut speakers = locked(&self.speakers);
        if let Some(known) = speakers.get(&(front, speaker)) {
            return Ok(known.clone());
        }
        if !is_ours(speaker.ip()) {
            return Err(std::io::ErrorKind::PermissionDenied.into());
        }
        // At the front's own address: an ICE check is answered with the address that it came from, and Firefox takes no loopback one there either.
        let beside = self.fronts.get(front).ok_or(std::io::ErrorKind::NotFound)?.local_addr()?.ip();
        let (socket, address) = bind(SocketAddr::new(beside, 0))?;
        let back = Arc::new(Back { socket, address, heard: AtomicBool::new(false) });
        speakers.insert((front, speaker), back.clone());
        tokio::spawn(self.clone().answer(back.clone(), front, speaker));
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

fn bind(to: SocketAddr) -> std::io::Result<(UdpSocket, SocketAddr)> {
    let socket = std::net::UdpSocket::bind(to)?;
    socket.set_nonblocking(true)?;
    let socket = UdpSocket::from_std(socket)?;
    let address = socket.local_addr()?;
    Ok((socket, address))
}
