//! The HTTP side of the session service, as the product's applications meet it: the channel, the row as it writes it, the
//! changes of its status, and what the speaker's browser is given.

use serde_json::{Value, json};
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Refused, WebConfig};
use crate::emulator::Api;

/// Their table.
const SESSIONS: &str = "Sessions-local";
/// Life of a session, seconds: 24 h.
const LIFE_S: u64 = 24 * 3_600;
/// How often another id is tried when one is taken.
const TRIES: usize = 5;

const QUALITIES: [&str; 8] = ["blessed", "bright", "calm", "gentle", "golden", "honest", "patient", "steady"];
const NOUNS: [&str; 8] = ["beacon", "cedar", "harbour", "lantern", "meadow", "river", "shepherd", "willow"];

/// The session service.
#[derive(Debug)]
pub(super) struct Service {
    http: reqwest::Client,
    api: Api,
    kvs: String,
    secret: String,
}

impl Service {
    pub(super) fn new(config: &WebConfig) -> Self {
        let (api, kvs, secret) = (config.api.clone(), config.kvs.clone(), config.secret_access_key.clone());
        Self { http: reqwest::Client::new(), api, kvs, secret }
    }

    /// Makes a session: its channel first, then its row. Its id. `judged` wishes judgements of the voice, which are off by default.
    pub(super) async fn create(&self, language: &str, judged: bool) -> Result<String, Refused> {
        if language.len() != 2 || !language.bytes().all(|byte| byte.is_ascii_lowercase()) {
            return Err(Refused::bad(format!("{language:?} is no language of two letters")));
        }
        let (session, arn) = self.channel().await?;
        let endpoints = self.endpoints(&arn).await?;
        let mut row = row(&session, language, &arn, &endpoints, now_ms());
        if judged {
            row["captionOptions"] = json!({ "M": { "emotion": { "S": "emotion" } } });
        }
        let put = json!({ "TableName": SESSIONS, "Item": row });
        self.api.call("DynamoDB_20120810.PutItem", &put).await.map_err(Refused::upstream)?;
        Ok(session)
    }

    /// A leaked channel burns its id, there as here: then another id is taken.
    async fn channel(&self) -> Result<(String, String), Refused> {
        let mut problem = Refused::bad("no free session id");
        for _ in 0..TRIES {
            let session = make_id(uuid::Uuid::new_v4().as_u128());
            let config = json!({ "MessageTtlSeconds": 60 });
            let ask = json!({
                "ChannelName": format!("session-{session}"), "ChannelType": "SINGLE_MASTER", "SingleMasterConfiguration": config,
            });
            match self.kvs("createSignalingChannel", &ask).await {
                Ok(answer) => return Ok((session, answer["ChannelARN"].as_str().unwrap_or_default().to_owned())),
                Err(refused) => problem = refused,
            }
        }
        Err(problem)
    }

    /// The MASTER endpoints, by protocol.
    async fn endpoints(&self, arn: &str) -> Result<Value, Refused> {
        let wanted = json!({ "Protocols": ["WSS", "HTTPS"], "Role": "MASTER" });
        let ask = json!({ "ChannelARN": arn, "SingleMasterChannelEndpointConfiguration": wanted });
        let answer = self.kvs("getSignalingChannelEndpoint", &ask).await?;
        let pairs = answer["ResourceEndpointList"].as_array().into_iter().flatten();
        let pairs =
            pairs.filter_map(|pair| Some((pair["Protocol"].as_str()?.to_owned(), pair["ResourceEndpoint"].clone())));
        Ok(Value::Object(pairs.collect()))
    }

    /// PATCH: `active`, `paused` or `ended`.
    pub(super) async fn set_status(&self, session: &str, status: &str) -> Result<(), Refused> {
        if !["active", "paused", "ended"].contains(&status) {
            return Err(Refused::bad("status must be active, paused or ended"));
        }
        let update = json!({
            "TableName": SESSIONS,
            "Key": { "sessionId": { "S": session } },
            "UpdateExpression": "SET #status = :status, updatedAt = :now",
            "ConditionExpression": "attribute_exists(sessionId)",
            "ExpressionAttributeNames": { "#status": "status" },
            "ExpressionAttributeValues": { ":status": { "S": status }, ":now": { "N": now_ms().to_string() } },
        });
        self.api.call("DynamoDB_20120810.UpdateItem", &update).await.map(drop).map_err(Refused::upstream)
    }

