//! When the next request is due, and whose it is. Pure: the clock is handed in.

use std::time::{Duration, Instant};

/// What to do with an idle connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Visit with the next visitor; the latency counts from this moment.
    Visit(Instant),
    /// Come as a new visitor.
    Fresh(Instant),
    /// Nothing is due yet.
    Later,
    /// Nothing will be due any more.
    Nothing,
}

/// The order and pace of requests.
#[derive(Debug)]
pub(crate) enum Schedule {
    /// At once, until a moment.
    Until(Instant),
    /// At once, this many times yet.
    Times { left: usize, fresh: bool },
    /// One each `interval`, counted from `begin`, whether or not earlier ones are answered.
    Paced { begin: Instant, interval: Duration, sent: u32, all: u32 },
}

impl Schedule {
    pub(crate) fn until(end: Instant) -> Self {
        Self::Until(end)
    }

    pub(crate) fn times(left: usize) -> Self {
        Self::Times { left, fresh: false }
    }

    pub(crate) fn fresh(left: usize) -> Self {
        Self::Times { left, fresh: true }
    }

    pub(crate) fn paced(begin: Instant, rate: f64, time: Duration) -> Self {
        let all = (rate * time.as_secs_f64()) as u32;
        Self::Paced { begin, interval: Duration::from_secs_f64(1.0 / rate), sent: 0, all }
    }

    pub(crate) fn next(&mut self, now: Instant) -> Next {
        match self {
            Self::Until(end) if now < *end => Next::Visit(now),
            Self::Until(_) | Self::Times { left: 0, .. } => Next::Nothing,
            Self::Times { left, fresh } => {
                *left -= 1;
                if *fresh { Next::Fresh(now) } else { Next::Visit(now) }
            }
            Self::Paced { sent, all, .. } if sent == all => Next::Nothing,
            Self::Paced { begin, interval, sent, .. } => {
                let due = *begin + *interval * *sent;
                if due > now {
                    return Next::Later;
                }
                *sent += 1;
                Next::Visit(due)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paced_request_counts_from_when_it_was_due() {
        let begin = Instant::now();
        let mut schedule = Schedule::paced(begin, 1000.0, Duration::from_millis(3));
        let late = begin + Duration::from_millis(1);
        assert_eq!(schedule.next(late), Next::Visit(begin));
        assert_eq!(schedule.next(late), Next::Visit(late));
        assert_eq!(schedule.next(late), Next::Later);
        assert_eq!(
            schedule.next(begin + Duration::from_secs(1)),
            Next::Visit(begin + Duration::from_millis(2))
        );
        assert_eq!(schedule.next(begin + Duration::from_secs(1)), Next::Nothing);
    }

    #[test]
    fn a_counted_schedule_ends() {
        let now = Instant::now();
        let mut schedule = Schedule::fresh(1);
        assert_eq!(schedule.next(now), Next::Fresh(now));
        assert_eq!(schedule.next(now), Next::Nothing);
        assert_eq!(Schedule::until(now).next(now), Next::Nothing);
    }
}
