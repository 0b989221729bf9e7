//! How a test says that it proves nothing on this machine, so that nobody takes it for one that passed.
//!
//! It calls [`skipped`] and returns. `scripts/test` names a file in [`LIST`], shows its lines in the summary, counts them, and fails
//! because of them where `REQUIRE=all` is set. Whoever runs a single test sees the line among its output.

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;

/// The variable that names the file in which what was skipped is collected.
pub const LIST: &str = "SKIPPED_LIST";

/// Says what is not proved, and why, with the remedy where there is one.
///
/// # Panics
/// When the list that is asked for cannot be written: a skipped test that nobody hears of would count as passed.
pub fn skipped(what: &str, why: &str) {
    tell(what, why, std::env::var_os(LIST).as_deref());
}

#[allow(clippy::print_stderr, reason = "whoever reads the output must see what is skipped")]
#[allow(clippy::expect_used, reason = "see `skipped`: tests call this")]
fn tell(what: &str, why: &str, list: Option<&OsStr>) {
    // One line each, whatever a system said in several.
    let line = format!("SKIPPED: {what}, because {why}").split_whitespace().collect::<Vec<_>>().join(" ");
    eprintln!("{line}");
    if let Some(list) = list {
        // Tests run side by side: one write per line, at the end.
        let file = OpenOptions::new().create(true).append(true).open(list);
        file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()))
            .expect("SKIPPED_LIST must be writable");
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_is_skipped_is_one_line_each_after_what_was_skipped_before() {
        let list = std::env::temp_dir().join(format!("skipped-{}.txt", std::process::id()));
        tell("a wire", "a namespace\nneeds root", Some(list.as_os_str()));
        tell("a model", "it is not there", Some(list.as_os_str()));
        let found = std::fs::read_to_string(&list).unwrap();
        std::fs::remove_file(&list).unwrap();
        assert_eq!(
            found,
            "SKIPPED: a wire, because a namespace needs root\nSKIPPED: a model, because it is not there\n"
        );
    }
}
