//! `kill -9`: at every system call by which the journal is written and responses are sent, and at any moment.

use std::time::Duration;

use rustix::process::Signal;

use super::Dice;
use super::clients::Visitor;
use super::program::FLOWS;
use super::run::{Bench, Fault, Process};
use crate::progress::{Progress, asked};

/// What makes the journal and writes it.
const WRITING: [&str; 12] = [
    "pwrite64",
    "fdatasync",
    "openat",
    "write",
    "fsync",
    "ftruncate",
    "unlink",
    "rename",
    "flock",
    "mmap",
    "fcntl",
    "close",
];
/// What sends responses, and what comes before and after.
const ANSWERING: [&str; 8] =
    ["sendto", "writev", "sendmsg", "epoll_wait", "recvfrom", "accept4", "futex", "shutdown"];

/// What came of many kills.
#[derive(Default)]
struct Figures {
    kills: u64,
    ended: u64,
    hits: [usize; 3],
}

impl Figures {
    fn add(&mut self, killed: bool, bench: &Bench) {
        (self.kills, self.ended) = (self.kills + u64::from(killed), self.ended + u64::from(!killed));
        self.hits.iter_mut().zip(bench.counts()).for_each(|(all, more)| *all += more);
    }

    fn say(&self, what: &str) {
        let [answered, errors, open] = self.hits;
        println!(
            "{what}: {} kills ({} runs without), {answered} hits answered, {errors} by an error, {open} not",
            self.kills, self.ended
        );
    }
}

/// Two lives that end at this call, then a look. Whether the first was killed by it.
fn killed_at(call: &str, number: u64) -> (bool, Bench) {
    let mut bench = Bench::new(2);
    let mut killed = false;
    for life in 0..2 {
        // The second life finds a journal, and sessions to rebuild.
        let ended = match bench.start(&Fault::kill(call, number)) {
            Ok(process) => {
                bench.visit(&process, 12);
                process.kill();
                bench.counts()[2] > 0
            }
            Err(log) => {
                assert!(!log.contains("panicked"), "{log}");
                true
            }
        };
        killed |= life == 0 && ended;
    }
    bench.check();
    (killed, bench)
}

/// Kills at every `step`th of each of these calls, as many as there are, `most` at most.
fn every(what: &str, calls: &[&str], step: usize, most: u64) {
    let (mut figures, mut progress) = (Figures::default(), Progress::new(what, calls.len()));
    for call in calls {
        for number in (1..=most).step_by(step) {
            let (killed, bench) = killed_at(call, number);
            figures.add(killed, &bench);
            progress.goes_on(0, &format!("{call} {number}"));
            // No thread makes that many of them.
            if !killed {
                break;
            }
        }
        progress.goes_on(1, call);
    }
    figures.say(&format!("{what}, {}", progress.elapsed()));
    assert!(figures.kills > 10, "hardly anything was killed: the calls are named wrongly");
}

#[test]
fn kill_9_at_the_calls_that_write_loses_and_doubles_nothing() {
    every("kill at calls that write", &WRITING[..8], 41, 300);
}

#[test]
fn kill_9_at_the_first_calls_of_a_journal_leaves_one_that_opens() {
    every("kill at the first calls", &WRITING[..9], 1, 3);
}

#[test]
fn kill_9_before_and_after_a_response_is_sent_loses_and_doubles_nothing() {
    every("kill at calls that answer", &ANSWERING, 47, 200);
}

#[test]
#[ignore = "long: cargo xtask soak --faults"]
fn soak_kill_9_at_every_call() {
    every("kill at every call that writes", &WRITING, 1, 2_000);
    every("kill at every call that answers", &ANSWERING, 1, 400);
}

/// Kills under load, at moments that a dice gives. Sessions that grow too long are rebuilt for longer than a process
/// lives here, so every some kills others begin.
fn at_random(kills: u64, seed: u64) {
    const A_BENCH: u64 = 25;
    let (mut dice, mut hits, mut given_up) = (Dice(seed), [0; 3], 0);
    let mut progress = Progress::new("kills at random", kills as usize);
    for first in (0..kills).step_by(A_BENCH as usize) {
        let mut bench = Bench::new(6);
        (first..kills).take(A_BENCH as usize).for_each(|_| kill_under_load(&mut bench, &mut dice));
        bench.check();
        hits.iter_mut().zip(bench.counts()).for_each(|(all, more)| *all += more);
        given_up += bench.visitors.iter().map(Visitor::quarantined).sum::<usize>();
        let seen = bench.visitors.iter().flat_map(|visitor| &visitor.sessions);
        let error = seen.filter_map(|seen| seen.error.as_ref()).next();
        assert_eq!(error, None, "there was nothing but kills");
        progress.goes_on(A_BENCH as usize, "");
    }
    let [answered, _, open] = hits;
    let took = progress.elapsed();
    println!(
        "{kills} kills at random, {took}: {answered} hits answered, {open} not; {given_up} sessions given up"
    );
    assert!(answered > 100, "hardly anything was answered");
}

fn kill_under_load(bench: &mut Bench, dice: &mut Dice) {
    let mut process = bench.start(&Fault::none()).unwrap_or_else(|log| panic!("no start: {log}"));
    let wait = Duration::from_micros(dice.roll(150_000));
    std::thread::scope(|scope| {
        let victim = &process;
        for visitor in &mut bench.visitors {
            let first = dice.roll(3);
            scope.spawn(move || visit_until_it_dies(visitor, victim, first as usize));
        }
        std::thread::sleep(wait);
        victim.signal(Signal::KILL);
    });
    process.is_well();
    while process.runs() {
        std::thread::yield_now();
    }
}

fn visit_until_it_dies(visitor: &mut Visitor, victim: &Process, first: usize) {
    let before = visitor.counts[2];
    let mut flows = (0..FLOWS.len()).cycle().skip(first);
    while visitor.counts[2] == before {
        let flow = flows.next().expect("they never end");
        let hit = visitor.hit(&victim.address, flow);
        hit.unwrap_or_else(|why| panic!("{why}\n{}", victim.log()));
    }
}

#[test]
fn r56_kill_9_at_any_moment_loses_and_doubles_nothing() {
    at_random(15, 1);
}

#[test]
#[ignore = "long: cargo xtask soak --faults"]
fn soak_kill_9_at_random() {
    at_random(asked("KILLS", 1_000), asked("SEED", 2));
}
