//! In place of what looks at the account's roles and quotas, in a build without the feature `account`, such as the demo's: it says so.

use super::{Check, Verdict, check, mended};

/// Why nothing was looked at.
pub(super) const WHY: &str = "this sessionctl was built without the checks of the account, as the demo's is";

/// In place of the roles' checks: how to have them.
pub(super) fn roles() -> Check {
    let build = "cargo build --locked --release --package sessionctl    # then target/release/sessionctl preflight";
    mended(check("roles", Verdict::Unknown, format!("not looked at: {WHY}")), build.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_built_is_unknown_and_says_how_to_build_it() {
        let said = crate::preflight::page(&[roles()], 120);
        assert!(said.starts_with("?        roles") && said.contains("built without"), "{said}");
        assert!(said.contains("\n         $ cargo build --locked --release --package sessionctl"), "{said}");
    }
}
