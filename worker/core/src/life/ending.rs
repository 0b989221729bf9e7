//! How a worker ends: the last words, the last posts, the last write. Or, without its lease, in silence.

use crate::audience::Body;
use crate::engine::Engine;
use crate::life::ladder::Service;
use crate::life::lifecycle::{EXIT_LEASE_LOST, Farewell, Stage};
use crate::output::Output;
use schemas::reason::{Cause, Why};
use schemas::worker::{Rung, RungCause};

/// What listeners read when the platform takes the machine away while the session goes on.
const INTERRUPTED: Service = Service {
    rung: Rung::Paused,
    cause: Some(RungCause::Handover),
    sentence: "Captions move to another machine; they come back by themselves.",
};

impl Engine {
    /// Begins the end; the first cause wins.
    pub(crate) fn drain(&mut self, why: Why, farewell: Farewell) {
        let text = format!("{:?}: {}", why.cause, why.text);
        if self.life.drain(why, farewell, self.now, &self.config.timing) {
            self.delivery.keep_all();
            self.out.fact("draining", text);
        }
    }

    /// SIGTERM: the platform takes the machine away, or somebody has stopped the task. A stop that the row asks for has
    /// begun before; otherwise the session goes on elsewhere, so nobody is told that it ended.
    pub(crate) fn on_terminate(&mut self) {
        let why =
            Why::new(Cause::TaskInterrupted, "The platform asked the worker's task to end (SIGTERM).", self.wall());
        self.drain(why, Farewell::Interrupted);
    }

    /// The session is not ours any more: not another word.
    pub(crate) fn on_lease_lost(&mut self, how: &str) {
        if let Stage::Writing { why, farewell, .. } = self.life.stage.clone() {
            // Our own last write may have succeeded unseen: the row is final then, and refuses us.
            self.exit(farewell.exit_code(), why);
            return;
        }
        if self.has_exited() {
            return;
        }
        self.out.silence();
        self.transcriber.drop_now(self.now, &mut self.out);
        self.join.stop(&mut self.out);
        self.reader.stop(&mut self.out);
        self.out.warn("lease_lost", how);
        let why = Why::new(Cause::LeaseLost, format!("The lease was lost: {how}."), self.wall());
        self.exit(EXIT_LEASE_LOST, why);
    }

    pub(crate) fn has_exited(&self) -> bool {
        self.life.stage == Stage::Exited
    }

    fn exit(&mut self, code: u8, why: Why) {
        self.life.stage = Stage::Exited;
        self.out.push(Output::Exit { code, why });
    }

    /// Takes the next step of the end, as far as it goes now.
    pub(crate) fn advance_ending(&mut self) {
        self.flush();
        self.leave();
        self.write_last();
    }

    fn flush(&mut self) {
        let Stage::Flushing { until, why, farewell } = self.life.stage.clone() else { return };
        let late = self.now >= until;
        if late {
            self.transcriber.drop_now(self.now, &mut self.out);
        }
        if !self.transcriber.is_closed() {
            return;
        }
        let shown = self.segments.flush();
        self.on_shown(shown);
        if late {
            self.out.warn("flush_timed_out", "what was not translated goes out as it was said");
            let done = self.translator.give_up();
            done.into_iter().for_each(|done| self.on_translated(done));
        }
        if self.tracks.values().any(crate::text::Track::is_waiting) {
            return;
        }
        match farewell {
            Farewell::SessionEnded => self.delivery.tell_end(&Body::Ended(why.cause), self.now),
            Farewell::Interrupted => self.delivery.tell_all(&Body::Status(INTERRUPTED)),
        }
        let until = self.now.plus_ms(self.config.timing.farewell_ms);
        self.life.stage = Stage::Leaving { until, why, farewell };
    }

    fn leave(&mut self) {
        let Stage::Leaving { until, why, farewell } = self.life.stage.clone() else { return };
        if self.delivery.is_idle() || self.now >= until {
            self.join.stop(&mut self.out);
            self.reader.stop(&mut self.out);
            self.heartbeat.renew();
            let until = self.now.plus_ms(self.config.timing.last_write_ms);
            self.life.stage = Stage::Writing { until, why, farewell };
        }
    }

    fn write_last(&mut self) {
        let Stage::Writing { until, why, farewell } = self.life.stage.clone() else { return };
        if self.heartbeat.has_told(self.life.phase()) {
            self.out.fact("stopped", why.text.clone());
            self.exit(farewell.exit_code(), why);
        } else if self.now >= until {
            self.out.warn("stopped_unwritten", why.text.clone());
            self.exit(farewell.exit_code(), why);
        }
    }
}
