//! What becomes of a batch: done, delivered again, cut in two, or given up. Pure; the clock is an argument.
//!
//! From the Lambda developer guide: the lowest reported sequence number is the checkpoint; splitting uses up no retry; what
//! never reached the function (a throttle) uses up none either and ends by age alone; an answer that cannot be read fails
//! the whole batch. Where the guide is silent the harsher reading is taken: retries go on counting after a split, and when
//! the first record of a batch is the reported one there is nothing to cut, so the batch is given up whole in the end, with
//! whatever stood behind that record.

use serde_json::Value;

use super::config::Rules;

/// A record of the stream as the function gets it, and what the decisions read of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// Its place in the shard.
    pub sequence: String,
    /// When it was written, epoch ms.
    pub written_ms: i64,
    /// The record.
    pub body: Value,
}

/// Records that are delivered together, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// At least one.
    pub records: Vec<Record>,
    /// Retries that it has used up.
    pub retries: u32,
}

/// How one delivery went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// All records are done.
    Succeeded,
    /// Records from this index on are not done.
    From(usize),
    /// None is.
    Failed(String),
    /// The function was not reached.
    NotInvoked(String),
}

/// Why a batch is given up, as the failure destination names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// All retries are used up.
    Retries,
    /// It is too old.
    Age,
}

impl Condition {
    /// The name in `requestContext.condition`. The first is from the guide's samples; the second is in none of them.
    pub fn name(self) -> &'static str {
        match self {
            Self::Retries => "RetryAttemptsExhausted",
            Self::Age => "MaximumRecordAgeExceeded",
        }
    }
}

/// What follows a delivery.
#[derive(Debug, Clone, PartialEq)]
pub struct Next {
    /// To be delivered, in this order, before anything younger.
    pub again: Vec<Batch>,
    /// For the failure destination.
    pub given_up: Option<(Batch, Condition)>,
    /// Whether to wait before the next delivery.
    pub pause: bool,
}

impl Batch {
    /// A batch that has not been delivered yet.
    pub fn new(records: Vec<Record>) -> Self {
        Self { records, retries: 0 }
    }

    /// Cuts before `at`.
    fn cut(mut self, at: usize) -> (Self, Self) {
        let rest = self.records.split_off(at);
        let retries = self.retries;
        (self, Self { records: rest, retries })
    }
}

/// What a function's answer says of the batch.
pub fn read_answer(batch: &Batch, failed: bool, answer: &Value, rules: &Rules) -> Reply {
    if failed {
        return Reply::Failed(answer["errorType"].as_str().unwrap_or("function error").to_owned());
    }
    let failures = match answer.get("batchItemFailures") {
        Some(Value::Array(failures)) if rules.partial => failures,
        _ => return Reply::Succeeded,
    };
    let mut lowest = None;
    for failure in failures {
        let sequence = failure["itemIdentifier"].as_str().filter(|sequence| !sequence.is_empty());
        let index = sequence.and_then(|s| batch.records.iter().position(|record| record.sequence == s));
        let Some(index) = index else { return Reply::Failed(format!("unreadable batchItemFailures: {failure}")) };
        lowest = Some(lowest.map_or(index, |lowest: usize| lowest.min(index)));
    }
    lowest.map_or(Reply::Succeeded, Reply::From)
}

/// Separates what is too old from what is not: (to deliver, to give up).
pub fn expire(batch: Batch, rules: &Rules, now_ms: i64) -> (Option<Batch>, Option<Batch>) {
    let Some(most) = rules.most_age_ms else { return (Some(batch), None) };
    let retries = batch.retries;
    let (old, fresh): (Vec<_>, Vec<_>) = batch.records.into_iter().partition(|r| now_ms - r.written_ms > most);
    let filled = |records: Vec<Record>| (!records.is_empty()).then_some(Batch { records, retries });
    (filled(fresh), filled(old))
}

/// What follows this reply.
pub fn after(batch: Batch, reply: &Reply, rules: &Rules) -> Next {
    match reply {
        Reply::Succeeded => Next { again: Vec::new(), given_up: None, pause: false },
        Reply::NotInvoked(_) => Next { again: vec![batch], given_up: None, pause: true },
        Reply::From(0) => retry(batch, rules),
        Reply::From(at) => {
            let (_done, rest) = batch.cut(*at);
            if rules.bisect { Next { again: vec![rest], given_up: None, pause: false } } else { retry(rest, rules) }
        }
        Reply::Failed(_) if rules.bisect && batch.records.len() > 1 => {
            let middle = batch.records.len().div_ceil(2);
            let (first, second) = batch.cut(middle);
            Next { again: vec![first, second], given_up: None, pause: false }
        }
        Reply::Failed(_) => retry(batch, rules),
    }
}

