//! What a client asks for, in the headers of `StartStreamTranscription`.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::result::Stability;

/// Streaming languages (the `LanguageCode` enum of the SDK, 1.126).
const LANGUAGES: &str = "af-ZA am-ET ar-AE ar-SA be-BY bg-BG bn-IN bs-BA ca-ES ckb-IQ ckb-IR cs-CZ cy-WL da-DK de-CH \
    de-DE el-GR en-AB en-AU en-GB en-IE en-IN en-NZ en-US en-WL en-ZA es-ES es-MX es-US et-ET eu-ES fa-AF fa-IR fi-FI \
    fr-CA fr-FR gl-ES gu-IN he-IL hi-IN hr-HR ht-HT hu-HU hy-AM id-ID is-IS it-IT ja-JP jv-ID ka-GE kab-DZ kk-KZ \
    km-KH kn-IN ko-KR lg-IN lt-LT lv-LV mk-MK ml-IN mr-IN ms-MY my-MM ne-NP nl-NL no-NO or-IN pa-IN pl-PL ps-AF \
    pt-BR pt-PT ro-RO ru-RU si-LK sk-SK sl-SI so-SO sq-AL su-ID sv-SE sw-BI sw-KE sw-RW sw-TZ sw-UG ta-IN te-IN \
    th-TH tl-PH tr-TR uk-UA uz-UZ vi-VN zh-CN zh-HK zh-TW zu-ZA";

/// Headers that the service echoes.
const ECHOED: [&str; 9] = [
    "x-amzn-transcribe-language-code",
    "x-amzn-transcribe-sample-rate",
    "x-amzn-transcribe-media-encoding",
    "x-amzn-transcribe-enable-partial-results-stabilization",
    "x-amzn-transcribe-partial-results-stability",
    "x-amzn-transcribe-vocabulary-name",
    "x-amzn-transcribe-session-resume-window",
    "x-amzn-transcribe-transcript-format",
    "x-amzn-transcribe-show-speaker-label",
];

/// What is spoken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Language {
    /// For example `en-US`.
    Given(String),
    /// To be found out.
    OneOf {
        /// Two at least.
        codes: Vec<String>,
        /// Whether it may change within the stream.
        each: bool,
    },
}

impl Language {
    /// All that it may be.
    pub fn codes(&self) -> Vec<&str> {
        match self {
            Self::Given(code) => vec![code],
            Self::OneOf { codes, .. } => codes.iter().map(String::as_str).collect(),
        }
    }
}

/// A request that is in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is spoken.
    pub language: Language,
    /// Samples per second.
    pub rate: u32,
    /// Whether items carry `Stable`, and how soon.
    pub stability: Option<Stability>,
    /// The session id that the client chose.
    pub session: Option<String>,
}

impl Request {
    /// Reads the headers, or says what is wrong with them as the service would.
    pub fn read(headers: &HeaderMap) -> Result<Self, String> {
        let get = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let yes = |name: &str| get(name) == Some("true");
        let each = yes("x-amzn-transcribe-identify-multiple-languages");
        let identify = each || yes("x-amzn-transcribe-identify-language");
        let language = match get("x-amzn-transcribe-language-code") {
            Some(_) if identify => {
                return Err("LanguageCode and IdentifyLanguage exclude each other: set exactly one".to_owned());
            }
            Some(code) => Language::Given(known(code)?),
            None if identify => Language::OneOf { codes: options(get("x-amzn-transcribe-language-options"))?, each },
            None => return Err("LanguageCode, IdentifyLanguage or IdentifyMultipleLanguages must be set".to_owned()),
        };
        match get("x-amzn-transcribe-media-encoding") {
            Some("pcm") => {}
            Some(encoding @ ("flac" | "ogg-opus")) => {
                return Err(format!("the local recogniser reads pcm only, not {encoding}: send MediaEncoding pcm"));
            }
            other => return Err(format!("MediaEncoding {} is not supported", other.unwrap_or("(absent)"))),
        }
        let rate = get("x-amzn-transcribe-sample-rate").and_then(|rate| rate.parse().ok());
        let Some(rate) = rate.filter(|rate| (8_000..=48_000).contains(rate)) else {
            return Err("MediaSampleRateHertz must be between 8000 and 48000".to_owned());
        };
        if yes("x-amzn-transcribe-enable-channel-identification") {
            return Err("the local recogniser hears one channel: leave EnableChannelIdentification out".to_owned());
        }
        let level = match get("x-amzn-transcribe-partial-results-stability") {
            Some("high") | None => Stability::High,
            Some("medium") => Stability::Medium,
            Some("low") => Stability::Low,
            Some(level) => {
                return Err(format!("PartialResultsStability {level} is not one of low, medium, high"));
            }
        };
        Ok(Self {
            language,
            rate,
            stability: yes("x-amzn-transcribe-enable-partial-results-stabilization").then_some(level),
            session: get("x-amzn-transcribe-session-id").map(str::to_owned),
        })
    }
}

