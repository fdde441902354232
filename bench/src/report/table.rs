//! The report as text: one table a measurement, the budgets last.

use std::fmt::Write;

use super::budget::{Bound, Budget};
use super::{Report, title};
use crate::measure::branch::Branch;
use crate::measure::create::Create;
use crate::measure::crowd::{Crowd, Pair};
use crate::measure::fronted::Fronted;
use crate::measure::journal::{self, Journal};
use crate::measure::memory::Memory;
use crate::measure::rebuild::{Rebuild, Visits};
use crate::measure::throughput::Throughput;

/// The report as a person reads it.
pub(crate) fn text(report: &Report) -> String {
    let mut parts = vec![setting(report)];
    parts.extend(report.throughput.as_ref().map(throughput));
    parts.extend(report.memory.as_ref().map(memory));
    parts.extend(report.create.as_ref().map(create));
    parts.extend(report.crowd.as_ref().map(crowd));
    parts.extend(report.journal.as_ref().map(journal));
    parts.extend(report.rebuild.as_ref().map(rebuild));
    parts.extend(report.branch.as_ref().map(branch));
    parts.extend(report.fronted.as_ref().map(fronted));
    parts.push(budgets(&report.budgets));
    parts.extend((!report.failures.is_empty()).then(|| format!("FAILED\n{}\n", report.failures.join("\n"))));
    parts.join("\n")
}

fn setting(report: &Report) -> String {
    let setting = &report.setting;
    let pinned = if setting.pinned { "server and generator pinned to one each" } else { "NOT pinned" };
    let mut text = format!("{} cores, {pinned}\n", setting.cores);
    if report.quick {
        text += "quick run: it shows that everything works; its figures are rough\n";
    }
    for note in &setting.notes {
        text += &format!("note: {note}\n");
    }
    text
}

fn throughput(it: &Throughput) -> String {
    let mut text = format!(
        "Throughput: {} sessions, {} connections, {} rounds of {} s each; others used {:.2} cores\n",
        it.sessions, it.connections, it.rounds, it.seconds, it.others
    );
    let rows = it.lines.iter().map(|line| {
        vec![
            title(&line.server).to_owned(),
            format!("{:.0}", line.rate),
            format!("{:.3}", line.rate_ratio),
            format!("{:.0}", line.cpu_ns),
            format!("{:.3}", line.cpu_ratio),
            format!("{:.0}", line.p50_us),
            format!("{:.0}", line.p99_us),
            format!("{:.2}", line.busy),
        ]
    });
    let heads = ["", "requests/s", "to hello", "CPU ns each", "to hello", "p50 µs", "p99 µs", "core busy"];
    text += &table(&heads, rows.collect());
    for line in it.lines.iter().filter(|line| line.busy < 0.9) {
        let _ =
            writeln!(text, "note: {} left its core idle; the generator was the limit", title(&line.server));
    }
    text
}

fn memory(it: &Memory) -> String {
    let rows = it.lines.iter().map(|line| {
        let bytes = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |bytes| format!("{bytes:.0}"));
        let mut row = vec![title(&line.server).to_owned()];
        row.extend([10_000, 100_000, 1_000_000].map(|sessions| bytes(line.at(sessions))));
        row.extend([bytes(line.visited_again), bytes(Some(line.worst))]);
        row.push(format!("{}k to {}k", line.all / 2000, line.all / 1000));
        row
    });
    let heads = ["", "10k", "100k", "1M", "visited again", "worst", "of"];
    format!("Memory: bytes per waiting session\n{}", table(&heads, rows.collect()))
}

fn create(it: &Create) -> String {
    let rows = it.lines.iter().map(|line| {
        let per_second = format!("{:.0}", line.per_second);
        vec![title(&line.server).to_owned(), per_second, ratio(line.ratio), line.times.to_string()]
    });
    let heads = ["", "sessions/s", "to hyper + map", "runs"];
    let table = table(&heads, rows.collect());
    format!("Creating {} sessions; others used {:.2} cores\n{table}", it.sessions, it.others)
}

