//! What is planned for a session when it begins: how it ends, and what its owners and operators do until then.

use super::schedule::{Edit, Event, Happening};
use super::world::World;
use crate::model::operator::Wished;

const MINUTE: i64 = 60_000;

impl World {
    /// A session is created, and its end is planned: one of the many ways.
    pub fn begin(&mut self, n: usize, changes: bool) {
        let life = self.rng.between(20 * MINUTE, 90 * MINUTE);
        let way = self.rng.between(0, 100);
        let now = self.now;
        let session = &mut self.sessions[n];
        session.began = now;
        session.expires_at = now.plus_ms(if way < 10 && changes { life } else { 24 * 60 * MINUTE });
        self.edit(n, Edit::Replace);
        if !changes {
            return;
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
        self.plan_wishes(n, life);
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

    /// Operators wish something of about every third session.
    fn plan_wishes(&mut self, n: usize, life: i64) {
        for wished in [Wished::Hold, Wished::Release, Wished::Stop, Wished::Restart, Wished::Drain] {
            let of_100_000 = if wished == Wished::Stop { 3_000 } else { 8_000 };
            if self.rng.chance(of_100_000) {
                let (at, hold_ms) = (self.rng.between(0, life), self.rng.between(MINUTE, 15 * MINUTE));
                self.after(at, Event::Wish(n, wished, hold_ms));
            }
        }
        // Many a hold is written just before something ends.
        if self.rng.chance(15_000) {
            let (early, hold_ms) = (self.rng.between(0, 3_000), self.rng.between(MINUTE, 15 * MINUTE));
            self.after(life - early + 1_000, Event::Wish(n, Wished::Hold, hold_ms));
        }
    }
}
