//! What happens in one signaling channel: who is connected, and where a message goes. No sockets, no clock.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use schemas::signaling::{FromService, StatusResponse, ToService};

use super::Limits;
use super::faults::{Spoiled, due};

/// A connection.
pub type Conn = u64;
/// Since the stand-in started.
pub type Now = Duration;

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Give that connection a message.
    Send(Conn, FromService),
    /// Close it.
    Close(Conn),
}

/// Why a connect is refused; both are HTTP 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// More connects per second than allowed.
    #[error("ClientLimitExceededException: too many connects per second on this channel")]
    Rate,
    /// No place for another viewer.
    #[error("ClientLimitExceededException: the channel has as many viewers as it may")]
    Viewers,
}

/// Calls within the last second.
#[derive(Debug, Default)]
pub struct Rate {
    times: VecDeque<Now>,
}

impl Rate {
    /// Counts a call unless there were `most` in the last second.
    pub fn allow(&mut self, now: Now, most: usize) -> bool {
        while self.times.front().is_some_and(|time| *time + Duration::from_secs(1) <= now) {
            self.times.pop_front();
        }
        let allowed = self.times.len() < most;
        if allowed {
            self.times.push_back(now);
        }
        allowed
    }
}

/// Who a connection is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Role {
    Master,
    Viewer(String),
}

#[derive(Debug)]
struct Member {
    role: Role,
    descriptions: Rate,
    candidates: Rate,
}

/// Messages of a viewer that wait for a master.
#[derive(Debug)]
struct Held {
    until: Now,
    messages: Vec<FromService>,
}

/// One channel.
#[derive(Debug)]
pub struct Channel {
    ttl: Duration,
    members: BTreeMap<Conn, Member>,
    held: BTreeMap<String, Held>,
    master_connects: Rate,
    viewer_connects: Rate,
    /// Faults.
    pub spoiled: Spoiled,
    /// The last answer to each viewer, and one that waits for a candidate to overtake it.
    answers: BTreeMap<String, Answers>,
}

/// For faults only.
#[derive(Debug, Default)]
struct Answers {
    last: Option<FromService>,
    waiting: Option<FromService>,
}

