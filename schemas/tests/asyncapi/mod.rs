//! The contract of a listener's WebSocket as one AsyncAPI 3 document: both directions, with the golden samples as examples, and
//! beside it what the speaker's WebSocket gets.

use schemars::JsonSchema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemas::message::Message;
use schemas::speaker::ToSpeaker;
use schemas::websocket::{FromListener, FromService};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Where messages go, seen from an application.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    In,
    Out,
    ToSpeaker,
}

struct Described {
    name: String,
    way: Way,
    summary: String,
    payload: Value,
    examples: Vec<Value>,
}

/// The document.
pub fn document(goldens: &BTreeMap<String, Value>) -> Value {
    // AsyncAPI's own schemas are a superset of draft 07, and live in one place.
    let mut settings = SchemaSettings::draft07().for_serialize();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut described = variants::<Message>(&mut generator, "type", Way::In, "", goldens);
    described.push(Described {
        name: "ServiceMessage".into(),
        way: Way::In,
        summary: "A message of the session service itself.".into(),
        payload: schema::<FromService>(&mut generator),
        examples: samples(goldens, |name, _| name.starts_with("service.")),
    });
    described.extend(variants::<FromListener>(&mut generator, "action", Way::Out, "listener.", goldens));
    described.extend(variants::<ToSpeaker>(&mut generator, "type", Way::ToSpeaker, "speaker.", goldens));
    let schemas = Map::from_iter(generator.take_definitions(true));
    assemble(&described, schemas)
}

/// One described message per variant of a tagged enum.
fn variants<T: JsonSchema>(
    generator: &mut SchemaGenerator,
    tag: &str,
    way: Way,
    prefix: &str,
    goldens: &BTreeMap<String, Value>,
) -> Vec<Described> {
    let root = T::json_schema(generator).to_value();
    let described = |variant: &Value| {
        let kind = variant["properties"][tag]["const"].as_str().unwrap();
        let mut payload = variant.clone();
        let summary = payload.as_object_mut().unwrap().remove("description").unwrap_or_default();
        Described {
            name: format!("{}{}Message", kind[..1].to_uppercase(), &kind[1..]),
            way,
            summary: summary.as_str().unwrap_or_default().to_owned(),
            payload: draft07(payload),
            examples: samples(goldens, |name, sample| {
                sample[tag] == kind && (prefix.is_empty() || name.starts_with(prefix))
            }),
        }
    };
    root["oneOf"].as_array().unwrap().iter().map(described).collect()
}

fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Value {
    draft07(T::json_schema(generator).to_value())
}

/// In draft 07 nothing may stand beside a `$ref`.
fn draft07(schema: Value) -> Value {
    let mut schema = schemars::Schema::try_from(schema).unwrap();
    let mut settings = SchemaSettings::draft07();
    settings.transforms.iter_mut().for_each(|transform| transform.transform(&mut schema));
    schema.to_value()
}

fn samples(goldens: &BTreeMap<String, Value>, of: impl Fn(&str, &Value) -> bool) -> Vec<Value> {
    let of = goldens.iter().filter(|(name, sample)| of(name, sample));
    of.map(|(name, sample)| json!({"name": name.trim_end_matches(".json"), "payload": sample})).collect()
}

