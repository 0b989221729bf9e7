//! Where the service's own text has spaces: it knows the language, we only see letters.

use crate::input::TranscriptItem;

/// What stands between a word and what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Gap {
    /// The service's text has a space there.
    Space,
    /// The service's text has nothing there.
    Nothing,
    /// There is no text, or the item is not found in it.
    #[default]
    Unknown,
}

/// What stands before each item. Before the first nothing is known: the text does not say what it follows.
pub(crate) fn gaps(transcript: &str, items: &[TranscriptItem]) -> Vec<Gap> {
    let mut rest = Some(transcript);
    let gap = |item: &TranscriptItem| {
        let before = rest?;
        let here = before.trim_start();
        rest = here.strip_prefix(item.content.as_str()).filter(|_| !item.content.is_empty());
        let found = if here.len() < before.len() { Gap::Space } else { Gap::Nothing };
        rest.map(|_| found)
    };
    let mut gaps: Vec<Gap> = items.iter().map(gap).map(Option::unwrap_or_default).collect();
    if let Some(first) = gaps.first_mut() {
        *first = Gap::Unknown;
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::Gap::*;
    use super::*;

    fn of(transcript: &str, items: &[&str]) -> Vec<Gap> {
        let item = |content: &&str| TranscriptItem {
            content: (*content).to_owned(),
            punctuation: false,
            start: 0.0,
            end: 0.0,
            stable: false,
        };
        gaps(transcript, &items.iter().map(item).collect::<Vec<_>>())
    }

    #[test]
    fn each_space_of_the_services_text_is_found_before_its_item() {
        let items = ["我们", "用", "Amazon", "Web", "Services", "。"];
        let expected = [Unknown, Nothing, Nothing, Space, Space, Nothing];
        assert_eq!(of("我们用Amazon Web Services。", &items), expected);
        assert_eq!(of("我们用 Amazon Web Services。", &items)[2], Space);
        assert_eq!(of("Vous venez ?", &["Vous", "venez", "?"]), [Unknown, Space, Space]);
    }

    #[test]
    fn without_a_text_or_behind_an_item_that_is_not_in_it_nothing_is_known() {
        assert_eq!(of("", &["let", "us"]), [Unknown, Unknown]);
        assert_eq!(of("let *** pray", &["let", "us", "pray"]), [Unknown, Unknown, Unknown]);
        assert_eq!(of("let us pray", &["let", "", "us"]), [Unknown, Unknown, Unknown]);
        assert!(of("let us", &[]).is_empty());
    }
}
