//! The environment, parsed once; an invalid configuration does not exist as a value.

use crate::config::settings::{Formality, LanguageList, PerLanguage, Switch, Variants, VocabularyFilter, named};
use schemas::ids::{Generation, SessionId};
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use worker_core::config::{EmotionMode, ListenPolicy, PartialPolicy};
use worker_model::ModelError;

/// Everything that a worker is told by its task definition and its overrides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `SESSION_ID`: the session.
    pub session: SessionId,
    /// `GENERATION`: the launch that this process is.
    pub generation: Generation,
    /// `WORKERS_TABLE`: the table of our rows.
    pub workers_table: String,
    /// `CONNECTIONS_TABLE`: the session service's table of listeners.
    pub connections_table: String,
    /// `WEBSOCKET_ENDPOINT`: management endpoint of the session service's WebSocket API, with its stage.
    pub websocket_endpoint: String,
    /// `ICE_BIND`: address for media; unspecified means every interface but loopback.
    pub ice_bind: IpAddr,
    /// `ICE_PORTS`: UDP ports for media, which the security group lets in.
    pub ice_ports: RangeInclusive<u16>,
    /// `PARTIALS`: which unfinished captions are translated.
    pub partials: PartialPolicy,
    /// `EMOTION`: what is told of the voice: `off`, `acoustic` (facts of the sound) or `emotion` (and judgements).
    pub emotion: EmotionMode,
    /// `AGC`: `on` when microphones are known to level the loudness by themselves; otherwise that is found out.
    pub agc: Switch,
    /// `EMOTION_MODEL`: the ONNX file of a model of the voice, asked in the mode `emotion`, or `none`.
    pub emotion_model: Option<PathBuf>,
    /// `EMOTION_MODEL_LIBRARY`: ONNX Runtime's shared library, or `none` for where the system looks for libraries.
    pub emotion_model_library: Option<PathBuf>,
    /// `AUDIO_QUALITY`: whether the quality of the speaker's audio is watched.
    pub audio_quality: Switch,
    /// `LISTEN`: whether a stream is paid for while nobody listens (`when-heard` or `always`).
    pub listen: ListenPolicy,
    /// `CHUNK_MS`: audio in one event to Transcribe, 50 to 200.
    pub chunk_ms: u64,
    /// `SILENCE_CLOSE_S`: the stream is closed when the speaker is silent for so long, 15 to 3600; `off` for never.
    pub silence_close_s: Option<u64>,
    /// `VARIANTS`: the variant of a language that speakers speak, `en=en-GB,pt=pt-PT`, or `none`.
    pub variants: Variants,
    /// `VOCABULARY`: custom vocabulary per language of the speaker, `en=hymns,es=himnos`, or `none`.
    pub vocabulary: PerLanguage,
    /// `VOCABULARY_FILTER`: vocabulary filter per language, and how it acts, `mask:en=rude,es=grosero`, or `none`.
    pub vocabulary_filter: VocabularyFilter,
    /// `IDENTIFY_LANGUAGES`: languages among which Transcribe finds the speaker's, `en,es`, or `none` for the session's own.
    pub identify_languages: LanguageList,
    /// `TERMINOLOGY`: custom terminology of Translate, or `none`.
    pub terminology: Option<String>,
    /// `FORMALITY`: `formal` or `informal`, where the language knows it, or `none`.
    pub formality: Formality,
    /// `PROFANITY`: `on` masks profane words in translations.
    pub profanity: Switch,
    /// `BREVITY`: `on` asks for shorter translations, where the pair knows it.
    pub brevity: Switch,
    /// `TRANSLATE_CHARACTERS_PER_MINUTE`: at most so many are sent to Translate for this session.
    pub translate_characters_per_minute: u64,
    /// `MASK_WORDS`: with `PARTIALS=live`, so many words at the end of a translated partial are held back.
    pub mask_words: usize,
    /// `POSTS_IN_FLIGHT`: posts to listeners at once, 1 to 1000.
    pub posts_in_flight: usize,
    /// `SESSION_ENV`: the dimension of the metrics; without it none are written.
    pub environment: Option<String>,
    /// `LOG_LEVEL`: as tracing's filters are written.
    pub log_level: String,
    /// `ECS_CONTAINER_METADATA_URI_V4`: set by ECS.
    pub metadata_uri: Option<String>,
}

/// Why the configuration is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable without a default is not set.
    #[error("{0} is not set: the task definition and the controller's overrides give it")]
    Missing(&'static str),
    /// A variable holds something else than it should.
    #[error("{name}={value:?}: {why}")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// What it holds.
        value: String,
        /// What it should hold.
        why: String,
    },
}

