//! The environment, parsed once; an invalid configuration does not exist as a value.

use schemas::ids::{Generation, SessionId};
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use worker_core::config::{EmotionMode, PartialPolicy};

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
    /// `EMOTION`: whether facts of the voice are posted.
    pub emotion: EmotionMode,
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
            log_level: variables.optional("LOG_LEVEL", str::parse)?.unwrap_or_else(|| "info".into()),
            metadata_uri: variables.optional("ECS_CONTAINER_METADATA_URI_V4", str::parse)?,
        })
    }
}

fn ports(text: &str) -> Result<RangeInclusive<u16>, &'static str> {
    const FORM: &str = "give FIRST-LAST, for example 50000-50031";
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |t: &str| t.trim().parse::<u16>().ok().filter(|&p| p > 0).ok_or(FORM);
    let (first, last) = (port(first)?, port(last)?);
    if first <= last { Ok(first..=last) } else { Err(FORM) }
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
        assert_eq!((config.partials, config.emotion), (PartialPolicy::Live, EmotionMode::Acoustic));
        assert!(config.websocket_endpoint.ends_with("/prod"), "the SDK adds the slash itself");
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
            (("PARTIALS", "some"), "use one of finals, clauses, live"),
            (("EMOTION", "loud"), "use one of off, acoustic"),
        ];
        for (change, expected) in table {
            let error = with(&[change]).unwrap_err().to_string();
            assert!(error.contains(expected), "{change:?} gives {error}");
        }
    }
}
