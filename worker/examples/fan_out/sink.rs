//! A server on a thread of its own that answers every request at once: TranslateText with a translation, anything else with an empty 200.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where it listens.
pub fn start() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    listener.set_nonblocking(true).unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::from_std(listener).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket));
            }
        });
    });
    address
}

async fn serve(mut socket: TcpStream) {
    socket.set_nodelay(true).unwrap();
    let mut held: Vec<u8> = Vec::new();
    let mut chunk = [0; 16_384];
    while let Ok(count @ 1..) = socket.read(&mut chunk).await {
        held.extend_from_slice(&chunk[..count]);
        while let Some((request, translates)) = request(&held) {
            held.drain(..request);
            let body = if translates { translation() } else { Vec::new() };
            let head = "content-type: application/cbor\r\nsmithy-protocol: rpc-v2-cbor\r\ncontent-length";
            let mut answer = format!("HTTP/1.1 200 OK\r\n{head}: {}\r\n\r\n", body.len()).into_bytes();
            answer.extend(body);
            if socket.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}

/// An answer of TranslateText: a map of three texts in CBOR, none longer than a byte can say.
fn translation() -> Vec<u8> {
    let fields = [
        ("TranslatedText", "so it is said in another language, more or less"),
        ("SourceLanguageCode", "en"),
        ("TargetLanguageCode", "es"),
    ];
    let text = |text: &str| [&[0x78, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let pairs = fields.iter().flat_map(|(name, value)| [text(name), text(value)].concat());
    std::iter::once(0xa3).chain(pairs).collect()
}

/// Length of the first request when it is there completely, and whether it is one to Translate.
fn request(held: &[u8]) -> Option<(usize, bool)> {
    let end = held.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&held[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let whole = end + 4 + length.unwrap_or(0_usize);
    (held.len() >= whole).then(|| (whole, head.contains("translatetext")))
}
