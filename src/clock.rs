//! Seconds of the server's life, or of its journal's, and the time of day: by clocks that nobody sets.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Microseconds that the machine has to have been suspended for: below that it is how the clocks are read.
const NAP: i64 = 1_000_000;

/// By the runtime's monotonic clock; moved on by the reaper.
pub(crate) struct Clock {
    start: Instant,
    /// The second it began with: with a journal, one that no server on it has seen.
    first: u32,
    now: AtomicU32,
    /// Microseconds since 1970 at the start, by the system's clock.
    wall: i64,
    suspended: Suspended,
}

impl Clock {
    /// `wall`: what to take for the system's time.
    pub(crate) fn new(first: u32, wall: Option<i64>) -> Self {
        let system = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let wall = wall.unwrap_or_else(|| i64::try_from(system.as_micros()).unwrap_or(i64::MAX));
        let (start, now, suspended) = (Instant::now(), AtomicU32::new(first), Suspended::from_now_on());
        Clock { start, first, now, wall, suspended }
    }

    /// Microseconds since 1970: the system's time at the start, and what went by since, also while the machine was
    /// suspended. A system's clock that is set meanwhile changes nothing.
    pub(crate) fn micros(&self) -> i64 {
        let gone = i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX);
        self.wall.saturating_add(gone).saturating_add(self.suspended.for_micros.load(Ordering::Relaxed))
    }

    pub(crate) fn now(&self) -> u32 {
        self.now.load(Ordering::Relaxed)
    }

    /// What goes by while the machine is suspended does not count here: no session is over by it.
    pub(crate) fn tick(&self) -> u32 {
        self.suspended.look();
        let now = u32::try_from(self.start.elapsed().as_secs()).unwrap_or(u32::MAX);
        let now = self.first.saturating_add(now);
        self.now.store(now, Ordering::Relaxed);
        now
    }
}

/// For how long the machine was suspended since the start: the time since it was booted goes on then, and the monotonic
/// clock does not. Known on Linux; elsewhere it is never.
struct Suspended {
    start: std::time::Instant,
    booted: Option<i64>,
    for_micros: AtomicI64,
}

impl Suspended {
    fn from_now_on() -> Self {
        let (booted, for_micros) = (since_boot(), AtomicI64::new(0));
        Suspended { start: std::time::Instant::now(), booted, for_micros }
    }

    fn look(&self) {
        if let (Some(then), Some(now)) = (self.booted, since_boot()) {
            self.note(now - then, i64::try_from(self.start.elapsed().as_micros()).unwrap_or(i64::MAX));
        }
    }

    /// Since the start so much has gone by, of which the machine was awake for so much.
    fn note(&self, gone: i64, awake: i64) {
        let suspended = gone - awake;
        if suspended >= self.for_micros.load(Ordering::Relaxed).saturating_add(NAP) {
            self.for_micros.store(suspended, Ordering::Relaxed);
        }
    }
}

/// Microseconds since the machine was booted, those it was suspended for included.
fn since_boot() -> Option<i64> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    uptime(&std::fs::read_to_string("/proc/uptime").ok()?)
}

/// What `/proc/uptime` says: seconds with two decimals, and something else.
fn uptime(text: &str) -> Option<i64> {
    let (seconds, hundredths) = text.split_whitespace().next()?.split_once('.')?;
    let (seconds, hundredths): (i64, i64) = (seconds.parse().ok()?, hundredths.parse().ok()?);
    seconds.checked_mul(1_000_000)?.checked_add(hundredths * 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    #[tokio::test(start_paused = true)]
    async fn a_suspended_machine_is_late_for_nobody_and_ends_nobody() {
        let clock = Clock::new(100, Some(0));
        clock.suspended.note(9 * HOUR, HOUR);
        assert_eq!(clock.micros(), 8 * HOUR, "whoever wants to be woken by now is");
        assert_eq!(clock.tick(), 100, "no session is older for it");
        clock.suspended.note(9 * HOUR + NAP / 2, HOUR);
        assert_eq!(clock.micros(), 8 * HOUR, "that is how clocks are read");
        clock.suspended.note(HOUR, HOUR);
        assert_eq!(clock.micros(), 8 * HOUR, "it never goes back");
    }

    #[test]
    fn the_time_since_the_boot_is_read() {
        assert_eq!(uptime("350735.47 234388.90\n"), Some(350_735_470_000));
        assert_eq!((uptime(""), uptime("x.y"), uptime("12")), (None, None, None));
        if cfg!(target_os = "linux") {
            let (one, other) = (since_boot(), since_boot());
            assert!(one.is_some() && one <= other);
        }
    }
}
