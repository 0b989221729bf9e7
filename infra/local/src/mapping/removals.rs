//! Which REMOVE records are the doing of our TTL sweeper: the emulator does not say.

use std::collections::HashSet;

use serde_json::{Value, json};

/// First by session, then, once its record was seen, by sequence number: a replay must say the same again.
#[derive(Debug, Default)]
pub struct Removals {
    expected: HashSet<String>,
    seen: HashSet<String>,
}

impl Removals {
    /// The sweeper is about to delete this session's row.
    pub fn expect(&mut self, session: &str) {
        self.expected.insert(session.to_owned());
    }

    /// It did not.
    pub fn forget(&mut self, session: &str) {
        self.expected.remove(session);
    }

    /// Marks a record as DynamoDB marks those of rows that it deletes itself.
    pub fn sign(&mut self, record: &mut Value) {
        let text = |pointer: &str| record.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        if text("/eventName") != "REMOVE" {
            return;
        }
        let (session, sequence) = (text("/dynamodb/Keys/sessionId/S"), text("/dynamodb/SequenceNumber"));
        if self.expected.remove(&session) {
            self.seen.insert(sequence.clone());
        }
        if self.seen.contains(&sequence) {
            record["userIdentity"] = json!({"type": "Service", "principalId": "dynamodb.amazonaws.com"});
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(removals: &mut Removals, name: &str, session: &str, sequence: &str) -> bool {
        let mut record = json!({"eventName": name,
            "dynamodb": {"Keys": {"sessionId": {"S": session}}, "SequenceNumber": sequence}});
        removals.sign(&mut record);
        record["userIdentity"]["principalId"] == "dynamodb.amazonaws.com"
    }

    #[test]
    fn only_the_removal_that_ttl_made_says_so_and_says_so_again_in_a_replay() {
        let mut removals = Removals::default();
        removals.expect("calm-river-123");
        assert!(!signed(&mut removals, "MODIFY", "calm-river-123", "1"));
        assert!(!signed(&mut removals, "REMOVE", "other-river-123", "2"));
        assert!(signed(&mut removals, "REMOVE", "calm-river-123", "3"));
        assert!(!signed(&mut removals, "REMOVE", "calm-river-123", "9"), "deleted by somebody else later");
        assert!(signed(&mut removals, "REMOVE", "calm-river-123", "3"));
    }

    #[test]
    fn a_removal_that_did_not_happen_is_forgotten() {
        let mut removals = Removals::default();
        removals.expect("calm-river-123");
        removals.forget("calm-river-123");
        assert!(!signed(&mut removals, "REMOVE", "calm-river-123", "1"));
    }
}
