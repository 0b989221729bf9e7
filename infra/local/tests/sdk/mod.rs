//! What the tests of the Transcribe stand-in share: a client of the AWS SDK, and what it hears.

use aws_sdk_transcribestreaming::Client;
use aws_sdk_transcribestreaming::config::retry::RetryConfig;
use aws_sdk_transcribestreaming::config::{BehaviorVersion, Credentials, Region, StalledStreamProtectionConfig};
use aws_sdk_transcribestreaming::error::DisplayErrorContext;
use aws_sdk_transcribestreaming::operation::start_stream_transcription::StartStreamTranscriptionOutput;
use aws_sdk_transcribestreaming::primitives::Blob;
use aws_sdk_transcribestreaming::types::error::AudioStreamError;
use aws_sdk_transcribestreaming::types::error::TranscriptResultStreamError;
use aws_sdk_transcribestreaming::types::{
    AudioEvent, AudioStream, LanguageCode, MediaEncoding, PartialResultsStability, Result as Transcribed,
    TranscriptResultStream,
};
use futures_util::{StreamExt, stream};
use local_stack::transcribe::{Limits, Recogniser, Running, TranscribeConfig, serve};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

pub struct Rig {
    pub running: Running,
    pub client: Client,
}

pub async fn with(recogniser: Recogniser, limits: Limits) -> Rig {
    let config = TranscribeConfig {
        recogniser,
        region: "us-east-1".into(),
        access_key_id: "111122223333".into(),
        secret_access_key: "secret".into(),
        limits,
    };
    let running = serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), config).await.unwrap();
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = aws_sdk_transcribestreaming::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(Credentials::new("111122223333", "secret", None, None, "test"))
        .region(Region::new("us-east-1"))
        .endpoint_url(running.url())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::disabled())
        .http_client(http)
        .build();
    Rig { running, client: Client::from_conf(config) }
}

pub type Mouth = mpsc::UnboundedSender<Vec<u8>>;

pub async fn open(client: &Client) -> (Mouth, StartStreamTranscriptionOutput) {
    let (mouth, audio) = mpsc::unbounded_channel::<Vec<u8>>();
    let audio = stream::unfold(audio, async |mut audio| {
        let chunk = audio.recv().await?;
        let event = AudioEvent::builder().audio_chunk(Blob::new(chunk)).build();
        Some((Ok::<_, AudioStreamError>(AudioStream::AudioEvent(event)), audio))
    });
    let output = client
        .start_stream_transcription()
        .language_code(LanguageCode::EnUs)
        .media_encoding(MediaEncoding::Pcm)
        .media_sample_rate_hertz(16_000)
        .enable_partial_results_stabilization(true)
        .partial_results_stability(PartialResultsStability::Medium)
        // Fused: the SDK polls once more after the end.
        .audio_stream(audio.fuse().into())
        .send()
        .await
        .unwrap_or_else(|error| panic!("{}", DisplayErrorContext(error)));
    (mouth, output)
}

pub type Next = Result<Option<Transcribed>, TranscriptResultStreamError>;

pub async fn next(output: &mut StartStreamTranscriptionOutput) -> Next {
    match output.transcript_result_stream.recv().await {
        Ok(Some(TranscriptResultStream::TranscriptEvent(event))) => {
            Ok(event.transcript.unwrap().results.unwrap().into_iter().next())
        }
        Ok(Some(other)) => panic!("{other:?}"),
        Ok(None) => Ok(None),
        Err(error) => Err(error.into_service_error()),
    }
}

pub fn text(result: &Transcribed) -> &str {
    result.alternatives()[0].transcript().unwrap()
}
