//! The two quotas that decide how many sessions can be live at once.

use super::{Check, Verdict, check};
use crate::aws::Aws;
use crate::definitions::{self, Size};
use crate::error::refused;
use aws_sdk_servicequotas::operation::get_service_quota::GetServiceQuotaError;

/// A quota, and what a session takes of it.
struct Quota {
    what: &'static str,
    service: &'static str,
    code: &'static str,
    /// What a new account has (AWS General Reference).
    new_account: &'static str,
}

/// vCPU of all Fargate tasks that are not Spot.
const VCPU: Quota = Quota { what: "Fargate vCPU quota", service: "fargate", code: "L-3032A538", new_account: "6 vCPU" };
/// Concurrent HTTP/2 and WebSocket streams.
const STREAMS: Quota =
    Quota { what: "Transcribe streams", service: "transcribe", code: "L-0599F82B", new_account: "25 streams" };

/// Reads both; one that cannot be read is unknown, with the line that reads it by hand.
pub(super) async fn read(aws: &Aws) -> Vec<Check> {
    let (vcpu, streams) = tokio::join!(value(aws, &VCPU), value(aws, &STREAMS));
    let size = definitions::describe(aws, &aws.family()).await.ok();
    let size = size.and_then(|found| Size::of(found.cpu(), found.memory(), true)).unwrap_or(Size::STATED);
    vec![judged(&VCPU, vcpu, size.vcpu), judged(&STREAMS, streams, 1.0)]
}

/// The value in force; without one of the account's own, AWS's default.
async fn value(aws: &Aws, quota: &Quota) -> Result<f64, String> {
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

/// How many sessions the value is enough for, when each takes so much of it.
fn judged(quota: &Quota, value: Result<f64, String>, each: f64) -> Check {
    let Quota { what, service, code, new_account } = quota;
    match value {
        Ok(value) if value < each => {
            check(*what, Verdict::Missing, format!("{value}: not enough for one session; ask for more ({code})"))
        }
        Ok(value) => {
            let sessions = (value / each).floor();
            check(*what, Verdict::Ok, format!("{value}: enough for {sessions} live sessions ({code}, account-wide)"))
        }
        Err(problem) => check(
            *what,
            Verdict::Unknown,
            format!(
                "not read ({problem}); {new_account} in a new account: aws service-quotas get-service-quota --service-code {service} --quota-code {code}"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_is_not_read_is_not_called_fine_and_says_how_to_read_it() {
        let unread = judged(&STREAMS, Err("access denied".into()), 1.0);
        assert_eq!(unread.verdict, Verdict::Unknown);
        assert!(unread.said.contains("get-service-quota --service-code transcribe --quota-code L-0599F82B"));
    }

    #[test]
    fn a_quota_is_said_in_sessions() {
        let vcpu = judged(&VCPU, Ok(6.0), 0.25);
        assert_eq!((vcpu.verdict, vcpu.said.contains("enough for 24 live sessions")), (Verdict::Ok, true), "{vcpu:?}");
        assert_eq!(judged(&VCPU, Ok(0.0), 0.25).verdict, Verdict::Missing);
    }
}
