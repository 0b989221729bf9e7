//! Checks the presigned query of a WebSocket request by signing it again.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sigv4::sign::v4::{calculate_signature, generate_signing_key};
use sha2::{Digest, Sha256};

/// The longest life that AWS allows to a signature of signaling (± 5 minutes around its date).
const LONGEST: u64 = 300;
/// The service's name in the scope.
const SERVICE: &str = "kinesisvideo";

/// Whose signatures are right.
#[derive(Debug, Clone)]
pub struct Key {
    /// Access key id.
    pub id: String,
    /// Secret.
    pub secret: String,
    /// Region of the scope.
    pub region: String,
}

/// Why a query is refused; all are HTTP 403.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A part of the signature is absent or malformed.
    #[error("Missing or malformed authentication parameter {0}")]
    Parameter(&'static str),
    /// Not our key.
    #[error("The security token included in the request is invalid")]
    UnknownKey,
    /// Too old, or from the future.
    #[error("Signature expired or not yet valid")]
    Expired,
    /// It is not what the same request signs to.
    #[error("The request signature we calculated does not match the signature you provided")]
    Mismatch,
}

/// The decoded parameters of a query, without the signature.
pub fn parameters(query: &str) -> BTreeMap<String, String> {
    url::form_urlencoded::parse(query.replace('+', "%2B").as_bytes()).into_owned().collect()
}

/// Checks the signature of `GET {path}?{query}` sent to `host`.
pub fn check(key: &Key, host: &str, path: &str, query: &str, now: SystemTime) -> Result<(), Refused> {
    let all = parameters(query);
    let get = |name: &'static str| all.get(name).map(String::as_str).ok_or(Refused::Parameter(name));
    if get("X-Amz-Algorithm")? != "AWS4-HMAC-SHA256" {
        return Err(Refused::Parameter("X-Amz-Algorithm"));
    }
    if get("X-Amz-SignedHeaders")? != "host" {
        return Err(Refused::Parameter("X-Amz-SignedHeaders"));
    }
    let date = get("X-Amz-Date")?;
    let signed = seconds(date).ok_or(Refused::Parameter("X-Amz-Date"))?;
    let life: u64 = get("X-Amz-Expires")?.parse().map_err(|_nan| Refused::Parameter("X-Amz-Expires"))?;
    let credential = get("X-Amz-Credential")?;
    let scope = format!("{}/{}/{SERVICE}/aws4_request", &date[..8], key.region);
    if credential != format!("{}/{scope}", key.id) {
        return Err(if credential.starts_with(&format!("{}/", key.id)) {
            Refused::Parameter("X-Amz-Credential")
        } else {
            Refused::UnknownKey
        });
    }
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    if now > signed + life.min(LONGEST) || signed > now + LONGEST {
        return Err(Refused::Expired);
    }
    let canonical = format!("GET\n{path}\n{}\nhost:{host}\n\nhost\n{}", canonical_query(&all), hash(b""));
    let to_sign = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hash(canonical.as_bytes()));
    let time = UNIX_EPOCH + Duration::from_secs(signed);
    let signature =
        calculate_signature(generate_signing_key(&key.secret, time, &key.region, SERVICE), to_sign.as_bytes());
    match get("X-Amz-Signature")? == signature {
        true => Ok(()),
        false => Err(Refused::Mismatch),
    }
}

fn canonical_query(all: &BTreeMap<String, String>) -> String {
    let mut pairs: Vec<_> = all
        .iter()
        .filter(|(name, _)| *name != "X-Amz-Signature")
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

fn encode(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
        out
    })
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Seconds since 1970 of `20260131T235959Z`.
fn seconds(date: &str) -> Option<u64> {
    let number = |range: std::ops::Range<usize>| date.get(range)?.parse::<u64>().ok();
    if date.len() != 16 || !date.is_ascii() || &date[8..9] != "T" || !date.ends_with('Z') {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Days since 1970 by counting years from March, so that the leap day comes last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + number(9..11)? * 3_600 + number(11..13)? * 60 + number(13..15)?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
    use aws_sigv4::sign::v4;

    const ARN: &str = "arn:aws:kinesisvideo:us-east-1:111122223333:channel/session-a/1";

    fn key() -> Key {
        Key { id: "111122223333".into(), secret: "secret".into(), region: "us-east-1".into() }
    }

    fn now() -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000)
    }

    /// A URL signed as AWS's own signer does.
    pub(crate) fn presign(url: &str, key: &Key, time: SystemTime) -> String {
        let identity = Credentials::new(&key.id, &key.secret, None, None, "test").into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(299));
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&key.region)
            .name(SERVICE)
            .time(time)
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let request = SignableRequest::new("GET", url, std::iter::empty(), SignableBody::Bytes(&[])).unwrap();
        let mut signed = http::Request::get(url).body(()).unwrap();
        sign(request, &params).unwrap().into_parts().0.apply_to_request_http1x(&mut signed);
        signed.uri().to_string()
    }

    fn check_url(url: &str, key: &Key, now: SystemTime) -> Result<(), Refused> {
        let url = url::Url::parse(url).unwrap();
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        check(key, &host, url.path(), url.query().unwrap(), now)
    }

    fn signed() -> String {
        let arn: String = url::form_urlencoded::byte_serialize(ARN.as_bytes()).collect();
        presign(&format!("http://127.0.0.1:4000/?X-Amz-ChannelARN={arn}&X-Amz-ClientId=worker-a"), &key(), now())
    }

    #[test]
    fn what_the_signer_of_aws_signs_is_let_in() {
        assert_eq!(check_url(&signed(), &key(), now()), Ok(()));
        assert_eq!(check_url(&signed(), &key(), now() + Duration::from_secs(299)), Ok(()));
    }

    #[test]
    fn another_secret_does_not_match() {
        let other = Key { secret: "other".into(), ..key() };
        assert_eq!(check_url(&signed(), &other, now()), Err(Refused::Mismatch));
    }

    #[test]
    fn a_parameter_that_was_changed_does_not_match() {
        let changed = signed().replace("worker-a", "worker-b");
        assert_eq!(check_url(&changed, &key(), now()), Err(Refused::Mismatch));
    }

    #[test]
    fn a_token_added_after_signing_does_not_match() {
        let url = format!("{}&X-Amz-Security-Token=t", signed());
        assert_eq!(check_url(&url, &key(), now()), Err(Refused::Mismatch));
    }

    #[test]
    fn an_old_signature_has_expired() {
        assert_eq!(check_url(&signed(), &key(), now() + Duration::from_secs(300)), Err(Refused::Expired));
    }

    #[test]
    fn an_unknown_key_is_named() {
        let other = Key { id: "999999999999".into(), ..key() };
        assert_eq!(check_url(&signed(), &other, now()), Err(Refused::UnknownKey));
    }

    #[test]
    fn a_date_is_counted_in_seconds() {
        assert_eq!(seconds("20231114T221320Z"), Some(1_700_000_000));
        assert_eq!(seconds("20240229T000000Z"), Some(1_709_164_800));
        assert_eq!(seconds("nonsense"), None);
    }
}
