//! A directory of translation models of the user's own, and which of them brings a text from one language to another.
//!
//! ```text
//! DIR/en-es/   model.bin, config.json, the vocabulary, source.spm, target.spm      OPUS-MT, by ct2-opus-mt-converter or ct2-transformers-converter
//! DIR/en-de/   model/model.bin …, sentencepiece.model                              an unpacked package of Argos Translate
//! DIR/nllb/    model.bin, config.json, the vocabulary, sentencepiece.bpe.model     NLLB-200, by ct2-transformers-converter
//! ```
//!
//! A pair's own model comes first, then NLLB, then two pairs after another (`en-de`, `de-pl`). Codes are those of Amazon Translate; one with a
//! country (`es-MX`) is served by its language where it has no model of its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::flores;
use super::languages::is_known;

/// The folder of the model that knows many languages.
const MANY: &str = "nllb";

/// The directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Models {
    root: PathBuf,
    /// Source and target, as the folder is named.
    pairs: BTreeSet<(String, String)>,
    many: bool,
}

/// One model's part of the way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leg {
    /// Where the model is.
    pub folder: PathBuf,
    /// The tokens of the two languages, for a model that knows many.
    pub tokens: Option<(&'static str, &'static str)>,
}

/// Why the directory is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It can't be read.
    #[error("--translator-model {dir}: {why}")]
    Unread {
        /// Which.
        dir: String,
        /// Why.
        why: String,
    },
    /// There is nothing in it.
    #[error(
        "--translator-model {0}: no translation model is in it; expected are folders such as {0}/en-es and {0}/nllb (infra/local/README.md \
         tells what is in them)"
    )]
    Empty(String),
    /// A model without one of its files.
    #[error(
        "--translator-model: {folder} has no {file}; convert the model again, or copy that file from where the model came"
    )]
    Incomplete {
        /// Which.
        folder: String,
        /// What it lacks.
        file: &'static str,
    },
}

impl Models {
    /// Looks at the directory.
    ///
    /// # Errors
    /// When there is no model in it, or one that lacks a file.
    pub fn read(root: &Path) -> Result<Self, Unusable> {
        let unread =
            |error: std::io::Error| Unusable::Unread { dir: root.display().to_string(), why: error.to_string() };
        // The process that translates has a working directory of its own.
        let root = std::path::absolute(root).map_err(unread)?;
        let entries = std::fs::read_dir(&root).map_err(unread)?;
        let mut found = Self { root: root.clone(), ..Self::default() };
        for entry in entries.flatten() {
            let (folder, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            let pair = pair(&name);
            if name != MANY && pair.is_none() {
                continue;
            }
            if let Some(file) = missing(&|file: &str| folder.join(file).exists()) {
                return Err(Unusable::Incomplete { folder: folder.display().to_string(), file });
            }
            found.many |= name == MANY;
            found.pairs.extend(pair);
        }
        let empty = found.pairs.is_empty() && !found.many;
        if empty { Err(Unusable::Empty(root.display().to_string())) } else { Ok(found) }
    }

    /// The models that bring a text from one language to another, in their order; `None` if there are none.
    pub fn way(&self, source: &str, target: &str) -> Option<Vec<Leg>> {
        self.pair(source, target).map(|leg| vec![leg]).or_else(|| self.many(source, target)).or_else(|| {
            let between = self.pairs.iter().map(|(_, to)| to.as_str());
            between.filter_map(|middle| Some(vec![self.pair(source, middle)?, self.pair(middle, target)?])).next()
        })
    }

    fn pair(&self, source: &str, target: &str) -> Option<Leg> {
        let written = [source, language(source)];
        let found = written
            .iter()
            .flat_map(|from| [(*from, target), (*from, language(target))])
            .find(|(from, to)| from != to && self.pairs.contains(&((*from).to_owned(), (*to).to_owned())));
        found.map(|(from, to)| Leg { folder: self.root.join(format!("{from}-{to}")), tokens: None })
    }

    fn many(&self, source: &str, target: &str) -> Option<Vec<Leg>> {
        let tokens = self.many.then(|| flores::token(source).zip(flores::token(target))).flatten()?;
        (tokens.0 != tokens.1).then(|| vec![Leg { folder: self.root.join(MANY), tokens: Some(tokens) }])
    }

    /// The names of the folders, for logs.
    pub fn names(&self) -> Vec<String> {
        let pairs = self.pairs.iter().map(|(from, to)| format!("{from}-{to}"));
        pairs.chain(self.many.then(|| MANY.to_owned())).collect()
    }
}

/// `en-es`, `en-zh-TW`: the two codes.
fn pair(name: &str) -> Option<(String, String)> {
    let cuts = name.match_indices('-').map(|(at, _)| (&name[..at], &name[at + 1..]));
    let mut known = cuts.filter(|(from, to)| is_known(from) && is_known(to) && from != to);
    known.next().map(|(from, to)| (from.to_owned(), to.to_owned()))
}

/// A code without its country, save where that says how it is written.
fn language(code: &str) -> &str {
    if code == "zh-TW" { code } else { code.split('-').next().unwrap_or(code) }
}

/// What a model needs and has not; `there` tells whether a file is in its folder.
fn missing(there: &dyn Fn(&str) -> bool) -> Option<&'static str> {
    if !there("model.bin") && !there("model/model.bin") {
        return Some("model.bin");
    }
    let shared = there("sentencepiece.bpe.model") || there("sentencepiece.model");
    match (shared, there("source.spm"), there("target.spm")) {
        (true, _, _) | (false, true, true) => None,
        (false, false, false) => {
            Some("SentencePiece model (source.spm and target.spm, sentencepiece.bpe.model or sentencepiece.model)")
        }
        (false, true, false) => Some("target.spm"),
        (false, false, true) => Some("source.spm"),
    }
}

