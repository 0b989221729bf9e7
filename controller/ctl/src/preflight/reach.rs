//! Whether listeners can be posted to, and in which languages.

use super::{Check, Verdict, check, mended};
use crate::aws::Aws;
use crate::error::refused;
use aws_sdk_apigatewaymanagement::operation::get_connection::GetConnectionError;
use aws_sdk_ecs::types::TaskDefinition;
use schemas::session::LANGUAGES;

/// A connection that nobody has.
const NOBODY: &str = "AAAAAAAAAAAAAAA=";

/// The variable of the worker that holds the management endpoint.
pub(super) const ENDPOINT: &str = "WEBSOCKET_ENDPOINT";

/// Asks the WebSocket API that workers post to for a connection that nobody has: "gone" is the answer of one that works.
pub(super) async fn web_socket(aws: &Aws, definition: &TaskDefinition) -> Check {
    let what = "WebSocket API";
    let worker = definition.container_definitions().iter().find(|c| c.name() == Some("worker"));
    let variables = worker.map(|worker| worker.environment()).unwrap_or_default();
    let Some(endpoint) = variables.iter().find(|v| v.name() == Some(ENDPOINT)).and_then(|v| v.value()) else {
        return check(what, Verdict::Missing, format!("workers are given no {ENDPOINT}"));
    };
    let config = aws_sdk_apigatewaymanagement::config::Builder::from(&aws.config).endpoint_url(endpoint).build();
    let asked = aws_sdk_apigatewaymanagement::Client::from_conf(config).get_connection().connection_id(NOBODY);
    let Err(error) = asked.send().await else {
        return check(what, Verdict::Ok, format!("{endpoint} answers"));
    };
    let is_there = |e: &GetConnectionError| e.is_gone_exception() || e.is_forbidden_exception();
    if error.as_service_error().is_some_and(is_there)
        || error.raw_response().is_some_and(|r| r.status().as_u16() == 400)
    {
        return check(what, Verdict::Ok, format!("{endpoint} answers"));
    }
    let said = refused("ask it for a connection", &aws.place, &error).to_string();
    mended(
        check(
            what,
            Verdict::Missing,
            format!("{endpoint} does not answer as one: {said}; check webSocketApiId in infra/config"),
        ),
        "aws apigatewayv2 get-apis --query 'Items[?ProtocolType==`WEBSOCKET`].[Name,ApiId,ApiEndpoint]' --output table"
            .to_owned(),
    )
}

/// Whether Translate knows every language that the product offers.
pub(super) async fn languages(aws: &Aws) -> Check {
    let what = "language pairs";
    let by_hand = "aws translate list-languages --query 'Languages[].LanguageCode'".to_owned();
    let (mut known, mut token) = (Vec::new(), None);
    loop {
        match aws.translate.list_languages().set_next_token(token).send().await {
            Ok(page) => {
                known.extend(page.languages().iter().map(|language| language.language_code().to_owned()));
                token = page.next_token;
            }
            Err(e) => {
                let said = refused("ask Translate for its languages", &aws.place, &e).to_string();
                return mended(check(what, Verdict::Unknown, said), by_hand);
            }
        }
        if token.is_none() {
            break;
        }
    }
    pairs(&known)
}

fn pairs(known: &[String]) -> Check {
    let missing: Vec<&str> = LANGUAGES.into_iter().filter(|code| !known.iter().any(|k| k == code)).collect();
    if missing.is_empty() {
        let said = format!("all {} languages of speakers, each with all others", LANGUAGES.len());
        return check("language pairs", Verdict::Ok, said);
    }
    let said = format!("Translate has no {} here: those listeners get the original, openly marked", missing.join(", "));
    check("language pairs", Verdict::Missing, said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_that_translate_does_not_know_is_named() {
        let all: Vec<String> = LANGUAGES.iter().map(ToString::to_string).collect();
        assert_eq!(pairs(&all).verdict, Verdict::Ok);
        let some: Vec<String> = all.into_iter().filter(|code| code != "fi").collect();
        let found = pairs(&some);
        assert_eq!((found.verdict, found.said.contains("no fi here")), (Verdict::Missing, true), "{found:?}");
    }
}