fn crowd(it: &Crowd) -> String {
    let pair = |what: String, pair: &Pair| {
        let microseconds = |value: f64| format!("{value:.0}");
        let ratio = format!("{:.3}", pair.ratio);
        let medians = [pair.few_p99_us, pair.crowd_p99_us].map(microseconds);
        let of_all = [pair.few_all_p99_us, pair.crowd_all_p99_us].map(microseconds);
        [what].into_iter().chain(medians).chain([ratio]).chain(of_all).collect()
    };
    let rows = vec![
        pair(format!("{} active, as fast as they can", it.active), &it.asleep),
        pair(format!("all in turn, {:.0} requests/s offered", it.offered), &it.awake),
    ];
    format!(
        "Crowd: {}, {} waiting, {} rounds; others used {:.2} cores\n{}offered: {}\n",
        title(&it.server),
        it.waiting,
        it.rounds,
        it.others,
        table(&["p99 µs", "few", "crowd", "ratio", "all: few", "crowd"], rows),
        it.offered_why
    )
}

fn journal(it: &Journal) -> String {
    let mut text = format!(
        "Journal: {} sessions, {} rounds of {} s each; others used {:.2} cores\n",
        it.sessions, it.rounds, it.seconds, it.others
    );
    let rows = it.lines.iter().map(|line| {
        let mut row = vec![line.connections.to_string(), variant(line)];
        row.extend([
            format!("{:.0}", line.rate),
            format!("{:.3}", line.ratio),
            format!("{:.0}", line.cpu_ns),
        ]);
        row.extend([line.p50_us, line.p99_us].map(|value| format!("{value:.0}")));
        row.push(line.syncs.map_or_else(|| "-".to_owned(), |syncs| format!("{syncs:.0}")));
        row
    });
    let heads =
        ["connections", "sessions", "requests/s", "to memory", "CPU ns each", "p50 µs", "p99 µs", "fsync/s"];
    text += &table(&heads, rows.collect());
    if it.lines.iter().any(|line| line.apart) {
        text += "apart: the writer on the generator's core, which it shares; else on the server's\n";
    }
    text + "fsync/s: 4 KiB at the end of a file, one after the other, before it began\n"
}

/// Where a line's sessions are kept.
pub(super) fn variant(line: &journal::Line) -> String {
    let place = line.place.as_deref().unwrap_or("memory");
    if line.apart { format!("{place}, apart") } else { place.to_owned() }
}

fn rebuild(it: &Rebuild) -> String {
    let row = |what: String, visits: &Visits, syncs: f64, ratios: [Option<f64>; 2]| {
        let figures = [visits.rate, visits.p50_us, visits.p99_us, visits.cpu_us, syncs];
        let figures = figures.map(|value| format!("{value:.0}"));
        [what].into_iter().chain(figures).chain(ratios.map(ratio)).collect::<Vec<_>>()
    };
    let rows = it.lines.iter().flat_map(|line| {
        let ratios = [Some(line.cpu_ratio), Some(line.p99_ratio)];
        [
            row(format!("{}, rebuilt", line.place), &line.rebuilt, line.syncs, ratios),
            row(format!("{}, once more", line.place), &line.present, line.syncs, [None; 2]),
            row(format!("{}, the rows read", line.place), &line.read, line.syncs, [None; 2]),
        ]
    });
    let heads =
        ["", "visits/s", "p50 µs", "p99 µs", "CPU µs each", "fsync/s", "CPU to live hits", "p99 to a read"];
    format!(
        "Rebuilding {} parked sessions of {} steps, {} at a time, {} rounds; others used {:.2} cores\n{}{}",
        it.sessions,
        it.steps,
        it.connections,
        it.rounds,
        it.others,
        table(&heads, rows.collect()),
        "the journal's file is in the page cache; a visit's own step is written before its answer\n"
    )
}

