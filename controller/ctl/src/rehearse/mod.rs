//! A whole session with everything real but the people: a speaker who plays a file, listeners on WebSockets.
//!
//! *Flow*: make the channel and the session row as the session service would, connect the listeners and the speaker, speak
//! when the worker is there, end as asked, wait until all is over, take away what was made, report. *Guarantees*: what was
//! made is taken away on every way out, Ctrl-C included; the verdict judges only what listeners, the worker's row and ECS
//! said. *Assumptions*: tables and API of the session service exist, and the controller runs.
//!
//! | module | what |
//! |---|---|
//! | [`plan`] | who listens and when |
//! | [`wav`] | any WAV file to 48 kHz mono |
//! | [`session`], [`service`] | the session row; the session service's calls |
//! | [`speaker`], [`microphone`] | the speaker's browser |
//! | [`stream`], [`producer`], [`mkv`] | a KVS stream instead of the browser |
//! | [`listener`] | a listener's browser |
//! | [`watch`] | the worker's row and task |
//! | [`record`] | what happened |
//! | [`stage`] | waits, showing what happens |
//! | [`screen`], [`terminal`] | what is shown, and the drawing |
//! | [`verdict`], [`wer`], [`lag`], [`stats`], [`report`] | what it proves |
//! | [`simulstream`] | what each listener read, for other rulers |

pub mod lag;
pub mod listener;
pub mod microphone;
pub mod mkv;
pub mod plan;
pub mod producer;
pub mod record;
pub mod report;
pub mod screen;
pub mod service;
pub mod session;
pub mod simulstream;
pub mod speaker;
pub mod stage;
pub mod stats;
pub mod stream;
pub mod terminal;
pub mod verdict;
pub mod watch;
pub mod wav;
pub mod wer;

use crate::aws::{Aws, connect};
use crate::cli::{End, RehearseArgs, Via};
use crate::error::CtlError;
use crate::{commands, store};
use record::Recording;
use schemas::ids::SessionId;
use service::Made;
use session::{Channel, Way};
use stage::Stage;
use std::io::{Write, stderr, stdout};
use std::path::Path;
use std::time::Duration;
use tokio::sync::{mpsc, watch as signal};
use tokio::task::JoinSet;

/// Silence between the last listener's arrival and the first word: a speaker takes a breath.
const BREATH: Duration = Duration::from_secs(1);
/// Silence after the last word, before the session is ended.
const TAIL: Duration = Duration::from_secs(2);
/// How much longer than its audio a speech may take.
const SPEECH_SLACK: Duration = Duration::from_secs(30);
/// Longest wait for the start, and for the end.
const WAIT: Duration = Duration::from_secs(180);
/// Longest wait for the end when the speaker vanished: the worker's grace of five minutes, and its drain.
const VANISH_WAIT: Duration = Duration::from_secs(420);
/// Longest time for taking away what was made.
const CLEAN_UP: Duration = Duration::from_secs(15);

/// Rehearses and gives the exit code.
///
/// # Errors
/// [`CtlError`] when it could not be played at all.
pub async fn run(env: &str, region: Option<&str>, args: RehearseArgs) -> Result<u8, CtlError> {
    let script = args
        .script
        .as_ref()
        .map(|path| std::fs::read_to_string(path).map_err(|e| CtlError::Usage(format!("{}: {e}", path.display()))));
    let script = script.transpose()?;
    let speech = wav::load(&args.audio).map_err(|e| CtlError::Usage(e.to_string()))?;
    let speech_ms = wav::length_ms(speech.len());
    if let Some(objection) = plan::objection(&args.listeners, &args.source, speech_ms) {
        return Err(CtlError::Usage(objection));
    }
    if let Some(folder) = &args.log {
        std::fs::create_dir_all(folder).map_err(|e| CtlError::Usage(format!("--log {}: {e}", folder.display())))?;
    }
    let aws = connect(env, region).await;
    let mut made = Made::default();
    let played = tokio::select! {
        played = play(&aws, &args, speech, &mut made) => played,
        () = interrupted() => Err(CtlError::NotFound("interrupted; nothing was judged".into())),
    };
    let left = tokio::time::timeout(CLEAN_UP, service::clean_up(&aws, &mut made)).await;
    for line in left.unwrap_or_else(|_| vec!["taking away the channel and the session row took too long".into()]) {
        writeln!(stderr(), "sessionctl: left behind: {line}")?;
    }
    let recording = played?;
    if let Some(folder) = &args.log {
        write_logs(folder, &recording, &args.audio)?;
    }
    let now = store::now();
    let script = script.as_deref().map(|text| report::Script { text, max_wer: args.max_wer });
    let report = report::Report { note: args.note.clone(), ..report::report(&recording, script, speech_ms, now) };
    if args.json {
        let text = serde_json::to_string_pretty(&report).map_err(std::io::Error::other)?;
        writeln!(stdout(), "{text}")?;
    } else {
        writeln!(stdout(), "{}", report.card(commands::width(), now))?;
    }
    Ok(u8::from(!report.passed))
}

/// A log per listener.
fn write_logs(folder: &Path, recording: &Recording, audio: &Path) -> Result<(), CtlError> {
    let wav = audio.file_name().unwrap_or_default().to_string_lossy();
    for (listener, name) in recording.listeners.iter().zip(simulstream::names(&recording.listeners)) {
        std::fs::write(folder.join(name), simulstream::log(listener, recording, &wav))?;
    }
    Ok(())
}

