//! Texts that somebody else wrote, made fit to be copied into our rows, log lines and events: bounded.
//!
//! A row of theirs may hold 400 KB in one field. What we write of it must stay small, or our own row is too large to be written at all, and
//! whatever waits behind it waits for ever.

/// The longest foreign text that we copy, characters, with its ellipsis.
pub const LONGEST: usize = 200;

/// What a text that was too long ends with.
const CUT: &str = "… (cut)";

/// The text; one that is longer than [`LONGEST`] is cut at a character, and says so.
#[must_use]
pub fn cut(text: &str) -> String {
    if text.chars().nth(LONGEST).is_none() {
        return text.to_owned();
    }
    text.chars().take(LONGEST - CUT.chars().count()).chain(CUT.chars()).collect()
}

/// The text in quotes, with what cannot be printed escaped; so long as [`cut`] leaves it, its escapes counted.
#[must_use]
pub fn quoted(text: &str) -> String {
    let escaped = |c: char| if c == '\'' { c.to_string() } else { c.escape_debug().to_string() };
    let (mut said, mut length) = (String::from('"'), 0);
    // What follows can matter only where the text is too long anyway.
    for part in text.chars().take(LONGEST + 1).map(escaped) {
        let longer = length + part.chars().count();
        if longer > LONGEST {
            let keep = LONGEST - CUT.chars().count();
            let short: String = said.chars().skip(1).take(keep).collect();
            return format!("\"{}{CUT}\"", without_half_an_escape(&short));
        }
        said.push_str(&part);
        length = longer;
    }
    said.push('"');
    said
}

/// An escape that was cut in its middle is left out.
fn without_half_an_escape(text: &str) -> &str {
    let longest_escape = "\\u{10ffff}".len();
    let from = text.char_indices().rev().nth(longest_escape).map_or(0, |(at, _)| at);
    let whole = |tail: &str| tail.starts_with("\\u{") && !tail.contains('}');
    match text[from..].rfind('\\').map(|at| from + at) {
        Some(at) if whole(&text[at..]) || text[at..].len() < 2 || text[at..] == *"\\u" => &text[..at],
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_text_of_usual_length_stays_as_it_is_and_a_long_one_says_that_it_was_cut() {
        assert_eq!((cut("klingon"), quoted("it's \"so\"\n")), ("klingon".into(), "\"it's \\\"so\\\"\\n\"".into()));
        let long = "ß".repeat(400_000);
        assert!(cut(&long).ends_with("ß… (cut)") && quoted(&long).ends_with("ß… (cut)\""));
        assert_eq!(cut(&long).chars().count(), LONGEST);
        assert_eq!(cut(&cut(&long)), cut(&long));
    }

    proptest! {
        #[test]
        fn whatever_a_text_holds_it_is_bounded(text in "(?s).{0,400}", times in 1..40_usize) {
            let text = text.repeat(times);
            prop_assert!(cut(&text).chars().count() <= LONGEST);
            let quoted = quoted(&text);
            prop_assert!(quoted.chars().count() <= LONGEST + 2, "{}", quoted);
            prop_assert!(quoted.starts_with('"') && quoted.ends_with('"') && !quoted.contains('\n'));
        }
    }
}
