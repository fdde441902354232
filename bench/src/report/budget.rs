//! The budgets: what the library promises about its speed and size, and whether this run kept it.

use serde::{Deserialize, Serialize};

use super::Report;
use crate::measure::place::{DISK, RAM};
use crate::measure::{OURS, OURS_SIMPLE};

/// One promise; all are ratios of one run but for bytes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Budget {
    pub(crate) row: u32,
    pub(crate) what: String,
    pub(crate) bound: Bound,
    /// What was measured; `None` if it was not.
    pub(crate) measured: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Budget {
    /// Whether it holds; `None` if nothing was measured.
    pub(crate) fn holds(&self) -> Option<bool> {
        self.measured.map(|measured| match self.bound {
            Bound::AtLeast(least) => measured >= least,
            Bound::AtMost(most) => measured <= most,
        })
    }
}

/// All budgets with what `report` found.
pub(crate) fn judge(report: &Report) -> Vec<Budget> {
    let throughput = report.throughput.as_ref();
    let ours = throughput.and_then(|it| it.lines.iter().find(|line| line.server == OURS));
    let memory = |server| {
        let lines = &report.memory.as_ref()?.lines;
        lines.iter().find(|line| line.server == server).map(|line| line.worst)
    };
    let created =
        report.create.as_ref().and_then(|it| it.lines.iter().find(|line| line.server == OURS)?.ratio);
    let crowd = report.crowd.as_ref().filter(|crowd| crowd.server == OURS);
    let journaled = |connections, apart| {
        let on_disk =
            report.journal.as_ref()?.lines.iter().filter(|line| line.place.as_deref() == Some(DISK));
        let mut lines = on_disk.filter(|line| line.apart == apart);
        lines.find(|line| line.connections == connections).map(|line| line.ratio)
    };
    // Waits are judged on the RAM disk: a visit waits until its own step is durable, and a plain read does not.
    let rebuilt = |place| report.rebuild.as_ref()?.lines.iter().find(|line| line.place == place);
    let branched = |place, connections| {
        let mut lines = report.branch.as_ref()?.lines.iter();
        lines.find(|line| line.place == place && line.connections == connections)
    };
    let fronted = report.fronted.as_ref().and_then(|it| it.lines.iter().find(|line| line.by == "FastCGI"));
    let budget = |row, what: &str, bound, measured| Budget { row, what: what.to_owned(), bound, measured };
    vec![
        budget(1, "requests/s, to a bare hello", Bound::AtLeast(0.95), ours.map(|line| line.rate_ratio)),
        budget(1, "CPU per request, to a bare hello", Bound::AtMost(1.06), ours.map(|line| line.cpu_ratio)),
        budget(2, "bytes per waiting session, worst", Bound::AtMost(320.0), memory(OURS)),
        budget(2, "the same with plain links", Bound::AtMost(256.0), memory(OURS_SIMPLE)),
        budget(3, "sessions created/s, to hyper + map", Bound::AtLeast(0.95), created),
        budget(
            4,
            "p99 beside a waiting crowd, to alone",
            Bound::AtMost(1.2),
            crowd.map(|it| it.asleep.ratio),
        ),
        budget(4, "p99 of the whole crowd, to few", Bound::AtMost(1.5), crowd.map(|it| it.awake.ratio)),
        budget(5, "journaled requests/s, to in memory, 256", Bound::AtLeast(0.5), journaled(256, false)),
        budget(5, "the same with 64 connections", Bound::AtLeast(0.3), journaled(64, false)),
        budget(5, "with the writer apart, 256", Bound::AtLeast(0.6), journaled(256, true)),
        budget(
            6,
            "CPU of a rebuild, to 50 live hits",
            Bound::AtMost(0.15),
            rebuilt(DISK).map(|line| line.cpu_ratio),
        ),
        budget(
            6,
            "p99 of its visit, to a read of the rows",
            Bound::AtMost(4.0),
            rebuilt(RAM).map(|line| line.p99_ratio),
        ),
        budget(
            7,
            "CPU of an answer to page 25, to 25 live hits",
            Bound::AtMost(0.3),
            branched(DISK, 1).map(|line| line.cpu_ratio),
        ),
        budget(
            7,
            "its p99, to a read of the rows, 1 at a time",
            Bound::AtMost(6.0),
            branched(RAM, 1).map(|line| line.p99_ratio),
        ),
        budget(7, "the same, 8 at a time", Bound::AtMost(4.0), branched(RAM, 8).map(|line| line.p99_ratio)),
        budget(
            8,
            "requests/s by FastCGI behind nginx, to by HTTP",
            Bound::AtLeast(0.9),
            fronted.map(|it| it.rate_ratio),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_holds_at_its_bound() {
        let budget = |bound, measured| Budget { row: 1, what: String::new(), bound, measured };
        assert_eq!(budget(Bound::AtLeast(0.95), Some(0.95)).holds(), Some(true));
        assert_eq!(budget(Bound::AtLeast(0.95), Some(0.94)).holds(), Some(false));
        assert_eq!(budget(Bound::AtMost(320.0), Some(320.1)).holds(), Some(false));
        assert_eq!(budget(Bound::AtMost(320.0), None).holds(), None);
    }
}
