//! Disks that fail and disks that are full: nothing is answered that is not written, and who is not answered is told.

use std::fs;
use std::process::Command;

use super::run::{Bench, Fault, Process};
use crate::progress::Progress;

/// What the log says when nothing can be written until the next start.
const STOPPED: &str = "the journal takes nothing more";

/// What fails: the call and the error, and how often in a row.
fn failing(call: &str, error: &str, first: u64, times: u64) -> Fault {
    Fault::error(&format!("{call}:error={error}:when={first}..{}", first + times - 1))
}

/// One life with this fault, and what it logged; then a look. `None` if it did not start, and said why.
fn lives_with(bench: &mut Bench, fault: &Fault) -> Option<String> {
    let log = match bench.start(fault) {
        Ok(process) => {
            bench.visit(&process, 8);
            let log = process.log();
            process.kill();
            Some(log)
        }
        Err(log) => {
            // What starts it as a test may fail as well.
            let says = log.contains("REFUSED") || log.contains("io error when listing tests");
            assert!(says, "it does not start, and says why: {log}");
            None
        }
    };
    let panicked = log.as_ref().is_some_and(|log| log.contains("panicked"));
    assert!(!panicked, "{log:?}");
    bench.check();
    log
}

/// Errors at every `step`th of each call, with the figures said.
fn errors(calls: &[(&str, u64)], step: usize) {
    let (mut tried, mut refused, mut hit, mut hits) = (0, 0, 0, [0; 3]);
    let numbers = |most: u64| (1..=most).step_by(step);
    let all: usize = calls.iter().map(|(_, most)| 2 * numbers(*most).count()).sum();
    let mut progress = Progress::new("errors of calls", all);
    for (call, most) in calls {
        for error in ["EIO", "ENOSPC"] {
            for number in numbers(*most) {
                let mut bench = Bench::new(2);
                let log = lives_with(&mut bench, &failing(call, error, number, 1));
                tried += 1;
                refused += usize::from(log.is_none());
                let counts = bench.counts();
                hit += usize::from(counts[1] > 0);
                let told = log.is_none_or(|log| counts[1] == 0 || log.contains("ERROR"));
                assert!(told, "{call} {error} {number}: the log says nothing of {} errors", counts[1]);
                hits.iter_mut().zip(counts).for_each(|(all, more)| *all += more);
                progress.goes_on(1, &format!("{call} {error} {number}"));
            }
        }
    }
    let [answered, errors, open] = hits;
    println!(
        "{tried} errors of calls, {}: {refused} times it did not start, {hit} times hits failed; {answered} hits \
         answered, {errors} by an error, {open} not",
        progress.elapsed()
    );
}

#[test]
fn r62_errors_of_calls_are_told_and_lose_nothing() {
    errors(&[("pwrite64", 120), ("fdatasync", 60), ("fsync", 10), ("write", 2), ("ftruncate", 2)], 17);
}

#[test]
#[ignore = "long: cargo xtask soak --faults"]
fn soak_errors_at_every_call() {
    // Few of `write`: it is also how the runtime wakes itself, and that panics where it fails.
    let calls = [
        ("pwrite64", 250),
        ("fdatasync", 100),
        ("fsync", 20),
        ("write", 2),
        ("ftruncate", 12),
        ("openat", 120),
    ];
    errors(&calls, 1);
}

/// Visitors who have all their sessions in the journal.
fn settled() -> Bench {
    let mut bench = Bench::new(2);
    let process = bench.start(&Fault::none()).expect("it starts");
    bench.visit(&process, 3);
    process.kill();
    bench
}

/// What comes of one more hit in each session: answered, an error, nothing.
fn one_more(bench: &mut Bench, process: &Process) -> [usize; 3] {
    let before = bench.counts();
    bench.visit(process, 1);
    let after = bench.counts();
    [0, 1, 2].map(|kind| after[kind] - before[kind])
}

#[test]
fn r62_after_a_failed_fsync_nothing_is_answered_until_the_next_start() {
    let mut bench = settled();
    let process = bench.start(&failing("fdatasync", "EIO", 15, 1)).expect("it starts");
    bench.visit(&process, 8);
    assert!(process.log().contains(STOPPED), "{}", process.log());
    assert_eq!(one_more(&mut bench, &process), [0, 6, 0], "all is answered 503");
    process.kill();
    let process = bench.start(&Fault::none()).expect("it starts");
    assert_eq!(one_more(&mut bench, &process), [6, 0, 0], "{}", process.log());
    process.kill();
    bench.check();
}

#[test]
fn r62_when_there_is_room_again_it_goes_on_by_itself() {
    let mut bench = settled();
    let process = bench.start(&failing("pwrite64", "ENOSPC", 30, 20)).expect("it starts");
    bench.visit(&process, 12);
    let log = process.log();
    assert!(log.contains("the journal has no room"), "{log}");
    assert!(log.contains("the journal can be written again"), "{log}");
    assert!(bench.counts()[1] > 0, "somebody is told");
    assert_eq!(one_more(&mut bench, &process), [6, 0, 0], "{log}");
    process.kill();
    bench.check();
}

/// A small disk in place of a folder, taken away when dropped.
struct Disk(std::path::PathBuf);

impl Disk {
    fn new(folder: &std::path::Path) -> Disk {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(folder);
        let mounted = mount.status().is_ok_and(|status| status.success());
        assert!(mounted, "this test needs a small disk of its own: run it as root, where `mount` is allowed");
        Disk(folder.to_owned())
    }

    /// Leaves room for nothing.
    fn fill(&self) {
        let mut filled = Vec::new();
        for size in [65_536, 4_096, 1] {
            let bytes = vec![b'x'; size];
            let mut number = 0;
            loop {
                let path = self.0.join(format!("fill-{size}-{number}"));
                number += 1;
                let full = fs::write(&path, &bytes).is_err();
                filled.push(path);
                if full {
                    break;
                }
            }
        }
    }

    fn empty(&self) {
        for entry in fs::read_dir(&self.0).expect("the disk is there").flatten() {
            if entry.file_name().to_string_lossy().starts_with("fill-") {
                fs::remove_file(entry.path()).expect("it is there");
            }
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // What still uses it is gone soon.
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

#[test]
fn r62_on_a_full_disk_hits_fail_and_none_is_lost() {
    let mut bench = Bench::new(2);
    let disk = Disk::new(&bench.path("disk"));
    let process = bench.start(&Fault::none()).expect("it starts");
    bench.visit(&process, 3);
    disk.fill();
    let mut full = one_more(&mut bench, &process);
    // The journal's log has some room of its own.
    for _ in 0..50 {
        if full[0] > 0 {
            full = one_more(&mut bench, &process);
        }
    }
    for _ in 0..3 {
        bench.visit(&process, 1);
    }
    assert_eq!((full[0], full[2]), (0, 0), "{full:?}: {}", process.log());
    disk.empty();
    assert_eq!(one_more(&mut bench, &process), [6, 0, 0], "{}", process.log());
    disk.fill();
    bench.visit(&process, 1);
    process.kill();
    // It starts on a full disk, or says why not.
    match bench.start(&Fault::none()) {
        Ok(process) => process.kill(),
        Err(log) => assert!(log.contains("REFUSED"), "{log}"),
    }
    disk.empty();
    bench.check();
}
