//! A KVS stream for a rehearsal: made, fed, deleted.
//!
//! The SDK has no `PutMedia`: its request is that of `GetMedia` with another path, headers and body, before it is signed.

use super::service::Made;
use super::session::{channel_name, make_id};
use crate::aws::Aws;
use crate::error::{CtlError, refused};
use aws_sdk_kinesisvideo::types::ApiName;
use aws_sdk_kinesisvideomedia::primitives::SdkBody;
use aws_sdk_kinesisvideomedia::types::{StartSelector, StartSelectorType};
use schemas::ids::{SessionId, StreamArn};

/// How long the service keeps what was said, hours: the shortest.
const RETENTION_H: i32 = 1;

/// Makes the stream of a session with this id, or with a fresh one.
///
/// # Errors
/// [`CtlError`] when AWS refuses, or the id is taken.
pub async fn make(aws: &Aws, wanted: Option<SessionId>, made: &mut Made) -> Result<(SessionId, StreamArn), CtlError> {
    let random = uuid::Uuid::new_v4().as_u128();
    let Some(session) = wanted.or_else(|| make_id(random)) else {
        return Err(CtlError::Usage("no session id could be made; name one with --session".into()));
    };
    let ask = aws.kinesisvideo.create_stream().stream_name(channel_name(&session)).media_type("audio/opus");
    let answer = ask.data_retention_in_hours(RETENTION_H).send().await.map_err(|e| match e.as_service_error() {
        Some(s) if s.is_resource_in_use_exception() => CtlError::Usage(format!(
            "the stream {} exists already; name another --session, or run again for a fresh one",
            channel_name(&session)
        )),
        Some(_) | None => refused("make the stream", &aws.place, &e),
    })?;
    let arn = StreamArn::try_new(answer.stream_arn().unwrap_or_default())
        .map_err(|e| CtlError::Refused(format!("make the stream: {e}")))?;
    made.stream = Some(arn.clone());
    Ok((session, arn))
}

/// Deletes the stream, if one was made and is still there.
///
/// # Errors
/// [`CtlError`] when AWS refuses.
pub async fn delete(aws: &Aws, made: &mut Made) -> Result<(), CtlError> {
    let Some(arn) = &made.stream else { return Ok(()) };
    match aws.kinesisvideo.delete_stream().stream_arn(arn.as_str()).send().await {
        Ok(_) => {}
        Err(e) if e.as_service_error().is_some_and(|s| s.is_resource_not_found_exception()) => {}
        Err(e) => return Err(refused("delete the stream", &aws.place, &e)),
    }
    made.stream = None;
    Ok(())
}

/// Where fragments go.
#[derive(Debug, Clone)]
pub struct Line {
    client: aws_sdk_kinesisvideomedia::Client,
    arn: StreamArn,
}

/// Asks for the endpoint that takes fragments in.
///
/// # Errors
/// [`CtlError`] when AWS refuses.
pub async fn connect(aws: &Aws, arn: &StreamArn) -> Result<Line, CtlError> {
    let ask = aws.kinesisvideo.get_data_endpoint().stream_arn(arn.as_str()).api_name(ApiName::PutMedia);
    let answer = ask.send().await.map_err(|e| refused("get the endpoint of PutMedia", &aws.place, &e))?;
    let endpoint = answer.data_endpoint().unwrap_or_default();
    let config = aws_sdk_kinesisvideomedia::config::Builder::from(&aws.config).endpoint_url(endpoint).build();
    Ok(Line { client: aws_sdk_kinesisvideomedia::Client::from_conf(config), arn: arn.clone() })
}

impl Line {
    /// Sends one fragment.
    ///
    /// # Errors
    /// What the service says.
    pub async fn put(&self, fragment: Vec<u8>) -> Result<(), String> {
        let fault = |e: &dyn std::fmt::Display| format!("a fragment was not taken: {e}");
        let selector =
            StartSelector::builder().start_selector_type(StartSelectorType::Now).build().map_err(|e| fault(&e))?;
        let arn = self.arn.as_str().to_owned();
        let ask = self.client.get_media().stream_arn(&arn).start_selector(selector).customize();
        let answer = ask.mutate_request(move |request| {
            let headers = request.headers_mut();
            headers.insert("content-type", "application/octet-stream");
            headers.insert("content-length", fragment.len().to_string());
            headers.insert("x-amzn-stream-arn", arn.clone());
            headers.insert("x-amzn-fragment-timecode-type", "ABSOLUTE");
            headers.insert("x-amzn-fragment-acknowledgment-required", "1");
            let path = request.uri().replace("getMedia", "putMedia");
            // A path that cannot be set is that of GetMedia, whose answer is no acknowledgement.
            let _ = request.set_uri(path);
            *request.body_mut() = SdkBody::from(fragment.clone());
        });
        let answer =
            answer.send().await.map_err(|e| fault(&aws_sdk_kinesisvideomedia::error::DisplayErrorContext(&e)))?;
        let said = answer.payload.collect().await.map_err(|e| fault(&e))?.into_bytes();
        if String::from_utf8_lossy(&said).contains("PERSISTED") {
            Ok(())
        } else {
            Err(fault(&String::from_utf8_lossy(&said)))
        }
    }
}