fn fronted(it: &Fronted) -> String {
    let rows = it.lines.iter().map(|line| {
        let figures = [line.rate, line.cpu_ns, line.p50_us, line.p99_us].map(|value| format!("{value:.0}"));
        let ratios = [line.rate_ratio, line.cpu_ratio].map(|value| format!("{value:.3}"));
        let ([rate, cpu, p50, p99], [rate_ratio, cpu_ratio]) = (figures, ratios);
        vec![line.by.clone(), rate, rate_ratio, cpu, cpu_ratio, p50, p99]
    });
    let heads = ["nginx, by", "requests/s", "to HTTP", "CPU ns each", "to HTTP", "p50 µs", "p99 µs"];
    format!(
        "Behind nginx: {} sessions, {} connections, {} rounds of {} s each; others used {:.2} cores\n{}{}",
        it.sessions,
        it.connections,
        it.rounds,
        it.seconds,
        it.others,
        table(&heads, rows.collect()),
        "nginx and the server share a core; processor time is that of both\n"
    )
}

fn branch(it: &Branch) -> String {
    let row = |connections: usize, what: String, visits: &Visits, ratios: [Option<f64>; 2]| {
        let figures = [visits.p50_us, visits.p99_us, visits.cpu_us].map(|value| format!("{value:.0}"));
        let figures = figures.into_iter().chain(ratios.map(ratio));
        [what, connections.to_string()].into_iter().chain(figures).collect::<Vec<_>>()
    };
    let rows = it.lines.iter().flat_map(|line| {
        let kinds = [
            ("a new answer to the old page", &line.branched, [Some(line.cpu_ratio), Some(line.p99_ratio)]),
            ("the other tab, in memory", &line.switched, [None; 2]),
            ("the other tab, by replay", &line.replayed, [None; 2]),
            ("the current page", &line.present, [None; 2]),
            ("the rows read", &line.read, [None; 2]),
        ];
        kinds.map(|(what, visits, ratios)| {
            row(line.connections, format!("{}, {what}", line.place), visits, ratios)
        })
    });
    let heads = ["", "at a time", "p50 µs", "p99 µs", "CPU µs each", "CPU to live hits", "p99 to a read"];
    format!(
        "Branching {} sessions of {} steps at page {}, {} rounds; others used {:.2} cores\n{}",
        it.sessions,
        it.steps,
        it.old,
        it.rounds,
        it.others,
        table(&heads, rows.collect())
    )
}

/// Three digits behind the point, where there is a ratio.
fn ratio(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.3}"))
}

fn budgets(budgets: &[Budget]) -> String {
    let rows = budgets.iter().map(|budget| {
        let bound = match budget.bound {
            Bound::AtLeast(least) => format!("≥ {least}"),
            Bound::AtMost(most) => format!("≤ {most}"),
        };
        let verdict = match budget.holds() {
            Some(true) => "holds",
            Some(false) => "DOES NOT HOLD",
            None => "not measured",
        };
        let measured = budget.measured.map_or_else(|| "-".to_owned(), brief);
        vec![format!("{} {}", budget.row, budget.what), bound, measured, verdict.to_owned()]
    });
    format!("Budgets\n{}", table(&["", "budget", "measured", ""], rows.collect()))
}

/// Four digits or so: `0.953`, `231`.
fn brief(value: f64) -> String {
    if value < 10.0 { format!("{value:.3}") } else { format!("{value:.0}") }
}

/// Columns as wide as they must be: the first to the left, the others to the right.
fn table(heads: &[&str], rows: Vec<Vec<String>>) -> String {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let all: Vec<Vec<String>> = std::iter::once(heads).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..all[0].len()).map(width).collect();
    let mut text = String::new();
    for row in &all {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("  {cell:<width$}"),
            _ => format!("  {cell:>width$}"),
        });
        text += cells.collect::<String>().trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_aligned() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["longer µ".to_owned(), "23".to_owned()]];
        assert_eq!(table(&["", "n"], rows), "             n\n  a          1\n  longer µ  23\n");
    }

    #[test]
    fn small_figures_keep_their_digits() {
        assert_eq!((brief(0.9531), brief(231.4)), ("0.953".to_owned(), "231".to_owned()));
    }
}