/// Ctrl-C, or the request to terminate.
async fn interrupted() {
    let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
        // Without a handler SIGTERM ends the process by itself.
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// The signals by which the cast is led.
struct Cues {
    speak: signal::Sender<bool>,
    speaker_gone: signal::Sender<bool>,
    listeners_gone: signal::Sender<bool>,
}

async fn play(aws: &Aws, args: &RehearseArgs, speech: Vec<i16>, made: &mut Made) -> Result<Recording, CtlError> {
    let (session, way) = make_way(aws, args, made).await?;
    let mut new = service::new_session(session.clone(), args.source.clone(), way.clone());
    new.options = args.options.iter().cloned().collect();
    service::put_row(aws, &new, made).await?;
    let (events, inbox) = mpsc::unbounded_channel();
    let recording = Recording::new(session.clone(), args.source.clone(), args.listeners.clone(), new.at);
    let mut stage = Stage::open(recording, inbox, args.json);
    stage.note(&format!("session {session} is active, the speaker's language is {}", args.source))?;

    // Dropping the set ends every task, on any way out.
    let mut cast = JoinSet::new();
    let cues = Cues {
        speak: signal::channel(false).0,
        speaker_gone: signal::channel(false).0,
        listeners_gone: signal::channel(false).0,
    };
    cast.spawn(watch::run(aws.clone(), session, events.clone()));
    let speech_ms = wav::length_ms(speech.len());
    match &way {
        Way::Channel(channel) => enter_speaker(aws, args, channel, speech, &cues, &events, &mut cast).await?,
        Way::Stream(stream) => {
            let line = stream::connect(aws, stream).await?;
            let (speak, gone) = (cues.speak.subscribe(), cues.speaker_gone.subscribe());
            cast.spawn(producer::run(speech, line, speak, gone, events.clone()));
        }
    }
    enter_listeners(args, &stage.recording, false, &cues, &events, &mut cast);

    let timeout = args.timeout.map_or(WAIT, Duration::from_secs);
    let heard = |r: &Recording| args.via == Via::Channel || r.worker_hears();
    let ready = |r: &Recording| r.connected_now && r.audience_is_there() && heard(r);
    if stage.until(timeout, ready, stage::hopeless_start).await? {
        stage.rest(BREATH).await?;
        cues.speak.send_replace(true);
        enter_listeners(args, &stage.recording, true, &cues, &events, &mut cast);
        let most = Duration::from_millis(speech_ms) + SPEECH_SLACK;
        if stage.until(most, |r| r.speech_ended.is_some(), stage::hopeless_speech).await? {
            stage.rest(if args.via == Via::Stream { TAIL + producer::FRAGMENT } else { TAIL }).await?;
        }
    }
    end(aws, args.end, &mut stage, &cues, made).await?;
    let over = |r: &Recording| r.everybody_was_told() && r.row_is_final() && r.task_is_stopped();
    let timeout = if args.end == End::Vanish { args.timeout.map_or(VANISH_WAIT, Duration::from_secs) } else { timeout };
    stage.until(timeout, over, stage::hopeless_end).await?;

    cues.speaker_gone.send_replace(true);
    cues.listeners_gone.send_replace(true);
    drop(events);
    stage.close().await
}

/// Makes what the speaker is heard on, and gives the session's id.
async fn make_way(aws: &Aws, args: &RehearseArgs, made: &mut Made) -> Result<(SessionId, Way), CtlError> {
    match args.via {
        Via::Channel => {
            let (session, channel) = service::make_channel(aws, args.session.clone(), made).await?;
            Ok((session, Way::Channel(channel)))
        }
        Via::Stream => {
            let (session, stream) = stream::make(aws, args.session.clone(), made).await?;
            Ok((session, Way::Stream(stream)))
        }
    }
}

async fn enter_speaker(
    aws: &Aws,
    args: &RehearseArgs,
    channel: &Channel,
    speech: Vec<i16>,
    cues: &Cues,
    events: &mpsc::UnboundedSender<record::Event>,
    cast: &mut JoinSet<()>,
) -> Result<(), CtlError> {
    let network = service::network(aws, channel, args.ice_bind, args.patched).await?;
    let signaling = service::connect_master(aws, channel).await?;
    let (lines, line) = signal::channel(None);
    cast.spawn(microphone::run(speech, line, cues.speak.subscribe(), events.clone()));
    let speaker = speaker::Speaker::new(network, signaling, lines, events.clone());
    cast.spawn(speaker.run(cues.speaker_gone.subscribe()));
    Ok(())
}

/// Lets those enter who are there before the speech, or, when it begins, those who come late.
fn enter_listeners(
    args: &RehearseArgs,
    recording: &Recording,
    late: bool,
    cues: &Cues,
    events: &mpsc::UnboundedSender<record::Event>,
    cast: &mut JoinSet<()>,
) {
    for (index, plan) in args.listeners.iter().enumerate().filter(|(_, p)| p.late_s.is_some() == late) {
        let (api, session) = (args.websocket_url.clone(), recording.session.clone());
        let listener =
            listener::run(index, api, session, plan.clone(), events.clone(), cues.listeners_gone.subscribe());
        let delay = Duration::from_secs(u64::from(plan.late_s.unwrap_or(0)));
        cast.spawn(async move {
            tokio::time::sleep(delay).await;
            listener.await;
        });
    }
}

async fn end(aws: &Aws, end: End, stage: &mut Stage, cues: &Cues, made: &mut Made) -> Result<(), CtlError> {
    stage.recording.end_made = Some(store::now());
    let session = stage.recording.session.clone();
    match end {
        End::Ended => {
            stage.note("the session row says ended")?;
            service::end_row(aws, &session, made).await
        }
        End::Delete => {
            stage.note("channel, connection rows and session row are deleted, in this order")?;
            service::delete(aws, &session, made).await
        }
        End::Vanish => {
            stage.note("the speaker is gone without a word")?;
            cues.speaker_gone.send_replace(true);
            Ok(())
        }
    }
}
