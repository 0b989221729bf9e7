//! The URL that opens a signaling channel: `ConnectAsViewer` or `ConnectAsMaster`, signed in its query.
//!
//! *Guarantees*: only `host` is signed; a session token is part of what is signed (the service refuses it otherwise);
//! the URL opens one connection within [`EXPIRES`]. *Assumption*: the endpoint is one that
//! `GetSignalingChannelEndpoint` gave for the same role.

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;
use schemas::ids::ChannelArn;
use std::time::{Duration, SystemTime};
use url::Url;

/// How long the URL may be used: what AWS's own client asks for; the service allows 5 minutes.
pub const EXPIRES: Duration = Duration::from_secs(299);

/// The SigV4 name of the service.
const SERVICE: &str = "kinesisvideo";

/// As whom to connect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// The one who answers; the newest connection wins.
    Master,
    /// One who offers.
    Viewer {
        /// 1 to 256 of `[a-zA-Z0-9_.-]`, not beginning with `AWS_`. A new connection with the same id displaces the old.
        client_id: String,
    },
}

/// Why no URL could be made.
#[derive(Debug, thiserror::Error)]
pub enum PresignError {
    /// The endpoint is not one of a signaling channel.
    #[error("signaling endpoint {endpoint:?}: {detail}; use the WSS endpoint of GetSignalingChannelEndpoint")]
    Endpoint {
        /// As it was given.
        endpoint: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The viewer's client id is malformed.
    #[error("client id {0:?}: use 1 to 256 of [a-zA-Z0-9_.-], not beginning with AWS_")]
    ClientId(String),
    /// The signer refused.
    #[error("the signaling URL could not be signed: {0}; check the credentials")]
    Signing(String),
}

/// Makes the URL. `endpoint` is `wss://…` (or `ws://…` for a stand-in), without a query; `region` is the channel's.
///
/// # Errors
/// [`PresignError`] when the endpoint or the client id is malformed, or the signer refuses.
pub fn presign(
    endpoint: &str,
    channel: &ChannelArn,
    role: &Role,
    region: &str,
    credentials: &Credentials,
    time: SystemTime,
) -> Result<String, PresignError> {
    let mut query = vec![("X-Amz-ChannelARN", channel.as_str())];
    match role {
        Role::Master => {}
        Role::Viewer { client_id } => {
            if !valid_client_id(client_id) {
                return Err(PresignError::ClientId(client_id.clone()));
            }
            query.push(("X-Amz-ClientId", client_id));
        }
    }
    presign_query(endpoint, &query, &Scope { service: SERVICE, region, expires: EXPIRES }, credentials, time)
}

/// What a signature is good for.
struct Scope<'a> {
    service: &'a str,
    region: &'a str,
    expires: Duration,
}

fn valid_client_id(id: &str) -> bool {
    (1..=256).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
        && !id.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("AWS_"))
}

fn presign_query(
    endpoint: &str,
    query: &[(&str, &str)],
    scope: &Scope<'_>,
    credentials: &Credentials,
    time: SystemTime,
) -> Result<String, PresignError> {
    let (url, web_socket_scheme) = signable_url(endpoint, query)?;
    let refused = |e: &dyn std::fmt::Display| PresignError::Signing(e.to_string());
    let identity = credentials.clone().into();
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(scope.expires);
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(scope.region)
        .name(scope.service)
        .time(time)
        .settings(settings)
        .build()
        .map_err(|e| refused(&e))?
        .into();
    let request = SignableRequest::new("GET", url.as_str(), std::iter::empty(), SignableBody::Bytes(&[]))
        .map_err(|e| refused(&e))?;
    let (instructions, _signature) = sign(request, &params).map_err(|e| refused(&e))?.into_parts();
    let mut signed = http::Request::get(url.as_str()).body(()).map_err(|e| refused(&e))?;
    instructions.apply_to_request_http1x(&mut signed);
    let signed = signed.uri().to_string();
    let rest = signed.split_once("://").map_or(signed.as_str(), |(_, rest)| rest);
    Ok(format!("{web_socket_scheme}://{rest}"))
}

