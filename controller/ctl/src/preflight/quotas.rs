//! The quotas that decide how many sessions can be live at once, each with the line that raises it.

use super::event::Event;
use super::{Check, Verdict, check, mended};
use crate::aws::Aws;
use crate::definitions::Size;
use schemas::limits::{
    API_GATEWAY_REQUESTS_PER_SECOND, FARGATE_VCPU_OF_A_NEW_ACCOUNT, TRANSCRIBE_STREAMS_OF_A_NEW_ACCOUNT,
};

/// A quota, and what a session takes of it.
struct Quota {
    what: &'static str,
    unit: &'static str,
    service: &'static str,
    code: &'static str,
    /// What a new account has.
    new_account: u32,
}

/// vCPU of all Fargate tasks that are not Spot.
const VCPU: Quota = Quota {
    what: "Fargate vCPU quota",
    unit: "vCPU",
    service: "fargate",
    code: "L-3032A538",
    new_account: FARGATE_VCPU_OF_A_NEW_ACCOUNT,
};
/// Concurrent HTTP/2 and WebSocket streams.
const STREAMS: Quota = Quota {
    what: "Transcribe streams",
    unit: "streams",
    service: "transcribe",
    code: "L-0599F82B",
    new_account: TRANSCRIBE_STREAMS_OF_A_NEW_ACCOUNT,
};
/// Requests of all APIs together, posts to connections among them.
const POSTS: Quota = Quota {
    what: "API Gateway throttle",
    unit: "requests/s",
    service: "apigateway",
    code: "L-8A5B8E43",
    new_account: API_GATEWAY_REQUESTS_PER_SECOND,
};

/// Reads all; one that cannot be read is unknown, with the line that reads it by hand.
pub(super) async fn read(aws: &Aws, size: Size, event: Option<Event>) -> Vec<Check> {
    let (vcpu, streams, posts) = tokio::join!(value(aws, &VCPU), value(aws, &STREAMS), value(aws, &POSTS));
    let sessions = event.map(|event| f64::from(event.sessions));
    let mut checks = vec![judged(&VCPU, vcpu, size.vcpu, sessions), judged(&STREAMS, streams, 1.0, sessions)];
    if let Some(event) = event {
        let each = event.posts_per_second() / f64::from(event.sessions.max(1));
        checks.push(judged(&POSTS, posts, each, sessions));
    }
    checks
}

/// In a build without the account's checks none is read.
#[cfg(not(feature = "account"))]
#[allow(clippy::unused_async, reason = "as the other one")]
async fn value(_aws: &Aws, _quota: &Quota) -> Result<f64, String> {
    Err(super::unbuilt::WHY.to_owned())
}

/// The value in force; without one of the account's own, AWS's default.
#[cfg(feature = "account")]
async fn value(aws: &Aws, quota: &Quota) -> Result<f64, String> {
    use crate::error::refused;
    use aws_sdk_servicequotas::operation::get_service_quota::GetServiceQuotaError;
    let own = aws.quotas.get_service_quota().service_code(quota.service).quota_code(quota.code).send().await;
    let found = match own {
        Ok(answer) => answer.quota,
        Err(e) if e.as_service_error().is_some_and(GetServiceQuotaError::is_no_such_resource_exception) => {
            let default = aws.quotas.get_aws_default_service_quota();
            let default = default.service_code(quota.service).quota_code(quota.code).send().await;
            default.map_err(|e| refused("read it", &aws.place, &e).to_string())?.quota
        }
        Err(e) => return Err(refused("read it", &aws.place, &e).to_string()),
    };
    found.and_then(|quota| quota.value).ok_or_else(|| "AWS named no value".to_owned())
}

/// How many sessions the value is enough for, when each takes so much of it, and whether so many are wanted.
fn judged(quota: &Quota, value: Result<f64, String>, each: f64, sessions: Option<f64>) -> Check {
    let Quota { what, unit, service, code, new_account } = quota;
    let of = format!("--service-code {service} --quota-code {code}");
    let wanted = sessions.unwrap_or(1.0);
    let need = each * wanted;
    match value {
        Ok(value) if value < need => {
            let (enough, ask) = ((value / each).floor(), (need * 1.25).ceil());
            mended(
                check(
                    *what,
                    Verdict::Missing,
                    format!("{value} {unit}: enough for {enough} of {wanted} live sessions ({code}, account-wide)"),
                ),
                format!("aws service-quotas request-service-quota-increase {of} --desired-value {ask}"),
            )
        }
        Ok(value) => {
            let enough = if each > 0.0 { (value / each).floor().to_string() } else { "any number of".to_owned() };
            check(
                *what,
                Verdict::Ok,
                format!("{value} {unit}: enough for {enough} live sessions ({code}, account-wide)"),
            )
        }
        Err(problem) => mended(
            check(
                *what,
                Verdict::Unknown,
                format!(
                    "not read ({problem}); a new account has {new_account} {unit}, which is {} for {wanted} live session(s)",
                    if f64::from(*new_account) < need { "not enough" } else { "enough" }
                ),
            ),
            format!("aws service-quotas get-service-quota {of}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_is_not_read_is_not_called_fine_and_says_how_to_read_it() {
        let unread = judged(&STREAMS, Err("access denied".into()), 1.0, None);
        assert_eq!(unread.verdict, Verdict::Unknown);
        assert!(unread.said.contains("a new account has 25 streams, which is enough for 1 "), "{unread:?}");
        let many = judged(&STREAMS, Err("access denied".into()), 1.0, Some(40.0));
        assert!(many.said.contains("which is not enough for 40 "), "{many:?}");
        let command = unread.command.unwrap();
        assert!(command.contains("get-service-quota --service-code transcribe --quota-code L-0599F82B"), "{command}");
    }

    #[test]
    fn a_quota_is_said_in_sessions() {
        let vcpu = judged(&VCPU, Ok(6.0), 0.25, None);
        assert_eq!((vcpu.verdict, vcpu.said.contains("enough for 24 live sessions")), (Verdict::Ok, true), "{vcpu:?}");
        assert_eq!(judged(&VCPU, Ok(0.0), 0.25, None).verdict, Verdict::Missing);
    }

    #[test]
    fn a_quota_that_an_event_outgrows_is_missing_and_says_the_line_that_raises_it() {
        assert_eq!(judged(&STREAMS, Ok(25.0), 1.0, Some(25.0)).verdict, Verdict::Ok);
        let streams = judged(&STREAMS, Ok(25.0), 1.0, Some(40.0));
        assert_eq!(streams.verdict, Verdict::Missing);
        assert!(streams.said.contains("enough for 25 of 40 live sessions"), "{streams:?}");
        let command = streams.command.unwrap();
        assert!(
            command.contains("request-service-quota-increase") && command.ends_with("--desired-value 50"),
            "{command}"
        );
        assert_eq!(judged(&POSTS, Ok(10_000.0), 100.0, Some(101.0)).verdict, Verdict::Missing);
    }
}
