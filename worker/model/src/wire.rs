//! Utterances and answers between the worker and the model's own process, over its standard input and output.
//!
//! An utterance is its number and its length (64 and 32 bits, little endian) and its samples; an answer is a line of JSON. A line without a
//! number says that there is no model, and is the last.

use crate::{Affect, LONGEST_MS, ModelError};
use schemas::voice::{Category, Judgement};
use serde::{Deserialize, Serialize};
use std::io::{self, ErrorKind, Read, Write};

/// Longest utterance, samples.
const MOST: usize = LONGEST_MS as usize * 16;

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The utterance's number; `None`: there is no model.
    pub id: Option<u64>,
    /// What the model says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valence: Option<Judgement>,
    /// The word, and how likely it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<(Category, f64)>,
    /// Why it says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Answer {
    fn of(id: Option<u64>, result: Result<Affect, ModelError>) -> Self {
        let (affect, error) = match result {
            Ok(affect) => (affect, None),
            Err(error) => (Affect::default(), Some(error.to_string())),
        };
        Self { id, valence: affect.valence, category: affect.category, error }
    }

    /// What the model says, or why it does not.
    ///
    /// # Errors
    /// The text of the error that the model's process met.
    pub fn result(self) -> Result<Affect, String> {
        self.error.map_or(Ok(Affect { valence: self.valence, category: self.category }), Err)
    }
}

/// An utterance as it is written; what is beyond [`LONGEST_MS`] is left out at its begin.
#[must_use]
pub fn utterance(id: u64, pcm: &[i16]) -> Vec<u8> {
    let pcm = &pcm[pcm.len().saturating_sub(MOST)..];
    let length = u32::try_from(pcm.len()).unwrap_or(0);
    let mut bytes = Vec::with_capacity(12 + pcm.len() * 2);
    bytes.extend(id.to_le_bytes());
    bytes.extend(length.to_le_bytes());
    pcm.iter().for_each(|sample| bytes.extend(sample.to_le_bytes()));
    bytes
}

/// The next utterance; `None` at the end.
fn read_utterance(input: &mut impl Read) -> io::Result<Option<(u64, Vec<i16>)>> {
    let (mut id, mut length) = ([0; 8], [0; 4]);
    match input.read_exact(&mut id) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    input.read_exact(&mut length)?;
    let length = u32::from_le_bytes(length) as usize;
    if length > MOST {
        return Err(io::Error::new(ErrorKind::InvalidData, "an utterance that is too long"));
    }
    let mut bytes = vec![0; length * 2];
    input.read_exact(&mut bytes)?;
    let pcm = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    Ok(Some((u64::from_le_bytes(id), pcm)))
}

/// Answers utterances until there are no more. A model that cannot be opened is told, and is the end.
///
/// # Errors
/// [`io::Error`] when the other side is gone or writes something else.
pub fn serve<J>(
    mut input: impl Read,
    mut output: impl Write,
    open: impl FnOnce() -> Result<J, ModelError>,
) -> io::Result<()>
where
    J: FnMut(&[i16]) -> Result<Affect, ModelError>,
{
    let mut tell = |answer: &Answer| {
        serde_json::to_writer(&mut output, answer)?;
        output.write_all(b"\n")?;
        output.flush()
    };
    let mut judge = match open() {
        Ok(judge) => judge,
        Err(error) => return tell(&Answer::of(None, Err(error))),
    };
    while let Some((id, pcm)) = read_utterance(&mut input)? {
        tell(&Answer::of(Some(id), judge(&pcm)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served<J>(input: &[u8], open: impl FnOnce() -> Result<J, ModelError>) -> (Vec<Answer>, io::Result<()>)
    where
        J: FnMut(&[i16]) -> Result<Affect, ModelError>,
    {
        let mut output = Vec::new();
        let end = serve(input, &mut output, open);
        let lines = String::from_utf8(output).unwrap();
        (lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect(), end)
    }

    fn count(pcm: &[i16]) -> Result<Affect, ModelError> {
        if pcm.is_empty() {
            return Err(ModelError::Answer("nothing was heard".into()));
        }
        Ok(Affect { valence: None, category: Some((Category::Happy, pcm.len() as f64)) })
    }

    #[test]
    fn every_utterance_gets_its_answer_and_a_failure_is_one() {
        let input = [utterance(7, &[1, -2, 3]), utterance(8, &[]), utterance(9, &[5])].concat();
        let (answers, end) = served(&input, || Ok(count));
        assert!(end.is_ok());
        assert_eq!(answers.iter().map(|a| a.id).collect::<Vec<_>>(), [Some(7), Some(8), Some(9)]);
        let results: Vec<_> = answers.into_iter().map(Answer::result).collect();
        assert_eq!(results[0].as_ref().unwrap().category, Some((Category::Happy, 3.0)));
        assert!(results[1].as_ref().unwrap_err().contains("nothing was heard"));
        assert!(results[2].is_ok());
    }

    #[test]
    fn a_model_that_cannot_be_opened_is_told_and_is_the_end() {
        let none = || Err::<fn(&[i16]) -> Result<Affect, ModelError>, _>(ModelError::NotBuilt);
        let (answers, end) = served(&utterance(1, &[1]), none);
        assert!(end.is_ok() && answers.len() == 1 && answers[0].id.is_none());
        assert!(answers[0].clone().result().unwrap_err().contains("--features model"));
    }

    #[test]
    fn what_is_no_utterance_is_refused_and_takes_no_memory() {
        let endless = [&1_u64.to_le_bytes()[..], &u32::MAX.to_le_bytes()].concat();
        assert!(served(&endless, || Ok(count)).1.is_err());
        assert!(served(&utterance(1, &[1, 2])[..13], || Ok(count)).1.is_err(), "the worker is gone in the middle");
        assert_eq!(utterance(1, &vec![0; MOST + 5]).len(), 12 + 2 * MOST);
    }
}
