//! Transcription streams: PCM in, results out, an end that is always reported and never silent.
//!
//! *Flow*: [`open`] starts a task; audio goes in through [`Stream::send`]; [`TranscribeEvent`]s come out. Ending the audio
//! ([`Stream::end`]) keeps the results coming; dropping the [`Stream`] drops everything. *Guarantee*: unless it is dropped, a stream reports
//! [`TranscribeEvent::Closed`] exactly once, last. *Caveat*: Transcribe takes one stream per HTTP/2 connection, so each has its own client.

use super::aws::{explain, http_client};
use super::spread::spread;
use crate::config::settings::{FilterMethod, LanguageList, PerLanguage, Variants, VocabularyFilter};
use crate::languages;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_transcribestreaming::Client;
use aws_sdk_transcribestreaming::error::ProvideErrorMetadata;
use aws_sdk_transcribestreaming::operation::start_stream_transcription::StartStreamTranscriptionError;
use aws_sdk_transcribestreaming::operation::start_stream_transcription::builders::StartStreamTranscriptionFluentBuilder;
use aws_sdk_transcribestreaming::primitives::Blob;
use aws_sdk_transcribestreaming::types::error::{AudioStreamError, TranscriptResultStreamError};
use aws_sdk_transcribestreaming::types::{
    AudioEvent, AudioStream, ItemType, LanguageCode, MediaEncoding, PartialResultsStability, TranscriptResultStream,
    VocabularyFilterMethod,
};
use futures_util::StreamExt;
use schemas::condition::{Condition, Told};
use schemas::ids::Language;
use std::time::Duration;
use tokio::sync::mpsc;
use worker_core::input::{StreamEnd, TranscribeEvent, TranscriptItem, TranscriptResult};

/// Longest time to connect.
const CONNECT: Duration = Duration::from_secs(5);
/// Audio events that may wait; at 100 ms each, a minute. A service that is that far behind is broken.
const BACKLOG: usize = 600;

/// What is asked of Transcribe beside the language.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Custom vocabularies.
    pub vocabulary: PerLanguage,
    /// Vocabulary filters.
    pub filter: VocabularyFilter,
    /// Languages among which the speaker's is found.
    pub identify: LanguageList,
    /// Variants that are spoken.
    pub variants: Variants,
}

/// An open stream. Dropping it forgets whatever it might still say.
#[derive(Debug)]
pub struct Stream {
    audio: Option<mpsc::Sender<Vec<i16>>>,
    task: tokio::task::JoinHandle<()>,
}

/// More audio waits than can be live.
#[derive(Debug, thiserror::Error)]
#[error("{BACKLOG} audio events wait already: the stream does not take them; open another")]
pub struct Backlog;

impl Stream {
    /// Hands over audio without waiting; ignored after [`Stream::end`] and after the stream has closed.
    ///
    /// # Errors
    /// [`Backlog`] when the service does not take it.
    pub fn send(&self, pcm: Vec<i16>) -> Result<(), Backlog> {
        let Some(audio) = &self.audio else { return Ok(()) };
        match audio.try_send(pcm) {
            // A stream that has closed says so itself.
            Ok(()) | Err(mpsc::error::TrySendError::Closed(_)) => Ok(()),
            Err(mpsc::error::TrySendError::Full(_)) => Err(Backlog),
        }
    }