    /// What the product's application has from its sign-in (credentials), from the row (endpoints) and from KVS (ICE servers).
    pub(super) async fn speaker(&self, session: &str) -> Result<Value, Refused> {
        let ask = json!({ "TableName": SESSIONS, "Key": { "sessionId": { "S": session } } });
        let row = self.api.call("DynamoDB_20120810.GetItem", &ask).await.map_err(Refused::upstream)?;
        let arn = row["Item"]["kvsChannelArn"]["S"].as_str();
        let arn = arn.ok_or_else(|| Refused::bad(format!("there is no session {session}")))?;
        let servers = self.kvs("v1/get-ice-server-config", &json!({ "ChannelARN": arn })).await?;
        let servers = servers["IceServerList"].as_array().into_iter().flatten();
        let servers: Vec<Value> = servers
            .map(|one| json!({ "urls": one["Uris"], "username": one["Username"], "credential": one["Password"] }))
            .collect();
        Ok(json!({
            "channelArn": arn,
            "region": self.api.region(),
            "endpoint": row["Item"]["kvsSignalingEndpoints"]["M"]["WSS"]["S"],
            // Who they are: there is no Cognito here to say it.
            "token": row["Item"]["speakerId"]["S"],
            "credentials": { "accessKeyId": self.api.account(), "secretAccessKey": self.secret },
            "iceServers": servers,
        }))
    }

    async fn kvs(&self, path: &str, ask: &Value) -> Result<Value, Refused> {
        // The stand-in looks at whose key it is, not at the signature.
        let key = format!("AWS4-HMAC-SHA256 Credential={}/", self.api.account());
        let request = self.http.post(format!("{}/{path}", self.kvs)).header("authorization", key).json(ask);
        let answer = request.send().await.map_err(Refused::upstream)?;
        let status = answer.status();
        let body: Value = answer.json().await.map_err(Refused::upstream)?;
        if status.is_success() { Ok(body) } else { Err(Refused::upstream(format!("KVS: {}", body["Message"]))) }
    }
}

/// The row as the HTTP path writes it.
fn row(session: &str, language: &str, arn: &str, endpoints: &Value, now_ms: u64) -> Value {
    let endpoint = |protocol: &str| json!({ "S": endpoints[protocol] });
    let number = |n: u64| json!({ "N": n.to_string() });
    json!({
        "sessionId": { "S": session },
        "speakerId": { "S": uuid::Uuid::new_v4().to_string() },
        "sourceLanguage": { "S": language },
        "qualityTier": { "S": "standard" },
        "status": { "S": "active" },
        "listenerCount": number(0),
        "createdAt": number(now_ms),
        "updatedAt": number(now_ms),
        "expiresAt": number(now_ms / 1_000 + LIFE_S),
        "kvsChannelArn": { "S": arn },
        "kvsChannelName": { "S": format!("session-{session}") },
        "kvsSignalingEndpoints": { "M": { "WSS": endpoint("WSS"), "HTTPS": endpoint("HTTPS") } },
    })
}

/// An id of the service's form from any number.
fn make_id(random: u128) -> String {
    let pick = |list: &[&'static str; 8], n: u128| list[usize::try_from(n % 8).unwrap_or_default()];
    format!("{}-{}-{:03}", pick(&QUALITIES, random), pick(&NOUNS, random >> 3), (random >> 6) % 1_000)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use schemas::ids::SessionId;

    #[test]
    fn the_row_has_exactly_the_attributes_of_the_http_path() {
        let row =
            row("calm-river-001", "en", "arn", &json!({ "WSS": "ws://a", "HTTPS": "http://a" }), 1_800_000_000_123);
        let names: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        let theirs = "createdAt expiresAt kvsChannelArn kvsChannelName kvsSignalingEndpoints listenerCount qualityTier sessionId \
                      sourceLanguage speakerId status updatedAt";
        assert_eq!(names.join(" "), theirs);
        assert_eq!(row["expiresAt"]["N"], "1800086400");
        assert_eq!(row["kvsSignalingEndpoints"]["M"]["WSS"]["S"], "ws://a");
    }

    proptest! {
        #[test]
        fn every_id_is_one_of_the_service(random in any::<u128>()) {
            prop_assert!(SessionId::try_new(make_id(random)).is_ok());
        }
    }
}
