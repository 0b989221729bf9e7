//! This machine's own address. A browser that leaves loopback out (Firefox, as it is installed) meets the worker there.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};

use nix::ifaddrs::getifaddrs;
use nix::net::if_::InterfaceFlags;

/// An address of the outside that nobody has (RFC 5737): asking for the way there sends nothing.
const OUTSIDE: (Ipv4Addr, u16) = (Ipv4Addr::new(198, 51, 100, 1), 9);

/// The address that this machine goes out with; without a way out, the first of an interface that is up. `None`: there is only loopback.
#[must_use]
pub fn address() -> Option<Ipv4Addr> {
    first(going_out().into_iter().chain(of_interfaces()))
}

/// Whether an address is one of this machine's, now.
pub(super) fn is_ours(address: IpAddr) -> bool {
    address.is_loopback() || of_interfaces().into_iter().any(|own| address == own)
}

/// Where a browser on this machine can meet workers that bind their media to `ice_bind`: else they are on loopback, behind the relay.
#[must_use]
pub fn meeting_points(ice_bind: Option<Ipv4Addr>) -> MeetingPoints {
    match ice_bind {
        Some(address) => MeetingPoints { loopback: None, own: Some(address) },
        None => MeetingPoints { loopback: Some(Ipv4Addr::LOCALHOST), own: address() },
    }
}

/// Where browsers and workers meet; its text is for the person at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeetingPoints {
    /// Loopback.
    pub loopback: Option<Ipv4Addr>,
    /// An address that every browser uses.
    pub own: Option<Ipv4Addr>,
}

impl fmt::Display for MeetingPoints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.loopback, self.own) {
            (Some(loopback), Some(own)) => write!(
                f,
                "a browser's voice is taken at {loopback} and, since Firefox leaves loopback out, at this machine's own {own}; from this machine alone, at both"
            ),
            (None, Some(own)) => write!(f, "a browser's voice is taken at {own}, as --ice-bind says"),
            (_, None) => write!(
                f,
                "this machine has no IPv4 address but loopback, so Firefox can't speak here (listening works): connect the machine to a network, \
                 or set media.peerconnection.ice.loopback to true in Firefox's about:config"
            ),
        }
    }
}

fn going_out() -> Option<Ipv4Addr> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect(OUTSIDE).ok()?;
    match socket.local_addr().ok()?.ip() {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn of_interfaces() -> Vec<Ipv4Addr> {
    let all = getifaddrs().into_iter().flatten();
    let up = all.filter(|one| one.flags.contains(InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING));
    up.filter_map(|one| Some(one.address?.as_sockaddr_in()?.ip())).collect()
}

/// The first that a browser would use: neither loopback nor one that a machine gives itself for want of a network.
fn first(mut addresses: impl Iterator<Item = Ipv4Addr>) -> Option<Ipv4Addr> {
    addresses.find(|address| !address.is_loopback() && !address.is_link_local() && !address.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_address_counts_that_is_neither_loopback_nor_made_up_by_the_machine() {
        let addresses =
            |all: &[&str]| all.iter().map(|one| one.parse().unwrap()).collect::<Vec<Ipv4Addr>>().into_iter();
        assert_eq!(
            first(addresses(&["127.0.0.1", "169.254.7.7", "192.0.2.7", "10.0.0.1"])),
            Some(Ipv4Addr::new(192, 0, 2, 7))
        );
        assert_eq!(first(addresses(&["127.0.0.1", "127.0.0.2", "0.0.0.0"])), None);
    }

    #[test]
    fn loopback_and_what_the_interfaces_have_is_ours_and_nothing_else() {
        assert!(is_ours(Ipv4Addr::new(127, 0, 0, 3).into()));
        assert!(of_interfaces().into_iter().all(|own| is_ours(own.into())));
        assert!(!is_ours(Ipv4Addr::new(203, 0, 113, 254).into()));
    }

    #[test]
    fn the_terminal_tells_where_a_browser_speaks_and_where_firefox_cannot() {
        let own = Some(Ipv4Addr::new(192, 0, 2, 7));
        let loopback = Some(Ipv4Addr::LOCALHOST);
        let both = MeetingPoints { loopback, own }.to_string();
        assert!(
            both.contains("127.0.0.1") && both.contains("192.0.2.7") && both.contains("this machine alone"),
            "{both}"
        );
        let alone = MeetingPoints { loopback, own: None }.to_string();
        assert!(
            alone.contains("Firefox can't speak here") && alone.contains("media.peerconnection.ice.loopback"),
            "{alone}"
        );
        assert_eq!(meeting_points(own), MeetingPoints { loopback: None, own });
    }
}