/// Cuts a text into sentences: models of sentences say little of what follows the first.
pub fn sentences(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some(end) = sentence_end(rest) {
        found.push(&rest[..end]);
        rest = rest[end..].trim_start();
    }
    found.extend(Some(rest).filter(|rest| !rest.is_empty()));
    found
}

/// Where the first of several sentences ends: behind a mark that a space follows, or one of a language without spaces.
fn sentence_end(text: &str) -> Option<usize> {
    let ends = |(at, letter): (usize, char)| {
        let end = at + letter.len_utf8();
        let spaced =
            matches!(letter, '.' | '?' | '!' | '…' | '؟' | '।') && text[end..].starts_with(char::is_whitespace);
        let close = matches!(letter, '。' | '？' | '！');
        (end < text.len() && (spaced || close)).then_some(end)
    };
    text.char_indices().find_map(ends)
}

/// Puts the sentences of a translation together, as its language is written.
pub fn join(sentences: &[String], target: &str) -> String {
    let space = if matches!(language(target), "ja" | "zh" | "zh-TW") { "" } else { " " };
    sentences.join(space)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn models(names: &[&str]) -> Models {
        let pairs = names.iter().filter_map(|name| pair(name)).collect();
        Models { root: PathBuf::from("/m"), pairs, many: names.contains(&MANY) }
    }

    fn way(models: &Models, source: &str, target: &str) -> Option<String> {
        let name = |leg: &Leg| leg.folder.file_name().unwrap().to_string_lossy().into_owned();
        Some(models.way(source, target)?.iter().map(name).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_pairs_own_model_comes_before_the_one_of_many_languages_and_that_before_two_pairs() {
        let all = models(&["en-es", "en-de", "de-pl", "nllb"]);
        assert_eq!(way(&all, "en", "es").unwrap(), "en-es");
        assert_eq!(way(&all, "en", "pl").unwrap(), "nllb");
        assert_eq!(way(&models(&["en-es", "en-de", "de-pl"]), "en", "pl").unwrap(), "en-de de-pl");
        assert_eq!(all.way("en", "ja").unwrap()[0].tokens, Some(("eng_Latn", "jpn_Jpan")));
        assert_eq!(way(&models(&["en-es"]), "en", "de"), None);
        assert_eq!(way(&models(&["en-es"]), "es", "en"), None, "a pair has one direction");
    }

    #[test]
    fn a_code_with_a_country_takes_its_own_model_or_that_of_its_language() {
        assert_eq!(way(&models(&["en-pt"]), "en", "pt-PT").unwrap(), "en-pt");
        assert_eq!(way(&models(&["en-pt", "en-pt-PT"]), "en", "pt-PT").unwrap(), "en-pt-PT");
        assert_eq!(way(&models(&["en-zh"]), "en", "zh-TW"), None, "written otherwise");
        assert_eq!(way(&models(&["en-zh-TW"]), "en", "zh-TW").unwrap(), "en-zh-TW");
    }

    #[test]
    fn a_folder_that_is_no_pair_is_left_alone() {
        for name in ["cache", "en", "en-xx", "en-en", "opus-mt", "-", ""] {
            assert_eq!(pair(name), None, "{name}");
        }
    }

    #[test]
    fn a_model_that_lacks_a_file_is_named_with_it() {
        let lacks = |files: &[&str]| missing(&|file| files.contains(&file));
        assert_eq!(lacks(&["model.bin", "source.spm", "target.spm"]), None);
        assert_eq!(lacks(&["model.bin", "sentencepiece.bpe.model"]), None);
        assert_eq!(lacks(&["model/model.bin", "sentencepiece.model"]), None);
        assert_eq!(lacks(&["source.spm", "target.spm"]), Some("model.bin"));
        assert_eq!(lacks(&["model.bin", "source.spm"]), Some("target.spm"));
        assert!(lacks(&["model.bin"]).unwrap().contains("source.spm"));
    }

    #[test]
    fn a_directory_without_models_says_what_was_expected() {
        let said = Models::read(Path::new("/nowhere/at/all")).unwrap_err().to_string();
        assert!(said.starts_with("--translator-model /nowhere/at/all: "), "{said}");
        let empty = std::env::temp_dir().join(format!("no-models-{}", std::process::id()));
        std::fs::create_dir_all(empty.join("notes")).unwrap();
        let said = Models::read(&empty).unwrap_err().to_string();
        assert!(said.contains("/en-es") && said.contains("README"), "{said}");
        std::fs::create_dir_all(empty.join("en-es")).unwrap();
        let said = Models::read(&empty).unwrap_err().to_string();
        assert!(said.contains("en-es has no model.bin"), "{said}");
        std::fs::remove_dir_all(&empty).unwrap();
    }

    #[test]
    fn sentences_are_cut_behind_their_marks_and_numbers_are_not() {
        assert_eq!(sentences("Good day. Who are you? 3.5 of us!"), ["Good day.", "Who are you?", "3.5 of us!"]);
        assert_eq!(sentences("我来了。你呢？好"), ["我来了。", "你呢？", "好"]);
        assert_eq!(sentences(" Amen "), ["Amen"]);
        assert!(sentences("  ").is_empty());
        assert_eq!(join(&["a.".into(), "b.".into()], "es"), "a. b.");
        assert_eq!(join(&["我。".into(), "你。".into()], "zh-TW"), "我。你。");
    }

    proptest! {
        #[test]
        fn no_letter_is_lost_between_sentences(text in "[a-z.?。 ]{0,40}") {
            let letters = |text: &str| text.chars().filter(|letter| !letter.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&sentences(&text).concat()), letters(&text));
        }
    }
}
