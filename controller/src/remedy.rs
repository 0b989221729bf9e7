//! What helps against the errors of DynamoDB, EventBridge, KVS and ECS's reads, by the table that all channels share ([`schemas::condition`]).
//!
//! RunTask's answers decide what becomes of a session, too ([`crate::ecs::classify`]).
//!
//! | remedy | what | logged as |
//! |---|---|---|
//! | [`Remedy::Wait`] | throttled: the same again, later | WARN |
//! | [`Remedy::Again`] | a fault of the service or of the network | WARN |
//! | [`Remedy::Allow`] | a right or a credential is missing | ERROR |
//! | [`Remedy::Create`] | a table, cluster, bus or channel does not exist | ERROR |
//! | [`Remedy::Repair`] | the request itself is refused: our code or configuration | ERROR |
//!
//! Whatever it is, the look fails, what was done before it stands, and the next look tries again.

use crate::ports::PortError;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use schemas::condition::{Condition, Told};
use std::error::Error;

/// What helps against an error of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remedy {
    /// To wait: too many calls.
    Wait,
    /// To try again: the service or the network failed.
    Again,
    /// To give the function's role the right, or to look at its credentials.
    Allow,
    /// To create what is missing, or to correct its name.
    Create,
    /// To correct our code or configuration: no retry changes it.
    Repair,
}

impl Remedy {
    /// Whether it does not pass by itself.
    #[must_use]
    pub fn needs_somebody(self) -> bool {
        match self {
            Self::Wait | Self::Again => false,
            Self::Allow | Self::Create | Self::Repair => true,
        }
    }
}

impl std::fmt::Display for Remedy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Wait => "throttled, tried again by itself; raise the quota if it stays",
            Self::Again => "no answer of the service, tried again by itself",
            Self::Allow => "refused: give the controller's role this right, or look at its credentials",
            Self::Create => "what it names does not exist: deploy it, or correct the function's environment",
            Self::Repair => "the request is refused: a fault of this version or of its configuration",
        })
    }
}

/// The error of this call as a [`PortError`] with its remedy.
pub fn aws<E, R>(operation: &'static str) -> impl Fn(SdkError<E, R>) -> PortError
where
    E: Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug + 'static,
{
    move |error| {
        let remedy = match error.as_service_error() {
            Some(service) => of_code(service.code().unwrap_or_default(), service.message().unwrap_or_default()),
            None => of_transport(&error),
        };
        PortError::Aws { operation, remedy, detail: DisplayErrorContext(&error).to_string() }
    }
}

/// An error that no service has said: nothing was sent, or no answer could be read.
fn of_transport<E, R>(error: &SdkError<E, R>) -> Remedy {
    // All others of it are timeouts, connections and unreadable answers.
    if matches!(error, SdkError::ConstructionFailure(_)) { Remedy::Repair } else { Remedy::Again }
}

/// An error by its code and text, by the table that all channels share.
fn of_code(code: &str, message: &str) -> Remedy {
    match Told::new(code, message).condition() {
        Condition::Throttled | Condition::NoRoom => Remedy::Wait,
        Condition::Denied => Remedy::Allow,
        Condition::Missing => Remedy::Create,
        Condition::Refused => Remedy::Repair,
        Condition::Unavailable | Condition::Unknown => Remedy::Again,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_dynamodb::operation::get_item::GetItemError;
    use aws_sdk_dynamodb::types::error::ResourceNotFoundException;

    fn assert_remedy(expected: Remedy, said: &[(&str, &str)]) {
        for (code, message) in said {
            assert_eq!(of_code(code, message), expected, "{code}: {message}");
        }
    }

    #[test]
    fn a_throttle_is_waited_for_under_whichever_name_it_comes() {
        let said = [
            ("ThrottlingException", "Rate exceeded"),
            ("ProvisionedThroughputExceededException", ""),
            ("RequestLimitExceeded", ""),
            ("ClientException", "Too many concurrent attempts: Rate exceeded"),
            ("LimitExceededException", ""),
            ("ClientLimitExceededException", "KVS: too many calls"),
        ];
        assert_remedy(Remedy::Wait, &said);
    }

    #[test]
    fn a_missing_right_is_somebodys_to_give() {
        for code in [
            "AccessDeniedException",
            "AccessDenied",
            "NotAuthorizedException",
            "ExpiredTokenException",
            "UnrecognizedClientException",
        ] {
            assert_remedy(Remedy::Allow, &[(code, "not authorized to perform: dynamodb:Query")]);
        }
    }

    #[test]
    fn what_does_not_exist_is_to_be_created_or_named_rightly() {
        assert_remedy(Remedy::Create, &[("ResourceNotFoundException", ""), ("ClusterNotFoundException", "")]);
    }

    #[test]
    fn a_refused_request_is_ours_to_repair() {
        for code in
            ["ValidationException", "InvalidParameterException", "InvalidArgumentException", "SerializationException"]
        {
            assert_remedy(Remedy::Repair, &[(code, "")]);
        }
    }

    #[test]
    fn faults_of_the_service_and_codes_that_nobody_knows_are_tried_again() {
        for code in
            ["InternalServerError", "InternalException", "ServerException", "ServiceUnavailable", "SomethingNew", ""]
        {
            assert_remedy(Remedy::Again, &[(code, "")]);
        }
    }

    #[test]
    fn an_error_names_its_call_its_cause_and_its_remedy_and_tells_whether_somebody_must_act() {
        let missing = ResourceNotFoundException::builder().message("Requested resource not found").build();
        let error = aws::<GetItemError, ()>("GetItem")(SdkError::service_error(
            GetItemError::ResourceNotFoundException(missing),
            (),
        ));
        // An error that was built here has no code of the wire; the answer of a server has (tests/standins.rs).
        let said = error.to_string();
        assert!(said.starts_with("GetItem failed (") && said.contains("Requested resource not found"), "{said}");
        let timeout = aws::<GetItemError, ()>("GetItem")(SdkError::timeout_error("connect timed out"));
        assert!(matches!(timeout, PortError::Aws { remedy: Remedy::Again, .. }) && !timeout.needs_somebody());
        let unbuilt = aws::<GetItemError, ()>("GetItem")(SdkError::construction_failure("no table name"));
        assert!(matches!(unbuilt, PortError::Aws { remedy: Remedy::Repair, .. }) && unbuilt.needs_somebody());
    }
}
