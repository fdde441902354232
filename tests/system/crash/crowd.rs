//! Many sessions and little memory: who rests is parked, all go on, and who is gone leaves nothing.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use continuity::Sqlite;
use continuity::journal::Store;

use super::Dice;
use super::clients::{Line, Visitor};
use super::program::{self, IDLE, PARK};
use super::run::{Bench, Fault, Process, set};
use crate::folder::Folder;
use crate::progress::{Progress, asked};
use crate::running::Running;

/// Clients at once.
const CLIENTS: usize = 16;

/// So many hits of these visitors, in the first flow, by a dice; the most that was counted meanwhile.
fn visit(
    visitors: &[Mutex<Visitor>],
    hits: usize,
    seed: u64,
    address: &str,
    count: impl Fn() -> usize + Sync,
) -> usize {
    let (peak, progress) = (Mutex::new(0), Mutex::new(Progress::new("hits", hits)));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (peak, progress, count) = (&peak, &progress, &count);
            scope.spawn(move || {
                let (mut dice, mut line) = (Dice(seed + client as u64), Line::kept());
                // All come twice, one after the other: who came once is nowhere but in memory. Then whoever.
                let early = (client..visitors.len()).step_by(CLIENTS).flat_map(|who| [who; 2]);
                let late = (2 * visitors.len() + client..hits).step_by(CLIENTS);
                for who in early.chain(late.map(|_| dice.roll(visitors.len() as u64) as usize)) {
                    let mut visitor = visitors[who].lock().expect("nobody panicked");
                    visitor.hit_over(&mut line, address, 0).unwrap_or_else(|why| panic!("{who}: {why}"));
                    assert_eq!(visitor.counts[1] + visitor.counts[2], 0, "all are answered");
                    drop(visitor);
                    progress.lock().expect("nobody panicked").goes_on(1, "");
                    let mut peak = peak.lock().expect("nobody panicked");
                    *peak = count().max(*peak);
                }
            });
        }
    });
    peak.into_inner().expect("nobody panicked")
}

async fn crowd(sessions: u64, in_memory: usize, hits: usize) {
    let folder = Folder::new("crowd");
    let journal = Sqlite::open(folder.0.join("journal")).expect("it opens");
    let server = program::server(&folder.0, journal).limits(|limits| {
        limits.in_memory = in_memory;
        limits.newborns = usize::MAX;
        limits.newborns_per_address = usize::MAX;
    });
    let server = Running::start(server).await;
    let visitors: Vec<_> = (0..sessions).map(|name| Mutex::new(Visitor::new(name))).collect();
    let start = Instant::now();
    let peak =
        tokio::task::block_in_place(|| visit(&visitors, hits, 7, &server.address, || server.sessions()));
    let took = start.elapsed();
    crate::until("all but a few are parked", || server.sessions() <= in_memory).await;
    println!(
        "{sessions} sessions, {hits} hits in {took:.1?}: {peak} in memory at most, {} at last of {in_memory}",
        server.sessions()
    );
    // Some come in before it is looked how many there are: once a second.
    let second = (hits as f64 / took.as_secs_f64()) as usize;
    assert!(peak <= in_memory + 4 * second, "{peak} in memory, {second} hits a second");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_beyond_what_memory_may_hold_go_on_from_the_disk() {
    crowd(3_000, 200, 9_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "long: cargo xtask soak --faults"]
async fn soak_a_million_sessions_with_50_000_in_memory() {
    let sessions = asked("SESSIONS", 1_000_000);
    crowd(sessions, sessions as usize / 20, sessions as usize * 5 / 2).await;
}

/// What a process holds: KiB of memory, files, threads.
fn held(process: &Process) -> [u64; 3] {
    [process.status("VmRSS:"), process.files() as u64, process.status("Threads:")]
}

/// Waits until the journal has no session any more.
fn none_left(bench: &Bench, process: &Process) {
    let journal = Sqlite::open_to_read(bench.path(program::JOURNAL)).expect("it can be read");
    let start = Instant::now();
    loop {
        let left = journal.list(0, 100_000).expect("it can be read").len();
        if left == 0 {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(120), "{left} sessions are left\n{}", process.log());
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Sessions begin, are idle, end and are purged, again and again; what is held after each round.
fn rounds(rounds: usize, sessions: u64, idle: &str) -> Vec<[u64; 3]> {
    let bench = Bench::new(0);
    let quick = |command: &mut std::process::Command| {
        [IDLE, PARK].into_iter().for_each(|name| set(command, name, idle))
    };
    let process = bench.start_with(&Fault::none(), quick).expect("it starts");
    let round = |number| {
        let visitors: Vec<_> = (0..sessions).map(|name| Mutex::new(Visitor::new(name))).collect();
        visit(&visitors, 3 * sessions as usize, number, &process.address, || 0);
        none_left(&bench, &process);
        held(&process)
    };
    (0..rounds as u64).map(round).collect()
}

#[test]
fn r68_sessions_with_a_journal_that_end_leave_nothing() {
    let held = rounds(3, 60, "1");
    println!("KiB, files, threads after each round: {held:?}");
    let [first, .., last] = held[..] else { panic!("three rounds") };
    assert!(last[0] < first[0] + 4_096 && last[1] <= first[1] + 8 && last[2] <= first[2] + 4, "{held:?}");
}

#[test]
#[ignore = "long: cargo xtask soak --faults"]
fn soak_r68_memory_files_and_threads_stay_flat() {
    let held = rounds(asked("ROUNDS", 12) as usize, 1_000, "5");
    println!("KiB, files, threads after each round: {held:?}");
    let (early, late) = (held[3], held[held.len() - 1]);
    assert!(late[0] < early[0] + 8_192 && late[1] <= early[1] + 4 && late[2] <= early[2] + 4, "{held:?}");
}

#[test]
fn r68_who_was_in_memory_when_the_process_was_killed_leaves_nothing() {
    let mut bench = Bench::new(2);
    let process = bench.start(&Fault::none()).expect("it starts");
    bench.visit(&process, 3);
    process.kill();
    let process = bench.start_with(&Fault::none(), |command| set(command, IDLE, "1")).expect("it starts");
    none_left(&bench, &process);
}
