//! What the session service does around a session, in its order: the channel, the row, the end, the clean-up.

use super::session::{Channel, NewSession, Way, channel_name, item, make_id};
use super::speaker::Network;
use crate::aws::Aws;
use crate::error::{CtlError, refused};
use aws_credential_types::provider::ProvideCredentials;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_kinesisvideo::types::{
    ChannelProtocol, ChannelRole, ChannelType, SingleMasterChannelEndpointConfiguration, SingleMasterConfiguration,
};
use kvs_signaling::{Connection, Role};
use schemas::ids::{ChannelArn, Language, SessionId, StreamArn};
use schemas::table::{connections, sessions};
use std::net::{IpAddr, Ipv4Addr};
use url::Url;
use webrtc::peer_connection::RTCIceServer;

/// How long an undelivered message waits in the product's channels, seconds.
const MESSAGE_TTL_S: i32 = 60;

/// What stands in AWS because of this rehearsal, so that it can be taken away again.
#[derive(Debug, Default)]
pub struct Made {
    /// The channel, until it is deleted.
    pub channel: Option<ChannelArn>,
    /// The stream, until it is deleted.
    pub stream: Option<StreamArn>,
    /// The session whose row is active, until it is ended or deleted.
    pub active: Option<SessionId>,
}

/// Makes the channel of a session with this id, or with a fresh one.
///
/// # Errors
/// [`CtlError`] when AWS refuses, or the id is taken.
pub async fn make_channel(
    aws: &Aws,
    wanted: Option<SessionId>,
    made: &mut Made,
) -> Result<(SessionId, Channel), CtlError> {
    let random = uuid::Uuid::new_v4().as_u128();
    let Some(session) = wanted.or_else(|| make_id(random)) else {
        return Err(CtlError::Usage("no session id could be made; name one with --session".into()));
    };
    let answer = aws
        .kinesisvideo
        .create_signaling_channel()
        .channel_name(channel_name(&session))
        .channel_type(ChannelType::SingleMaster)
        .single_master_configuration(SingleMasterConfiguration::builder().message_ttl_seconds(MESSAGE_TTL_S).build())
        .send()
        .await
        .map_err(|e| match e.as_service_error() {
            Some(s) if s.is_resource_in_use_exception() => CtlError::Usage(format!(
                "the channel {} exists already; name another --session, or run again for a fresh one",
                channel_name(&session)
            )),
            Some(_) | None => refused("make the signaling channel", &aws.place, &e),
        })?;
    let arn = ChannelArn::try_new(answer.channel_arn().unwrap_or_default())
        .map_err(|e| CtlError::Refused(format!("make the signaling channel: {e}")))?;
    made.channel = Some(arn.clone());
    let (wss, https) = endpoints(aws, &arn).await?;
    Ok((session, Channel { arn, wss, https }))
}

async fn endpoints(aws: &Aws, arn: &ChannelArn) -> Result<(String, String), CtlError> {
    let wanted = SingleMasterChannelEndpointConfiguration::builder()
        .protocols(ChannelProtocol::Wss)
        .protocols(ChannelProtocol::Https)
        .role(ChannelRole::Master)
        .build();
    let answer = aws
        .kinesisvideo
        .get_signaling_channel_endpoint()
        .channel_arn(arn.as_str())
        .single_master_channel_endpoint_configuration(wanted)
        .send()
        .await
        .map_err(|e| refused("get the MASTER endpoints of the channel", &aws.place, &e))?;
    let of = |protocol: ChannelProtocol| {
        let found = answer.resource_endpoint_list().iter().find(|e| e.protocol() == Some(&protocol));
        found.and_then(|e| e.resource_endpoint()).map(str::to_owned).ok_or_else(|| {
            CtlError::Refused(format!("get the MASTER endpoints of the channel: no {protocol} endpoint came"))
        })
    };
    Ok((of(ChannelProtocol::Wss)?, of(ChannelProtocol::Https)?))
}

