//! A way from one namespace's loopback to another's, for what is no media: the stack listens on loopback alone.

use std::net::{Ipv4Addr, TcpListener};
use std::thread::JoinHandle;

use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::Place;

/// Forwards until it is dropped.
#[derive(Debug)]
pub struct Forwarder {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Forwarder {
    /// Every port that something listens on at `to` becomes the same port at `from`.
    ///
    /// # Errors
    /// When a port is taken at `from`, or nothing listens.
    pub fn start(from: &Place, to: &Place) -> Result<Self, String> {
        let ports = to.within(listening)?.map_err(|e| format!("the ports in use are unknown: {e}"))?;
        if ports.is_empty() {
            return Err("nothing listens".into());
        }
        let bind = || ports.iter().map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port))).collect();
        let listeners: std::io::Result<Vec<TcpListener>> = from.within(bind)?;
        let listeners = listeners.map_err(|e| format!("the forwarder cannot listen: {e}"))?;
        let (stop, stopped) = oneshot::channel();
        let (ready, entered) = std::sync::mpsc::channel();
        // A socket belongs to the namespace that its thread was in: the listeners are of `from`, what is opened here is of `to`.
        let home = std::fs::File::open(to.path()).map_err(|e| e.to_string())?;
        let thread = std::thread::spawn(move || {
            let went = nix::sched::setns(home, nix::sched::CloneFlags::CLONE_NEWNET).map_err(|e| e.to_string());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string());
            match went.and(runtime) {
                Ok(runtime) => {
                    let _heard = ready.send(Ok(()));
                    runtime.block_on(serve(listeners, stopped));
                }
                Err(error) => drop(ready.send(Err(error))),
            }
        });
        entered.recv().map_err(|e| e.to_string())??;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ended = self.thread.take().map(JoinHandle::join);
    }
}

async fn serve(listeners: Vec<TcpListener>, stopped: oneshot::Receiver<()>) {
    let mut doors = tokio::task::JoinSet::new();
    for listener in listeners {
        doors.spawn(door(listener));
    }
    let _dropped = stopped.await;
}

async fn door(listener: TcpListener) -> std::io::Result<()> {
    let port = listener.local_addr()?.port();
    listener.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let mut visits = tokio::task::JoinSet::new();
    loop {
        let (mut visitor, _) = listener.accept().await?;
        visits.spawn(async move {
            let mut inside = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
            copy_bidirectional(&mut visitor, &mut inside).await
        });
    }
}

/// Ports that TCP sockets of this thread's namespace listen on (proc(5), `/proc/net/tcp`: address:port in hexadecimal, state 0A).
fn listening() -> std::io::Result<Vec<u16>> {
    let table = std::fs::read_to_string("/proc/thread-self/net/tcp")?;
    let port = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (local, state) = (words.next()?, words.nth(1)?);
        (state == "0A").then(|| u16::from_str_radix(local.split_once(':')?.1, 16).ok())?
    };
    Ok(table.lines().filter_map(port).collect())
}
