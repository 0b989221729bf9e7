//! Packets in, audio out: media time begins at 0 with the first packet and never has a gap or an overlap, whatever the
//! network or the speaker does. When another stream begins (the speaker came back), media time advances by the wall time that has
//! passed, filled with silence.

use super::jitter::{Counts, JitterBuffer, Playout};
use super::meter::Meter;
use super::opus::{Decoder, OpusError, SAMPLES_PER_MS, samples};
use super::packet::RtpAudio;
use schemas::worker::Media;
use worker_core::input::{AudioFrame, AudioKind};
use worker_core::time::MediaInstant;

/// Longest frame of silence, samples: 1 s, the most that Transcribe takes in one event.
const SILENCE_FRAME: u64 = 16_000;

/// One speaker's audio.
#[derive(Debug)]
pub struct AudioReceiver {
    jitter: JitterBuffer,
    decoder: Decoder,
    /// Samples given out so far.
    cursor: u64,
    /// Silence that is still to be given out, samples.
    silence: u64,
    /// Samples that were made up or silent.
    made_up: u64,
    /// Of these, samples of silence.
    filled: u64,
    meter: Meter,
    /// Packets that libopus refused.
    corrupt: u64,
}

impl AudioReceiver {
    /// Nothing heard yet.
    ///
    /// # Errors
    /// [`OpusError`] when there is no decoder to be had.
    pub fn new() -> Result<Self, OpusError> {
        Ok(Self {
            jitter: JitterBuffer::default(),
            decoder: Decoder::new()?,
            cursor: 0,
            silence: 0,
            made_up: 0,
            filled: 0,
            meter: Meter::default(),
            corrupt: 0,
        })
    }

    /// Takes in a packet; poll afterwards.
    pub fn push(&mut self, packet: &RtpAudio, now: MediaInstant) {
        self.meter.add(packet.payload.len(), now);
        self.jitter.push(packet, now);
    }

    /// The next frame, `None` when there is none for now.
    pub fn poll(&mut self, now: MediaInstant) -> Option<AudioFrame> {
        while self.silence == 0 {
            match self.jitter.next(now)? {
                Playout::Packet(packet) => {
                    let length = super::packet::opus_ticks(&packet).unwrap_or(0);
                    let decoded = self.decoder.decode(&packet);
                    return Some(self.frame_or_silence(decoded, length, AudioKind::Decoded));
                }
                Playout::Fec { carrier, ticks } => {
                    let decoded = self.decoder.recover(&carrier, ticks);
                    return Some(self.frame_or_silence(decoded, ticks, AudioKind::Decoded));
                }
                Playout::Conceal(ticks) => {
                    let decoded = self.decoder.conceal(ticks);
                    return Some(self.frame_or_silence(decoded, ticks, AudioKind::Concealed));
                }
                Playout::Silence(ticks) => self.silence = samples(ticks) as u64,
                Playout::NewStream { elapsed_ms } => {
                    self.corrupt += u64::from(self.decoder.reset().is_err());
                    self.silence = elapsed_ms * SAMPLES_PER_MS as u64;
                }
            }
        }
        let length = self.silence.min(SILENCE_FRAME);
        self.silence -= length;
        Some(self.frame(vec![0; usize::try_from(length).unwrap_or(0)], AudioKind::Filled))
    }

    /// When to poll again although no packet has come.
    #[must_use]
    pub fn deadline(&self) -> Option<MediaInstant> {
        self.jitter.deadline()
    }

