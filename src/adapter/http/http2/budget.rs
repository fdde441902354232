//! What a connection may cost beside its requests: frames that ask for work and bring none.
//!
//! Each bucket begins full, loses one for each such frame, and fills again with time and with honest work. No clock is
//! read here.

/// Streams that may be reset at once: a browser that leaves a page gives up all that it waits for, some times in a row.
const RESETS: Rate = Rate { most: 250, each_second: 20 };
/// Frames that control the connection.
const CONTROLS: Rate = Rate { most: 1000, each_second: 100 };
/// What a request earns: priorities and windows go with it.
const REQUEST: u32 = 8;
/// Bytes of an answer that earn one: windows are opened as it is read.
const ANSWERED: u32 = 1024;

#[derive(Debug, Clone, Copy)]
struct Rate {
    most: u32,
    each_second: u32,
}

/// The budgets of one connection.
#[derive(Debug)]
pub(super) struct Budget {
    resets: Bucket,
    controls: Bucket,
    /// Bytes of answers that have earned nothing yet.
    answered: u32,
}

/// Thousandths of what is left, as of then.
#[derive(Debug)]
struct Bucket {
    rate: Rate,
    left: u64,
    then: u64,
}

impl Budget {
    pub(super) fn new(now: u64) -> Self {
        Budget { resets: Bucket::new(RESETS, now), controls: Bucket::new(CONTROLS, now), answered: 0 }
    }

    /// A stream is reset; false if that is one too many. Times are in milliseconds.
    pub(super) fn reset(&mut self, now: u64) -> bool {
        self.resets.take(now)
    }

    /// A frame that is no part of a request or answer; false if that is one too many.
    pub(super) fn control(&mut self, now: u64) -> bool {
        self.controls.take(now)
    }

    /// A request came.
    pub(super) fn request(&mut self) {
        self.controls.earn(REQUEST);
    }

    /// Some of an answer was sent.
    pub(super) fn answered(&mut self, bytes: u32) {
        self.answered = self.answered.saturating_add(bytes);
        self.controls.earn(self.answered / ANSWERED);
        self.answered %= ANSWERED;
    }
}

impl Bucket {
    fn new(rate: Rate, now: u64) -> Self {
        Bucket { rate, left: u64::from(rate.most) * 1000, then: now }
    }

    fn take(&mut self, now: u64) -> bool {
        let passed = now.saturating_sub(self.then);
        self.then = now;
        self.add(passed.saturating_mul(self.rate.each_second.into()));
        let enough = self.left >= 1000;
        self.left = self.left.saturating_sub(1000);
        enough
    }

    fn earn(&mut self, some: u32) {
        self.add(u64::from(some) * 1000);
    }

    fn add(&mut self, thousandths: u64) {
        self.left = self.left.saturating_add(thousandths).min(u64::from(self.rate.most) * 1000);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r31_a_bucket_is_as_large_as_it_is_and_fills_with_time() {
        let mut budget = Budget::new(7);
        assert_eq!((0..1000).filter(|_| budget.reset(7)).count(), 250);
        assert_eq!((0..1000).filter(|_| budget.reset(1007)).count(), 20);
        assert!(!budget.reset(1040) && budget.reset(1090));
        assert_eq!((0..1000).filter(|_| budget.reset(10_000_000)).count(), 250);
    }

    #[test]
    fn r34_honest_work_earns_control_frames() {
        let mut budget = Budget::new(0);
        assert_eq!((0..5000).filter(|_| budget.control(0)).count(), 1000);
        budget.request();
        assert_eq!((0..5000).filter(|_| budget.control(0)).count(), 8);
        (0..1024).for_each(|_| budget.answered(10));
        assert_eq!((0..5000).filter(|_| budget.control(0)).count(), 10);
        budget.answered(u32::MAX);
        assert_eq!((0..5000).filter(|_| budget.control(0)).count(), 1000);
    }
}