impl Channel {
    /// An empty one; `ttl` is how long an offer waits for a master.
    pub fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            members: BTreeMap::new(),
            held: BTreeMap::new(),
            master_connects: Rate::default(),
            viewer_connects: Rate::default(),
            spoiled: Spoiled::default(),
            answers: BTreeMap::new(),
        }
    }

    /// A master connects: it displaces the one before and gets what waits. What the one before has had is not told
    /// again, and nobody is told that it came.
    pub fn master(&mut self, conn: Conn, now: Now, limits: &Limits) -> Result<Vec<Effect>, Refused> {
        if !self.master_connects.allow(now, limits.connects) {
            return Err(Refused::Rate);
        }
        let mut effects = self.displace(&Role::Master);
        self.join(conn, Role::Master);
        for held in std::mem::take(&mut self.held).into_values().filter(|held| held.until > now) {
            effects.extend(held.messages.into_iter().map(|message| Effect::Send(conn, message)));
        }
        Ok(effects)
    }

    /// A viewer connects: it displaces the one with the same id.
    pub fn viewer(&mut self, conn: Conn, id: &str, now: Now, limits: &Limits) -> Result<Vec<Effect>, Refused> {
        if !self.viewer_connects.allow(now, limits.connects) {
            return Err(Refused::Rate);
        }
        let role = Role::Viewer(id.to_owned());
        let others = self.members.values().filter(|member| member.role != Role::Master && member.role != role).count();
        if others >= limits.viewers {
            return Err(Refused::Viewers);
        }
        let effects = self.displace(&role);
        self.join(conn, role);
        Ok(effects)
    }

    fn displace(&mut self, role: &Role) -> Vec<Effect> {
        let old: Vec<Conn> = self.find(role).into_iter().collect();
        old.into_iter()
            .map(|conn| {
                self.members.remove(&conn);
                Effect::Close(conn)
            })
            .collect()
    }

    fn join(&mut self, conn: Conn, role: Role) {
        self.members.insert(conn, Member { role, descriptions: Rate::default(), candidates: Rate::default() });
    }

    fn find(&self, role: &Role) -> Option<Conn> {
        self.members.iter().find(|(_, member)| member.role == *role).map(|(conn, _)| *conn)
    }

    /// A connection has ended. Nobody is told.
    pub fn left(&mut self, conn: Conn) {
        self.members.remove(&conn);
    }

    /// All connections, and whether each is the master's.
    pub fn everyone(&self) -> impl Iterator<Item = (Conn, bool)> + '_ {
        self.members.iter().map(|(conn, member)| (*conn, member.role == Role::Master))
    }

    /// A text frame came.
    pub fn message(&mut self, conn: Conn, text: &str, now: Now, limits: &Limits) -> Vec<Effect> {
        let Some(member) = self.members.get_mut(&conn) else { return Vec::new() };
        let Ok(message) = serde_json::from_str::<ToService>(text) else {
            tracing::debug!("a frame that is no message");
            return Vec::new();
        };
        let refuse = |kind: &str, code: &str, why: &str| refusal(conn, &message, kind, code, why);
        let allowed = match message.action.as_str() {
            "SDP_OFFER" | "SDP_ANSWER" => member.descriptions.allow(now, limits.descriptions),
            "ICE_CANDIDATE" => member.candidates.allow(now, limits.candidates),
            _ => return refuse("InvalidArgumentException", "400", "unknown action"),
        };
        if !allowed {
            return refuse("ClientLimitExceededException", "400", "too many messages per second");
        }
        if message.message_payload.len() > limits.payload {
            return refuse("InvalidArgumentException", "400", "the payload is too large");
        }
        let role = member.role.clone();
        if role != Role::Master && due(&mut self.spoiled.refuse) {
            return refuse("InternalFailure", "500", "injected by a fault");
        }
        let out = FromService {
            message_type: message.action.clone(),
            sender_client_id: None,
            message_payload: Some(message.message_payload.clone()),
            status_response: None,
        };
        match (role, &message.recipient_client_id) {
            (Role::Viewer(id), _ignored) => {
                self.for_master(FromService { sender_client_id: Some(id.clone()), ..out }, id, now)
            }
            (Role::Master, None) => refuse("InvalidArgumentException", "400", "a master must name the recipient"),
            (Role::Master, Some(recipient)) => match self.find(&Role::Viewer(recipient.clone())) {
                Some(viewer) => {
                    let messages = self.spoil(recipient, out);
                    messages.into_iter().map(|message| Effect::Send(viewer, message)).collect()
                }
                None => refuse("ResourceNotFoundException", "404", "the recipient is not connected"),
            },
        }
    }

    /// What reaches a viewer of what its master says.
    fn spoil(&mut self, viewer: &str, message: FromService) -> Vec<FromService> {
        let answers = self.answers.entry(viewer.to_owned()).or_default();
        if message.message_type != "SDP_ANSWER" {
            return std::iter::once(message).chain(answers.waiting.take()).collect();
        }
        if due(&mut self.spoiled.candidates_first) {
            answers.waiting = Some(message);
            return Vec::new();
        }
        let mut messages: Vec<_> =
            answers.last.replace(message.clone()).filter(|_| due(&mut self.spoiled.stale)).into_iter().collect();
        if due(&mut self.spoiled.double) {
            messages.push(message.clone());
        }
        messages.push(message);
        messages
    }

    /// To the master, or kept for the next one: a newer offer of the same viewer replaces what it said before.
    fn for_master(&mut self, message: FromService, viewer: String, now: Now) -> Vec<Effect> {
        if let Some(master) = self.find(&Role::Master) {
            if due(&mut self.spoiled.swallow) {
                return Vec::new();
            }
            return vec![Effect::Send(master, message)];
        }
        let is_offer = message.message_type == "SDP_OFFER";
        let held = self.held.entry(viewer).or_insert_with(|| Held { until: now + self.ttl, messages: Vec::new() });
        if is_offer || held.until <= now {
            *held = Held { until: now + self.ttl, messages: Vec::new() };
        }
        held.messages.push(message);
        Vec::new()
    }
}