impl Config {
    /// Reads the variables through `variable`.
    ///
    /// # Errors
    /// [`ConfigError`] that names the first variable that is missing or invalid.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let variables = Variables(variable);
        let endpoint = variables.required("WEBSOCKET_ENDPOINT", |text| {
            let schemed = text.starts_with("https://") || text.starts_with("http://");
            schemed.then(|| text.trim_end_matches('/').to_owned()).ok_or("give an http(s):// URL with the stage")
        })?;
        let name =
            |text: &str| (!text.contains(char::is_whitespace)).then(|| text.to_owned()).ok_or("not a table name");
        Ok(Self {
            session: variables.required("SESSION_ID", str::parse::<SessionId>)?,
            generation: Generation(variables.required("GENERATION", str::parse)?),
            workers_table: variables.required("WORKERS_TABLE", name)?,
            connections_table: variables.required("CONNECTIONS_TABLE", name)?,
            websocket_endpoint: endpoint,
            ice_bind: variables.optional("ICE_BIND", str::parse)?.unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            ice_ports: variables.optional("ICE_PORTS", ports)?.unwrap_or(50_000..=50_031),
            partials: variables.optional("PARTIALS", str::parse)?.unwrap_or_default(),
            emotion: variables.optional("EMOTION", str::parse)?.unwrap_or_default(),
            agc: variables.optional("AGC", str::parse)?.unwrap_or_default(),
            emotion_model: variables.optional("EMOTION_MODEL", model)?.flatten(),
            emotion_model_library: variables.optional("EMOTION_MODEL_LIBRARY", path)?.flatten(),
            audio_quality: variables.optional("AUDIO_QUALITY", str::parse)?.unwrap_or(Switch::On),
            listen: variables.optional("LISTEN", str::parse)?.unwrap_or_default(),
            chunk_ms: variables.optional("CHUNK_MS", |t| within(t, 50..=200))?.unwrap_or(100),
            silence_close_s: variables.optional("SILENCE_CLOSE_S", silence)?.unwrap_or(Some(30)),
            variants: variables.optional("VARIANTS", str::parse)?.unwrap_or_default(),
            vocabulary: variables.optional("VOCABULARY", str::parse)?.unwrap_or_default(),
            vocabulary_filter: variables.optional("VOCABULARY_FILTER", str::parse)?.unwrap_or_default(),
            identify_languages: variables.optional("IDENTIFY_LANGUAGES", str::parse)?.unwrap_or_default(),
            terminology: variables.optional("TERMINOLOGY", named)?.flatten(),
            formality: variables.optional("FORMALITY", str::parse)?.unwrap_or_default(),
            profanity: variables.optional("PROFANITY", str::parse)?.unwrap_or_default(),
            brevity: variables.optional("BREVITY", str::parse)?.unwrap_or_default(),
            translate_characters_per_minute: variables
                .optional("TRANSLATE_CHARACTERS_PER_MINUTE", |t| within(t, 1_000..=10_000_000))?
                .unwrap_or(60_000),
            mask_words: usize_of(variables.optional("MASK_WORDS", |t| within(t, 0..=10))?.unwrap_or(3)),
            posts_in_flight: usize_of(variables.optional("POSTS_IN_FLIGHT", |t| within(t, 1..=1_000))?.unwrap_or(100)),
            environment: variables.optional("SESSION_ENV", str::parse)?,
            log_level: variables.optional("LOG_LEVEL", str::parse)?.unwrap_or_else(|| "info".into()),
            metadata_uri: variables.optional("ECS_CONTAINER_METADATA_URI_V4", str::parse)?,
        })
    }
}

impl Config {
    /// Whether a stream may be asked for something that Transcribe does not have.
    #[must_use]
    pub fn options_for_streams(&self) -> bool {
        self.vocabulary != PerLanguage::default() || !self.identify_languages.languages().is_empty()
    }
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    const FORM: &str = "give FIRST-LAST, for example 50000-50031";
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |t: &str| t.trim().parse::<u16>().ok().filter(|&p| p > 0).ok_or(FORM);
    let (first, last) = (port(first)?, port(last)?);
    if first <= last { Ok(first..=last) } else { Err(FORM) }
}

fn path(text: &str) -> Result<Option<PathBuf>, &'static str> {
    match text {
        "none" => Ok(None),
        _ if text.starts_with('/') => Ok(Some(text.into())),
        _ => Err("give a whole path, beginning with /, or none"),
    }
}

/// A model that this build cannot run is refused at the start: whoever has set one counts on it.
fn model(text: &str) -> Result<Option<PathBuf>, String> {
    match path(text)? {
        Some(_) if !worker_model::BUILT => Err(ModelError::NotBuilt.to_string()),
        model => Ok(model),
    }
}

pub(crate) fn within(text: &str, range: RangeInclusive<u64>) -> Result<u64, String> {
    let number = text.parse().ok().filter(|n| range.contains(n));
    number.ok_or_else(|| format!("give a number from {} to {}", range.start(), range.end()))
}

pub(crate) fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

