//! Numbers of sessions: what logs call them by, what tokens are signed with, and their place in the journal.
//!
//! From the top: the second of the server's life (or its journal's) in which the session was made (32 bits), a count (20),
//! and the shard of its visitor (12). The count begins at a random place in each second, so that two servers that start
//! together, or one whose journal was restored, make other numbers. Numbers of one server grow: those who came earlier have
//! lower ones, whatever their shards. A second with more sessions than the count has room for goes over into the next one:
//! no number is made twice, also while the clock stands still.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::chance::Chance;
use crate::mapper::key::SHARD_BITS;

/// Bits of the count.
const COUNT_BITS: u32 = 32 - SHARD_BITS;
/// The count begins in its lower half: as many are left before it goes over.
const START: u32 = (1 << (COUNT_BITS - 1)) - 1;

/// Makes a server's numbers.
pub(crate) struct Numbers {
    /// The second and the count of the next one.
    next: AtomicU64,
}

/// A place for the first number of a second.
fn start(second: u32, chance: &Chance) -> u64 {
    u64::from(second) << COUNT_BITS | u64::from(u32::from_le_bytes(chance.bytes()) & START)
}

impl Numbers {
    /// From this second on.
    pub(crate) fn new(second: u32, chance: &Chance) -> Numbers {
        Numbers { next: AtomicU64::new(start(second, chance)) }
    }

    /// One for a session that is made in this second, of a visitor in this shard.
    pub(crate) fn make(&self, second: u32, shard: u16, chance: &Chance) -> u64 {
        let mut place = self.next.fetch_add(1, Ordering::Relaxed);
        if place >> COUNT_BITS < u64::from(second) {
            place = self.begin(second, chance);
        }
        place << SHARD_BITS | u64::from(shard)
    }

    /// The first one of a second. If several begin it at once, the highest start counts.
    #[cold]
    fn begin(&self, second: u32, chance: &Chance) -> u64 {
        self.next.fetch_max(start(second, chance), Ordering::Relaxed);
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

/// The second that a session of this number was made in.
pub(crate) fn second_of(number: u64) -> u32 {
    u32::try_from(number >> 32).expect("32 bits are left")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn shard_of(number: u64) -> u64 {
        number & ((1 << SHARD_BITS) - 1)
    }

    #[test]
    fn a_number_says_its_second_and_its_shard_and_later_ones_are_higher() {
        let chance = Chance::default();
        let (numbers, mut last) = (Numbers::new(0, &chance), 0);
        for (second, shard) in [(0, 0xfff), (1, 0xfff), (1, 0), (1, 7), (5, 3), (5, 2), (u32::MAX, 0xabc)] {
            let number = numbers.make(second, shard, &chance);
            assert_eq!((second_of(number), shard_of(number)), (second, u64::from(shard)));
            assert!(number > last, "{number:x} after {last:x}");
            last = number;
        }
    }

    #[test]
    fn a_crowd_within_one_second_gets_no_number_twice() {
        let chance = Chance::default();
        let numbers = Numbers::new(9, &chance);
        let crowd = 3 << COUNT_BITS;
        let mut last = numbers.make(9, 0, &chance);
        for _ in 0..crowd {
            let number = numbers.make(9, 0, &chance);
            assert!(number > last, "{number:x} after {last:x}");
            last = number;
        }
        assert!(second_of(last) <= 9 + 4, "it runs ahead of the clock no more than it must");
        let after = numbers.make(20, 0, &chance);
        assert_eq!(second_of(after), 20, "and is caught up with");
    }

    #[test]
    fn threads_that_begin_a_second_together_get_different_numbers() {
        let chance = Chance::default();
        let numbers = Numbers::new(0, &chance);
        let made: Vec<Vec<u64>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| (0..2_000).map(|nth| numbers.make(nth / 10, 1, &chance)).collect()))
                .collect();
            threads.into_iter().map(|thread| thread.join().expect("it makes numbers")).collect()
        });
        let all: HashSet<u64> = made.iter().flatten().copied().collect();
        assert_eq!(all.len(), 8_000);
        assert!(made.iter().all(|made| made.is_sorted()), "for each of them they grow");
    }

    /// Without a journal all begin at second 0.
    #[test]
    fn two_servers_that_start_together_make_different_numbers() {
        let chance = Chance::default();
        for second in [0, 1] {
            let of = |_| Numbers::new(0, &chance).make(second, 5, &chance);
            let starts: HashSet<u64> = (0..64).map(of).collect();
            assert!(starts.len() > 60, "they begin at random places: {}", starts.len());
        }
    }
}