    /// The packet layer's counts.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.jitter.counts()
    }

    /// The state of the media path, without what only the connection knows.
    #[must_use]
    pub fn media(&self) -> Media {
        let counts = self.jitter.counts();
        Media {
            packets: counts.packets,
            lost: counts.lost,
            late: counts.late,
            duplicates: counts.duplicates,
            red_recovered: counts.recovered,
            fec_recovered: counts.fec,
            jitter_ms: counts.jitter_ms,
            buffer_ms: counts.buffer_ms,
            clock_drift_ms: counts.drift_ms,
            bitrate: self.meter.rate(),
            concealed_ms: self.made_up / SAMPLES_PER_MS as u64,
            silent_ms: self.filled / SAMPLES_PER_MS as u64,
            media_ms: self.cursor / SAMPLES_PER_MS as u64,
            ..Media::default()
        }
    }

    fn frame_or_silence(&mut self, decoded: Result<Vec<i16>, OpusError>, ticks: i64, kind: AudioKind) -> AudioFrame {
        match decoded {
            Ok(pcm) => self.frame(pcm, kind),
            Err(error) => {
                tracing::debug!(%error, "an Opus packet was not decoded");
                self.corrupt += 1;
                self.frame(vec![0; samples(ticks)], AudioKind::Concealed)
            }
        }
    }

    fn frame(&mut self, pcm: Vec<i16>, kind: AudioKind) -> AudioFrame {
        let start_ms = self.cursor / SAMPLES_PER_MS as u64;
        self.cursor += pcm.len() as u64;
        match kind {
            AudioKind::Decoded => {}
            AudioKind::Concealed => self.made_up += pcm.len() as u64,
            AudioKind::Filled => {
                self.made_up += pcm.len() as u64;
                self.filled += pcm.len() as u64;
            }
        }
        AudioFrame { start_ms, pcm, kind }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    /// A speaker that encodes a tone in 20 ms packets, FEC on.
    struct Speaker {
        encoder: opus::Encoder,
        at: u32,
    }

    impl Speaker {
        fn new() -> Self {
            let mut encoder = opus::Encoder::new(16_000, opus::Channels::Mono, opus::Application::Voip).unwrap();
            encoder.set_inband_fec(true).unwrap();
            encoder.set_packet_loss_perc(20).unwrap();
            encoder.set_bitrate(opus::Bitrate::Bits(24_000)).unwrap();
            Self { encoder, at: 0 }
        }
        fn say(&mut self, ssrc: u32) -> RtpAudio {
            let n = self.at;
            let tone = |i: u32| ((f64::from(n * 320 + i) * 0.06).sin() * f64::from(4_000 + (n % 7) * 1_500)) as i16;
            let pcm: Vec<i16> = (0..320).map(tone).collect();
            let payload = Bytes::from(self.encoder.encode_vec(&pcm, 1_200).unwrap());
            self.at += 1;
            RtpAudio { ssrc, sequence: 65_530_u16.wrapping_add(n as u16), timestamp: n * 960, red: false, payload }
        }
    }

    fn hear(receiver: &mut AudioReceiver, now: MediaInstant) -> Vec<AudioFrame> {
        std::iter::from_fn(|| receiver.poll(now)).collect()
    }

    /// Frames that join, and their length in ms.
    fn joined_ms(frames: &[AudioFrame]) -> u64 {
        let mut at = 0_u64;
        for frame in frames {
            assert_eq!(frame.start_ms, at / 16, "a frame begins where the one before ends");
            at += frame.pcm.len() as u64;
        }
        at / 16
    }

    #[test]
    fn a_lost_packet_is_heard_from_the_copy_in_the_next() {
        let (mut receiver, mut speaker) = (AudioReceiver::new().unwrap(), Speaker::new());
        let mut frames = Vec::new();
        for n in 0..50_u64 {
            let packet = speaker.say(1);
            if n != 30 {
                receiver.push(&packet, MediaInstant(n * 20));
            }
            frames.extend(hear(&mut receiver, MediaInstant(n * 20)));
        }
        assert_eq!(joined_ms(&frames), 1_000);
        assert_eq!(receiver.media().lost, 1);
        let loud = |f: &AudioFrame| f.pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / f.pcm.len() as f64;
        let recovered = frames.iter().find(|f| f.start_ms == 600).unwrap();
        assert_eq!(recovered.kind, AudioKind::Decoded, "the encoder sends FEC");
        assert!(loud(recovered) > 1e6, "and it is the tone: {}", loud(recovered));
    }

    #[test]
    fn a_speaker_who_comes_back_finds_media_time_where_the_wall_clock_is() {
        let (mut receiver, mut speaker) = (AudioReceiver::new().unwrap(), Speaker::new());
        let mut frames = Vec::new();
        for n in 0..10_u64 {
            receiver.push(&speaker.say(1), MediaInstant(n * 20));
            frames.extend(hear(&mut receiver, MediaInstant(n * 20)));
        }
        let mut back = Speaker::new();
        for n in 0..10_u64 {
            receiver.push(&back.say(2), MediaInstant(10_180 + n * 20));
            frames.extend(hear(&mut receiver, MediaInstant(10_180 + n * 20)));
        }
        assert_eq!(joined_ms(&frames), 10_180 + 200, "as if it had never been away");
        let silent: usize = frames.iter().filter(|f| f.kind == AudioKind::Filled).map(|f| f.pcm.len()).sum();
        assert_eq!(silent, 9_980 * 16);
        assert!(frames.iter().all(|f| f.pcm.len() <= 16_000), "no frame is longer than a second");
    }

    #[test]
    fn a_corrupt_packet_costs_its_own_time_only() {
        let (mut receiver, mut speaker) = (AudioReceiver::new().unwrap(), Speaker::new());
        let mut frames = Vec::new();
        for n in 0..10_u64 {
            let mut packet = speaker.say(1);
            if n == 5 {
                // Two frames of unequal length, the first longer than the packet: legal in its first byte only.
                packet.payload = Bytes::from_static(&[2, 251]);
            }
            receiver.push(&packet, MediaInstant(n * 20));
            frames.extend(hear(&mut receiver, MediaInstant(n * 20)));
        }
        assert_eq!(joined_ms(&frames), 200);
        assert_eq!(receiver.corrupt, 1);
    }
}
