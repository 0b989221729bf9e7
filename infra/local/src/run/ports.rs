//! The loopback ports of the stack.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use tokio::net::TcpListener;

use super::stack::Error;

/// The ports, taken before anything starts, so that everybody can be told everybody's endpoint.
pub struct Ports {
    pub emulator: u16,
    pub ecs: TcpListener,
    pub kvs: TcpListener,
    pub transcribe: TcpListener,
    pub translate: TcpListener,
    pub gateway: TcpListener,
    pub table: TcpListener,
    pub admin: TcpListener,
    pub page: Option<TcpListener>,
    /// The listener's page, for the network.
    pub open: Option<TcpListener>,
}

impl Ports {
    /// Takes them.
    ///
    /// # Errors
    /// When one is taken already.
    pub async fn take(fixed: Option<u16>) -> Result<Self, Error> {
        // Ours first: the emulator's is free until it listens itself.
        let (ecs, kvs) = (free().await?, free().await?);
        let (transcribe, translate) = (free().await?, free().await?);
        let (gateway, admin, table) = (free().await?, free().await?, free().await?);
        let emulator = match fixed {
            Some(port) => listen(port).await.map_err(|cause| Error::Taken { port, cause })?,
            None => free().await?,
        };
        let emulator = port(&emulator)?;
        Ok(Self { emulator, ecs, kvs, transcribe, translate, gateway, table, admin, page: None, open: None })
    }

    /// Takes one for the page, if it is wanted.
    ///
    /// # Errors
    /// When it is taken already.
    pub async fn take_page(&mut self, wanted: Option<u16>) -> Result<(), Error> {
        if let Some(port) = wanted {
            self.page = Some(listen(port).await.map_err(|cause| Error::Taken { port, cause })?);
        }
        Ok(())
    }

    /// Takes the page's port on an address of the network too, if that is wanted.
    ///
    /// # Errors
    /// When the address is not one that telephones could open, or not this machine's.
    pub async fn take_open(&mut self, wanted: Option<IpAddr>) -> Result<(), Error> {
        let (Some(address), Some(page)) = (wanted, &self.page) else { return Ok(()) };
        let address = SocketAddr::new(address, port(page)?);
        if address.ip().is_unspecified() {
            return Err(Error::NoAddress {
                address: address.ip(),
                cause: "it names no place".to_owned(),
                own: own_address(),
            });
        }
        let refused = |cause: std::io::Error| Error::NoAddress {
            address: address.ip(),
            cause: cause.to_string(),
            own: own_address(),
        };
        self.open = Some(TcpListener::bind(address).await.map_err(refused)?);
        Ok(())
    }

    /// `AWS_ENDPOINT_URL_…` of the stand-ins.
    pub fn endpoints(&self) -> Result<Vec<(String, String)>, Error> {
        let services = [
            ("ECS", &self.ecs),
            ("KINESIS_VIDEO", &self.kvs),
            ("KINESIS_VIDEO_SIGNALING", &self.kvs),
            ("TRANSCRIBE_STREAMING", &self.transcribe),
            ("TRANSLATE", &self.translate),
        ];
        let endpoint = |(name, at): (&str, &TcpListener)| {
            Ok((format!("AWS_ENDPOINT_URL_{name}"), format!("http://127.0.0.1:{}", port(at)?)))
        };
        services.into_iter().map(endpoint).collect()
    }
}

async fn listen(port: u16) -> std::io::Result<TcpListener> {
    TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
}

/// This machine's address in its network, in words for a person. No packet is sent: the system only looks for the way.
fn own_address() -> String {
    let found = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).and_then(|socket| {
        socket.connect((Ipv4Addr::new(192, 0, 2, 1), 9))?;
        socket.local_addr()
    });
    found.map_or_else(|_none| "`ip address` lists them".to_owned(), |address| format!("for example {}", address.ip()))
}

async fn free() -> Result<TcpListener, Error> {
    listen(0).await.map_err(Error::NoPort)
}

/// Its number.
///
/// # Errors
/// When it has none.
pub fn port(listener: &TcpListener) -> Result<u16, Error> {
    Ok(listener.local_addr().map_err(Error::NoPort)?.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn opened(address: &str) -> Result<Option<SocketAddr>, String> {
        let mut ports = Ports::take(None).await.unwrap();
        ports.take_page(Some(0)).await.unwrap();
        let taken = ports.take_open(Some(address.parse().unwrap())).await;
        taken.map(|()| ports.open.map(|open| open.local_addr().unwrap())).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn the_network_is_let_in_at_the_pages_port_of_the_address_that_was_named() {
        let open = opened("127.0.0.2").await.unwrap().unwrap();
        assert_eq!(open.ip().to_string(), "127.0.0.2");
    }

    #[tokio::test]
    async fn without_an_address_the_network_is_not_let_in() {
        let mut ports = Ports::take(None).await.unwrap();
        ports.take_page(Some(0)).await.unwrap();
        ports.take_open(None).await.unwrap();
        assert!(ports.open.is_none());
    }

    #[tokio::test]
    async fn an_address_that_is_no_place_or_not_here_is_refused_with_what_to_name() {
        for address in ["0.0.0.0", "203.0.113.7"] {
            let refused = opened(address).await.unwrap_err();
            assert!(refused.contains(address) && refused.contains("name one address of this machine"), "{refused}");
        }
    }
}
