//! Who listens is read again and again.

use crate::cx::Cx;
use crate::input::AudienceRows;
use crate::life::notices;
use crate::output::Output;
use crate::text::pipeline;
use crate::time::MediaInstant;

/// A read of the listeners that is not answered for so long is not waited for, ms.
const ANSWER_MS: u64 = 10_000;

/// The listeners, read anew and completely.
pub(crate) fn read(cx: &mut Cx, AudienceRows { listeners, speakers }: AudienceRows) {
    cx.audience.asked_at = None;
    if cx.life.cycle.may_welcome() {
        for text in cx.audience.know_modes(&listeners) {
            cx.out.warn("caption_mode_unknown", text);
        }
        let joined = cx.audience.delivery.update(listeners, cx.now);
        joined.into_iter().for_each(|(connection, language)| pipeline::welcome(cx, &connection, language));
        notices::know_speakers(cx, speakers);
    }
}

/// They could not be read this time; the last list stands.
pub(crate) fn failed(cx: &mut Cx, detail: String) {
    cx.audience.asked_at = None;
    cx.audience.read_at = cx.now.plus_ms(cx.config.timing.audience_failed_ms);
    cx.out.warn("listeners_not_read", detail);
}

/// Reads them when it is time.
pub(crate) fn run(cx: &mut Cx) {
    if due(cx).is_some_and(|at| at <= cx.now) {
        cx.audience.asked_at = Some(cx.now);
        cx.audience.read_at = cx.now.plus_ms(gap_ms(cx));
        cx.out.push(Output::ReadAudience);
    }
}

/// When they are read again.
pub(crate) fn due(cx: &Cx) -> Option<MediaInstant> {
    let next = cx.audience.read_at;
    let at = cx.audience.asked_at.map_or(next, |asked| next.max(asked.plus_ms(ANSWER_MS)));
    cx.life.cycle.is_serving().then_some(at)
}

/// How long a join may wait: the reads are paid for.
fn gap_ms(cx: &Cx) -> u64 {
    let timing = &cx.config.timing;
    let away = cx.hearing.audio.quiet_for(cx.now).is_none_or(|ms| ms >= timing.idle_close_ms);
    if away || cx.life.cycle.is_paused() { timing.audience_idle_ms } else { timing.audience_ms }
}