fn retry(mut batch: Batch, rules: &Rules) -> Next {
    if rules.most_retries.is_some_and(|most| batch.retries >= most) {
        return Next { again: Vec::new(), given_up: Some((batch, Condition::Retries)), pause: false };
    }
    batch.retries += 1;
    Next { again: vec![batch], given_up: None, pause: true }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: Rules = Rules { most_retries: Some(2), most_age_ms: Some(1_000), bisect: true, partial: true };

    fn batch(sequences: &[&str]) -> Batch {
        let record = |s: &&str| Record { sequence: (*s).to_owned(), written_ms: 0, body: Value::Null };
        Batch::new(sequences.iter().map(record).collect())
    }

    fn sequences(batches: &[Batch]) -> Vec<Vec<&str>> {
        batches.iter().map(|b| b.records.iter().map(|r| r.sequence.as_str()).collect()).collect()
    }

    fn failed() -> Reply {
        Reply::Failed("Runtime.ExitError".to_owned())
    }

    /// Delivers until nothing is left; a delivery fails when `poison` is in it. What was given up.
    fn run(batch: Batch, poison: &str, rules: &Rules) -> Vec<String> {
        let (mut pending, mut given_up, mut deliveries) = (vec![batch], Vec::new(), 0);
        while !pending.is_empty() {
            deliveries += 1;
            assert!(deliveries < 100, "it never ends");
            let next = pending.remove(0);
            let fails = next.records.iter().any(|record| record.sequence == poison);
            let next = after(next, &if fails { failed() } else { Reply::Succeeded }, rules);
            given_up.extend(next.given_up.into_iter().flat_map(|(b, _)| b.records).map(|r| r.sequence));
            pending.splice(0..0, next.again);
        }
        given_up
    }

    #[test]
    fn the_lowest_reported_sequence_number_is_the_checkpoint() {
        let answer = json!({"batchItemFailures": [{"itemIdentifier": "9"}, {"itemIdentifier": "7"}]});
        let reply = read_answer(&batch(&["6", "7", "8", "9"]), false, &answer, &RULES);
        assert_eq!(reply, Reply::From(1));
        let next = after(batch(&["6", "7", "8", "9"]), &reply, &RULES);
        assert_eq!(sequences(&next.again), [["7", "8", "9"]]);
    }

    #[test]
    fn an_answer_without_failures_is_a_success() {
        for answer in [json!(null), json!({}), json!({"batchItemFailures": null}), json!({"batchItemFailures": []})] {
            assert_eq!(read_answer(&batch(&["1"]), false, &answer, &RULES), Reply::Succeeded);
        }
    }

    #[test]
    fn an_identifier_that_names_no_record_fails_the_whole_batch() {
        for id in [json!(""), json!(null), json!("77")] {
            let answer = json!({"batchItemFailures": [{"itemIdentifier": id}]});
            assert!(matches!(read_answer(&batch(&["1", "2"]), false, &answer, &RULES), Reply::Failed(_)));
        }
    }

    #[test]
    fn a_mapping_that_did_not_ask_for_reports_does_not_read_them() {
        let rules = Rules { partial: false, ..RULES };
        let answer = json!({"batchItemFailures": [{"itemIdentifier": "1"}]});
        assert_eq!(read_answer(&batch(&["1"]), false, &answer, &rules), Reply::Succeeded);
    }

    #[test]
    fn a_failed_batch_is_cut_in_two_without_using_up_a_retry() {
        let next = after(batch(&["1", "2", "3"]), &failed(), &RULES);
        assert_eq!(sequences(&next.again), [vec!["1", "2"], vec!["3"]]);
        assert!(next.again.iter().all(|batch| batch.retries == 0));
    }

    #[test]
    fn a_poison_record_is_given_up_alone_wherever_it_stands() {
        for poison in ["1", "2", "3", "4", "5"] {
            assert_eq!(run(batch(&["1", "2", "3", "4", "5"]), poison, &RULES), [poison]);
        }
    }

    #[test]
    fn without_bisection_a_poison_record_takes_its_batch_along() {
        let rules = Rules { bisect: false, ..RULES };
        assert_eq!(run(batch(&["1", "2", "3"]), "2", &rules), ["1", "2", "3"]);
    }

    #[test]
    fn retries_are_counted_and_the_last_one_gives_up() {
        let mut once = batch(&["1"]);
        for used in 1..=2 {
            let next = after(once, &failed(), &RULES);
            assert!(next.pause);
            once = next.again.into_iter().next().unwrap();
            assert_eq!(once.retries, used);
        }
        let last = after(once, &failed(), &RULES);
        assert_eq!(last.given_up.unwrap().1, Condition::Retries);
    }

    #[test]
    fn a_reported_first_record_is_retried_with_those_behind_it_and_given_up_with_them() {
        let mut pending = batch(&["1", "2"]);
        for _ in 0..2 {
            pending = after(pending, &Reply::From(0), &RULES).again.remove(0);
        }
        let (given_up, _) = after(pending, &Reply::From(0), &RULES).given_up.unwrap();
        assert_eq!(sequences(&[given_up]), [["1", "2"]]);
    }

    #[test]
    fn a_throttle_before_the_function_uses_up_no_retry() {
        let next = after(batch(&["1", "2"]), &Reply::NotInvoked("429".to_owned()), &RULES);
        assert_eq!(next.again, [batch(&["1", "2"])]);
        assert!(next.pause && next.given_up.is_none());
    }

    #[test]
    fn without_a_limit_a_poison_record_blocks_its_shard_until_it_is_too_old() {
        let rules = Rules { most_retries: None, ..RULES };
        let mut pending = batch(&["1"]);
        for _ in 0..50 {
            pending = after(pending, &failed(), &rules).again.remove(0);
        }
        assert_eq!(expire(pending, &rules, 1_001).0, None);
    }

    #[test]
    fn only_what_is_older_than_the_limit_expires() {
        let mut two = batch(&["1", "2"]);
        two.records[1].written_ms = 500;
        let (fresh, old) = expire(two, &RULES, 1_200);
        assert_eq!(sequences(&[old.unwrap(), fresh.unwrap()]), [["1"], ["2"]]);
        let forever = Rules { most_age_ms: None, ..RULES };
        assert_eq!(expire(batch(&["1"]), &forever, i64::MAX).1, None);
    }
}
