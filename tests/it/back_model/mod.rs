//! Back is always right: random clicks in several tabs, restarts and repeats, against a model of what must come.

mod desk;
mod expected;
mod found;
mod model;
mod visitor;

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use continuity::OldPages;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

use visitor::{Act, Log, Script, play};

use crate::progress::{Progress, asked};

/// What a script may take, which mostly takes some milliseconds.
const PATIENCE: Duration = Duration::from_secs(60);

fn act() -> impl Strategy<Value = Act> {
    let number = || 0_usize..60;
    prop_oneof![
        14 => number().prop_map(Act::Use),
        2 => number().prop_map(Act::Twice),
        6 => Just(Act::Back),
        2 => Just(Act::BackReloading),
        2 => Just(Act::Forward),
        2 => Just(Act::Reload),
        3 => number().prop_map(Act::Open),
        4 => number().prop_map(Act::Switch),
        1 => (number(), number()).prop_map(|(one, other)| Act::AtOnce(one, other)),
        1 => number().prop_map(|both| Act::AtOnce(both, both)),
        1 => Just(Act::Restore),
        2 => number().prop_map(Act::Again),
        1 => Just(Act::Address),
        1 => Just(Act::Restart),
        1 => Just(Act::Park),
    ]
}

fn script() -> impl Strategy<Value = Script> {
    let policy = prop_oneof![
        4 => Just(OldPages::Branch),
        1 => Just(OldPages::Rewind),
        1 => Just(OldPages::Refuse),
    ];
    let flags = [0.03, 0.1, 0.2].map(prop::bool::weighted);
    (policy, 1_usize..=3, flags, vec(act(), 1..40)).prop_map(|(policy, branches, flags, acts)| {
        let [on_disk, rehearses, checkpoints] = flags;
        Script { policy, branches, on_disk, rehearses, checkpoints, acts }
    })
}

/// Plays a script from its beginning to its end; what went wrong, and the way there as code.
fn try_out(script: &Script) -> Result<(), String> {
    let log = Log::default();
    let _watched = watch(script, &log);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
    let runtime = runtime.expect("a runtime");
    let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(play(script, log.clone()))));
    played.map_err(|panic| {
        let why = panic.downcast_ref::<String>().map_or("a panic without words", String::as_str);
        format!("{why}\n\nas a test:\n{}", code(&log))
    })
}

fn code(log: &Log) -> String {
    log.lock().expect("nobody panics there").join("\n")
}

/// A script that comes to no end is told of, and ends all, if what is returned is not dropped in time.
fn watch(script: &Script, log: &Log) -> mpsc::Sender<()> {
    let (sender, ended) = mpsc::channel();
    let (script, log) = (format!("{script:?}"), log.clone());
    std::thread::spawn(move || {
        if ended.recv_timeout(PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
            eprintln!("it waits for ever after:\n{}\n\nby {script}", code(&log));
            std::process::exit(1);
        }
    });
    sender
}

/// As many scripts as the environment asks for, or else these.
fn many(usual: u32) {
    let cases = u32::try_from(asked("SCRIPTS", usual.into())).expect("scripts are counted in 32 bits");
    let progress = RefCell::new(Progress::new("scripts", cases as usize));
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..ProptestConfig::default()
    };
    let failed = TestRunner::new(config).run(&script(), |script| {
        progress.borrow_mut().goes_on(1, "");
        try_out(&script).map_err(TestCaseError::fail)
    });
    match failed {
        Ok(()) => println!("{cases} scripts, {}", progress.borrow().elapsed()),
        Err(TestError::Fail(why, script)) => panic!("{why}\n\nby {script:?}"),
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn line_11_whatever_is_clicked_the_page_is_the_one_that_the_tree_of_steps_has() {
    many(150);
}

#[test]
#[ignore = "long: cargo xtask soak --faults"]
fn soak_whatever_is_clicked_the_page_is_the_one_that_the_tree_of_steps_has() {
    many(100_000);
}
