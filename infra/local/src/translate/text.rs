//! Text to and from Apertium's stream format, and what must be mended in its output.

/// Characters with a meaning in the stream format.
const RESERVED: &str = "^$/<>{}[]@\\";

/// Writes text as a stream: reserved characters escaped, unusual white space hidden, and an end that is noticed.
pub fn to_stream(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let space = rest.len() - rest.trim_start().len();
        if space > 0 && &rest[..space] != " " {
            out.push('[');
            out.extend(rest[..space].chars().filter(|letter| *letter != '\0'));
            out.push(']');
            rest = &rest[space..];
            continue;
        }
        if RESERVED.contains(letter) {
            out.push('\\');
        }
        if letter != '\0' {
            out.push(letter);
        }
        rest = &rest[letter.len_utf8()..];
    }
    // Without something after it, the last full stop stays in the pipeline.
    out.push_str("[]");
    out
}

/// Reads a stream: escapes and hidden white space resolved, marks of unknown words left out.
pub fn from_stream(stream: &str) -> String {
    let mut out = String::with_capacity(stream.len());
    let mut letters = stream.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => out.extend(letters.next()),
            '[' | ']' => {}
            // `*` unknown, `@` untranslated, `#` could not be inflected: always right before a word.
            '*' | '@' | '#' if letters.peek().is_some_and(|next| next.is_alphabetic()) => {}
            other => out.push(other),
        }
    }
    out
}

/// Mends what Apertium is known for: double spaces, capitals inside of sentences, a small first letter.
pub fn mend(source: &str, translated: &str) -> String {
    let lead = &source[..source.len() - source.trim_start().len()];
    let tail = &source[source.trim_end().len()..];
    let mut out = String::from(lead);
    let names = has_names(source);
    let mut first = true;
    let mut opens_sentence = true;
    for line in translated.trim().split_inclusive('\n') {
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            if !first && !out.ends_with('\n') {
                out.push(' ');
            }
            match opens_sentence {
                true if first && source.trim_start().starts_with(char::is_uppercase) => out.push_str(&capital(word)),
                false if !names && is_capitalised(word) => out.push_str(&word.to_lowercase()),
                true | false => out.push_str(word),
            }
            first = false;
            opens_sentence = ends_sentence(word);
        }
    }
    out.push_str(tail);
    out
}

/// Whether the text has capitals inside of its sentences: then those of the translation may be right.
fn has_names(text: &str) -> bool {
    let mut opens_sentence = true;
    text.split_whitespace().any(|word| {
        let name = !opens_sentence && is_capitalised(word) && word != "I" && !word.starts_with("I'");
        opens_sentence = ends_sentence(word);
        name
    })
}

/// A capital and then small letters only.
fn is_capitalised(word: &str) -> bool {
    let mut letters = word.chars().filter(|letter| letter.is_alphabetic());
    letters.next().is_some_and(char::is_uppercase) && letters.all(char::is_lowercase)
}

fn ends_sentence(word: &str) -> bool {
    word.trim_end_matches(['"', '\'', '”', '»', ')']).ends_with(['.', '!', '?', '…', ':'])
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_through_a_stream_comes_back_whole() {
        for text in ["a/b <b> ^x$ [c] {d} e@f.com \\ 100%", "two\nlines\tand  gaps", "naïve “quotes” — …", ""]
        {
            assert_eq!(from_stream(&to_stream(text)), text);
        }
    }

    #[test]
    fn marks_of_unknown_words_are_left_out_and_other_stars_stay() {
        assert_eq!(from_stream("hola (50 *EUR) @x #y 2 * 3"), "hola (50 EUR) x y 2 * 3");
    }

    #[test]
    fn a_zero_byte_does_not_end_the_text_early() {
        assert_eq!(to_stream("a\0b"), "ab[]");
    }

    #[test]
    fn capitals_after_a_greeting_are_mended() {
        let mended = mend("Good morning everyone.", "Buenos días Todo el mundo.");
        assert_eq!(mended, "Buenos días todo el mundo.");
    }

    #[test]
    fn names_keep_their_capitals() {
        assert_eq!(mend("I said hello to Mary.", " Dije hola a Mary."), "Dije hola a Mary.");
    }

    #[test]
    fn a_second_sentence_keeps_its_capital_and_gaps_close() {
        assert_eq!(mend("They are good. They are new.", "son bien.  Son nuevos."), "Son bien. Son nuevos.");
    }
}