/// Puts the session row; never over another session that is still on.
///
/// # Errors
/// [`CtlError`] when AWS refuses, or the id is taken.
pub async fn put_row(aws: &Aws, new: &NewSession, made: &mut Made) -> Result<(), CtlError> {
    let table = aws.sessions_table();
    let put = aws
        .dynamodb
        .put_item()
        .table_name(&table)
        .set_item(Some(item(new)))
        .condition_expression("attribute_not_exists(#id) OR #status = :ended")
        .expression_attribute_names("#id", sessions::SESSION_ID)
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":ended", AttributeValue::S("ended".into()));
    put.send().await.map_err(|e| match e.as_service_error() {
        Some(s) if s.is_conditional_check_failed_exception() => CtlError::Usage(format!(
            "session {} exists in {table} and is not ended; name another --session",
            new.session
        )),
        Some(_) | None => refused(&format!("put the session row into {table}"), &aws.place, &e),
    })?;
    made.active = Some(new.session.clone());
    Ok(())
}

/// Ends the session as the service does: `status = ended`.
///
/// # Errors
/// [`CtlError`] when AWS refuses.
pub async fn end_row(aws: &Aws, session: &SessionId, made: &mut Made) -> Result<(), CtlError> {
    let table = aws.sessions_table();
    let update = aws
        .dynamodb
        .update_item()
        .table_name(&table)
        .key(sessions::SESSION_ID, AttributeValue::S(session.to_string()))
        .update_expression("SET #status = :ended, updatedAt = :now")
        .condition_expression("attribute_exists(#id)")
        .expression_attribute_names("#id", sessions::SESSION_ID)
        .expression_attribute_names("#status", "status")
        .expression_attribute_values(":ended", AttributeValue::S("ended".into()))
        .expression_attribute_values(":now", AttributeValue::N(crate::store::now().0.to_string()));
    match update.send().await {
        Ok(_) => {}
        // Somebody else deleted it: what was wanted.
        Err(e) if e.as_service_error().is_some_and(|s| s.is_conditional_check_failed_exception()) => {}
        Err(e) => return Err(refused(&format!("end the session in {table}"), &aws.place, &e)),
    }
    made.active = None;
    Ok(())
}

/// The service's HTTP DELETE: the channel, then the connection rows, then the session row. Nobody is told.
///
/// # Errors
/// [`CtlError`] when AWS refuses.
pub async fn delete(aws: &Aws, session: &SessionId, made: &mut Made) -> Result<(), CtlError> {
    delete_channel(aws, made).await?;
    let table = aws.connections_table();
    let rows = aws
        .dynamodb
        .query()
        .table_name(&table)
        .index_name(connections::BY_SESSION)
        .key_condition_expression("#session = :session")
        .expression_attribute_names("#session", connections::SESSION_ID)
        .expression_attribute_values(":session", AttributeValue::S(session.to_string()))
        .send()
        .await
        .map_err(|e| refused(&format!("read the connections in {table}"), &aws.place, &e))?;
    for id in rows.items().iter().filter_map(|row| row.get(connections::CONNECTION_ID)) {
        let delete = aws.dynamodb.delete_item().table_name(&table).key(connections::CONNECTION_ID, id.clone());
        delete.send().await.map_err(|e| refused(&format!("delete a connection in {table}"), &aws.place, &e))?;
    }
    let table = aws.sessions_table();
    let key = AttributeValue::S(session.to_string());
    let delete = aws.dynamodb.delete_item().table_name(&table).key(sessions::SESSION_ID, key);
    delete.send().await.map_err(|e| refused(&format!("delete the session in {table}"), &aws.place, &e))?;
    made.active = None;
    Ok(())
}