pub(crate) fn silence(text: &str) -> Result<Option<u64>, String> {
    if text == "off" { Ok(None) } else { within(text, 15..=3_600).map(Some).map_err(|why| format!("{why}, or off")) }
}

struct Variables<F>(F);

impl<F: Fn(&str) -> Option<String>> Variables<F> {
    fn optional<T, E: Display>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<T>, ConfigError> {
        // An empty variable is what a task definition makes of a value that was left out.
        let Some(value) = self.0(name).filter(|v| !v.is_empty()) else { return Ok(None) };
        match parse(&value) {
            Ok(parsed) => Ok(Some(parsed)),
            Err(why) => Err(ConfigError::Invalid { name, value, why: why.to_string() }),
        }
    }

    fn required<T, E: Display>(
        &self,
        name: &'static str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, ConfigError> {
        self.optional(name, parse)?.ok_or(ConfigError::Missing(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(changes: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let defaults = [
            ("SESSION_ID", "blessed-shepherd-123"),
            ("GENERATION", "3"),
            ("WORKERS_TABLE", "SessionWorkers-dev"),
            ("CONNECTIONS_TABLE", "Connections-dev"),
            ("WEBSOCKET_ENDPOINT", "https://a.execute-api.us-east-1.amazonaws.com/prod/"),
        ];
        Config::read(|name| {
            let changed = changes.iter().find(|(n, _)| *n == name).or(defaults.iter().find(|(n, _)| *n == name));
            changed.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn what_is_left_out_has_the_documented_default() {
        let config = with(&[("PARTIALS", "")]).unwrap();
        assert_eq!(config.generation, Generation(3));
        assert_eq!(config.ice_ports, 50_000..=50_031);
        assert!(config.ice_bind.is_unspecified());
        assert_eq!((config.partials, config.emotion), (PartialPolicy::Clauses, EmotionMode::Acoustic));
        assert_eq!((config.agc, config.audio_quality), (Switch::Off, Switch::On));
        assert!(config.websocket_endpoint.ends_with("/prod"), "the SDK adds the slash itself");
    }

    #[test]
    fn a_model_is_taken_by_a_build_that_can_run_it_and_refused_with_the_remedy_by_any_other() {
        assert_eq!(with(&[("EMOTION_MODEL", "none")]).unwrap().emotion_model, None);
        match with(&[("EMOTION_MODEL", "/models/mine.onnx")]) {
            Ok(config) => {
                assert_eq!((worker_model::BUILT, config.emotion_model), (true, Some("/models/mine.onnx".into())))
            }
            Err(error) => {
                assert!(
                    !worker_model::BUILT && error.to_string().contains("build it again with --features model"),
                    "{error}"
                );
            }
        }
    }

    #[test]
    fn an_error_names_the_variable_and_the_remedy() {
        let table = [
            (("SESSION_ID", ""), "SESSION_ID is not set"),
            (("SESSION_ID", "a/b"), "SESSION_ID=\"a/b\": session id"),
            (("GENERATION", "x"), "GENERATION=\"x\""),
            (("WORKERS_TABLE", ""), "WORKERS_TABLE is not set"),
            (("WEBSOCKET_ENDPOINT", "wss://a/prod"), "give an http(s):// URL"),
            (("ICE_BIND", "home"), "ICE_BIND=\"home\""),
            (("ICE_PORTS", "9-1"), "give FIRST-LAST"),
            (("ICE_PORTS", "0-5"), "give FIRST-LAST"),
            (("PARTIALS", "some"), "use one of finals, sentences, clauses, live"),
            (("EMOTION", "loud"), "use one of off, acoustic, emotion"),
            (("EMOTION_MODEL", "model.onnx"), "give a whole path"),
            (("EMOTION_MODEL_LIBRARY", "lib.so"), "give a whole path"),
            (("AUDIO_QUALITY", "high"), "use one of off, on"),
            (("LISTEN", "x"), "use one of when-heard, always"),
            (("CHUNK_MS", "20"), "give a number from 50 to 200"),
            (("SILENCE_CLOSE_S", "5"), "give a number from 15 to 3600, or off"),
            (("VOCABULARY", "hymns"), "give LANGUAGE=NAME"),
            (("VOCABULARY_FILTER", "hide:en=x"), "mask, remove or tag"),
            (("IDENTIFY_LANGUAGES", "en"), "two to five"),
            (("VARIANTS", "en=fr-CA"), "as Transcribe streams it"),
            (("FORMALITY", "polite"), "none, formal, informal"),
            (("BREVITY", "yes"), "use one of off, on"),
            (("POSTS_IN_FLIGHT", "0"), "give a number from 1 to 1000"),
        ];
        for (change, expected) in table {
            let error = with(&[change]).unwrap_err().to_string();
            assert!(error.contains(expected), "{change:?} gives {error}");
        }
    }
}
