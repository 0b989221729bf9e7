//! What an event of a given size asks of the account, and what it will cost. Pure.

use super::{Check, Verdict, check};
use crate::definitions::Size;
use crate::money::{
    ADDRESS_HOUR, HEARTBEAT_MS, HEARTBEAT_UNITS, TRANSCRIBE_PER_MINUTE, TRANSLATE_PER_CHARACTER, WEBSOCKET_PER_MESSAGE,
    WRITE_UNIT, dollars, fargate_hour,
};
use schemas::limits::RUN_TASK_PER_SECOND;

/// Characters that a speaker says in an hour: 150 words a minute of 6 characters, the space included.
const CHARACTERS_PER_HOUR: f64 = 54_000.0;
/// Characters billed for each spoken one and language with `partials: clauses` (docs/benchmarks.md): each is translated once, and the spaces
/// between clauses are not sent.
const BILLED_PER_SPOKEN: f64 = 0.97;
/// Messages to one listener per second while somebody speaks: partials and finals.
const MESSAGES_PER_SECOND: f64 = 2.0;

/// How large an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Sessions that are live at once.
    pub sessions: u32,
    /// Listeners of each session.
    pub listeners: u32,
    /// Languages of the listeners of each session, beside the speaker's.
    pub languages: u32,
}

impl Event {
    /// Posts per second of all sessions together.
    #[must_use]
    pub fn posts_per_second(&self) -> f64 {
        f64::from(self.sessions) * f64::from(self.listeners) * MESSAGES_PER_SECOND
    }

    /// Seconds until the last of all sessions is launched, when all begin at once.
    #[must_use]
    pub fn launch_seconds(&self) -> u32 {
        self.sessions.div_ceil(RUN_TASK_PER_SECOND)
    }

    /// USD of one session in an hour.
    #[must_use]
    pub fn session_hour(&self, size: Size) -> f64 {
        let translated = CHARACTERS_PER_HOUR * BILLED_PER_SPOKEN * f64::from(self.languages) * TRANSLATE_PER_CHARACTER;
        let posts = f64::from(self.listeners) * MESSAGES_PER_SECOND * 3_600.0 * WEBSOCKET_PER_MESSAGE;
        let rows = 3_600_000.0 / HEARTBEAT_MS * HEARTBEAT_UNITS * WRITE_UNIT;
        fargate_hour(size) + ADDRESS_HOUR + 60.0 * TRANSCRIBE_PER_MINUTE + translated + posts + rows
    }
}

/// What of the event no quota of the account decides: the rate of launches, and the price.
pub(super) fn checks(event: Event, size: Size) -> Vec<Check> {
    let Event { sessions, listeners, languages } = event;
    let (each, seconds) = (event.session_hour(size), event.launch_seconds());
    let launches = format!(
        "{sessions} sessions that begin at once are launched within {seconds} s ({RUN_TASK_PER_SECOND} a second), and a task takes 15 to 40 s to start"
    );
    let price = format!(
        "{} a session-hour, {} an hour for all {sessions}: {listeners} listeners, {languages} languages, list prices of us-east-1",
        dollars(each),
        dollars(each * f64::from(sessions))
    );
    vec![check("launch rate", Verdict::Ok, launches), check("price forecast", Verdict::Ok, price)]
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: Event = Event { sessions: 41, listeners: 50, languages: 3 };

    #[test]
    fn an_event_asks_for_what_its_sessions_ask_for() {
        assert!((EVENT.posts_per_second() - 4_100.0).abs() < 1e-9);
        assert_eq!(EVENT.launch_seconds(), 3);
    }

    #[test]
    fn speech_and_translation_are_most_of_the_price() {
        let hour = EVENT.session_hour(Size::STATED);
        let speech = 1.44 + 3.0 * 0.81 * 0.97;
        assert!(hour > speech && hour < speech + 0.40, "{hour}");
    }

    #[test]
    fn a_session_without_listeners_costs_no_translation_and_no_posts() {
        let alone = Event { sessions: 1, listeners: 0, languages: 0 }.session_hour(Size::STATED);
        assert!(alone > 1.44 && alone < 1.48, "{alone}");
    }
}