    /// Ends the audio; the last results still come.
    pub fn end(&mut self) {
        self.audio = None;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Opens a stream and reports what it says.
pub fn open(
    sdk: &SdkConfig,
    language: &Language,
    options: Options,
    report: impl Fn(TranscribeEvent) + Send + Sync + 'static,
) -> Stream {
    let (audio, frames) = mpsc::channel(BACKLOG);
    let (client, code) = (client(sdk), options.variants.spoken(language));
    let language = language.clone();
    let task = tokio::spawn(async move {
        let end = match code {
            None => StreamEnd::Refused(format!("Transcribe has no streaming model for {language}")),
            Some(code) => converse(request(&client, &language, code, &options), frames, &report).await,
        };
        report(TranscribeEvent::Closed(end));
    });
    Stream { audio: Some(audio), task }
}

fn client(sdk: &SdkConfig) -> Client {
    let config = aws_sdk_transcribestreaming::config::Builder::from(sdk)
        .http_client(http_client())
        // The stream is as slow as the speaker; only the engine knows when it is stuck.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build())
        .build();
    Client::from_conf(config)
}

/// The request without its audio. Where the language is identified, vocabularies and filters are named for all languages of the list: a
/// stream whose language has none of what was named ends.
fn request(
    client: &Client,
    language: &Language,
    code: &str,
    options: &Options,
) -> StartStreamTranscriptionFluentBuilder {
    let request = client
        .start_stream_transcription()
        .media_encoding(MediaEncoding::Pcm)
        .media_sample_rate_hertz(16_000)
        .enable_partial_results_stabilization(true)
        // A translation waits for stable words, and none of them is taken back: "high" brings it 0.2 s sooner than "medium", and costs two
        // words in a thousand (docs/benchmarks.md, "Captions by the field's rulers").
        .partial_results_stability(PartialResultsStability::High);
    let method = match options.filter.method {
        FilterMethod::Mask => VocabularyFilterMethod::Mask,
        FilterMethod::Remove => VocabularyFilterMethod::Remove,
        FilterMethod::Tag => VocabularyFilterMethod::Tag,
    };
    let list = options.identify.languages();
    let among: Vec<&str> = list.iter().filter_map(|l| options.variants.spoken(l)).collect();
    if among.contains(&code) {
        let filters = options.filter.names.of_all(list);
        return request
            .identify_language(true)
            .language_options(among.join(","))
            .preferred_language(LanguageCode::from(code))
            .set_vocabulary_names(options.vocabulary.of_all(list))
            .set_vocabulary_filter_method(filters.is_some().then_some(method))
            .set_vocabulary_filter_names(filters);
    }
    let filter = options.filter.names.of(language);
    request
        .language_code(LanguageCode::from(code))
        .set_vocabulary_name(options.vocabulary.of(language).map(str::to_owned))
        .set_vocabulary_filter_name(filter.map(str::to_owned))
        .set_vocabulary_filter_method(filter.map(|_| method))
}

async fn converse(
    request: StartStreamTranscriptionFluentBuilder,
    frames: mpsc::Receiver<Vec<i16>>,
    report: &(impl Fn(TranscribeEvent) + Send + Sync),
) -> StreamEnd {
    let opened = request.audio_stream(audio_events(frames).into()).send().await;
    let mut results = match opened {
        Ok(output) => output.transcript_result_stream,
        Err(error) => {
            let (code, said) = error.as_service_error().map(start_error).unwrap_or_default();
            return classify(code, &said, explain(&error));
        }
    };
    report(TranscribeEvent::Opened);
    loop {
        match results.recv().await {
            Ok(Some(TranscriptResultStream::TranscriptEvent(event))) => {
                let found = event.transcript.and_then(|t| t.results).unwrap_or_default();
                found.iter().filter_map(result).for_each(|r| report(TranscribeEvent::Result(r)));
            }
            Ok(Some(_)) => tracing::debug!("an event of Transcribe that this version does not know"),
            Ok(None) => return StreamEnd::Clean,
            Err(error) => {
                let (code, said) = error.as_service_error().map(stream_error).unwrap_or_default();
                return classify(code, &said, explain(&error));
            }
        }
    }
}

/// Audio as the SDK wants it; when the sender is gone the SDK signs and sends the end of the stream.
fn audio_events(
    frames: mpsc::Receiver<Vec<i16>>,
) -> impl futures_util::Stream<Item = Result<AudioStream, AudioStreamError>> + Send + Sync + 'static {
    let events = futures_util::stream::unfold(frames, |mut frames| async move {
        let pcm = frames.recv().await?;
        let bytes: Vec<u8> = pcm.iter().flat_map(|s| s.to_le_bytes()).collect();
        let event = AudioEvent::builder().audio_chunk(Blob::new(bytes)).build();
        Some((Ok(AudioStream::AudioEvent(event)), frames))
    });
    // The SDK asks once more after the end.
    events.fuse()
}

fn result(result: &aws_sdk_transcribestreaming::types::Result) -> Option<TranscriptResult> {
    let best = result.alternatives().first();
    let transcript = best.and_then(|best| best.transcript()).unwrap_or_default();
    let mut items: Vec<TranscriptItem> =
        best.map(|best| best.items()).unwrap_or_default().iter().map(|item| to_item(item, result.is_partial)).collect();
    if items.is_empty() {
        items = spread(transcript, (result.start_time, result.end_time), !result.is_partial);
    }
    Some(TranscriptResult {
        result_id: result.result_id()?.to_owned(),
        start: result.start_time,
        end: result.end_time,
        is_partial: result.is_partial,
        language: result.language_code().and_then(|code| languages::from_transcribe(code.as_str())),
        transcript: transcript.to_owned(),
        items,
    })
}

fn to_item(item: &aws_sdk_transcribestreaming::types::Item, is_partial: bool) -> TranscriptItem {
    TranscriptItem {
        content: item.content().unwrap_or_default().to_owned(),
        punctuation: item.r#type() == Some(&ItemType::Punctuation),
        start: item.start_time,
        end: item.end_time,
        // A final does not say so of its words, but nothing in it changes any more.
        stable: item.stable().unwrap_or(!is_partial),
    }
}

/// A service error's code and message. The SDK knows modelled errors of a stream by type only, so the type gives the code.
fn stream_error(error: &TranscriptResultStreamError) -> (&'static str, String) {
    let code = match () {
        () if error.is_limit_exceeded_exception() => "LimitExceededException",
        () if error.is_bad_request_exception() => "BadRequestException",
        () if error.is_conflict_exception() => "ConflictException",
        () => known(error.code()),
    };
    (code, error.message().unwrap_or_default().to_owned())
}

fn start_error(error: &StartStreamTranscriptionError) -> (&'static str, String) {
    let code = match () {
        () if error.is_limit_exceeded_exception() => "LimitExceededException",
        () if error.is_bad_request_exception() => "BadRequestException",
        () if error.is_conflict_exception() => "ConflictException",
        () => known(error.code()),
    };
    (code, error.message().unwrap_or_default().to_owned())
}

/// Codes that the SDK has no type for.
fn known(code: Option<&str>) -> &'static str {
    const KNOWN: [&str; 9] = [
        "BadRequestException",
        "LimitExceededException",
        "ConflictException",
        "ResourceNotFoundException",
        "AccessDeniedException",
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ThrottlingException",
        "ValidationException",
    ];
    KNOWN.into_iter().find(|&known| code == Some(known)).unwrap_or_default()
}