/// A code that the service has.
fn known(code: &str) -> Result<String, String> {
    match LANGUAGES.split_whitespace().any(|known| known == code) {
        true => Ok(code.to_owned()),
        false => Err(format!("{code} is not a supported language code for streaming transcription")),
    }
}

/// The languages to choose from: two at least, and one dialect of each.
fn options(header: Option<&str>) -> Result<Vec<String>, String> {
    let codes: Vec<String> = header
        .unwrap_or_default()
        .split(',')
        .map(str::trim)
        .filter(|code| !code.is_empty())
        .map(known)
        .collect::<Result<_, _>>()?;
    if codes.len() < 2 {
        return Err("LanguageOptions must hold at least two language codes".to_owned());
    }
    let language = |code: &String| code.split('-').next().map(str::to_owned);
    match codes.iter().enumerate().find(|(at, code)| codes[..*at].iter().any(|other| language(other) == language(code)))
    {
        Some((_, code)) => {
            Err(format!("LanguageOptions may hold one dialect of each language, and {code} is a second one"))
        }
        None => Ok(codes),
    }
}

/// What was asked for, by the names of the API without their prefix: `vocabulary-name`, `language-code`.
pub fn asked(headers: &HeaderMap) -> BTreeMap<String, String> {
    let ours = headers.iter().filter_map(|(name, value)| {
        let name = name.as_str().strip_prefix("x-amzn-transcribe-")?;
        Some((name.to_owned(), value.to_str().ok()?.to_owned()))
    });
    ours.collect()
}

/// The headers of the response: what was asked for, and the ids.
pub fn response_headers(asked: &HeaderMap, session: &str, request: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for name in ECHOED {
        if let Some(value) = asked.get(name) {
            headers.insert(HeaderName::from_static(name), value.clone());
        }
    }
    for (name, value) in [("x-amzn-transcribe-session-id", session), ("x-amzn-request-id", request)] {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/vnd.amazon.eventstream"));
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut all = HeaderMap::new();
        let usual = [
            ("x-amzn-transcribe-language-code", "en-US"),
            ("x-amzn-transcribe-media-encoding", "pcm"),
            ("x-amzn-transcribe-sample-rate", "16000"),
        ];
        for (name, value) in usual.iter().chain(pairs) {
            all.insert(*name, HeaderValue::from_static(value));
        }
        all
    }

    #[test]
    fn the_usual_request_is_taken() {
        let request = Request::read(&headers(&[])).unwrap();
        let language = Language::Given("en-US".into());
        assert_eq!(request, Request { language, rate: 16_000, stability: None, session: None });
    }

    #[test]
    fn a_language_code_of_two_letters_is_refused_as_aws_does() {
        assert!(
            Request::read(&headers(&[("x-amzn-transcribe-language-code", "en")])).unwrap_err().contains("en is not")
        );
    }

    #[test]
    fn a_language_and_its_identification_exclude_each_other() {
        assert!(Request::read(&headers(&[("x-amzn-transcribe-identify-language", "true")])).is_err());
    }

    #[test]
    fn a_rate_outside_of_the_range_is_refused() {
        assert!(Request::read(&headers(&[("x-amzn-transcribe-sample-rate", "96000")])).is_err());
    }

    #[test]
    fn a_language_to_be_found_out_needs_two_to_choose_from() {
        let ask = |options: &'static str| {
            let mut headers = headers(&[("x-amzn-transcribe-identify-language", "true")]);
            headers.remove("x-amzn-transcribe-language-code");
            headers.insert("x-amzn-transcribe-language-options", HeaderValue::from_static(options));
            Request::read(&headers).map(|request| request.language)
        };
        let codes = vec!["en-US".to_owned(), "es-US".to_owned()];
        assert_eq!(ask("en-US, es-US"), Ok(Language::OneOf { codes, each: false }));
        assert!(ask("en-US").unwrap_err().contains("two"));
        assert!(ask("en-US,en-GB").unwrap_err().contains("dialect"));
    }
}