/// The answer to a message that failed: only if it has a correlation id.
fn refusal(conn: Conn, message: &ToService, kind: &str, code: &str, why: &str) -> Vec<Effect> {
    tracing::debug!(kind, why, "a signaling message is dropped");
    let Some(correlation_id) = message.correlation_id.clone() else { return Vec::new() };
    let status = StatusResponse {
        correlation_id,
        error_type: kind.to_owned(),
        status_code: code.to_owned(),
        description: why.to_owned(),
    };
    let message = FromService {
        message_type: "STATUS_RESPONSE".to_owned(),
        sender_client_id: None,
        message_payload: None,
        status_response: Some(status),
    };
    vec![Effect::Send(conn, message)]
}

/// Whether a viewer may call itself so.
pub fn valid_client_id(id: &str) -> bool {
    (1..=256).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte))
        && !id.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("AWS_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const S: Duration = Duration::from_secs(1);

    fn channel() -> Channel {
        Channel::new(60 * S)
    }

    fn text(action: &str, to: Option<&str>, payload: &str, correlation: Option<&str>) -> String {
        let mut message = json!({ "action": action, "messagePayload": payload });
        if let Some(to) = to {
            message["recipientClientId"] = to.into();
        }
        if let Some(correlation) = correlation {
            message["correlationId"] = correlation.into();
        }
        message.to_string()
    }

    fn offer(payload: &str) -> String {
        text("SDP_OFFER", None, payload, None)
    }

    fn limits() -> Limits {
        Limits::default()
    }

    /// (to, type, from, payload) of what is sent.
    fn sent(effects: &[Effect]) -> Vec<(Conn, &str, Option<&str>, &str)> {
        effects
            .iter()
            .map(|effect| match effect {
                Effect::Send(conn, message) => (
                    *conn,
                    message.message_type.as_str(),
                    message.sender_client_id.as_deref(),
                    message.message_payload.as_deref().unwrap_or_default(),
                ),
                Effect::Close(conn) => (*conn, "closed", None, ""),
            })
            .collect()
    }

    #[test]
    fn an_offer_names_its_viewer_and_the_answer_names_nobody() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        let effects = channel.message(2, &offer("o"), S, &limits());
        assert_eq!(sent(&effects), [(1, "SDP_OFFER", Some("worker"), "o")]);
        let effects = channel.message(1, &text("SDP_ANSWER", Some("worker"), "a", None), S, &limits());
        assert_eq!(sent(&effects), [(2, "SDP_ANSWER", None, "a")]);
    }

    #[test]
    fn a_masters_candidate_without_a_recipient_is_dropped_without_a_word() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        assert_eq!(channel.message(1, &text("ICE_CANDIDATE", None, "c", None), S, &limits()), []);
        let told = channel.message(1, &text("ICE_CANDIDATE", None, "c", Some("id")), S, &limits());
        assert_eq!(sent(&told)[0].1, "STATUS_RESPONSE");
    }

    #[test]
    fn a_viewer_reaches_the_master_only_whomever_it_names() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        channel.viewer(2, "a", S, &limits()).unwrap();
        channel.viewer(3, "b", S, &limits()).unwrap();
        let effects = channel.message(2, &text("ICE_CANDIDATE", Some("b"), "c", None), S, &limits());
        assert_eq!(sent(&effects), [(1, "ICE_CANDIDATE", Some("a"), "c")]);
    }

    #[test]
    fn an_offer_waits_for_a_master_with_its_candidates_and_the_newest_offer_counts() {
        let mut channel = channel();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        channel.message(2, &offer("old"), S, &limits());
        channel.message(2, &offer("new"), 2 * S, &limits());
        channel.message(2, &text("ICE_CANDIDATE", None, "c", None), 2 * S, &limits());
        let effects = channel.master(1, 61 * S, &limits()).unwrap();
        assert_eq!(
            sent(&effects),
            [(1, "SDP_OFFER", Some("worker"), "new"), (1, "ICE_CANDIDATE", Some("worker"), "c")]
        );
    }

    #[test]
    fn an_offer_that_waited_too_long_is_gone() {
        let mut channel = channel();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        channel.message(2, &offer("o"), S, &limits());
        assert_eq!(channel.master(1, 61 * S, &limits()).unwrap(), []);
    }

    #[test]
    fn an_offer_that_a_master_has_had_is_never_told_again() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        channel.message(2, &offer("o"), S, &limits());
        channel.left(1);
        assert_eq!(channel.master(3, 2 * S, &limits()).unwrap(), []);
    }

    #[test]
    fn the_newest_master_wins_and_so_does_the_newest_viewer_of_an_id() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        assert_eq!(channel.master(2, S, &limits()).unwrap(), [Effect::Close(1)]);
        channel.viewer(3, "worker", S, &limits()).unwrap();
        assert_eq!(channel.viewer(4, "worker", S, &limits()).unwrap(), [Effect::Close(3)]);
    }

    #[test]
    fn nobody_is_told_who_comes_and_goes() {
        let mut channel = channel();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        assert_eq!(channel.master(1, S, &limits()).unwrap(), []);
    }

    #[test]
    fn the_eleventh_viewer_is_refused_unless_it_replaces_one() {
        let mut channel = channel();
        for number in 0..10_u32 {
            channel.viewer(u64::from(number), &format!("v{number}"), number * S, &limits()).unwrap();
        }
        assert_eq!(channel.viewer(10, "v10", 20 * S, &limits()), Err(Refused::Viewers));
        assert_eq!(channel.viewer(11, "v0", 20 * S, &limits()), Ok(vec![Effect::Close(0)]));
    }

    #[test]
    fn three_connects_a_second_and_no_more() {
        let mut channel = channel();
        for conn in 0..3 {
            channel.master(conn, S, &limits()).unwrap();
        }
        assert_eq!(channel.master(3, S, &limits()), Err(Refused::Rate));
        assert!(channel.master(4, 2 * S, &limits()).is_ok());
    }

    #[test]
    fn the_sixth_offer_of_a_second_is_dropped_and_told_only_if_it_asked() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        let delivered: usize = (0..6).map(|_| channel.message(2, &offer("o"), S, &limits()).len()).sum();
        assert_eq!(delivered, 5);
        let told = channel.message(2, &text("SDP_OFFER", None, "o", Some("id")), S, &limits());
        assert_eq!(sent(&told)[0].1, "STATUS_RESPONSE");
    }

    #[test]
    fn a_payload_over_ten_thousand_bytes_is_dropped() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        assert_eq!(channel.message(2, &offer(&"x".repeat(10_001)), S, &limits()), []);
        assert_eq!(channel.message(2, &offer(&"x".repeat(10_000)), S, &limits()).len(), 1);
    }

    #[test]
    fn swallowed_messages_vanish_as_into_a_dead_socket() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        channel.spoiled.swallow = 1;
        assert_eq!(channel.message(2, &offer("o"), S, &limits()), []);
        assert_eq!(channel.message(2, &offer("o"), S, &limits()).len(), 1);
    }

    #[test]
    fn answers_are_spoiled_on_command() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        let mut says = |spoiled: Spoiled, action: &str, payload: &str| -> Vec<String> {
            channel.spoiled = spoiled;
            let effects = channel.message(1, &text(action, Some("worker"), payload, None), S, &limits());
            sent(&effects).into_iter().map(|(_, _, _, payload)| payload.to_owned()).collect()
        };
        let none = Spoiled::default();
        assert_eq!(says(Spoiled { double: 1, ..none }, "SDP_ANSWER", "1"), ["1", "1"]);
        assert_eq!(says(Spoiled { stale: 1, ..none }, "SDP_ANSWER", "2"), ["1", "2"]);
        assert!(says(Spoiled { candidates_first: 1, ..none }, "SDP_ANSWER", "3").is_empty());
        assert_eq!(says(none, "ICE_CANDIDATE", "c"), ["c", "3"]);
        assert_eq!(says(none, "ICE_CANDIDATE", "d"), ["d"]);
    }

    #[test]
    fn a_message_that_fails_is_told_to_who_asked() {
        let mut channel = channel();
        channel.master(1, S, &limits()).unwrap();
        channel.viewer(2, "worker", S, &limits()).unwrap();
        channel.spoiled.refuse = 1;
        let told = channel.message(2, &text("SDP_OFFER", None, "o", Some("id")), S, &limits());
        assert_eq!(sent(&told)[0].1, "STATUS_RESPONSE");
        assert_eq!(sent(&channel.message(2, &offer("o"), S, &limits()))[0].1, "SDP_OFFER");
    }

    #[test]
    fn client_ids_follow_the_rules() {
        assert!(valid_client_id("worker-blessed-shepherd-123"));
        assert!(!valid_client_id("") && !valid_client_id("a b") && !valid_client_id("aws_x"));
        assert!(!valid_client_id(&"x".repeat(257)));
    }
}
