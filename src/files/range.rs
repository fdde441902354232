//! `Range`: which bytes are asked for, of those that are there. Pure.

use std::ops::Range;

/// Ranges of one answer; who asks for more gets the whole file.
const RANGES: usize = 8;

/// What a `Range` field asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// All of it: there is no field, or none that is followed.
    Whole,
    /// These, in the order they were asked for; at least one, none empty, none twice.
    Parts(Vec<Range<u64>>),
    /// Nothing that is there.
    Outside,
}

impl Cut {
    /// What `field` asks of so many bytes.
    ///
    /// A field that is not understood is as none. So is one that asks for many ranges or for the same bytes twice: no
    /// answer is larger than the file by more than the heads of its parts (CVE-2011-3192).
    pub(super) fn of(field: &str, length: u64) -> Cut {
        let Some(wanted) = parse(field) else { return Cut::Whole };
        // Programs that always send a range mean a file that may be empty, too.
        if length == 0 || wanted.len() > RANGES {
            return Cut::Whole;
        }
        let parts: Vec<_> = wanted.iter().filter_map(|wanted| wanted.within(length)).collect();
        if parts.is_empty() {
            Cut::Outside
        } else if overlap(&parts) {
            Cut::Whole
        } else {
            Cut::Parts(parts)
        }
    }
}

/// One range as it was asked for.
enum Wanted {
    From(u64),
    Between(u64, u64),
    Last(u64),
}

impl Wanted {
    fn within(&self, length: u64) -> Option<Range<u64>> {
        let range = match *self {
            Wanted::From(first) => first..length,
            Wanted::Between(first, last) => first..last.saturating_add(1).min(length),
            Wanted::Last(count) => length.saturating_sub(count)..length,
        };
        (range.start < range.end).then_some(range)
    }
}

/// The ranges of a field; `None` if it is not one of ours, or wrong.
fn parse(field: &str) -> Option<Vec<Wanted>> {
    let (unit, ranges) = field.split_once('=')?;
    if !unit.eq_ignore_ascii_case("bytes") {
        return None;
    }
    let ranges =
        ranges.split(',').map(|range| range.trim_matches([' ', '\t'])).filter(|range| !range.is_empty());
    // One more than are followed is enough to see that there are too many.
    let wanted: Vec<_> = ranges.take(RANGES + 1).map(wanted).collect::<Option<_>>()?;
    (!wanted.is_empty()).then_some(wanted)
}

fn wanted(range: &str) -> Option<Wanted> {
    let (first, last) = range.split_once('-')?;
    match (first, last) {
        ("", last) => Some(Wanted::Last(number(last)?)),
        (first, "") => Some(Wanted::From(number(first)?)),
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            (first <= last).then_some(Wanted::Between(first, last))
        }
    }
}

/// Digits as a number; more than fit are as many as fit.
fn number(digits: &str) -> Option<u64> {
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse().unwrap_or(u64::MAX))
}

fn overlap(parts: &[Range<u64>]) -> bool {
    let mut sorted: Vec<_> = parts.iter().collect();
    sorted.sort_unstable_by_key(|part| part.start);
    sorted.windows(2).any(|two| two[1].start < two[0].end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[expect(clippy::single_range_in_vec_init, reason = "these are lists of ranges")]
    #[test]
    fn ranges_are_cut_from_what_is_there() {
        let parts = |parts: &[Range<u64>]| Cut::Parts(parts.to_vec());
        let nine = "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16";
        for (field, cut) in [
            ("bytes=0-4", parts(&[0..5])),
            ("bytes=5-", parts(&[5..20])),
            ("bytes=-5", parts(&[15..20])),
            ("bytes=-50", parts(&[0..20])),
            ("bytes=0-99999999999999999999999999", parts(&[0..20])),
            ("bytes=19-19", parts(&[19..20])),
            ("BYTES=0-0", parts(&[0..1])),
            ("bytes= 0-1 ,, 4-5 ,", parts(&[0..2, 4..6])),
            ("bytes=10-11,0-1", parts(&[10..12, 0..2])),
            ("bytes=0-1,90-91", parts(&[0..2])),
            (
                "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14",
                parts(&[0, 2, 4, 6, 8, 10, 12, 14].map(|at| at..at + 1)),
            ),
            ("bytes=20-", Cut::Outside),
            ("bytes=99999999999999999999999999-", Cut::Outside),
            ("bytes=-0", Cut::Outside),
            ("bytes=30-40,50-60", Cut::Outside),
            (nine, Cut::Whole),
            ("bytes=0-9,5-14", Cut::Whole),
            ("bytes=0-,0-,0-", Cut::Whole),
            ("bytes=4-2", Cut::Whole),
            ("bytes=0-1,4-2", Cut::Whole),
            ("bytes=", Cut::Whole),
            ("bytes=-", Cut::Whole),
            ("bytes=a-b", Cut::Whole),
            ("bytes=+1-2", Cut::Whole),
            ("bytes=1-2-3", Cut::Whole),
            ("bytes 0-4", Cut::Whole),
            ("lines=0-4", Cut::Whole),
            ("", Cut::Whole),
        ] {
            assert_eq!(Cut::of(field, 20), cut, "{field}");
        }
        assert_eq!(Cut::of("bytes=0-", 0), Cut::Whole);
    }

    proptest! {
        #[test]
        fn whatever_is_asked_for_no_more_is_sent_than_is_there(
            field in "bytes=(0|1|9|-|,| |20|18446744073709551615){0,40}|[ -~]{0,40}", length in 0u64..40,
        ) {
            if let Cut::Parts(parts) = Cut::of(&field, length) {
                prop_assert!(!parts.is_empty() && parts.len() <= RANGES);
                prop_assert!(parts.iter().all(|part| part.start < part.end && part.end <= length));
                prop_assert!(parts.iter().map(|part| part.end - part.start).sum::<u64>() <= length);
            }
        }

        #[test]
        fn what_is_there_is_cut_as_asked(first in 0u64..100, last in 0u64..100, length in 1u64..100) {
            let cut = Cut::of(&format!("bytes={first}-{last}"), length);
            let expected = match (first <= last, first < length) {
                (false, _) => Cut::Whole,
                (true, false) => Cut::Outside,
                (true, true) => Cut::Parts(std::iter::once(first..(last + 1).min(length)).collect()),
            };
            prop_assert_eq!(cut, expected);
        }
    }
}
