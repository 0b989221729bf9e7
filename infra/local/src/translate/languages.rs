//! Language codes, and how to get from one to another with the engines that are installed.

use std::collections::{BTreeSet, VecDeque};

/// Translate's codes (its developer guide, 2026).
pub const CODES: &str = "af sq am ar hy az bn bs bg ca zh zh-TW hr cs da fa-AF nl en et fa tl fi fr fr-CA ka de el gu ht ha \
    he hi hu is id ga it ja kn kk ko lv lt mk ms ml mt mr mn no ps pl pt pt-PT pa ro ru sr si sk sl so es es-MX sw sv \
    ta te th tr uk ur uz vi cy";

/// Translate's codes with the names that Apertium's modes have for them.
const NAMES: [(&str, &[&str]); 19] = [
    ("en", &["eng", "en"]),
    ("es", &["spa", "es"]),
    ("es-MX", &["spa", "es"]),
    ("ca", &["cat", "ca"]),
    ("fr", &["fra", "fr"]),
    ("fr-CA", &["fra", "fr"]),
    ("it", &["ita", "it"]),
    ("pt", &["por", "pt"]),
    ("pt-PT", &["por", "pt"]),
    ("ro", &["ron", "ro"]),
    ("mk", &["mkd", "mk"]),
    ("sv", &["swe", "sv"]),
    ("da", &["dan", "da"]),
    ("no", &["nob", "nb"]),
    ("is", &["isl", "is"]),
    ("uk", &["ukr", "uk"]),
    ("ru", &["rus", "ru"]),
    ("cy", &["cym", "cy"]),
    ("pl", &["pol", "pl"]),
];
/// More engines in a row leave nothing of the meaning.
const MOST_HOPS: usize = 2;

/// Whether Translate knows the code.
pub fn is_known(code: &str) -> bool {
    CODES.split_whitespace().any(|known| known == code)
}

/// An engine: the two names of its mode file.
pub type Mode = (String, String);

/// A mode's two names, unless it is a variant (`eng-cat_valencia`) or something else.
pub fn mode(file_name: &str) -> Option<Mode> {
    let (from, to) = file_name.strip_suffix(".mode")?.split_once('-')?;
    let plain = |name: &str| matches!(name.len(), 2 | 3) && name.bytes().all(|byte| byte.is_ascii_lowercase());
    (plain(from) && plain(to)).then(|| (from.to_owned(), to.to_owned()))
}

/// The shortest chain of engines from one language to another; `None` if there is none.
pub fn route(modes: &BTreeSet<Mode>, source: &str, target: &str) -> Option<Vec<Mode>> {
    let (from, to) = (names(source)?, names(target)?);
    let mut open: VecDeque<Vec<Mode>> = VecDeque::from([Vec::new()]);
    while let Some(chain) = open.pop_front() {
        let here: Vec<&str> = chain.last().map_or_else(|| from.to_vec(), |(_, reached)| vec![reached.as_str()]);
        if here.iter().any(|name| to.contains(name)) {
            return Some(chain);
        }
        if chain.len() == MOST_HOPS {
            continue;
        }
        for mode in modes.iter().filter(|(start, _)| here.contains(&start.as_str())) {
            open.push_back(chain.iter().chain([mode]).cloned().collect());
        }
    }
    None
}

fn names(code: &str) -> Option<&'static [&'static str]> {
    NAMES.iter().find(|(known, _)| *known == code).map(|(_, names)| *names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn modes() -> BTreeSet<Mode> {
        let files = ["eng-spa.mode", "spa-eng.mode", "eng-cat.mode", "spa-fra.mode", "eng-cat_valencia.mode", "README"];
        files.into_iter().filter_map(mode).collect()
    }

    fn chain(source: &str, target: &str) -> Option<String> {
        let chain = route(&modes(), source, target)?;
        Some(chain.iter().map(|(from, to)| format!("{from}-{to}")).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn an_engine_for_the_pair_is_taken() {
        assert_eq!(chain("en", "ca").unwrap(), "eng-cat");
    }

    #[test]
    fn two_engines_make_a_pair_that_none_has() {
        assert_eq!(chain("en", "fr").unwrap(), "eng-spa spa-fra");
    }

    #[test]
    fn a_language_that_no_engine_has_is_not_pretended() {
        assert_eq!(chain("en", "de"), None);
        assert_eq!(chain("en", "it"), None);
    }

    #[test]
    fn variants_of_a_mode_are_left_alone() {
        assert_eq!(modes().len(), 4);
    }

    #[test]
    fn codes_are_those_of_translate() {
        assert!(is_known("zh-TW") && is_known("es") && !is_known("xx") && !is_known("en-US"));
    }
}
