//! One stream: audio in, results out, and all the ways in which it ends.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::{OwnedSemaphorePermit, broadcast, mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::Limits;
use super::engine::{Ears, RATE, Told};
use super::faults::{Cut, Knobs};
use super::frames::{Frames, Refused, Said, event, exception};
use super::hostile::Wire;
use super::result::Teller;

/// How long a client may go on sending after its stream has ended.
const LINGER: Duration = Duration::from_secs(5);

/// Frames to the client; an error cuts the connection without an end.
pub type Out = mpsc::UnboundedSender<Result<Bytes, std::io::Error>>;

/// How a stream ended, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The client said so, and has everything.
    Told,
    /// An exception was sent.
    Exception(&'static str, String),
    /// The client went away.
    ClientGone,
    /// By a fault, clean or not.
    Cut(Cut),
}

/// Everything that a stream needs.
pub struct Stream {
    /// What the client sends.
    pub body: BodyDataStream,
    /// Its decoder.
    pub frames: Frames,
    /// The recogniser.
    pub ears: Ears,
    /// The writer of results.
    pub teller: Teller,
    /// To the client.
    pub out: Out,
    /// Clocks.
    pub limits: Limits,
    /// Cuts.
    pub cuts: broadcast::Receiver<Cut>,
    /// Latency.
    pub knobs: Arc<watch::Sender<Knobs>>,
    /// Counts as one stream while it is held.
    pub permit: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl Stream {
    /// Runs it to its end, which the client is told.
    pub async fn run(mut self) -> End {
        let out = self.out.clone();
        let mut body = std::mem::replace(&mut self.body, Body::empty().into_data_stream());
        let end = self.hear(&mut body).await;
        // Whoever has gone need not be told.
        let _gone = match &end {
            End::Told | End::ClientGone | End::Cut(Cut::Clean) => Ok(()),
            End::Exception(kind, message) => out.send(Ok(exception(kind, message))),
            End::Cut(Cut::Unclean | Cut::Exception(_)) => {
                return match out.send(Err(std::io::ErrorKind::ConnectionAborted.into())) {
                    Ok(()) => end,
                    Err(_gone) => End::ClientGone,
                };
            }
        };
        drop(out);
        // What the client still sends is read: closing on unread bytes makes TCP drop what we said last.
        let rest = async { while let Some(Ok(_)) = body.next().await {} };
        let _late = tokio::time::timeout(LINGER, rest).await;
        end
    }

    async fn hear(self, body: &mut BodyDataStream) -> End {
        let Self { body: _, mut frames, ears, mut teller, out, limits, mut cuts, knobs, permit: _held } = self;
        let Ears { audio, told } = ears;
        let (mut wire, mut told, mut all_told) = (Wire::new(knobs.clone()), delayed(told, knobs), false);
        let mut audio = Some(audio);
        let full = sleep_until(Instant::now() + limits.stream);
        let idle = sleep_until(Instant::now() + limits.idle);
        tokio::pin!(full, idle);
        loop {
            if all_told && wire.is_empty() {
                return End::Told;
            }
            tokio::select! {
                chunk = body.next(), if audio.is_some() => match chunk {
                    Some(Ok(bytes)) => {
                        frames.push(&bytes);
                        match take(&mut frames, &mut audio, &limits, &mut wire) {
                            Ok(0) => {}
                            Ok(_) => idle.as_mut().reset(Instant::now() + limits.idle),
                            Err(message) => return End::Exception("BadRequestException", message),
                        }
                    }
                    Some(Err(_)) => return End::ClientGone,
                    None => audio = None,
                },
                body = wire.next() => if out.send(Ok(event(&body))).is_err() {
                    return End::ClientGone;
                },
                word = told.recv(), if !all_told => match word {
                    Some(Told::Heard(heard)) => wire.tell(teller.tell(&heard, || uuid::Uuid::new_v4().to_string())),
                    Some(Told::Broken(why)) => {
                        tracing::error!(%why, "the recogniser broke");
                        let message = "An internal error occurred. Try your request again.".to_owned();
                        return End::Exception("InternalFailureException", message);
                    }
                    None => all_told = true,
                },
                () = &mut idle, if audio.is_some() => return End::Exception("BadRequestException", idled(limits.idle)),
                () = &mut full => return End::Exception("LimitExceededException", lasted(limits.stream)),
                () = out.closed() => return End::ClientGone,
                cut = cuts.recv() => match cut {
                    Ok(Cut::Clean) => return End::Cut(Cut::Clean),
                    Ok(Cut::Unclean) | Err(broadcast::error::RecvError::Closed) => return End::Cut(Cut::Unclean),
                    Ok(Cut::Exception(kind)) => return End::Exception(kind.name(), "injected by a fault".to_owned()),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                },
            }
        }
    }
}

/// Gives the recogniser all audio that is complete; says how many events there were.
fn take(
    frames: &mut Frames,
    audio: &mut Option<mpsc::UnboundedSender<Bytes>>,
    limits: &Limits,
    wire: &mut Wire,
) -> Result<usize, String> {
    let mut events = 0;
    loop {
        match frames.next(SystemTime::now()).map_err(|refused: Refused| refused.to_string())? {
            None => return Ok(events),
            Some(Said::End) => *audio = None,
            Some(Said::Audio(bytes)) => {
                events += 1;
                fits(bytes.len(), limits.event_audio)?;
                wire.hear(bytes.len());
                if let Some(audio) = audio {
                    // A recogniser that is gone tells of itself.
                    let _gone = audio.send(bytes);
                }
            }
        }
    }
}

/// Whether so many bytes may come in one event.
fn fits(bytes: usize, longest: Duration) -> Result<(), String> {
    if !bytes.is_multiple_of(2) {
        return Err("The audio of an event has an odd number of bytes: samples have two bytes each.".to_owned());
    }
    let length = Duration::from_secs_f64((bytes / 2) as f64 / f64::from(RATE));
    if length > longest {
        return Err(format!(
            "An audio event holds {} ms of audio; at most {} ms are allowed.",
            length.as_millis(),
            longest.as_millis()
        ));
    }
    Ok(())
}

/// As AWS words it (seen in several of its issue trackers).
fn idled(after: Duration) -> String {
    format!("Your request timed out because no new audio was received for {} seconds.", after.as_secs_f64())
}

fn lasted(longest: Duration) -> String {
    format!("Your stream reached the maximum duration of {} seconds. Start a new one.", longest.as_secs_f64())
}

/// Holds back what is told by the latency that is set, in order.
fn delayed(mut told: mpsc::UnboundedReceiver<Told>, knobs: Arc<watch::Sender<Knobs>>) -> mpsc::UnboundedReceiver<Told> {
    let (pass_on, later) = mpsc::unbounded_channel();
    let (queue, mut queued) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(word) = told.recv().await {
            let due = Instant::now() + Duration::from_millis(knobs.borrow().latency_ms);
            if queue.send((due, word)).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, word)) = queued.recv().await {
            if due > Instant::now() {
                sleep_until(due).await;
            }
            if pass_on.send(word).is_err() {
                return;
            }
        }
    });
    later
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_audio_fits_into_an_event_and_a_sample_more_does_not() {
        assert_eq!(fits(32_000, Duration::from_secs(1)), Ok(()));
        assert!(fits(32_002, Duration::from_secs(1)).is_err());
    }

    #[test]
    fn half_a_sample_is_refused() {
        assert!(fits(3_201, Duration::from_secs(1)).unwrap_err().contains("odd"));
    }

    #[test]
    fn the_idle_message_reads_as_that_of_aws() {
        let message = "Your request timed out because no new audio was received for 15 seconds.";
        assert_eq!(idled(Duration::from_secs(15)), message);
    }
}