/// How a stream ended, by the code and what the service said.
fn classify(code: &str, said: &str, detail: String) -> StreamEnd {
    match code {
        // Seen in production: "Your request timed out because no new audio was received for 15 seconds."
        "BadRequestException" if said.contains("timed out") || said.contains("no new audio") => {
            return StreamEnd::Idle(detail);
        }
        // A conflict is another stream with our session id; InvalidSignature is a clock that is being corrected: both pass.
        "ConflictException" | "InvalidSignatureException" => return StreamEnd::Fault(detail),
        _ => {}
    }
    match Told::new(code, said).condition() {
        Condition::Throttled => StreamEnd::Throttled(detail),
        Condition::NoRoom => StreamEnd::LimitExceeded(detail),
        Condition::Denied | Condition::Missing | Condition::Refused => StreamEnd::Refused(detail),
        Condition::Unavailable | Condition::Unknown => StreamEnd::Fault(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_stream_is_known_by_what_helps() {
        let idle = "Your request timed out because no new audio was received for 15 seconds.";
        let d = String::from("d");
        let table = [
            (("LimitExceededException", "too many streams"), StreamEnd::LimitExceeded(d.clone())),
            (("ThrottlingException", ""), StreamEnd::Throttled(d.clone())),
            (("LimitExceededException", "Rate exceeded"), StreamEnd::Throttled(d.clone())),
            (("BadRequestException", idle), StreamEnd::Idle(d.clone())),
            (("BadRequestException", "unsupported language"), StreamEnd::Refused(d.clone())),
            (("AccessDeniedException", ""), StreamEnd::Refused(d.clone())),
            (("ConflictException", ""), StreamEnd::Fault(d.clone())),
            (("InternalFailureException", ""), StreamEnd::Fault(d.clone())),
            (("", ""), StreamEnd::Fault(d.clone())),
        ];
        for ((code, said), expected) in table {
            assert_eq!(classify(code, said, d.clone()), expected, "{code} {said}");
        }
    }

    #[tokio::test]
    async fn the_audio_may_be_asked_for_after_its_end() {
        let (audio, frames) = mpsc::channel(1);
        let mut events = Box::pin(audio_events(frames));
        audio.send(vec![1, -2]).await.unwrap();
        drop(audio);
        let Some(Ok(AudioStream::AudioEvent(event))) = events.next().await else { panic!("no audio") };
        assert_eq!(event.audio_chunk.unwrap().as_ref(), [1, 0, 0xfe, 0xff], "little endian");
        assert!(events.next().await.is_none());
        assert!(events.next().await.is_none(), "as the SDK does");
    }

    #[test]
    fn a_result_without_items_still_says_what_was_said() {
        use aws_sdk_transcribestreaming::types::Alternative;
        let heard = |alternative: Alternative| {
            let built =
                aws_sdk_transcribestreaming::types::Result::builder().result_id("r").start_time(1.0).end_time(2.0);
            result(&built.alternatives(alternative).build()).unwrap().items
        };
        let text_only = heard(Alternative::builder().transcript("let us").build());
        let told: Vec<_> = text_only.iter().map(|i| (i.content.as_str(), i.start, i.end, i.stable)).collect();
        assert_eq!(told, [("let", 1.0, 1.5, true), ("us", 1.5, 2.0, true)]);
        assert!(heard(Alternative::builder().build()).is_empty());
    }

    #[test]
    fn a_filter_counts_where_the_language_is_identified_too() {
        let config = aws_sdk_transcribestreaming::config::Builder::new().behavior_version_latest().build();
        let client = Client::from_conf(config);
        let english = Language::try_new("en").unwrap();
        let asked = |filter: &str, vocabulary: &str| {
            let options = Options {
                vocabulary: vocabulary.parse().unwrap(),
                filter: filter.parse().unwrap(),
                identify: "en,es".parse().unwrap(),
                ..Options::default()
            };
            let request = request(&client, &english, "en-US", &options);
            let method = request.get_vocabulary_filter_method().clone();
            (request.get_vocabulary_filter_names().clone(), method, request.get_vocabulary_names().clone())
        };
        let both = asked("remove:en=rude,es=grosero", "en=hymns,es=himnos");
        let names = ("rude,grosero".to_owned(), "hymns,himnos".to_owned());
        assert_eq!(both, (Some(names.0), Some(VocabularyFilterMethod::Remove), Some(names.1)));
        assert_eq!(asked("none", "en=hymns"), (None, None, None), "a language without one would end the stream");
    }

    #[test]
    fn the_words_of_a_final_are_stable() {
        use aws_sdk_transcribestreaming::types::{Alternative, Item};
        let item = Item::builder().content("Amen").start_time(1.0).end_time(1.5).build();
        let alternative = Alternative::builder().items(item).build();
        let build = |partial| {
            aws_sdk_transcribestreaming::types::Result::builder()
                .result_id("r")
                .is_partial(partial)
                .alternatives(alternative.clone())
                .build()
        };
        assert!(result(&build(false)).unwrap().items[0].stable);
        assert!(!result(&build(true)).unwrap().items[0].stable);
    }
}
