//! What is wrong with the speaker's audio, and when to say so.
//!
//! *Rules* (the product's): signal to noise below 20 dB; more than 1 % of the samples at full scale; an echo above −15 dB;
//! below −50 dBFS for 5 s; and plainly, packets that are lost for good or come unevenly. *Guarantees*: each kind is said at
//! most once in 60 s, and nothing while the session is paused. *Traps avoided*: audio that was made up for lost packets counts
//! neither as silence nor as noise; noise counts only while somebody speaks over it; a pause is no silence; one loud knock
//! is not an overdriven microphone.

use crate::time::MediaInstant;
use crate::voice::told::tenths;
use schemas::voice::{AudioIssue, AudioQuality};
use schemas::worker::Media;
use std::collections::{BTreeMap, VecDeque};
use worker_emotion::Quality;

/// Between two warnings of one kind (product rule), ms.
const EVERY_MS: u64 = 60_000;
/// Less is too noisy, dB (product rule).
const SNR_LEAST_DB: f64 = 20.0;
/// More samples at full scale are too many, hundredths (product rule).
const CLIPPING_MOST_PERCENT: f64 = 1.0;
/// A stronger echo disturbs, dB (product rule).
const ECHO_MOST_DB: f64 = -15.0;
/// So long a silence is worth a word, ms (product rule).
const SILENCE_MS: u64 = 5_000;
/// More packets lost for good are heard: concealment sounds well up to about there, hundredths.
const LOSS_MOST_PERCENT: f64 = 5.0;
/// More needs a longer jitter buffer than the delay of captions allows, ms.
const JITTER_MOST_MS: f64 = 50.0;
/// Whoever came near a limit must get so far away from it again before it counts as mended, dB.
const HYSTERESIS_DB: f64 = 2.0;
/// Seconds of speech that the loudness is taken over.
const LOUDNESS_SECONDS: f64 = 10.0;
/// Seconds of audio that the share of samples at full scale is taken over.
const CLIPPING_SECONDS: usize = 5;
/// Reports of the media path, one a second, that the loss is taken over.
const LOSS_REPORTS: usize = 10;
/// Fewer packets than this say nothing of their loss.
const LOSS_PACKETS_LEAST: u64 = 100;
/// Speech within a second, ms, from which on its noise matters.
const SPEECH_LEAST_MS: u64 = 300;

/// A word to the speaker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Warning {
    /// What is wrong.
    pub(crate) issue: AudioIssue,
    /// How much: dB, hundredths, seconds or milliseconds, as the issue's own rule.
    pub(crate) value: f64,
    /// How much would have been borne, in the same unit.
    pub(crate) limit: f64,
    /// What to do, in one sentence.
    pub(crate) advice: &'static str,
}

/// What a measurement says of one rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Bad,
    Good,
    /// It cannot be told this time, so what was known stands.
    Unknown,
}

/// The watch over one session's audio.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    /// As the row shows it; `None` before anything was measured.
    pub(crate) seen: Option<AudioQuality>,
    /// Samples at full scale and all of them, in ms, per second.
    clipped: VecDeque<(f64, u64)>,
    /// Packets that came, and those lost for good, at each report.
    packets: VecDeque<(u64, u64)>,
    /// How often in a row a rule was broken.
    bad: BTreeMap<AudioIssue, u32>,
    warned: BTreeMap<AudioIssue, MediaInstant>,
    /// Power of the speech by its loudness, over [`LOUDNESS_SECONDS`], and how many went into it.
    loudness: (f64, f64),
    /// Media time from which on audio counts: its begin, or the end of the last pause.
    begun_ms: u64,
}

impl Watch {
    /// The session is paused: what was measured before says nothing of what comes after.
    pub(crate) fn pause(&mut self) {
        self.clipped.clear();
        self.packets.clear();
        self.bad.clear();
        if let Some(seen) = &mut self.seen {
            seen.issues.clear();
            seen.silence_ms = 0;
        }
    }

