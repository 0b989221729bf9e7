//! What is planned for a session when it begins: how it ends, and what its owners and operators do until then.

use super::rng::Rng;
use super::schedule::{Edit, Event, Happening};
use super::world::World;
use crate::model::operator::Ordered;

const MINUTE: i64 = 60_000;
/// In the last of these minutes of each hour a day's sessions come so many times as fast.
const BURST_MINUTES: i64 = 5;
const BURST: i64 = 10;

/// How sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lives {
    /// Until the end of the run.
    UntilTheEnd,
    /// 40 to 80 minutes, after which their owners end them. They come for whole hours, ten times as fast in the last five minutes of each.
    AnHour,
    /// 20 to 90 minutes, with all that owners and operators may do.
    Changing,
}

impl Lives {
    /// When a session comes, ms after the beginning, if they come for so long.
    #[must_use]
    pub fn arrival(self, rng: &mut Rng, arrivals_ms: i64) -> i64 {
        match self {
            Self::UntilTheEnd | Self::Changing => rng.between(0, arrivals_ms.max(1)),
            Self::AnHour => {
                let (hour, even) = (60 * MINUTE, (60 - BURST_MINUTES) * MINUTE);
                let weight = even + BURST_MINUTES * MINUTE * BURST;
                let hours = (arrivals_ms / hour).max(1);
                let (hours, rest) = (rng.between(0, hours), rng.between(0, weight));
                hours * hour + if rest < even { rest } else { even + (rest - even) / BURST }
            }
        }
    }
}

impl World {
    /// A session is created, and its end is planned: one of the many ways.
    pub fn begin(&mut self, n: usize, lives: Lives) {
        let life = self.rng.between(20 * MINUTE, 90 * MINUTE);
        let way = self.rng.between(0, 100);
        let now = self.now;
        let session = &mut self.sessions[n];
        session.began = now;
        session.expires_at = now.plus_ms(if way < 10 && lives == Lives::Changing { life } else { 24 * 60 * MINUTE });
        self.edit(n, Edit::Replace);
        match lives {
            Lives::UntilTheEnd => return,
            Lives::AnHour => {
                let life = self.rng.between(40 * MINUTE, 80 * MINUTE);
                return self.after(life, Event::Edit(n, Edit::End));
            }
            Lives::Changing => {}
        }
        match way {
            0..10 => {}
            10..50 => self.after(life, Event::Edit(n, Edit::End)),
            50..60 => self.after(life, Event::Edit(n, Edit::Deactivate)),
            60..80 => self.after(life, Event::Edit(n, Edit::Delete)),
            _ => {
                self.after(life, Event::Task(n, usize::MAX, Happening::SpeakerLeaves));
                self.after(life + 30 * MINUTE, Event::Edit(n, Edit::Delete));
            }
        }
        self.plan_orders(n, life);
        if self.rng.chance(20_000) {
            let pause = self.rng.between(MINUTE, life);
            self.after(pause, Event::Edit(n, Edit::Pause));
            self.after(pause + 5 * MINUTE, Event::Edit(n, Edit::Resume));
        }
        if self.rng.chance(5_000) {
            let replaced = self.rng.between(MINUTE, life);
            self.after(replaced, Event::Edit(n, Edit::Replace));
        }
    }

    /// Operators order something of about every third session.
    fn plan_orders(&mut self, n: usize, life: i64) {
        for order in [Ordered::Hold, Ordered::Release, Ordered::Stop, Ordered::Restart, Ordered::Drain] {
            let of_100_000 = if order == Ordered::Stop { 3_000 } else { 8_000 };
            if self.rng.chance(of_100_000) {
                let (at, hold_ms) = (self.rng.between(0, life), self.rng.between(MINUTE, 15 * MINUTE));
                self.after(at, Event::Order(n, order, hold_ms));
            }
        }
        // Many a hold is written just before something ends.
        if self.rng.chance(15_000) {
            let (early, hold_ms) = (self.rng.between(0, 3_000), self.rng.between(MINUTE, 15 * MINUTE));
            self.after(life - early + 1_000, Event::Order(n, Ordered::Hold, hold_ms));
        }
    }
}
