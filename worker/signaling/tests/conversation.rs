//! The connection against a service in this process, on a free loopback port.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use futures_util::{SinkExt, StreamExt};
use kvs_signaling::{ConnectError, Event, Outgoing, connect};
use schemas::signaling::ToService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};

async fn channel_with<F>(service: impl FnOnce(WebSocketStream<TcpStream>) -> F + Send + 'static) -> String
where
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        service(accept_async(stream).await.unwrap()).await;
    });
    format!("ws://{address}/?X-Amz-ChannelARN=arn")
}

async fn refusing_channel(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.shutdown().await;
    });
    format!("ws://{address}/")
}

async fn text(socket: &mut WebSocketStream<TcpStream>, text: &str) {
    socket.send(Message::text(text)).await.unwrap();
}

#[tokio::test]
async fn an_offer_goes_out_and_an_answer_comes_back() {
    let url = channel_with(|mut socket| async move {
        let frame = socket.next().await.unwrap().unwrap().into_text().unwrap();
        let sent: ToService = serde_json::from_str(&frame).unwrap();
        assert_eq!(sent.action, "SDP_OFFER");
        assert_eq!(sent.correlation_id.as_deref(), Some("c0"));
        // {"type":"answer","sdp":"v=0"}
        text(
            &mut socket,
            r#"{"messageType":"SDP_ANSWER","messagePayload":"eyJ0eXBlIjoiYW5zd2VyIiwic2RwIjoidj0wIn0="}"#,
        )
        .await;
        socket.close(None).await.unwrap();
    })
    .await;
    let mut connection = connect(&url).await.unwrap();
    let id = connection.send(&Outgoing::Offer { sdp: "v=0".into(), to: None }).unwrap();
    assert_eq!(id, "c0");
    assert_eq!(connection.next().await, Some(Event::Answer { from: None, sdp: "v=0".into() }));
    assert!(matches!(connection.next().await, Some(Event::Closed { .. })));
    assert_eq!(connection.next().await, None);
}

#[tokio::test]
async fn nonsense_is_counted_and_does_not_end_the_connection() {
    let url = channel_with(|mut socket| async move {
        text(&mut socket, "nonsense").await;
        text(&mut socket, r#"{"messageType":"NEW_IN_2030"}"#).await;
        socket.send(Message::binary(vec![1, 2, 3])).await.unwrap();
        let huge = format!(r#"{{"messageType":"SDP_OFFER","messagePayload":"{}"}}"#, "A".repeat(20_000));
        text(&mut socket, &huge).await;
        text(&mut socket, r#"{"messageType":"GO_AWAY"}"#).await;
        let _ = socket.next().await;
    })
    .await;
    let mut connection = connect(&url).await.unwrap();
    assert_eq!(connection.next().await, Some(Event::GoAway));
    let ignored = connection.ignored();
    assert_eq!((ignored.unknown, ignored.malformed, ignored.oversized), (1, 2, 1));
}

#[tokio::test]
async fn a_socket_that_breaks_is_reported_as_closed() {
    let url = channel_with(|socket| async move { drop(socket) }).await;
    let mut connection = connect(&url).await.unwrap();
    assert!(matches!(connection.next().await, Some(Event::Closed { .. })));
}

#[tokio::test]
async fn a_dropped_connection_says_goodbye() {
    let (told, heard) = tokio::sync::oneshot::channel();
    let url = channel_with(|mut socket| async move {
        let frame = socket.next().await;
        let _ = told.send(matches!(frame, Some(Ok(Message::Close(_)))));
    })
    .await;
    drop(connect(&url).await.unwrap());
    assert!(heard.await.unwrap());
}

#[tokio::test]
async fn a_refused_handshake_says_what_helps() {
    let gone = refusing_channel("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno").await;
    assert!(matches!(connect(&gone).await, Err(ConnectError::Gone(_))));
    let forbidden = refusing_channel("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(connect(&forbidden).await, Err(ConnectError::Forbidden(_))));
    let refused = refusing_channel("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(connect(&refused).await, Err(ConnectError::Refused(_))));
    let broken = refusing_channel("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n").await;
    assert!(matches!(connect(&broken).await, Err(ConnectError::Unreachable(_))));
    assert!(matches!(connect("ws://127.0.0.1:1/").await, Err(ConnectError::Unreachable(_))));
}