/// Deletes the channel or the stream, if it is still there.
///
/// # Errors
/// [`CtlError`] when AWS refuses.
pub async fn delete_channel(aws: &Aws, made: &mut Made) -> Result<(), CtlError> {
    super::stream::delete(aws, made).await?;
    let Some(arn) = &made.channel else { return Ok(()) };
    match aws.kinesisvideo.delete_signaling_channel().channel_arn(arn.as_str()).send().await {
        Ok(_) => {}
        Err(e) if e.as_service_error().is_some_and(|s| s.is_resource_not_found_exception()) => {}
        Err(e) => return Err(refused("delete the signaling channel", &aws.place, &e)),
    }
    made.channel = None;
    Ok(())
}

/// Takes away what still stands; gives what could not be taken away, in words.
pub async fn clean_up(aws: &Aws, made: &mut Made) -> Vec<String> {
    let mut left = Vec::new();
    if let Some(session) = made.active.clone()
        && let Err(e) = end_row(aws, &session, made).await
    {
        left.push(format!("the row of {session} is still active: {e}"));
    }
    if let Err(e) = delete_channel(aws, made).await {
        left.push(e.to_string());
    }
    left
}

/// What the speaker's browser fetches once, at its start.
///
/// # Errors
/// [`CtlError`] when AWS refuses.
pub async fn network(aws: &Aws, channel: &Channel, bind: Option<IpAddr>, patched: bool) -> Result<Network, CtlError> {
    // The call goes to the channel's own endpoint.
    let config = aws_sdk_kinesisvideosignaling::config::Builder::from(&aws.config).endpoint_url(&channel.https).build();
    let answer = aws_sdk_kinesisvideosignaling::Client::from_conf(config)
        .get_ice_server_config()
        .channel_arn(channel.arn.as_str())
        .send()
        .await
        .map_err(|e| refused("get the ICE servers of the channel", &aws.place, &e))?;
    let server = |s: &aws_sdk_kinesisvideosignaling::types::IceServer| RTCIceServer {
        urls: s.uris().to_vec(),
        username: s.username().unwrap_or_default().to_owned(),
        credential: s.password().unwrap_or_default().to_owned(),
    };
    Ok(Network {
        ice_servers: answer.ice_server_list().iter().map(server).collect(),
        bind: bind.or(on_loopback(&channel.wss).then_some(Ipv4Addr::LOCALHOST.into())),
        patched,
    })
}

/// Whether an endpoint is on this machine.
#[must_use]
pub fn on_loopback(endpoint: &str) -> bool {
    Url::parse(endpoint).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    })
}

/// Opens the channel as the master.
///
/// # Errors
/// [`CtlError`] when there are no credentials or the channel refuses.
pub async fn connect_master(aws: &Aws, channel: &Channel) -> Result<Connection, CtlError> {
    let fault = |e: &dyn std::fmt::Display| CtlError::Refused(format!("join the channel as master: {e}"));
    let provider = aws.config.credentials_provider().ok_or_else(|| fault(&"no AWS credentials; set AWS_PROFILE"))?;
    let credentials = provider.provide_credentials().await.map_err(|e| fault(&e))?;
    let url = kvs_signaling::presign(
        &channel.wss,
        &channel.arn,
        &Role::Master,
        channel.arn.region(),
        &credentials,
        std::time::SystemTime::now(),
    )
    .map_err(|e| fault(&e))?;
    kvs_signaling::connect(&url).await.map_err(|e| fault(&e))
}

/// The language as the service stores it, for the row.
#[must_use]
pub fn new_session(session: SessionId, source: Language, way: Way) -> NewSession {
    let speaker = uuid::Uuid::new_v4().to_string();
    NewSession { session, speaker, source, way, options: Default::default(), at: crate::store::now() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_endpoints_of_this_machine_are_on_loopback() {
        for endpoint in ["ws://127.0.0.1:4566/x", "http://localhost:1", "ws://[::1]:9"] {
            assert!(on_loopback(endpoint), "{endpoint}");
        }
        for endpoint in ["wss://m-1.kinesisvideo.us-east-1.amazonaws.com", "wss://10.0.0.1", "nonsense"] {
            assert!(!on_loopback(endpoint), "{endpoint}");
        }
    }
}
