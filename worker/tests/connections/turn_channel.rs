//! The crate's TURN client over virtual hours, before a server that keeps to RFC 8656: nonces end after ten minutes (section 5), channels ten minutes
//! after they were bound last, and a peer that is bound to one channel is not bound to another (section 12.2).

use bytes::BytesMut;
use rtc::crypto::default_provider;
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext};
use rtc::stun::attributes::{ATTR_NONCE, ATTR_REALM};
use rtc::stun::error_code::{CODE_BAD_REQUEST, CODE_STALE_NONCE, CODE_UNAUTHORIZED, ErrorCode};
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, Getter, METHOD_ALLOCATE, METHOD_CHANNEL_BIND,
    METHOD_CREATE_PERMISSION, METHOD_REFRESH, Message, MessageType, Setter,
};
use rtc::stun::textattrs::{Nonce, Realm};
use rtc::turn::client::{Client, ClientConfig, Event};
use rtc::turn::proto::chandata::ChannelData;
use rtc::turn::proto::channum::ChannelNumber;
use rtc::turn::proto::lifetime::Lifetime;
use rtc::turn::proto::relayaddr::RelayedAddress;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use worker::io::peer::RELAY_REFRESH;

const SERVER: &str = "127.0.0.1:3478";
const RELAYED: &str = "127.0.0.1:50000";
const SPEAKER: &str = "127.0.0.1:60000";
/// How long nonces, allocations and channels last.
const LASTS: Duration = Duration::from_secs(600);
const STEP: Duration = Duration::from_millis(50);

struct Server {
    /// Nonces so far, and since when the last one is good.
    nonces: u64,
    since: Instant,
    /// The speaker's channel, and until when.
    channel: Option<(u16, Instant)>,
    /// Requests for a channel that came with a nonce that was over, and those for another channel than the one that is bound.
    stale: u64,
    conflicts: u64,
}

impl Server {
    fn answer(&mut self, request: &Message, now: Instant) -> Vec<u8> {
        if now.duration_since(self.since) >= LASTS {
            (self.nonces, self.since) = (self.nonces + 1, now);
        }
        let method = request.typ.method;
        let good = self.nonces.to_string();
        let nonce = Nonce::get_from_as(request, ATTR_NONCE).ok().map(|nonce| nonce.text);
        let refusal = match nonce {
            None => Some(CODE_UNAUTHORIZED),
            Some(nonce) if nonce != good => Some(CODE_STALE_NONCE),
            Some(_) if method == METHOD_CHANNEL_BIND => self.bind(request, now),
            Some(_) => None,
        };
        self.stale += u64::from(method == METHOD_CHANNEL_BIND && refusal == Some(CODE_STALE_NONCE));
        let class = if refusal.is_some() { CLASS_ERROR_RESPONSE } else { CLASS_SUCCESS_RESPONSE };
        let mut setters: Vec<Box<dyn Setter>> =
            vec![Box::new(request.transaction_id), Box::new(MessageType::new(method, class))];
        if let Some(code) = refusal {
            setters.push(Box::new(code));
            setters.push(Box::new(Nonce::new(ATTR_NONCE, good)));
            setters.push(Box::new(Realm::new(ATTR_REALM, "here".into())));
        } else if method == METHOD_ALLOCATE || method == METHOD_REFRESH {
            setters.push(Box::new(Lifetime(LASTS)));
            let relayed: SocketAddr = RELAYED.parse().unwrap();
            setters.push(Box::new(RelayedAddress { ip: relayed.ip(), port: relayed.port() }));
        } else {
            assert!(method == METHOD_CHANNEL_BIND || method == METHOD_CREATE_PERMISSION, "{method:?}");
        }
        let mut message = Message::new();
        message.build(&setters).unwrap();
        message.raw
    }

    fn bind(&mut self, request: &Message, now: Instant) -> Option<ErrorCode> {
        let mut number = ChannelNumber(0);
        number.get_from(request).unwrap();
        match self.channel.filter(|(_, until)| now < *until) {
            Some((bound, _)) if bound != number.0 => {
                self.conflicts += 1;
                Some(CODE_BAD_REQUEST)
            }
            Some(_) | None => {
                self.channel = Some((number.0, now + LASTS));
                None
            }
        }
    }
}

/// A client that has a channel to the speaker, and its server.
struct Line {
    client: Client,
    server: Server,
    now: Instant,
    heard: u64,
    deaf: u64,
}

