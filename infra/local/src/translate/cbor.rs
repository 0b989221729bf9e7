//! RPC v2 CBOR, which the Rust SDK speaks to Translate since 1.120: the same call as awsJson1.1 in another dress.

use minicbor::data::Type;
use minicbor::decode::Error as Unreadable;
use minicbor::{Decoder, Encoder};
use serde_json::{Map, Value};

/// The path of the operation.
pub const PATH: &str = "/service/AWSShineFrontendService_20170701/operation/TranslateText";
/// Deepest nesting that is read.
const DEEPEST: u8 = 8;

/// Reads one value; only what a TranslateText request may hold.
///
/// # Errors
/// When it is not CBOR, or holds something else.
pub fn read(bytes: &[u8]) -> Result<Value, Unreadable> {
    value(&mut Decoder::new(bytes), DEEPEST)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "every other type of CBOR is refused alike")]
fn value(decoder: &mut Decoder<'_>, depth: u8) -> Result<Value, Unreadable> {
    let Some(deeper) = depth.checked_sub(1) else { return Err(Unreadable::message("nested too deep")) };
    Ok(match decoder.datatype()? {
        Type::Null | Type::Undefined => {
            decoder.skip()?;
            Value::Null
        }
        Type::Bool => Value::Bool(decoder.bool()?),
        Type::String | Type::StringIndef => Value::String(text(decoder)?),
        Type::Map | Type::MapIndef => Value::Object(map(decoder, deeper)?),
        Type::Array | Type::ArrayIndef => Value::Array(array(decoder, deeper)?),
        other => return Err(Unreadable::message(format!("{other} stands where TranslateText has none"))),
    })
}

fn text(decoder: &mut Decoder<'_>) -> Result<String, Unreadable> {
    decoder.str_iter()?.collect()
}

fn map(decoder: &mut Decoder<'_>, depth: u8) -> Result<Map<String, Value>, Unreadable> {
    let mut left = decoder.map()?;
    let mut map = Map::new();
    while more(decoder, &mut left)? {
        map.insert(text(decoder)?, value(decoder, depth)?);
    }
    Ok(map)
}

fn array(decoder: &mut Decoder<'_>, depth: u8) -> Result<Vec<Value>, Unreadable> {
    let mut left = decoder.array()?;
    let mut array = Vec::new();
    while more(decoder, &mut left)? {
        array.push(value(decoder, depth)?);
    }
    Ok(array)
}

/// Whether another element follows; `left` is `None` when the end is marked instead of counted.
fn more(decoder: &mut Decoder<'_>, left: &mut Option<u64>) -> Result<bool, Unreadable> {
    match left {
        Some(0) => Ok(false),
        Some(n) => {
            *n -= 1;
            Ok(true)
        }
        None if decoder.datatype()? == Type::Break => decoder.skip().map(|()| false),
        None => Ok(true),
    }
}

/// Writes an answer.
#[must_use]
pub fn write(answer: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    // A vector takes everything.
    let _ = put(&mut Encoder::new(&mut bytes), answer);
    bytes
}

type Put = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

fn put(encoder: &mut Encoder<&mut Vec<u8>>, value: &Value) -> Put {
    match value {
        Value::Null => encoder.null()?,
        Value::Bool(b) => encoder.bool(*b)?,
        Value::Number(n) => match n.as_i64() {
            Some(n) => encoder.i64(n)?,
            None => encoder.f64(n.as_f64().unwrap_or_default())?,
        },
        Value::String(text) => encoder.str(text)?,
        Value::Array(values) => {
            encoder.array(values.len() as u64)?;
            return values.iter().try_for_each(|value| put(encoder, value));
        }
        Value::Object(map) => {
            encoder.map(map.len() as u64)?;
            return map.iter().try_for_each(|(key, value)| {
                encoder.str(key)?;
                put(encoder, value)
            });
        }
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_written_is_read_again() {
        let ask = json!({ "Text": "¿Qué?", "Settings": { "Formality": null }, "TerminologyNames": ["a"] });
        assert_eq!(read(&write(&ask)).unwrap(), ask);
    }

    #[test]
    fn maps_and_texts_without_a_length_are_read() {
        // {_ "Text": (_ "a", "b")}
        let bytes = [0xbf, 0x64, b'T', b'e', b'x', b't', 0x7f, 0x61, b'a', 0x61, b'b', 0xff, 0xff];
        assert_eq!(read(&bytes).unwrap(), json!({ "Text": "ab" }));
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for bytes in [&b""[..], &[0xff], &[0x1b, 1], &[0x81; 64], &[0x40]] {
            assert!(read(bytes).is_err(), "{bytes:?}");
        }
    }
}