    /// Audio comes, from this media time on, after a pause or for the first time.
    pub(crate) fn begin(&mut self, media_ms: u64) {
        self.begun_ms = media_ms;
    }

    /// A second of speech was this loud, LUFS.
    pub(crate) fn heard(&mut self, lufs: f64) {
        let (mean, seconds) = &mut self.loudness;
        *seconds = (*seconds + 1.0).min(LOUDNESS_SECONDS);
        *mean += (10.0_f64.powf(lufs / 10.0) - *mean) / *seconds;
        self.seen.get_or_insert_default().loudness_lufs = Some(tenths(10.0 * mean.log10()));
    }

    /// A second of audio was measured; gives what the speaker is to be told.
    pub(crate) fn measured(&mut self, second: &Quality, now: MediaInstant) -> Vec<Warning> {
        // The rest of a second that a pause cut off comes with the first audio after it.
        if second.received_ms == 0 || second.end_ms <= self.begun_ms {
            return Vec::new();
        }
        let silence_ms = second.silent_ms.min(second.end_ms - self.begun_ms);
        let clipping = self.clipping_percent(second);
        let seen = self.seen.get_or_insert_default();
        seen.snr_db = second.snr_db.map(tenths);
        seen.echo_db = second.echo_db.map(tenths);
        seen.clipping_percent = tenths(clipping);
        seen.silence_ms = silence_ms;
        let spoken = second.speech_ms >= SPEECH_LEAST_MS;
        let snr = second.snr_db.filter(|_| spoken).map(|db| (db, below(db, SNR_LEAST_DB)));
        let echo = second.echo_db.filter(|_| spoken).map(|db| (db, below(-db, -ECHO_MOST_DB)));
        let clipping = (clipping, if clipping > CLIPPING_MOST_PERCENT { Finding::Bad } else { Finding::Good });
        let silent = if silence_ms >= SILENCE_MS { Finding::Bad } else { Finding::Good };
        #[expect(clippy::cast_precision_loss, reason = "shown in seconds")]
        let silence = (silence_ms as f64 / 1_000.0, silent);
        let found = [
            (AudioIssue::SnrLow, snr),
            (AudioIssue::Clipping, Some(clipping)),
            (AudioIssue::Echo, echo),
            (AudioIssue::Silence, Some(silence)),
        ];
        self.judge(&found, now)
    }

    /// The media path was reported, which happens once a second.
    pub(crate) fn reported(&mut self, media: &Media, now: MediaInstant) -> Vec<Warning> {
        let lost = media.lost.saturating_sub(media.red_recovered + media.fec_recovered);
        let flows = self.packets.back().is_none_or(|(packets, _)| media.packets > *packets);
        self.packets.push_back((media.packets, lost));
        while self.packets.len() > LOSS_REPORTS {
            self.packets.pop_front();
        }
        let jitter = if media.jitter_ms > JITTER_MOST_MS { Finding::Bad } else { Finding::Good };
        let jitter = (media.jitter_ms, if flows { jitter } else { Finding::Unknown });
        let loss = self.loss_percent().map(|percent| {
            self.seen.get_or_insert_default().packet_loss_percent = tenths(percent);
            (percent, if percent > LOSS_MOST_PERCENT { Finding::Bad } else { Finding::Good })
        });
        self.judge(&[(AudioIssue::PacketLoss, loss), (AudioIssue::Jitter, Some(jitter))], now)
    }

