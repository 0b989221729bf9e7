//! What AWS reports, by what helps, whichever way it reports it: the one table for all channels.
//!
//! The same condition comes as the code of an exception, in the text of another one, as a reason under HTTP 200, as the stop code and reason of a
//! task that was started and did not get its place, as an exception within a stream, or as a bare HTTP status. A reporter hands over whatever it was
//! told ([`Told`]) and gets the [`Condition`]; each decides by that alone what it does.
//!
//! | Channel | Who asks |
//! |---|---|
//! | an exception's code and text: RunTask | `controller/src/ecs/classify.rs` |
//! | `failures[]` under HTTP 200: RunTask | the same |
//! | `stopCode` and `stoppedReason` of a task | `controller_core::settle` |
//! | an exception's code and text: DynamoDB, EventBridge, KVS, ECS's reads | `controller/src/remedy.rs` |
//! | an exception's code, and the HTTP status: DynamoDB, Translate | `worker/src/io/table/failure.rs`, `worker/src/io/translate.rs` |
//! | an exception within the stream, or at its opening: Transcribe | `worker/src/io/transcribe.rs` |
//!
//! **Guarantees.** Total. Shortages and throttles are looked for in every part of what was said, since AWS hides them in the texts of other exceptions; the code
//! of an exception decides about everything else, and an HTTP status only where there is no code.

/// What is the matter, by what helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// Too many calls: the same again, later.
    Throttled,
    /// There is no room, or a quota is used up: the same again later, elsewhere, or with a higher quota.
    NoRoom,
    /// The service or the network failed: the same again.
    Unavailable,
    /// A right or a credential is missing.
    Denied,
    /// What the request names does not exist.
    Missing,
    /// The request itself is refused.
    Refused,
    /// Nothing of this is known.
    Unknown,
}

impl Condition {
    /// Whether it says nothing of the request, nor of what runs: others take the room or the rate for now.
    #[must_use]
    pub fn is_shortage(self) -> bool {
        matches!(self, Self::Throttled | Self::NoRoom)
    }
}

/// What was said, as far as the channel can say it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told<'a> {
    /// The code of an exception, or the reason of a failure; empty where there is none.
    pub code: &'a str,
    /// The sentence with it; empty where there is none.
    pub text: &'a str,
    /// The HTTP status, where it alone was told.
    pub status: Option<u16>,
}

impl<'a> Told<'a> {
    /// A code with its sentence.
    #[must_use]
    pub fn new(code: &'a str, text: &'a str) -> Self {
        Self { code, text, status: None }
    }

    /// What it means.
    #[must_use]
    pub fn condition(self) -> Condition {
        let said = format!("{} {}", self.code, self.text).to_ascii_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if says(&THROTTLED) {
            Condition::Throttled
        } else if says(&NO_ROOM) || self.code.starts_with("RESOURCE:") {
            Condition::NoRoom
        } else if self.code.is_empty() {
            self.status.map_or(Condition::Unknown, of_status)
        } else {
            of_code(self.code)
        }
    }
}

/// Words of a throttle, wherever they stand.
const THROTTLED: [&str; 6] = [
    "rate exceeded",
    "throttl",
    "too many requests",
    "toomanyrequests",
    "requestlimitexceeded",
    "provisionedthroughputexceeded",
];

/// Words of a shortage, wherever they stand: of hosts and network interfaces, of addresses in a subnet, of the account's quotas.
const NO_ROOM: [&str; 14] = [
    "capacity is unavailable",
    "insufficient capacity",
    "insufficientcapacity",
    "no capacity",
    "capacity at this time",
    "try again later or in a different",
    "insufficientfreeaddresses",
    "free addresses",
    "network interface provisioning",
    "number of vcpus",
    "vcpu limit",
    "quota",
    "provisioning tasks",
    "limit on the number of tasks",
];

