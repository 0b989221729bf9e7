//! What the services answer to what the engine wants.

use super::{BEGIN, World};
use schemas::ids::{Generation, Timestamp};
use schemas::message::Message;
use schemas::reason::{Cause, Why};
use worker_core::config::CarriedOptions;
use worker_core::input::*;
use worker_core::output::{Output, StatusWrite};

impl World {
    pub(super) fn serve(&mut self, output: Output) {
        assert!(self.exit.is_none(), "nothing follows the exit: {output:?}");
        let mut count = |what| *self.outputs.entry(what).or_insert(0) += 1;
        match output {
            Output::OpenSignaling => {
                count("OpenSignaling");
                self.push(
                    30,
                    Input::Signaling(match self.now < self.deleted_at {
                        true => SignalingEvent::Connected,
                        false => SignalingEvent::Closed { detail: "404".into(), gone: true },
                    }),
                );
            }
            Output::CloseSignaling => count("CloseSignaling"),
            Output::NewPeer => {
                count("NewPeer");
                self.next_frame = None;
                self.push(50, Input::Peer(PeerEvent::OfferReady("offer".into())));
            }
            Output::RestartIce => {
                count("RestartIce");
                self.push(50, Input::Peer(PeerEvent::OfferReady("restart".into())));
            }
            Output::ClosePeer => {
                count("ClosePeer");
                self.next_frame = None;
            }
            Output::SendOffer(_) => {
                count("SendOffer");
                if self.present() {
                    self.push(40, Input::Signaling(SignalingEvent::Answer("answer".into())));
                }
            }
            Output::ApplyAnswer(_) => {
                count("ApplyAnswer");
                if self.now >= self.speaker.walled_until {
                    self.push(100, Input::Peer(PeerEvent::Connected));
                }
            }
            Output::AddCandidate(_) => count("AddCandidate"),
            Output::OpenMedia(_) => {
                count("OpenMedia");
                if self.now >= self.deleted_at {
                    let gone = MediaStreamEnd::Gone("ResourceNotFoundException".into());
                    self.push(60, Input::MediaStream(MediaStreamEvent::Closed(gone)));
                    return;
                }
                self.push(60, Input::MediaStream(MediaStreamEvent::Opened));
                self.next_frame = Some(self.now + 100);
            }
            Output::CloseMedia => {
                count("CloseMedia");
                self.next_frame = None;
            }
            Output::OpenStream { id, language, options } => {
                count("OpenStream");
                self.recogniser.open(id, language, options, self.now, &self.speaker.talk);
            }
            Output::SendAudio { id, pcm } => {
                count("SendAudio");
                assert!(pcm.len() <= 16_000, "at most one second");
                self.recogniser.hear(id, &pcm, self.now, &self.speaker.talk);
            }
            Output::EndStream(id) => {
                count("EndStream");
                self.recogniser.end(id, self.now);
            }
            Output::DropStream(id) => {
                count("DropStream");
                self.recogniser.forget(id);
            }
            Output::Translate { id, text, from, to, options } => {
                count("Translate");
                assert_ne!(from, to);
                let known = options == CarriedOptions::Plain || !self.terminology_is_unknown;
                let (latency, answer) = if known {
                    (self.translate)(&text, &to, self.now)
                } else {
                    (50, Err(TranslateFailure::UnknownTerminology))
                };
                self.asked.push((self.now, to, text));
                self.push(latency, Input::Translated(id, answer));
            }
            Output::Post { id, connection, data } => {
                count("Post");
                self.deliver(id, connection.as_str(), &data);
            }
            Output::ReadAudience => {
                count("ReadAudience");
                let listeners = self.seats.values().filter(|s| s.listed).map(|s| s.row.clone()).collect();
                let speakers = self.speakers_line.in_index.iter().cloned().collect();
                self.push(15, Input::Audience(AudienceRows { listeners, speakers }));
            }
            Output::ForgetListener { connection, connected_at } => {
                count("ForgetListener");
                let seat = self.seats.get_mut(connection.as_str()).unwrap();
                seat.listed &= seat.row.connected_at != connected_at;
            }
            Output::WriteStatus(write) => {
                count("WriteStatus");
                self.write(*write);
            }
            Output::Judge { id, pcm } => {
                count("Judge");
                let (after_ms, answer) = (self.model)(pcm.len() / 16);
                self.push(after_ms, Input::Judged(id, answer));
            }
            Output::DropModel => count("DropModel"),
            Output::MeasureResources => {
                self.push(1, Input::Resources { cpu_ms: self.now / 50, peak_memory_bytes: 9 << 20 })
            }
            Output::Log(fact) => self.facts.push((self.now, fact)),
            Output::Exit { code, why } => self.exit = Some((self.now, code, why)),
            Output::Wait(_) => unreachable!("polled above"),
        }
    }

    fn write(&mut self, write: StatusWrite) {
        if self.table_down.iter().any(|(from, until)| (*from..*until).contains(&self.now)) {
            self.push(15, Input::ControlFailed(write.id, self.table_failure.clone()));
            return;
        }
        let answers = Some(write.id);
        self.writes.push((self.now, write));
        let why = Why::new(self.desired.1.unwrap_or(Cause::SessionActive), "as scripted", Timestamp(BEGIN));
        let control = Control {
            answers,
            generation: Generation(self.generation),
            desired: self.desired.0,
            why,
            source_language: self.source.clone(),
            expires_at: Timestamp(self.expires_at),
            speaker: self.speakers_line.in_row.clone(),
        };
        let slow = self.table_slow.iter().find(|(from, until, _)| (*from..*until).contains(&self.now));
        self.push(slow.map_or(15, |(_, _, ms)| *ms), Input::Control(control));
    }

    fn deliver(&mut self, id: PostId, connection: &str, data: &str) {
        assert!(!self.in_flight.values().any(|c| c == connection), "one post per connection");
        self.in_flight.insert(id, connection.to_owned());
        self.most_in_flight = self.most_in_flight.max(self.in_flight.len());
        let now = self.now;
        assert!(data.len() < schemas::limits::WEBSOCKET_FRAME_BYTES, "a message fits one frame: {}", data.len());
        if let Some((latency, outcome)) = self.speakers_line.take(connection, data, now) {
            self.push(latency, Input::Posted(id, outcome));
            return;
        }
        let Some(seat) = self.seats.get_mut(connection) else { panic!("posted to a stranger") };
        let (latency, outcome) = match &seat.refuses {
            Some(outcome) => (seat.latency_ms, outcome.clone()),
            None => {
                let message: Message = serde_json::from_str(data).expect("a message of our schema");
                seat.received.push((now + seat.latency_ms, message));
                (seat.latency_ms, PostOutcome::Delivered)
            }
        };
        self.push(latency, Input::Posted(id, outcome));
    }
}
