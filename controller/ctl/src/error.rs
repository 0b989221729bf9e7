//! What can go wrong, in one line that says what to do, with the exit code that scripts read.

use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};

/// Every way in which a command ends without its result.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// The session is not there.
    #[error("{0}")]
    NotFound(String),
    /// The command line asks for something that cannot be done.
    #[error("{0}")]
    Usage(String),
    /// AWS did not do what was asked.
    #[error("{0}")]
    Refused(String),
    /// The output could not be written.
    #[error("the output could not be written: {0}")]
    Output(#[from] std::io::Error),
}

impl CtlError {
    /// 1 not found or unhealthy, 2 usage, 3 AWS refused.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::NotFound(_) | Self::Output(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
        }
    }
}

/// Where a call went, for the sentence about its failure.
#[derive(Debug, Clone)]
pub struct Place {
    /// `--env`.
    pub env: String,
    /// The region, or `(none)`.
    pub region: String,
}

/// Says what AWS refused and what helps.
pub fn refused<E, R>(doing: &str, place: &Place, error: &SdkError<E, R>) -> CtlError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug,
{
    let chain = DisplayErrorContext(error).to_string();
    CtlError::Refused(sentence(doing, place, error.code(), error.message(), &chain))
}

/// The pure part of [`refused`]. `chain` is every cause, outermost first, as the SDK prints it.
#[must_use]
pub fn sentence(doing: &str, place: &Place, code: Option<&str>, message: Option<&str>, chain: &str) -> String {
    let Place { env, region } = place;
    let said = message.unwrap_or("no message");
    match code {
        // Credentials fail to load before anything is sent, region or not; a missing region is the simpler remedy.
        None if region == NO_REGION => format!("{doing}: no region; set AWS_REGION or --region"),
        Some("ResourceNotFoundException") if !doing.contains("SessionWorkers-") => format!(
            "{doing}: it does not exist in {region}; it is the session service's own: check --env ({env}) and AWS_REGION, or deploy that service there"
        ),
        Some("ResourceNotFoundException") => format!(
            "{doing}: it does not exist in {region}; check --env ({env}) and AWS_REGION, or deploy SessionWorkers-{env} there"
        ),
        Some("ConditionalCheckFailedException") => format!("{doing}: the row has changed in the meantime; repeat"),
        Some("AccessDeniedException" | "AccessDenied" | "NotAuthorizedException") => {
            format!("{doing}: access denied ({said}); use a role that may do this")
        }
        Some(
            "ExpiredTokenException"
            | "ExpiredToken"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "InvalidClientTokenId"
            | "IncompleteSignature",
        ) => {
            format!(
                "{doing}: AWS does not accept these credentials ({said}); sign in again, check AWS_PROFILE and the clock"
            )
        }
        Some("ThrottlingException" | "ProvisionedThroughputExceededException" | "RequestLimitExceeded") => {
            format!("{doing}: AWS asks to slow down; wait a moment and repeat")
        }
        Some("InternalServerError" | "InternalServerErrorException" | "InternalFailure" | "ServiceUnavailable") => {
            format!("{doing}: AWS itself failed ({said}); wait a moment and repeat")
        }
        Some(code) => format!("{doing}: {code} ({said})"),
        None if chain.contains("sso") || chain.contains("SSO") => {
            format!("{doing}: the SSO session has ended or never began; run `aws sso login` (with your --profile)")
        }
        None if chain.contains("profile") && chain.contains("was not defined") => {
            format!(
                "{doing}: the profile in AWS_PROFILE is not in the AWS configuration; check its name, or run `aws configure sso`"
            )
        }
        None if chain.contains("external process") => {
            format!(
                "{doing}: the credential_process of the profile failed; run it by hand, or choose another AWS_PROFILE"
            )
        }
        None if chain.contains("credential") || chain.contains("CredentialsNotLoaded") => {
            format!(
                "{doing}: no AWS credentials; run `aws sso login` and set AWS_PROFILE, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            )
        }
        None if chain.contains("timeout") || chain.contains("timed out") => {
            format!("{doing}: no answer in {region}; check AWS_REGION, AWS_ENDPOINT_URL and the network")
        }
        None if chain.contains("dispatch failure") => {
            format!("{doing}: AWS cannot be reached in {region}; check AWS_REGION, AWS_ENDPOINT_URL and the network")
        }
        None if chain.contains("unhandled error") => {
            format!("{doing}: the endpoint's answer is not one of AWS; check AWS_ENDPOINT_URL and what listens there")
        }
        None => format!("{doing}: {}", crate::text::cut(chain.lines().next().unwrap_or("unknown failure"), 160)),
    }
}

/// Stands for a region that is not set.
pub const NO_REGION: &str = "(none)";

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place { env: "dev".into(), region: "eu-west-1".into() }
    }

    #[test]
    fn a_missing_table_names_the_region_and_the_switch() {
        let line = sentence("read SessionWorkers-dev", &place(), Some("ResourceNotFoundException"), None, "");
        assert!(line.contains("eu-west-1") && line.contains("--env (dev)"), "{line}");
    }

    #[test]
    fn a_missing_table_of_the_session_service_is_not_ours_to_deploy() {
        let line = sentence("describe the table Sessions-dev", &place(), Some("ResourceNotFoundException"), None, "");
        assert!(line.contains("session service") && !line.contains("deploy SessionWorkers"), "{line}");
    }

    #[test]
    fn a_profile_that_is_not_there_and_a_process_that_fails_are_told_from_missing_credentials() {
        let chain = "dispatch failure: other: profile `nope` was not defined: credentials";
        assert!(sentence("read it", &place(), None, None, chain).contains("the profile in AWS_PROFILE is not"));
        let chain = "dispatch failure: Error retrieving credentials: external process exited with code 1";
        assert!(sentence("read it", &place(), None, None, chain).contains("credential_process"));
    }

    #[test]
    fn missing_credentials_say_what_to_set() {
        let chain = "dispatch failure: other: the credential provider was not enabled";
        let line = sentence("read it", &place(), None, None, chain);
        assert!(line.contains("AWS_PROFILE"), "{line}");
    }

    #[test]
    fn a_missing_region_is_named_before_the_credentials() {
        let place = Place { env: "dev".into(), region: NO_REGION.into() };
        let line = sentence("read it", &place, None, None, "dispatch failure: no credentials");
        assert!(line.contains("AWS_REGION") && line.contains("--region"), "{line}");
    }

    #[test]
    fn an_ended_sso_session_says_how_to_sign_in() {
        let chain = "dispatch failure: other: the SSO session token has expired";
        let line = sentence("read it", &place(), None, None, chain);
        assert!(line.contains("aws sso login"), "{line}");
    }

    #[test]
    fn credentials_that_aws_does_not_accept_are_told_from_those_that_may_not() {
        let line = sentence("read it", &place(), Some("ExpiredTokenException"), Some("expired"), "");
        assert!(line.contains("sign in again") && line.contains("AWS_PROFILE"), "{line}");
        let line = sentence("read it", &place(), Some("AccessDeniedException"), Some("no"), "");
        assert!(line.contains("use a role that may do this"), "{line}");
    }

    #[test]
    fn an_unreachable_endpoint_is_not_taken_for_missing_credentials() {
        let chain = "dispatch failure: io error: connection refused";
        let line = sentence("read it", &place(), None, None, chain);
        assert!(line.contains("cannot be reached") && line.contains("AWS_ENDPOINT_URL"), "{line}");
    }

    #[test]
    fn every_refusal_is_one_line() {
        for code in [None, Some("AccessDeniedException"), Some("ThrottlingException"), Some("Odd")] {
            assert!(!sentence("x", &place(), code, Some("m"), "a\nb\nc").contains('\n'));
        }
    }

    #[test]
    fn scripts_can_tell_the_ends_apart() {
        let codes =
            [CtlError::NotFound(String::new()), CtlError::Usage(String::new()), CtlError::Refused(String::new())]
                .map(|e| e.exit_code());
        assert_eq!(codes, [1, 2, 3]);
    }
}