impl Line {
    /// The channel is bound so long after the allocation.
    fn new(bound_after: Duration) -> Self {
        let now = Instant::now();
        let config = ClientConfig {
            turn_serv_addr: SERVER.into(),
            username: "u".into(),
            password: "c".into(),
            allocation_refresh_interval_cap: Some(RELAY_REFRESH),
            ..ClientConfig::default()
        };
        let client = Client::new(config, default_provider().unwrap()).unwrap();
        let server = Server { nonces: 1, since: now, channel: None, stale: 0, conflicts: 0 };
        let mut line = Self { client, server, now, heard: 0, deaf: 0 };
        line.client.allocate(now).unwrap();
        line.exchange();
        line.pass(bound_after, |_| ());
        let (relayed, speaker) = (RELAYED.parse().unwrap(), SPEAKER.parse().unwrap());
        line.client.relay(relayed).unwrap().create_permission(line.now, speaker).unwrap();
        line.exchange();
        line.send();
        line
    }

    fn exchange(&mut self) {
        while let Some(sent) = self.client.poll_write() {
            let mut request = Message::new();
            if ChannelData::is_channel_data(&sent.message) || request.unmarshal_binary(&sent.message).is_err() {
                continue;
            }
            if request.typ.class == rtc::stun::message::CLASS_REQUEST {
                let answer = self.server.answer(&request, self.now);
                self.client.handle_read(from_server(&answer, self.now)).unwrap();
            }
        }
        while self.client.poll_event().is_some() {}
    }

    /// A check of the path, or a report.
    fn send(&mut self) {
        let mut relay = self.client.relay(RELAYED.parse().unwrap()).unwrap();
        relay.send_to(self.now, b"check", SPEAKER.parse().unwrap()).unwrap();
        self.exchange();
    }

    /// A packet of the speaker's, through the channel if one is bound.
    fn hear(&mut self) {
        let Some((number, _)) = self.server.channel.filter(|(_, until)| self.now < *until) else { return };
        let mut data = ChannelData { data: b"voice".to_vec(), number: ChannelNumber(number), ..ChannelData::default() };
        data.encode();
        let _unknown_channel = self.client.handle_read(from_server(&data.raw, self.now));
        let mut came = false;
        while let Some(event) = self.client.poll_event() {
            came |= matches!(event, Event::DataIndicationOrChannelData(..));
        }
        self.heard += u64::from(came);
        self.deaf += u64::from(!came);
    }

    fn pass(&mut self, time: Duration, mut each: impl FnMut(&mut Self)) {
        let until = self.now + time;
        while self.now < until {
            self.now += STEP;
            self.client.handle_timeout(self.now).unwrap();
            self.exchange();
            each(self);
        }
    }

    /// An hour of a session: a check every two seconds, a packet of the speaker's as often.
    fn hour(&mut self) {
        let mut steps = 0_u32;
        self.pass(Duration::from_secs(3_600), |line| {
            steps += 1;
            if steps.is_multiple_of(40) {
                line.send();
                line.hear();
            }
        });
    }
}

fn from_server(bytes: &[u8], now: Instant) -> TaggedBytesMut {
    let transport = TransportContext { peer_addr: SERVER.parse().unwrap(), ..TransportContext::default() };
    TaggedBytesMut { now, transport, message: BytesMut::from(bytes) }
}

#[test]
fn a_channel_outlives_nonces_that_expire_every_ten_minutes_for_hours_whenever_it_was_bound() {
    for bound_after_ms in [100, 900, 1_500, 2_500, 10_000, 150_000, 299_000] {
        let mut line = Line::new(Duration::from_millis(bound_after_ms));
        (0..3).for_each(|_| line.hour());
        assert!(line.server.nonces > 15, "{} nonces", line.server.nonces);
        let Server { stale, conflicts, .. } = line.server;
        assert_eq!((stale, conflicts, line.deaf), (0, 0, 0), "bound after {bound_after_ms} ms");
        assert!(line.heard > 5_000);
    }
}

/// What is left of it: the client forgets the channel that the server still has, and asks for another one, which it is not given. The worker hears
/// nothing more on this connection, and after two seconds without a packet begins to make it anew (`stall_ms`).
#[test]
fn a_channel_that_meets_the_expired_nonce_first_is_deaf_until_the_server_forgets_it() {
    let mut line = Line::new(Duration::from_secs(1));
    line.pass(Duration::from_secs(300), |_| ());
    line.pass(Duration::from_millis(100), |_| ());
    // Between two refreshes.
    line.server.since = line.now.checked_sub(LASTS).unwrap_or(line.server.since);
    line.send();
    assert_eq!(line.server.stale, 1);
    line.hour();
    assert!(line.server.conflicts > 0 && line.deaf > 0, "{} conflicts, {} deaf", line.server.conflicts, line.deaf);
    assert!((120..=160).contains(&line.deaf), "five minutes, a packet every two seconds: {}", line.deaf);
}
