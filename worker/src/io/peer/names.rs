//! Names of STUN and TURN servers, looked up before the crate sees them. The crate would look them up within its driver, which tells of nothing
//! meanwhile, our own addresses included: where no DNS answers, the offer would be due first, and the worker would seem to have no address.

use crate::io::signaling::IceServer;
use futures_util::future::join_all;
use std::net::IpAddr;
use std::time::Duration;

/// Longest time for all names. Looking up takes milliseconds where somebody answers; the rest of the time for gathering is the servers'.
const PATIENCE: Duration = Duration::from_secs(2);

/// The servers by address, of the family of `ours`. One whose name is not known in time is left out: it is one way less.
pub(super) async fn looked_up(servers: Vec<IceServer>, ours: IpAddr) -> Vec<IceServer> {
    known(servers, PATIENCE, move |host| ask(host, ours)).await
}

async fn ask(host: String, ours: IpAddr) -> std::io::Result<IpAddr> {
    let mut found = tokio::net::lookup_host((host.as_str(), 0)).await?.map(|address| address.ip());
    let of_ours = found.find(|address| address.is_ipv4() == ours.is_ipv4());
    of_ours.ok_or_else(|| std::io::Error::other(format!("it has no address that {ours} could speak to")))
}

async fn known<F>(servers: Vec<IceServer>, patience: Duration, look_up: impl Fn(String) -> F) -> Vec<IceServer>
where
    F: Future<Output = std::io::Result<IpAddr>>,
{
    let urls = servers.iter().flat_map(|server| &server.urls).map(|url| by_address(url, patience, &look_up));
    let mut urls = join_all(urls).await.into_iter();
    let with = |server: IceServer| {
        let urls: Vec<String> = urls.by_ref().take(server.urls.len()).flatten().collect();
        (!urls.is_empty()).then_some(IceServer { urls, ..server })
    };
    servers.into_iter().filter_map(with).collect()
}

/// The URL with the address in the place of the name; `None` when the name is not known in time.
async fn by_address<F>(url: &str, patience: Duration, look_up: &impl Fn(String) -> F) -> Option<String>
where
    F: Future<Output = std::io::Result<IpAddr>>,
{
    let Some((before, host, behind)) = parts(url) else { return Some(url.to_owned()) };
    let problem = match tokio::time::timeout(patience, look_up(host.to_owned())).await {
        Ok(Ok(IpAddr::V4(address))) => return Some(format!("{before}{address}{behind}")),
        Ok(Ok(IpAddr::V6(address))) => return Some(format!("{before}[{address}]{behind}")),
        Ok(Err(error)) => error.to_string(),
        Err(_elapsed) => format!("nothing answered within {patience:?}"),
    };
    tracing::warn!(host, problem, "a STUN or TURN server is left out: its name is not known here");
    None
}

/// What stands before the name of a `stun:` or `turn:` URL (RFC 7064, RFC 7065), the name, and what stands behind it; `None` where there is no name
/// to look up.
fn parts(url: &str) -> Option<(&str, &str, &str)> {
    let from = url.find(':')? + 1;
    let (before, rest) = url.split_at(from);
    let (host, behind) = rest.split_at(rest.find([':', '?']).unwrap_or(rest.len()));
    let is_name = !host.is_empty() && !host.starts_with('[') && host.parse::<IpAddr>().is_err();
    is_name.then_some((before, host, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(urls: &[&str]) -> IceServer {
        IceServer {
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            username: "u".into(),
            credential: "c".into(),
        }
    }

    #[tokio::test]
    async fn a_name_that_nobody_answers_for_is_left_out_when_patience_ends() {
        let servers = vec![server(&["stun:silent.example:443"]), server(&["turn:192.0.2.9:443?transport=udp"])];
        let left = known(servers, Duration::ZERO, |_host| std::future::pending()).await;
        assert_eq!(left, [server(&["turn:192.0.2.9:443?transport=udp"])], "the others stay");
    }

    #[tokio::test]
    async fn a_known_name_is_replaced_by_its_address_and_the_rest_of_the_url_stays() {
        let answers = |host: String| {
            std::future::ready(match host.as_str() {
                "four.example" => Ok(IpAddr::from([192, 0, 2, 1])),
                "six.example" => Ok("2001:db8::1".parse().unwrap()),
                _other => Err(std::io::Error::other("unknown")),
            })
        };
        let urls = [
            "turn:four.example:443?transport=udp",
            "stun:six.example",
            "stun:none.example:1",
            "turn:[2001:db8::2]:443",
        ];
        let left = known(vec![server(&urls)], PATIENCE, answers).await;
        assert_eq!(
            left,
            [server(&["turn:192.0.2.1:443?transport=udp", "stun:[2001:db8::1]", "turn:[2001:db8::2]:443"])]
        );
    }
}
