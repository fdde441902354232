//! Latencies in log-linear buckets: 64 to each power of two, so a quantile is off by at most 1.6 %.

use std::time::Duration;

const SUB_BITS: u32 = 6;
const SUB: u64 = 1 << SUB_BITS;
/// Values up to 2^40 ns, about 18 minutes; longer ones are counted as that.
const LARGEST: u64 = (1 << 40) - 1;

/// How many values fell into each bucket.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    total: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { buckets: vec![0; bucket(LARGEST) + 1], total: 0 }
    }

    pub(crate) fn record(&mut self, latency: Duration) {
        let nanoseconds = u64::try_from(latency.as_nanos()).unwrap_or(LARGEST);
        self.buckets[bucket(nanoseconds.min(LARGEST))] += 1;
        self.total += 1;
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.total += other.total;
    }

    /// The latency that this share of all values does not exceed, in microseconds; 0 if there are none.
    pub(crate) fn quantile(&self, share: f64) -> f64 {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return highest(index) as f64 / 1000.0;
            }
        }
        0.0
    }
}

fn bucket(value: u64) -> usize {
    let index = if value < SUB {
        value
    } else {
        let shift = u64::from(value.ilog2() - SUB_BITS);
        (shift + 1) * SUB + ((value >> shift) - SUB)
    };
    usize::try_from(index).expect("a value below 2^40 has an index below 2^12")
}

/// The largest value of a bucket.
fn highest(index: usize) -> u64 {
    let index = index as u64;
    if index < SUB {
        return index;
    }
    let shift = index / SUB - 1;
    ((index % SUB + SUB + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_its_values_and_no_others() {
        for value in [0, 1, 63, 64, 65, 127, 128, 130, 1_000, 123_456, 9_876_543_210, LARGEST] {
            let index = bucket(value);
            assert!(value <= highest(index), "{value} is above its bucket");
            assert!(index == 0 || value > highest(index - 1), "{value} belongs lower");
            assert!(highest(index) as f64 <= value as f64 * 1.016 + 1.0, "{value} is in a wide bucket");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::new();
        assert_eq!(histogram.quantile(0.5), 0.0);
        for microseconds in 1..=1000 {
            histogram.record(Duration::from_micros(microseconds));
        }
        let mut twice = histogram.clone();
        twice.add(&histogram);
        for (share, exact) in [(0.5, 500.0), (0.99, 990.0), (1.0, 1000.0)] {
            assert!(
                (twice.quantile(share) / exact - 1.0).abs() < 0.017,
                "{share}: {}",
                twice.quantile(share)
            );
        }
    }
}
