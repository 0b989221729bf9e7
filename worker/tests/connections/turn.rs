//! A TURN server over loopback whose nonce expires (RFC 8656, section 5: coturn with `stale-nonce` forgets it after ten minutes), which the crate learns
//! from the refusal of a refresh, without asking again by itself.

use crate::speaker::{LOOPBACK, next};
use rtc::stun::attributes::{ATTR_NONCE, ATTR_REALM};
use rtc::stun::error_code::{CODE_STALE_NONCE, CODE_UNAUTHORIZED, ErrorCode};
use rtc::stun::message::{
    CLASS_ERROR_RESPONSE, CLASS_SUCCESS_RESPONSE, METHOD_ALLOCATE, METHOD_REFRESH, Message, MessageType, Setter,
};
use rtc::stun::textattrs::{Nonce, Realm};
use rtc::turn::proto::lifetime::Lifetime;
use rtc::turn::proto::relayaddr::RelayedAddress;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use worker::io::peer::{Peer, PeerMessage};
use worker::io::signaling::IceServer;
use worker_core::input::PeerEvent;

/// What the server tells an allocation's life to be: the default of the RFC.
const LIFETIME: Duration = Duration::from_secs(600);

/// The answer to a request: allocations are granted, refreshes only with the second nonce. Each refresh is told by its nonce.
fn answer(request: &Message, refreshes: &mpsc::UnboundedSender<String>) -> Option<Vec<u8>> {
    let method = request.typ.method;
    let refused = |code: ErrorCode, nonce: &str| -> Vec<Box<dyn Setter>> {
        let (nonce, realm) = (Nonce::new(ATTR_NONCE, nonce.into()), Realm::new(ATTR_REALM, "here".into()));
        vec![Box::new(MessageType::new(method, CLASS_ERROR_RESPONSE)), Box::new(code), Box::new(nonce), Box::new(realm)]
    };
    let granted = || -> Vec<Box<dyn Setter>> {
        vec![Box::new(MessageType::new(method, CLASS_SUCCESS_RESPONSE)), Box::new(Lifetime(LIFETIME))]
    };
    let nonce = Nonce::get_from_as(request, ATTR_NONCE).ok().map(|nonce| nonce.text);
    let mut setters: Vec<Box<dyn Setter>> = vec![Box::new(request.transaction_id)];
    match (method, nonce.as_deref()) {
        (METHOD_ALLOCATE, None) => setters.extend(refused(CODE_UNAUTHORIZED, "first")),
        (METHOD_ALLOCATE, Some(_)) => {
            setters.extend(granted());
            setters.push(Box::new(RelayedAddress { ip: LOOPBACK, port: 45_990 }));
        }
        (METHOD_REFRESH, Some(nonce)) => {
            let _ = refreshes.send(nonce.to_owned());
            setters.extend(if nonce == "second" { granted() } else { refused(CODE_STALE_NONCE, "second") });
        }
        _ => return None,
    }
    let mut message = Message::new();
    message.build(&setters).unwrap();
    Some(message.raw)
}

async fn serve(socket: UdpSocket, refreshes: mpsc::UnboundedSender<String>) {
    let mut buffer = [0; 1_500];
    loop {
        let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
        let mut request = Message::new();
        request.unmarshal_binary(&buffer[..length]).unwrap();
        if let Some(answer) = answer(&request, &refreshes) {
            socket.send_to(&answer, from).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_relay_whose_nonce_expires_is_asked_again_with_the_new_one_long_before_the_allocation_ends() {
    let socket = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
    let url = format!("turn:{}?transport=udp", socket.local_addr().unwrap());
    let (told, mut refreshes) = mpsc::unbounded_channel();
    let server = tokio::spawn(serve(socket, told));
    let servers = vec![IceServer { urls: vec![url], username: "u".into(), credential: "c".into() }];
    let (said, mut messages) = mpsc::unbounded_channel();
    let peer = Peer::start(LOOPBACK, 45_900..=45_980, async { servers }, move |message| drop(said.send(message)));
    let PeerMessage::Event(PeerEvent::OfferReady(offer)) = next(&mut messages).await else { panic!("no offer") };
    assert!(offer.contains("typ relay"), "{offer}");
    let mut nonces = Vec::new();
    while nonces.len() < 2 {
        nonces.push(tokio::time::timeout(Duration::from_secs(10), refreshes.recv()).await.expect("a refresh").unwrap());
    }
    assert_eq!(nonces, ["first", "second"]);
    peer.close().await;
    server.abort();
}
