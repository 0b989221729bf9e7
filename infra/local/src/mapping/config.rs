//! A mapping's configuration, as Lambda lists it.

use serde_json::Value;

/// How failures are handled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// `MaximumRetryAttempts`; `None` is for ever.
    pub most_retries: Option<u32>,
    /// `MaximumRecordAgeInSeconds`, as ms; `None` is as long as the stream keeps records.
    pub most_age_ms: Option<i64>,
    /// `BisectBatchOnFunctionError`.
    pub bisect: bool,
    /// `ReportBatchItemFailures`.
    pub partial: bool,
}

/// One mapping of a DynamoDB stream to a function.
#[derive(Debug, Clone, PartialEq)]
pub struct Mapping {
    /// Its id.
    pub uuid: String,
    /// The stream.
    pub stream: String,
    /// The function, as ARN.
    pub function: String,
    /// Records of one delivery at most.
    pub batch_size: usize,
    /// Wait so long for a batch to fill, ms.
    pub window_ms: u64,
    /// Deliveries at once; the order of one item is kept.
    pub lanes: usize,
    /// Patterns of which one must match; empty: everything is delivered.
    pub filters: Vec<Value>,
    /// Whether it begins with the oldest record.
    pub from_the_start: bool,
    /// `OnFailure` destination: ARN of a queue or a bucket.
    pub destination: Option<String>,
    /// What happens on failures.
    pub rules: Rules,
}

/// Something that this poller does not do as AWS would.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event source mapping {uuid} cannot be imitated: {what}; extend mapping/config.rs of the local stack")]
pub struct Unsupported {
    /// Which mapping.
    pub uuid: String,
    /// What of it.
    pub what: String,
}

impl Mapping {
    /// Reads one entry of ListEventSourceMappings; the defaults are Lambda's for DynamoDB streams.
    ///
    /// # Errors
    /// When it asks for something that is not imitated.
    pub fn parse(listed: &Value) -> Result<Self, Unsupported> {
        let text = |key: &str| listed[key].as_str().unwrap_or_default().to_owned();
        let uuid = text("UUID");
        let unsupported = |what: String| Unsupported { uuid: uuid.clone(), what };
        let limit = |key: &str| listed[key].as_i64().filter(|limit| *limit >= 0);
        let count = |key: &str, default: usize| {
            listed[key].as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| *n > 0).unwrap_or(default)
        };
        if listed["TumblingWindowInSeconds"].as_u64().is_some_and(|seconds| seconds > 0) {
            return Err(unsupported("TumblingWindowInSeconds".to_owned()));
        }
        let destination = listed.pointer("/DestinationConfig/OnFailure/Destination").and_then(Value::as_str);
        if let Some(arn) = destination.filter(|arn| !arn.contains(":sqs:") && !arn.contains(":s3:")) {
            return Err(unsupported(format!("its failure destination {arn} is neither a queue nor a bucket")));
        }
        let filters = listed.pointer("/FilterCriteria/Filters").and_then(Value::as_array).into_iter().flatten();
        let pattern = |filter: &Value| {
            let text = filter["Pattern"].as_str().unwrap_or_default();
            serde_json::from_str(text).map_err(|e| unsupported(format!("filter {text}: {e}")))
        };
        let reports = listed["FunctionResponseTypes"].as_array().into_iter().flatten();
        Ok(Self {
            stream: text("EventSourceArn"),
            function: text("FunctionArn"),
            batch_size: count("BatchSize", 100),
            window_ms: listed["MaximumBatchingWindowInSeconds"].as_u64().unwrap_or(0) * 1_000,
            lanes: count("ParallelizationFactor", 1),
            filters: filters.map(pattern).collect::<Result<_, _>>()?,
            from_the_start: listed["StartingPosition"] == "TRIM_HORIZON",
            destination: destination.map(str::to_owned),
            rules: Rules {
                most_retries: limit("MaximumRetryAttempts").and_then(|n| u32::try_from(n).ok()),
                most_age_ms: limit("MaximumRecordAgeInSeconds").map(|seconds| seconds * 1_000),
                bisect: listed["BisectBatchOnFunctionError"] == true,
                partial: reports.into_iter().any(|kind| kind == "ReportBatchItemFailures"),
            },
            uuid: uuid.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lambdas_defaults_retry_for_ever() {
        let mapping = Mapping::parse(&json!({"UUID": "u", "MaximumRetryAttempts": -1})).unwrap();
        assert_eq!((mapping.batch_size, mapping.lanes, mapping.window_ms), (100, 1, 0));
        let for_ever = Rules { most_retries: None, most_age_ms: None, bisect: false, partial: false };
        assert_eq!(mapping.rules, for_ever);
        assert!(!mapping.from_the_start);
    }

    #[test]
    fn what_the_template_says_is_what_is_done() {
        let mapping = Mapping::parse(&json!({
            "UUID": "u", "EventSourceArn": "stream", "FunctionArn": "function", "BatchSize": 10,
            "MaximumBatchingWindowInSeconds": 1, "ParallelizationFactor": 2, "StartingPosition": "TRIM_HORIZON",
            "MaximumRetryAttempts": 5, "MaximumRecordAgeInSeconds": 3600, "BisectBatchOnFunctionError": true,
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "FilterCriteria": {"Filters": [{"Pattern": "{\"eventName\":[\"INSERT\"]}"}]},
            "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:sqs:us-east-1:000000000000:q"}},
        }));
        let mapping = mapping.unwrap();
        assert_eq!((mapping.batch_size, mapping.window_ms, mapping.lanes), (10, 1_000, 2));
        assert!(mapping.from_the_start);
        assert_eq!(mapping.filters, [json!({"eventName": ["INSERT"]})]);
        let rules = Rules { most_retries: Some(5), most_age_ms: Some(3_600_000), bisect: true, partial: true };
        assert_eq!(mapping.rules, rules);
    }

    #[test]
    fn what_is_not_imitated_is_said_and_not_ignored() {
        assert!(Mapping::parse(&json!({"UUID": "u", "TumblingWindowInSeconds": 5})).is_err());
        let topic = json!({"OnFailure": {"Destination": "arn:aws:sns:us-east-1:000000000000:t"}});
        assert!(Mapping::parse(&json!({"UUID": "u", "DestinationConfig": topic})).is_err());
    }
}
