//! How rows are read by the hundred: how many at once, and what follows when DynamoDB leaves some unread.
//!
//! BatchGetItem answers with what it could read and names the rest (`UnprocessedKeys`) when a partition is throttled or an answer would exceed
//! 16 MB. Asked again at once it would throttle again (DynamoDB API reference, BatchGetItem), so each try waits longer, and not all wait alike.

/// Keys of one BatchGetItem at most (DynamoDB API reference).
pub const MOST_KEYS: usize = 100;
/// Tries before the rest is given up.
const TRIES: u32 = 6;
/// The longest first pause, ms; it doubles with each try.
const FIRST_MS: u64 = 100;

/// How long to wait before the keys that are left are asked for again, ms: from half of the longest pause to all of it, as `luck` has it.
/// `tries` were repeated before. `None`: no more.
#[must_use]
pub fn pause_ms(tries: u32, luck: u64) -> Option<u64> {
    let longest = FIRST_MS << tries.min(TRIES);
    (tries + 1 < TRIES).then(|| longest / 2 + luck % (longest / 2 + 1))
}

/// What is said of rows that are given up.
#[must_use]
pub fn left(rows: usize) -> String {
    format!(
        "{rows} rows were left unread {TRIES} times: the table's read capacity is used up; wait a minute and try again, and look at the alarm \
         reads-refused and at the table's on-demand limits (docs/operating.md)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pause_is_longer_none_is_alike_and_there_are_few() {
        let shortest: Vec<u64> = (0..).map_while(|tries| pause_ms(tries, 0)).collect();
        assert_eq!(shortest, [50, 100, 200, 400, 800]);
        for (tries, least) in (0..).zip(&shortest) {
            let pauses: Vec<u64> = (0..5_000).filter_map(|luck| pause_ms(tries, luck)).collect();
            assert_eq!((pauses.iter().min(), pauses.iter().max()), (Some(least), Some(&(2 * least))));
        }
        assert_eq!(pause_ms(TRIES, 7), None);
        assert_eq!(pause_ms(u32::MAX - 1, 7), None);
    }

    #[test]
    fn rows_that_are_given_up_name_what_helps() {
        assert!(left(7).contains("7 rows") && left(7).contains("wait a minute") && left(7).contains("reads-refused"));
    }
}
