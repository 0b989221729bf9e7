//! Durations, ages and widths for people.

use schemas::ids::Timestamp;
use unicode_width::UnicodeWidthStr;

/// `950ms`, `3.2s`, `48s`, `2m10s`, `1h05m`, `3d04h`; never negative.
#[must_use]
pub fn duration(ms: i64) -> String {
    let ms = ms.max(0);
    let seconds = ms / 1000;
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..10_000 => format!("{}.{}s", seconds, ms % 1000 / 100),
        10_000..60_000 => format!("{seconds}s"),
        60_000..3_600_000 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{}h{:02}m", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{}d{:02}h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// Whole seconds and up: `0s`, `3s`, `2m10s`; clocks that differ a little must not show a negative age.
#[must_use]
pub fn age(then: Timestamp, now: Timestamp) -> String {
    let ms = now.since(then).max(0);
    if ms < 60_000 { format!("{}s", ms / 1000) } else { duration(ms) }
}

/// The age of something that may never have happened.
#[must_use]
pub fn age_or_dash(then: Option<Timestamp>, now: Timestamp) -> String {
    then.map_or_else(|| "-".to_owned(), |t| age(t, now))
}

/// `2026-11-22 16:04:23Z` (the proleptic Gregorian calendar, UTC).
#[must_use]
pub fn utc(at: Timestamp) -> String {
    let seconds = at.0.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", rest / 3600, rest % 3600 / 60, rest % 60)
}

/// Bytes as MiB with one decimal.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// Breaks a text at white space into lines of at most `width` columns; a longer word stands alone, cut to the width.
#[must_use]
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = cut(word, width);
        match lines.last_mut() {
            Some(line) if line.width() + 1 + word.width() <= width => {
                line.push(' ');
                line.push_str(&word);
            }
            Some(_) | None => lines.push(word),
        }
    }
    lines
}

/// Wraps every line of a page to `width` columns; what a line is broken into stands below its begin.
#[must_use]
pub fn page(lines: impl IntoIterator<Item = String>, width: usize) -> String {
    let mut fitted = Vec::new();
    for line in lines {
        if line.width() <= width {
            fitted.push(line);
            continue;
        }
        let indent = line.len() - line.trim_start().len();
        let room = width.saturating_sub(indent + 2);
        let broken = wrap(&line, room).into_iter().enumerate();
        fitted
            .extend(broken.map(|(i, text)| format!("{}{text}", " ".repeat(if i == 0 { indent } else { indent + 2 }))));
    }
    fitted.join("\n")
}

/// The text, or as much of its begin as fits into `width` columns with an ellipsis.
#[must_use]
pub fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    take(text.chars(), width.saturating_sub(1)).into_iter().chain(['…']).take(width.max(1)).collect()
}

/// The text, or as much of its end as fits into `width` columns after an ellipsis: of a growing text, the end is news.
#[must_use]
pub fn cut_begin(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let end = take(text.chars().rev(), width.saturating_sub(1));
    ['…'].into_iter().chain(end.into_iter().rev()).collect()
}

fn take(chars: impl Iterator<Item = char>, width: usize) -> Vec<char> {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.to_string().width();
            used <= width
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations_grow_coarser() {
        let shown: Vec<_> = [0, 950, 3_240, 48_900, 130_000, 3_900_000, 273_600_000].map(duration).into();
        assert_eq!(shown, ["0ms", "950ms", "3.2s", "48s", "2m10s", "1h05m", "3d04h"]);
    }

    #[test]
    fn a_clock_that_runs_ahead_shows_no_negative_age() {
        assert_eq!(age(Timestamp(5_000), Timestamp(4_000)), "0s");
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(utc(Timestamp(0)), "1970-01-01 00:00:00Z");
        assert_eq!(utc(Timestamp(1_709_210_096_789)), "2024-02-29 12:34:56Z");
    }

    #[test]
    fn the_end_of_a_growing_text_is_what_is_shown() {
        assert_eq!(cut_begin("one two three", 6), "…three");
        assert_eq!(cut("one two three", 6), "one t…");
    }

    #[test]
    fn a_broken_line_stands_below_its_begin() {
        let lines = ["one".to_owned(), "  two three four".to_owned()];
        assert_eq!(page(lines, 11), "one\n  two\n    three\n    four");
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_asked(text in ".{0,200}", width in 2usize..100) {
            for line in wrap(&text, width) {
                prop_assert!(line.width() <= width, "{line:?}");
            }
            prop_assert!(cut(&text, width).width() <= width);
            prop_assert!(cut_begin(&text, width).width() <= width);
        }

        #[test]
        fn wrapping_loses_no_short_word(words in proptest::collection::vec("[a-zà-ü]{1,9}", 0..40)) {
            let wrapped = wrap(&words.join(" "), 20);
            let again: Vec<String> = wrapped.join(" ").split_whitespace().map(str::to_owned).collect();
            prop_assert_eq!(again, words);
        }
    }
}
