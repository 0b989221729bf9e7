//! The façade: one input in, decisions out.
//!
//! *Flow*: [`Engine::handle`] hands the input to the part that it concerns, then every part does what is due at that
//! moment; [`Engine::poll`] gives what they want, and at last when to come back.
//! *Guarantees*: the same inputs at the same moments give the same outputs; after [`Output::Exit`] nothing follows; until
//! [`Output::Wait`] is over, nothing happens without an input.
//! *Assumption*: the shell hands in [`Input::Tick`] when a wait is over, and polls until [`Output::Wait`] after each input.

use crate::config::EngineConfig;
use crate::cx::Cx;
use crate::input::Input;
use crate::outbox::earliest;
use crate::output::Output;
use crate::time::MediaInstant;
use crate::{audience, hearing, life, row, source, text, voice};
use schemas::ids::Timestamp;

/// One concern of a worker: what it does when its moment has come, and when that is.
struct Part {
    name: &'static str,
    /// Does what is due, and nothing when nothing is.
    run: fn(&mut Cx),
    /// The first moment at which it does something if nothing else happens before.
    due: fn(&Cx) -> Option<MediaInstant>,
}

/// All of them, in the order in which they run: what comes later sees what was decided before it.
const PARTS: [Part; 11] = [
    Part { name: "life", run: life::lifecycle::run, due: life::lifecycle::due },
    Part { name: "source", run: source::run, due: source::due },
    Part { name: "hearing", run: hearing::run, due: hearing::due },
    Part { name: "text", run: text::pipeline::run, due: text::pipeline::due },
    Part { name: "voice", run: voice::run, due: voice::due },
    Part { name: "ending", run: life::ending::run, due: life::ending::due },
    Part { name: "ladder", run: life::ladder::run, due: life::ladder::due },
    Part { name: "notices", run: life::notices::run, due: life::notices::due },
    Part { name: "audience", run: audience::reads::run, due: audience::reads::due },
    Part { name: "row", run: row::status::run, due: row::status::due },
    Part { name: "posts", run: audience::posts::run, due: audience::posts::due },
];

/// What one part decides may make another due at once; so often they take turns before the clock moves on.
const TURNS: usize = 4;

/// One session's worker. After every input, poll until [`Output::Wait`].
#[derive(Debug)]
pub struct Engine {
    cx: Cx,
    /// When something is due; nothing changes that but an input.
    due: Option<MediaInstant>,
}

impl Engine {
    /// A worker that has just begun; `wall_at_zero` is the wall time of [`MediaInstant`] 0.
    #[must_use]
    pub fn new(config: EngineConfig, wall_at_zero: Timestamp) -> Self {
        let mut engine = Self { cx: Cx::new(config, wall_at_zero), due: None };
        engine.run();
        engine
    }

    /// Takes in what happened.
    pub fn handle(&mut self, input: Input, now: MediaInstant) {
        self.cx.now = self.cx.now.max(now);
        if self.cx.life.cycle.has_exited() {
            return;
        }
        take(&mut self.cx, input);
        self.run();
    }

    /// The next thing to do; [`Output::Wait`] when there is nothing more for now.
    pub fn poll(&mut self) -> Output {
        // The loop outside never spins, whatever a part says.
        let wait = |engine: &Self| Output::Wait(engine.due.unwrap_or(engine.cx.now).max(engine.cx.now.plus_ms(1)));
        self.cx.out.pop().unwrap_or_else(|| wait(self))
    }

    /// The parts that are due although they have just run: a fault of theirs that costs processor time. Always empty.
    #[must_use]
    pub fn overdue(&self) -> Vec<&'static str> {
        if self.due.is_none_or(|at| at > self.cx.now) {
            return Vec::new();
        }
        PARTS.iter().filter(|part| self.is_due(part)).map(|part| part.name).collect()
    }

    fn run(&mut self) {
        for _ in 0..TURNS {
            for part in &PARTS {
                if self.cx.life.cycle.has_exited() {
                    return;
                }
                (part.run)(&mut self.cx);
            }
            self.due = self.first_due();
            if self.due.is_none_or(|at| at > self.cx.now) {
                return;
            }
        }
    }

    fn is_due(&self, part: &Part) -> bool {
        !self.cx.life.cycle.has_exited() && (part.due)(&self.cx).is_some_and(|at| at <= self.cx.now)
    }

    fn first_due(&self) -> Option<MediaInstant> {
        earliest(PARTS.iter().map(|part| (part.due)(&self.cx)))
    }
}

/// Hands an input to the part that it concerns.
fn take(cx: &mut Cx, input: Input) {
    match input {
        Input::Tick => {}
        Input::Terminate => life::ending::terminate(cx),
        Input::Control(control) => life::lifecycle::control(cx, &control),
        Input::ControlFailed(id, detail) => row::status::failed(cx, id, detail),
        Input::LeaseLost => life::ending::lose_lease(cx, "the row belongs to another generation"),
        Input::Audience(rows) => audience::reads::read(cx, rows),
        Input::AudienceFailed(detail) => audience::reads::failed(cx, detail),
        Input::Signaling(event) => source::signaling(cx, event),
        Input::Peer(event) => source::peer(cx, event),
        Input::MediaStream(event) => source::media_stream(cx, event),
        Input::Audio(frame) => source::audio(cx, &frame),
        Input::Media(media) => {
            voice::ear::watch_network(cx, &media);
            cx.source.media = media;
        }
        Input::Transcribe(id, event) => hearing::transcribed(cx, id, event),
        Input::Translated(id, answer) => text::pipeline::answered(cx, id, answer),
        Input::Posted(id, outcome) => audience::posts::posted(cx, id, &outcome),
        Input::Judged(id, answer) => voice::ear::judged(cx, id, answer),
        Input::ModelEnded(why) => cx.voice.model.ended(why, &mut cx.out),
        Input::Resources { cpu_ms, peak_memory_bytes } => cx.row.resources = (cpu_ms, peak_memory_bytes),
    }
}