/// The endpoint as the signer knows it (`http`, `https`), and the scheme that the WebSocket client wants.
fn signable_url(endpoint: &str, query: &[(&str, &str)]) -> Result<(Url, &'static str), PresignError> {
    let bad = |detail: &str| PresignError::Endpoint { endpoint: endpoint.to_owned(), detail: detail.to_owned() };
    let (http, web_socket, rest) = match endpoint.split_once("://") {
        Some(("wss", rest)) => ("https", "wss", rest),
        Some(("ws", rest)) => ("http", "ws", rest),
        Some(_) | None => return Err(bad("neither wss:// nor ws://")),
    };
    let mut url = Url::parse(&format!("{http}://{rest}")).map_err(|e| bad(&e.to_string()))?;
    if url.query().is_some() {
        return Err(bad("it already has a query"));
    }
    url.query_pairs_mut().extend_pairs(query);
    Ok((url, web_socket))
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
    use sha2::{Digest, Sha256};
    use std::collections::BTreeMap;

    // The vectors are those that AWS publishes with its JavaScript client (SigV4RequestSigner.spec.ts).
    const DAY: Duration = Duration::from_secs(1_575_158_400); // 2019-12-01T00:00:00Z

    fn credentials(token: Option<&str>) -> Credentials {
        Credentials::new("AKIA4F7WJQR7FMMWMNXI", "FakeSecretKey", token.map(str::to_owned), None, "test")
    }

    fn vector(endpoint: &str, token: Option<&str>) -> BTreeMap<String, String> {
        let query = [("X-Amz-TestParam", "test-param-value")];
        let scope = Scope { service: SERVICE, region: "us-west-2", expires: EXPIRES };
        let url = presign_query(endpoint, &query, &scope, &credentials(token), SystemTime::UNIX_EPOCH + DAY).unwrap();
        Url::parse(&url).unwrap().query_pairs().into_owned().collect()
    }

    fn channel() -> ChannelArn {
        ChannelArn::try_new("arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-a-b-1/1700000000000").unwrap()
    }

    #[test]
    fn a_session_token_is_signed_as_in_the_published_vector() {
        let query = vector("wss://kvs.awsamazon.com", Some("FakeSessionToken"));
        assert_eq!(query["X-Amz-Signature"], "fc268038be276315822b4f73eafd28ee3a5632a2a35fdb0a88db9a42b13d6c92");
        assert_eq!(query["X-Amz-Expires"], "299");
        assert_eq!(query["X-Amz-SignedHeaders"], "host");
        assert_eq!(query["X-Amz-Security-Token"], "FakeSessionToken");
    }

    #[test]
    fn long_lived_credentials_sign_as_in_the_published_vector() {
        let query = vector("wss://kvs.awsamazon.com", None);
        assert_eq!(query["X-Amz-Signature"], "be1e78950d956a8a9a1997417099ddbd7455619f3d08c4ad20e1e272179ca695");
        assert!(!query.contains_key("X-Amz-Security-Token"));
    }

    #[test]
    fn a_path_signs_as_in_the_published_vector() {
        let query = vector("wss://kvs.awsamazon.com/path/path/path", Some("FakeSessionToken"));
        assert_eq!(query["X-Amz-Signature"], "0bf3df6ca23d8d82f688e8dbfb90d69e74843d40038541b1721c545eef7612a4");
    }

    #[test]
    fn a_query_signs_as_in_the_published_suite_of_signature_version_4() {
        // get-vanilla-query-order-key-case of AWS's signing test suite (awslabs/aws-c-auth), signed in the query.
        let credentials =
            Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "test");
        let scope = Scope { service: "service", region: "us-east-1", expires: Duration::from_secs(3_600) };
        let query = [("Param2", "value2"), ("Param1", "value1")];
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160); // 2015-08-30T12:36:00Z
        let url = presign_query("wss://example.amazonaws.com", &query, &scope, &credentials, time).unwrap();
        let signed: BTreeMap<_, _> = Url::parse(&url).unwrap().query_pairs().into_owned().collect();
        assert_eq!(signed["X-Amz-Signature"], "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5");
    }

    /// What `SigV4RequestSigner.getSignedURL` of amazon-kinesis-video-streams-webrtc 2.4.4 gave under Node 20 for the same input.
    #[test]
    fn both_roles_sign_as_the_javascript_sdk_does() {
        let channel = "arn:aws:kinesisvideo:us-east-1:123456789012:channel/session-blessed-shepherd-123/1700000000000";
        let channel = ChannelArn::try_new(channel).unwrap();
        let viewer = Role::Viewer { client_id: "worker-blessed-shepherd-123".into() };
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_600_767); // 2026-03-04T05:06:07Z
        let token = Some("Fake/Session+Token==".to_owned());
        for (role, token, signature) in [
            (&viewer, token.clone(), "5e50f56c212e2c3f4e1b55a116e6f91a7c76ad9a4aaf2eef8d08a32b7c75db4a"),
            (&viewer, None, "d80ac65fbc6b96b5efb8b1933f9d97d8ebc8b1ed3edbf8e6e9008313eea1cf93"),
            (&Role::Master, token, "996dd3d94d513ab0622e36d1ed86e14a7f3d5b5f7e3c35c7b9a600d070c70eab"),
        ] {
            let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
            let credentials = Credentials::new("AKIDEXAMPLE", secret, token, None, "test");
            let endpoint = "wss://v-1a2b3c4d.kinesisvideo.us-east-1.amazonaws.com";
            let url = presign(endpoint, &channel, role, "us-east-1", &credentials, time).unwrap();
            let signed: BTreeMap<_, _> = Url::parse(&url).unwrap().query_pairs().into_owned().collect();
            assert_eq!(signed["X-Amz-Signature"], signature, "{role:?}");
        }
    }

    /// Verifies a URL as the service would: from the URL alone, by the steps of the SigV4 specification.
    fn verify(signed: &str, host: &str, secret: &str, region: &str, time: SystemTime) -> bool {
        let raw = signed.split_once('?').unwrap().1;
        let mut pairs: Vec<&str> = raw.split('&').filter(|p| !p.starts_with("X-Amz-Signature=")).collect();
        pairs.sort_unstable();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let canonical = format!("GET\n/\n{}\nhost:{host}\n\nhost\n{empty}", pairs.join("&"));
        let hash: String = Sha256::digest(canonical.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        let query: BTreeMap<String, String> = Url::parse(signed).unwrap().query_pairs().into_owned().collect();
        let scope = query["X-Amz-Credential"].split_once('/').unwrap().1.to_owned();
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hash}", query["X-Amz-Date"]);
        let key = generate_signing_key(secret, time, region, SERVICE);
        calculate_signature(key, to_sign.as_bytes()) == query["X-Amz-Signature"]
    }

    #[test]
    fn what_is_signed_is_what_the_service_verifies() {
        let time = SystemTime::UNIX_EPOCH + DAY;
        let viewer = Role::Viewer { client_id: "worker-blessed-shepherd-123".into() };
        for (endpoint, host) in [
            ("wss://v-1.kinesisvideo.us-east-1.amazonaws.com", "v-1.kinesisvideo.us-east-1.amazonaws.com"),
            ("ws://127.0.0.1:4567", "127.0.0.1:4567"),
        ] {
            for role in [&viewer, &Role::Master] {
                let url =
                    presign(endpoint, &channel(), role, "us-east-1", &credentials(Some("to/k+en==")), time).unwrap();
                assert!(url.starts_with(endpoint));
                assert!(url.contains("X-Amz-ChannelARN=arn%3Aaws%3Akinesisvideo"));
                assert!(verify(&url, host, "FakeSecretKey", "us-east-1", time), "{url}");
                assert!(!verify(&url, "elsewhere", "FakeSecretKey", "us-east-1", time));
            }
        }
    }

    #[test]
    fn a_master_sends_no_client_id() {
        let url =
            presign("ws://127.0.0.1:1", &channel(), &Role::Master, "us-east-1", &credentials(None), SystemTime::now())
                .unwrap();
        assert!(!url.contains("ClientId"));
    }

    #[test]
    fn what_the_service_would_refuse_is_refused_here() {
        let with = |endpoint: &str, id: &str| {
            let role = Role::Viewer { client_id: id.into() };
            presign(endpoint, &channel(), &role, "us-east-1", &credentials(None), SystemTime::now())
        };
        for endpoint in ["https://h", "nonsense", "wss://", "wss://h/?a=b"] {
            assert!(matches!(with(endpoint, "worker"), Err(PresignError::Endpoint { .. })), "{endpoint}");
        }
        for id in ["", "a b", "aws_me", &"x".repeat(257)] {
            assert!(matches!(with("wss://h", id), Err(PresignError::ClientId(_))), "{id}");
        }
    }
}
