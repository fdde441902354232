//! Medians, and ratios taken within a round before their median is.
//!
//! On a noisy machine two servers can be compared only where both met the same noise: in one round.

/// The middle value, or the mean of the two in the middle; `None` of nothing.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        even if even.is_multiple_of(2) => Some((sorted[middle - 1] + sorted[middle]) / 2.0),
        _ => Some(sorted[middle]),
    }
}

/// The median of `mine / theirs`, round by round.
pub(crate) fn median_ratio(mine: &[f64], theirs: &[f64]) -> Option<f64> {
    let ratios: Vec<f64> = mine.iter().zip(theirs).map(|(mine, theirs)| mine / theirs).collect();
    median(&ratios)
}

/// The mean; 0 of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_median_is_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn ratios_are_taken_within_a_round() {
        // The second round was slow for both, the third disturbed one: the medians' ratio would be 0.6.
        let ratio = median_ratio(&[90.0, 45.0, 60.0], &[100.0, 50.0, 100.0]);
        assert_eq!(ratio, Some(0.9));
    }

    #[test]
    fn a_mean_of_nothing_is_nothing() {
        assert_eq!((mean(&[]), mean(&[1.0, 2.0])), (0.0, 1.5));
    }
}
