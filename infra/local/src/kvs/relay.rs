//! The relay (TURN server) of the stand-in: somebody else's real one, with credentials as KVS makes them.
//!
//! The server and we share a secret; a user name holds its own end, and the password is its HMAC-SHA1 ("A REST API For Access To TURN
//! Services", draft-uberti-behave-turn-rest-00; coturn's `use-auth-secret`). So the server itself enforces the life of a credential: no new
//! allocation after it, while one that stands is refreshed, as AWS does.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

/// Life of TURN credentials: the KVS quota "Credential Lifecycle", 5 minutes.
pub const LIFE: Duration = Duration::from_secs(300);

/// A TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// Where it listens, over UDP and TCP.
    pub address: SocketAddr,
    /// What it shares with us.
    pub secret: String,
}

impl Relay {
    /// One entry of `IceServerList`, with a fresh credential; the three URIs of one host, as KVS gives them.
    #[must_use]
    pub fn server(&self, client: &str, now: SystemTime) -> Value {
        let end = now.duration_since(UNIX_EPOCH).unwrap_or_default() + LIFE;
        let username = format!("{}:{client}", end.as_secs());
        let at = self.address;
        json!({
            "Uris": [
                format!("turn:{at}?transport=udp"), format!("turns:{at}?transport=udp"), format!("turns:{at}?transport=tcp"),
            ],
            "Password": self.password(&username),
            "Username": username,
            "Ttl": LIFE.as_secs(),
        })
    }

    fn password(&self, username: &str) -> String {
        // A key of any length is one.
        let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(self.secret.as_bytes()) else { return String::new() };
        mac.update(username.as_bytes());
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_names_its_end_and_is_what_coturn_computes() {
        let relay = Relay { address: "198.51.100.2:443".parse().unwrap(), secret: "north".into() };
        let server = relay.server("worker-a", UNIX_EPOCH + Duration::from_secs(1_000));
        assert_eq!((&server["Username"], &server["Ttl"]), (&json!("1300:worker-a"), &json!(300)));
        assert_eq!(server["Uris"][0], "turn:198.51.100.2:443?transport=udp");
        // printf 1300:worker-a | openssl dgst -sha1 -hmac north -binary | base64
        assert_eq!(server["Password"], "g2X5+O04uISdYgyEz5uxe6ukQk8=");
    }
}