fn of_code(code: &str) -> Condition {
    match code {
        "LimitExceededException" | "ClientLimitExceededException" | "ConnectionLimitExceededException" | "AGENT" => {
            Condition::NoRoom
        }
        "TransactionInProgressException" => Condition::Throttled,
        "AccessDeniedException"
        | "AccessDenied"
        | "BlockedException"
        | "NotAuthorizedException"
        | "UnrecognizedClientException"
        | "InvalidSignatureException"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "InvalidClientTokenId"
        | "IncompleteSignature"
        | "MissingAuthenticationToken"
        | "OptInRequired" => Condition::Denied,
        "ResourceNotFoundException" | "ClusterNotFoundException" | "TableNotFoundException" => Condition::Missing,
        "ValidationException"
        | "BadRequestException"
        | "InvalidParameterException"
        | "InvalidParameterValueException"
        | "InvalidArgumentException"
        | "InvalidRequestException"
        | "SerializationException"
        | "ClientException"
        | "UnsupportedFeatureException"
        | "PlatformTaskDefinitionIncompatibilityException"
        | "PlatformUnknownException"
        | "ItemCollectionSizeLimitExceededException"
        | "TextSizeLimitExceededException"
        | "DetectedLanguageLowConfidenceException"
        | "ATTRIBUTE"
        | "LOCATION" => Condition::Refused,
        "InternalServerError"
        | "InternalServerException"
        | "InternalFailure"
        | "InternalFailureException"
        | "InternalException"
        | "ServerException"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => Condition::Unavailable,
        _ => Condition::Unknown,
    }
}

fn of_status(status: u16) -> Condition {
    match status {
        429 => Condition::Throttled,
        401 | 403 => Condition::Denied,
        404 => Condition::Missing,
        400..=499 => Condition::Refused,
        500..=599 => Condition::Unavailable,
        _ => Condition::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(code: &str, text: &str) -> Condition {
        Told::new(code, text).condition()
    }

    #[test]
    fn a_shortage_is_the_same_whoever_reports_it() {
        let zone = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
        for (code, text) in [
            ("RESOURCE:CPU", ""),
            ("RESOURCE:ENI", ""),
            (zone, ""),
            ("ClientException", zone),
            ("TaskFailedToStart", zone),
            ("ClientException", "You've reached the limit on the number of vCPUs you can run concurrently"),
            ("LimitExceededException", ""),
            ("ServiceQuotaExceededException", ""),
            (
                "TaskFailedToStart",
                "ResourceInitializationError: InsufficientFreeAddressesInSubnet: the subnet has no free address",
            ),
            ("TaskFailedToStart", "Timeout waiting for network interface provisioning to complete."),
            ("TaskFailedToStart", "You've reached the limit on the number of tasks that you can provision"),
        ] {
            assert_eq!(of(code, text), Condition::NoRoom, "{code}: {text}");
        }
    }

    #[test]
    fn a_throttle_is_the_same_whoever_reports_it() {
        for (code, text) in [
            ("ThrottlingException", "Rate exceeded"),
            ("TooManyRequestsException", ""),
            ("ProvisionedThroughputExceededException", ""),
            ("RequestLimitExceeded", ""),
            ("InvalidParameterException", "Rate exceeded while launching the task"),
            ("ClientException", "Request was throttled"),
            ("TaskFailedToStart", "CannotPullContainerError: toomanyrequests: Rate exceeded"),
            ("TaskFailedToStart", "ResourceInitializationError: unable to pull secrets: ThrottlingException"),
        ] {
            assert_eq!(of(code, text), Condition::Throttled, "{code}: {text}");
        }
        assert_eq!(Told { status: Some(429), ..Told::default() }.condition(), Condition::Throttled);
    }

    #[test]
    fn what_is_no_shortage_is_none() {
        for (code, text) in [
            ("TaskFailedToStart", "CannotPullContainerError: pull access denied"),
            ("EssentialContainerExited", "Essential container in task exited"),
            ("UserInitiated", "did not end within 60 s of being asked to"),
            ("", ""),
        ] {
            assert_eq!(of(code, text), Condition::Unknown, "{code}: {text}");
        }
        let denied = "is not authorized to perform: ecs:RunTask on resource: arn:aws:ecs:us-east-1:123456789012:task-definition/worker:1";
        assert_eq!(of("AccessDeniedException", denied), Condition::Denied, "a resource is no shortage");
        assert_eq!(of("ClientException", "no"), Condition::Refused);
        assert_eq!(of("ServerException", "internal"), Condition::Unavailable);
        assert_eq!(Told { status: Some(503), ..Told::default() }.condition(), Condition::Unavailable);
    }

    proptest! {
        #[test]
        fn the_words_of_a_shortage_count_in_whichever_part_they_stand(code in "[A-Za-z]{0,20}", word in 0..NO_ROOM.len(), before in "[a-z ]{0,20}") {
            let text = format!("{before}{}", NO_ROOM[word]);
            let (in_text, in_code) = (of(&code, &text), of(&text, ""));
            prop_assert!(in_text.is_shortage() && in_code.is_shortage());
        }
    }
}
