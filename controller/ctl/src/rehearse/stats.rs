//! Percentiles.

/// The nearest-rank percentile (`p` in 0..=100) of the values; `None` of nothing.
#[must_use]
pub fn percentile(values: &[i64], p: u8) -> Option<i64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let rank = (sorted.len() * usize::from(p.min(100))).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_has_no_median() {
        assert_eq!(percentile(&[], 50), None);
    }

    #[test]
    fn one_value_is_every_percentile() {
        assert_eq!([0, 50, 95, 100].map(|p| percentile(&[7], p)), [Some(7); 4]);
    }

    #[test]
    fn the_95th_of_a_hundred_is_the_95th() {
        let values: Vec<i64> = (1..=100).rev().collect();
        assert_eq!((percentile(&values, 50), percentile(&values, 95)), (Some(50), Some(95)));
    }

    proptest! {
        #[test]
        fn a_percentile_is_one_of_the_values_and_rises(values in proptest::collection::vec(any::<i64>(), 1..50)) {
            let (p50, p95) = (percentile(&values, 50).unwrap(), percentile(&values, 95).unwrap());
            prop_assert!(values.contains(&p50) && values.contains(&p95) && p50 <= p95);
        }
    }
}