    fn clipping_percent(&mut self, second: &Quality) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "a second of audio")]
        let of = |ms: u64| ms as f64;
        self.clipped.push_back((second.clipped_share * of(second.received_ms), second.received_ms));
        while self.clipped.len() > CLIPPING_SECONDS {
            self.clipped.pop_front();
        }
        let (clipped, all) = self.clipped.iter().fold((0.0, 0), |(c, a), (clipped, all)| (c + clipped, a + all));
        // Less than the whole window is taken as if the rest were good: a knock in the first second is not a fault.
        100.0 * clipped / of(all.max(CLIPPING_SECONDS as u64 * 1_000))
    }

    /// Of the packets of the last reports, those lost for good; `None` when there were too few.
    fn loss_percent(&self) -> Option<f64> {
        let ((packets, lost), (packets_now, lost_now)) = (self.packets.front()?, self.packets.back()?);
        let (came, lost) = (packets_now.saturating_sub(*packets), lost_now.saturating_sub(*lost));
        #[expect(clippy::cast_precision_loss, reason = "packets of ten seconds")]
        (came + lost >= LOSS_PACKETS_LEAST).then(|| 100.0 * lost as f64 / (came + lost) as f64)
    }

    fn judge(&mut self, found: &[(AudioIssue, Option<(f64, Finding)>)], now: MediaInstant) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (issue, found) in found {
            let Some((value, finding)) = found else { continue };
            if self.holds(*issue, *finding) && self.may_warn(*issue, now) {
                warnings.push(Warning {
                    issue: *issue,
                    value: tenths(*value),
                    limit: limit(*issue),
                    advice: advice(*issue),
                });
            }
        }
        warnings
    }

    /// Whether the issue is there now: a rule must be broken for a while.
    fn holds(&mut self, issue: AudioIssue, finding: Finding) -> bool {
        let times = self.bad.entry(issue).or_insert(0);
        match finding {
            Finding::Bad => *times += 1,
            Finding::Good => *times = 0,
            Finding::Unknown => return false,
        }
        let holds = *times >= patience(issue);
        let issues = &mut self.seen.get_or_insert_default().issues;
        if holds {
            issues.insert(issue);
        } else {
            issues.remove(&issue);
        }
        holds
    }

    fn may_warn(&mut self, issue: AudioIssue, now: MediaInstant) -> bool {
        let may = self.warned.get(&issue).is_none_or(|at| now.since(*at) >= EVERY_MS);
        if may {
            self.warned.insert(issue, now);
            *self.seen.get_or_insert_default().warnings.entry(issue).or_insert(0) += 1;
        }
        may
    }
}

/// Bad below the limit, good clearly above it.
fn below(db: f64, limit: f64) -> Finding {
    match db {
        db if db < limit => Finding::Bad,
        db if db >= limit + HYSTERESIS_DB => Finding::Good,
        _ => Finding::Unknown,
    }
}

/// How often in a row a rule must be broken, seconds; silence and clipping have their own windows.
fn patience(issue: AudioIssue) -> u32 {
    match issue {
        AudioIssue::SnrLow | AudioIssue::Echo => 3,
        AudioIssue::Jitter => 5,
        AudioIssue::Clipping | AudioIssue::Silence | AudioIssue::PacketLoss => 1,
    }
}

/// In the unit of the issue's own rule.
fn limit(issue: AudioIssue) -> f64 {
    match issue {
        AudioIssue::SnrLow => SNR_LEAST_DB,
        AudioIssue::Clipping => CLIPPING_MOST_PERCENT,
        AudioIssue::Echo => ECHO_MOST_DB,
        #[expect(clippy::cast_precision_loss, reason = "a few seconds")]
        AudioIssue::Silence => SILENCE_MS as f64 / 1_000.0,
        AudioIssue::PacketLoss => LOSS_MOST_PERCENT,
        AudioIssue::Jitter => JITTER_MOST_MS,
    }
}

fn advice(issue: AudioIssue) -> &'static str {
    match issue {
        AudioIssue::SnrLow => {
            "There is much noise around your voice: come closer to the microphone, or find a quieter place."
        }
        AudioIssue::Clipping => "Your microphone is overdriven: turn it down, or move away from it.",
        AudioIssue::Echo => "Your voice comes back as an echo: use headphones, or turn the loudspeakers down.",
        AudioIssue::Silence => "Nothing is heard from your microphone: it may be muted or unplugged.",
        AudioIssue::PacketLoss => "Your network loses parts of what you say: words may be missing from the captions.",
        AudioIssue::Jitter => "Your network is uneven: captions may come late.",
    }
}
