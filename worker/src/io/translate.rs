//! TranslateText, one text and one pair per call.

use super::aws::explain_call;
use crate::config::settings::{Formality, Switch, Variants};
use crate::languages;
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_translate::Client;
use aws_sdk_translate::error::ProvideErrorMetadata;
use aws_sdk_translate::types::{Brevity, Profanity, TranslationSettings};
use schemas::condition::{Condition, Told};
use schemas::ids::Language;
use std::time::Duration;
use worker_core::config::CarriedOptions;
use worker_core::input::TranslateFailure;

/// Longest time of one call, a retry included; a caption that is older than this is no live caption.
const PATIENCE: Duration = Duration::from_secs(5);

/// What is asked of Translate beside the pair.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Variants that are spoken.
    pub variants: Variants,
    /// A custom terminology.
    pub terminology: Option<String>,
    /// How listeners are addressed.
    pub formality: Formality,
    /// Whether profane words are masked.
    pub profanity: Switch,
    /// Whether shorter translations are wanted.
    pub brevity: Switch,
}

impl Options {
    /// Translate's code of what is spoken: a region that it tells apart keeps its own. `None` when it does not know it.
    fn source_code<'a>(&self, from: &'a Language) -> Option<&'a str> {
        self.variants.spoken(from).map_or(Some(languages::translate(from)), languages::translate_of_spoken)
    }

    /// Translate ignores what a pair does not know; without any option no settings are sent.
    fn settings(&self) -> Option<TranslationSettings> {
        let formality = match self.formality {
            Formality::Unset => None,
            Formality::Formal => Some(aws_sdk_translate::types::Formality::Formal),
            Formality::Informal => Some(aws_sdk_translate::types::Formality::Informal),
        };
        let (profanity, brevity) = (self.profanity == Switch::On, self.brevity == Switch::On);
        (formality.is_some() || profanity || brevity).then(|| {
            TranslationSettings::builder()
                .set_formality(formality)
                .set_profanity(profanity.then_some(Profanity::Mask))
                .set_brevity(brevity.then_some(Brevity::On))
                .build()
        })
    }
}

/// Translates.
#[derive(Debug, Clone)]
pub struct Translator(Client, Options);

impl Translator {
    /// One immediate retry is the SDK's (a broken connection); everything else is the engine's decision.
    #[must_use]
    pub fn new(sdk: &SdkConfig, options: Options) -> Self {
        let config = aws_sdk_translate::config::Builder::from(sdk)
            .retry_config(RetryConfig::standard().with_max_attempts(2))
            .timeout_config(TimeoutConfig::builder().operation_timeout(PATIENCE).build())
            .build();
        Self(Client::from_conf(config), options)
    }

    /// Translates a text.
    ///
    /// # Errors
    /// [`TranslateFailure`], by what helps.
    pub async fn translate(
        &self,
        text: String,
        from: &Language,
        to: &Language,
        carried: CarriedOptions,
    ) -> Result<String, TranslateFailure> {
        let Self(_, options) = self;
        let source = options.source_code(from).ok_or(TranslateFailure::UnsupportedPair)?;
        let terminology = options.terminology.clone().filter(|_| carried == CarriedOptions::All);
        let answer = self
            .0
            .translate_text()
            .text(text)
            .source_language_code(source)
            .target_language_code(languages::translate(to))
            .set_terminology_names(terminology.map(|name| vec![name]))
            .set_settings(options.settings())
            .send()
            .await;
        match answer {
            Ok(answer) => Ok(answer.translated_text),
            Err(error) => {
                let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
                Err(classify(code.as_deref(), explain_call(&error)))
            }
        }
    }
}

/// What a failure means, by the service's code; without one the service was not reached.
fn classify(code: Option<&str>, detail: String) -> TranslateFailure {
    match code {
        Some("UnsupportedLanguagePairException") => return TranslateFailure::UnsupportedPair,
        // A request names one resource only.
        Some("ResourceNotFoundException") => return TranslateFailure::UnknownTerminology,
        Some(_) | None => {}
    }
    match Told::new(code.unwrap_or_default(), "").condition() {
        Condition::Throttled | Condition::NoRoom => TranslateFailure::Throttled,
        Condition::Denied | Condition::Missing | Condition::Refused => TranslateFailure::Refused(detail),
        Condition::Unavailable | Condition::Unknown => TranslateFailure::Unavailable(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_an_option_no_settings_are_sent() {
        assert_eq!(Options::default().settings(), None);
        let options = Options { formality: Formality::Formal, brevity: Switch::On, ..Options::default() };
        let settings = options.settings().unwrap();
        assert_eq!(settings.formality(), Some(&aws_sdk_translate::types::Formality::Formal));
        assert_eq!((settings.brevity(), settings.profanity()), (Some(&Brevity::On), None));
    }

    #[test]
    fn a_region_that_translate_tells_apart_is_kept() {
        let options = Options { variants: "pt=pt-PT,en=en-GB".parse().unwrap(), ..Options::default() };
        let code = |language| options.source_code(&Language::try_new(language).unwrap()).map(str::to_owned);
        assert_eq!([code("pt"), code("en"), code("nb")].map(Option::unwrap), ["pt-PT", "en", "no"]);
    }

    #[test]
    fn a_failure_is_known_by_what_helps() {
        let refused = || TranslateFailure::Refused("d".into());
        let unavailable = || TranslateFailure::Unavailable("d".into());
        let table = [
            (Some("TooManyRequestsException"), TranslateFailure::Throttled),
            (Some("ThrottlingException"), TranslateFailure::Throttled),
            (Some("UnsupportedLanguagePairException"), TranslateFailure::UnsupportedPair),
            (Some("ResourceNotFoundException"), TranslateFailure::UnknownTerminology),
            (Some("TextSizeLimitExceededException"), refused()),
            (Some("AccessDeniedException"), refused()),
            (Some("InternalServerException"), unavailable()),
            (Some("ServiceUnavailableException"), unavailable()),
            (Some("NewIn2030Exception"), unavailable()),
            (None, unavailable()),
        ];
        for (code, expected) in table {
            assert_eq!(classify(code, "d".into()), expected, "{code:?}");
        }
    }
}