fn assemble(described: &[Described], mut schemas: Map<String, Value>) -> Value {
    let mut messages = Map::new();
    for message in described {
        schemas.insert(message.name.clone(), message.payload.clone());
        messages.insert(
            message.name.clone(),
            json!({
                "name": message.name,
                "summary": message.summary,
                "contentType": "application/json",
                "payload": {"$ref": format!("#/components/schemas/{}", message.name)},
                "examples": message.examples,
            }),
        );
    }
    let names = |way| described.iter().filter(move |message| message.way == way).map(|message| &message.name);
    let in_channel = |name: &String| json!({"$ref": format!("#/channels/listener/messages/{name}")});
    let of_channel = |speakers: bool| -> Map<String, Value> {
        let of = described.iter().filter(|message| (message.way == Way::ToSpeaker) == speakers);
        of.map(|message| (message.name.clone(), json!({"$ref": format!("#/components/messages/{}", message.name)})))
            .collect()
    };
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Live captions on a listener's WebSocket",
            "version": "1.0.0",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0 OR MIT"},
        },
        "defaultContentType": "application/json",
        "servers": {"sessionService": {
            "host": "{apiId}.execute-api.{region}.amazonaws.com",
            "pathname": "/{stage}",
            "protocol": "wss",
            "description": "The session service's WebSocket API (API Gateway).",
            "variables": {
                "apiId": {"description": "Id of the WebSocket API."},
                "region": {"description": "AWS region.", "default": "us-east-1"},
                "stage": {"description": "Stage of the API.", "default": "prod"},
            },
        }},
        "channels": {"listener": {
            "address": "/",
            "description": "One connection of one listener.",
            "servers": [{"$ref": "#/servers/sessionService"}],
            "messages": of_channel(false),
            "bindings": {"ws": {"query": {
                "type": "object",
                "description": "As the listener app connects today; joinSession counts.",
                "properties": {
                    "sessionId": {"type": "string"},
                    "targetLanguage": {"type": "string"},
                    "captionMode": {"type": "string"},
                },
            }}},
        }, "speaker": {
            "address": "/",
            "description": "The speaker's connection, where the session service tells which it is: best effort.",
            "servers": [{"$ref": "#/servers/sessionService"}],
            "messages": of_channel(true),
        }},
        "operations": {
            "read": {
                "action": "receive",
                "summary": "What a listener's application gets.",
                "channel": {"$ref": "#/channels/listener"},
                "messages": names(Way::In).map(in_channel).collect::<Vec<_>>(),
            },
            "tell": {
                "action": "send",
                "summary": "What a listener's application says.",
                "channel": {"$ref": "#/channels/listener"},
                "messages": names(Way::Out).map(in_channel).collect::<Vec<_>>(),
            },
            "warn": {
                "action": "receive",
                "summary": "What the speaker's application gets.",
                "channel": {"$ref": "#/channels/speaker"},
                "messages": names(Way::ToSpeaker)
                    .map(|name| json!({"$ref": format!("#/channels/speaker/messages/{name}")}))
                    .collect::<Vec<_>>(),
            },
        },
        "components": {"messages": messages, "schemas": schemas},
    })
}

const DESCRIPTION: &str = "\
Seen from a listener's application: it sends `joinSession` and `heartbeat`, and gets captions in its language.

- Key captions on `segmentId`: partials replace each other, one final replaces them all. Never key on the text.
- The first `stableChars` UTF-16 code units of a caption never change: `text.slice(0, stableChars)`. `stableWords` tells the same in words between spaces, for languages that have them.
- Finals of a language carry `cursor` 1, 2, 3 … without a gap within a `generation`. Of one that comes again the higher `revision` counts.
- The newest `generation` wins: drop every message, of whatever type, of an older one than you have seen, over all connections. One without the field is taken as it comes.
- Show `degraded` captions as what they are: the original, because translation failed or is late. When it comes within ten seconds after \
all, the final is sent once more, `revised`, with the same `segmentId` and `cursor`: put it in the place of the first. Whoever drops a cursor that comes again keeps the original.
- `captionMode` in `joinSession` chooses: `stable` shows nothing that is ever taken back, `fast` whatever is known, the soonest.
- After a reconnect join again: the last whole sentences come at once, marked `catchUp`. Within a `generation`, the gap between the cursor of the last final before and the first after it is what was missed.
- Ignore messages and fields that you do not know: both may be added, none is removed or renamed.";

/// Types that both directions are made of, for the tests.
pub fn kinds(document: &Value) -> Vec<String> {
    document["components"]["messages"].as_object().unwrap().keys().cloned().collect()
}
