//! What RunTask's answers mean, by the table of conditions that all channels share ([`schemas::condition`]).
//!
//! 200 is no success: `failures[]` and `tasks[]` are both read. Codes come first and texts second, because ECS hides throttles
//! and missing capacity in the texts of other exceptions. What nobody knows is tried again with the same token, which is safe,
//! loud (a warning each time) and bounded by the launch deadline and the restart budget.

use aws_sdk_ecs::error::{DisplayErrorContext, SdkError};
use aws_sdk_ecs::operation::run_task::{RunTaskError, RunTaskOutput};
use controller_core::launch::Answer;
use schemas::condition::{Condition, Told};
use schemas::ids::TaskArn;

/// What RunTask came to.
pub fn answer<R: std::fmt::Debug + 'static>(result: Result<RunTaskOutput, SdkError<RunTaskError, R>>) -> Answer {
    match result {
        Ok(output) => success(&output),
        Err(SdkError::ServiceError(error)) => {
            let error = error.into_err();
            let existing =
                if let RunTaskError::ConflictException(c) = &error { c.resource_ids().first().cloned() } else { None };
            let meta = error.meta();
            exception(meta.code().unwrap_or_default(), meta.message().unwrap_or_default(), existing.as_deref())
        }
        Err(error) => Answer::Retry(DisplayErrorContext(&error).to_string()),
    }
}

fn success(output: &RunTaskOutput) -> Answer {
    if let Some(task) = output.tasks().first() {
        return match TaskArn::try_new(task.task_arn().unwrap_or_default()) {
            Ok(arn) => Answer::Launched { arn, last_status: task.last_status().unwrap_or("PROVISIONING").to_owned() },
            Err(error) => Answer::Retry(error.to_string()),
        };
    }
    match output.failures().first() {
        Some(f) => failure(f.reason().unwrap_or_default(), f.detail().unwrap_or_default()),
        None => Answer::Retry("RunTask answered with neither a task nor a failure".into()),
    }
}

/// An entry of `failures[]` under HTTP 200.
fn failure(reason: &str, detail: &str) -> Answer {
    answer_to(Told::new(reason, detail), format!("{reason} {detail}").trim().to_owned())
}

/// An exception by its code and text.
fn exception(code: &str, message: &str, existing: Option<&str>) -> Answer {
    let (told, text) = (Told::new(code, message), format!("{code}: {message}"));
    if code != "ConflictException" || told.condition().is_shortage() {
        return answer_to(told, text);
    }
    match existing.map(TaskArn::try_new) {
        Some(Ok(arn)) => Answer::Existing { arn },
        Some(Err(_)) | None => Answer::Retry(text),
    }
}

fn answer_to(told: Told<'_>, text: String) -> Answer {
    match told.condition() {
        Condition::Throttled => Answer::Throttled(text),
        Condition::NoRoom => Answer::NoCapacity(text),
        Condition::Denied | Condition::Missing | Condition::Refused => Answer::Refused(text),
        Condition::Unavailable | Condition::Unknown => Answer::Retry(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_ecs::types::{Failure, Task};

    const ARN: &str = "arn:aws:ecs:us-east-1:123456789012:task/workers/0123";

    fn kind(answer: &Answer) -> &'static str {
        match answer {
            Answer::Launched { .. } => "launched",
            Answer::Existing { .. } => "existing",
            Answer::NoCapacity(_) => "no capacity",
            Answer::Throttled(_) => "throttled",
            Answer::Refused(_) => "refused",
            Answer::Retry(_) => "retry",
        }
    }
    fn ok(output: RunTaskOutput) -> Answer {
        answer::<()>(Ok(output))
    }
    fn assert_exception(code: &str, message: &str, expected: &str) {
        assert_eq!(kind(&exception(code, message, None)), expected, "{code}: {message}");
    }

    #[test]
    fn a_task_in_the_answer_is_a_launch_and_keeps_its_status() {
        let task = Task::builder().task_arn(ARN).last_status("STOPPED").build();
        let launched = ok(RunTaskOutput::builder().tasks(task).build());
        assert_eq!(launched, Answer::Launched { arn: TaskArn::try_new(ARN).unwrap(), last_status: "STOPPED".into() });
    }

    #[test]
    fn failures_under_200_are_not_launched() {
        for (reason, detail, expected) in [
            ("RESOURCE:CPU", "", "no capacity"),
            ("RESOURCE:ENI", "", "no capacity"),
            (
                "Capacity is unavailable at this time. Please try again later or in a different availability zone",
                "",
                "no capacity",
            ),
            ("ThrottlingException", "Rate exceeded", "throttled"),
            ("ATTRIBUTE", "no such attribute", "refused"),
            ("SOMETHING NEW", "", "retry"),
        ] {
            let failure = Failure::builder().reason(reason).detail(detail).build();
            assert_eq!(kind(&ok(RunTaskOutput::builder().failures(failure).build())), expected, "{reason}");
        }
        assert_eq!(kind(&ok(RunTaskOutput::builder().build())), "retry");
    }

    #[test]
    fn a_conflict_adopts_the_task_that_it_names() {
        assert_eq!(
            exception("ConflictException", "", Some(ARN)),
            Answer::Existing { arn: TaskArn::try_new(ARN).unwrap() }
        );
        assert_exception("ConflictException", "no ids", "retry");
    }

    #[test]
    fn throttles_are_seen_by_code_and_in_the_text_of_others() {
        assert_exception("ThrottlingException", "Rate exceeded", "throttled");
        assert_exception("TooManyRequestsException", "", "throttled");
        assert_exception("InvalidParameterException", "Rate exceeded while launching the task", "throttled");
        assert_exception("ClientException", "Request was throttled", "throttled");
    }

    #[test]
    fn missing_capacity_is_seen_in_the_text_of_others() {
        let zone = "Capacity is unavailable at this time. Please try again later or in a different availability zone";
        assert_exception("ClientException", zone, "no capacity");
        let vcpus = "You've reached the limit on the number of vCPUs you can run concurrently";
        assert_exception("ClientException", vcpus, "no capacity");
        assert_exception("LimitExceededException", "", "no capacity");
    }

    #[test]
    fn what_a_retry_does_not_change_is_refused() {
        for code in [
            "AccessDeniedException",
            "BlockedException",
            "ClientException",
            "ClusterNotFoundException",
            "InvalidParameterException",
            "PlatformTaskDefinitionIncompatibilityException",
            "PlatformUnknownException",
            "UnsupportedFeatureException",
        ] {
            assert_exception(code, "no", "refused");
        }
    }

    #[test]
    fn faults_of_the_service_and_of_the_network_and_unknown_codes_are_tried_again() {
        assert_exception("ServerException", "internal", "retry");
        assert_exception("InternalFailure", "", "retry");
        assert_exception("SomethingNobodyKnows", "", "retry");
        assert_eq!(kind(&answer::<()>(Err(SdkError::timeout_error("connect timed out")))), "retry");
    }
}
