//! The system's clock jumps between two lives, by faketime: sessions end by the journal's own clock.

use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::clients::{Came, Visitor};
use super::program::{IDLE, NAP, PARK};
use super::run::{Bench, Fault, set};

#[test]
fn r65_a_clock_that_jumps_between_two_lives_ends_no_session() {
    let mut bench = Bench::new(2);
    for ahead in ["+0d", "+1d", "-1d", "+100d", "-100d"] {
        let process = bench.start_with(&Fault::clock(ahead), |command| set(command, PARK, "1"));
        let process = process.unwrap_or_else(|log| panic!("{ahead}: {log}"));
        bench.visit(&process, 2);
        // They are parked, and it is looked for those whose time has come.
        std::thread::sleep(Duration::from_millis(2_500));
        bench.visit(&process, 1);
        process.is_well();
        process.stop();
    }
    bench.check();
    let [answered, errors, open] = bench.counts();
    assert!(answered > 90 && errors + open == 0, "{:?}", bench.counts());
}

#[test]
fn r65_a_clock_that_jumps_back_prolongs_no_session() {
    let mut bench = Bench::new(1);
    let process = bench.start_with(&Fault::none(), |command| set(command, IDLE, "2"));
    bench.visit(&process.expect("it starts"), 3);
    let process = bench.start_with(&Fault::clock("-100d"), |command| set(command, IDLE, "2"));
    let process = process.expect("it starts");
    std::thread::sleep(Duration::from_secs(6));
    let Came::Answer { status: 200, text } = bench.visitors[0].get(&process.address, "/pages") else {
        panic!("no answer: {}", process.log());
    };
    assert!(text.contains("told=0:"), "its time is over: {text}");
}

#[test]
fn r65_a_sleep_never_takes_longer_than_was_asked() {
    for ahead in ["-100d", "-1d", "+1d", "+100d"] {
        let (bench, mut visitor) = (Bench::new(0), Visitor::new(0));
        let process = bench.start(&Fault::none()).expect("it starts");
        visitor.get(&process.address, "/sleepy");
        visitor.get(&process.address, "/sleepy");
        std::thread::scope(|scope| {
            let sleeper = scope.spawn(|| visitor.get(&process.address, "/sleepy"));
            std::thread::sleep(NAP / 4);
            process.signal(Signal::KILL);
            assert!(matches!(sleeper.join(), Ok(Came::Nothing)), "it slept");
        });
        drop(process);
        let process = bench.start(&Fault::clock(ahead)).expect("it starts");
        let start = Instant::now();
        let came = visitor.get(&process.address, "/sleepy");
        let Came::Answer { status: 200, text } = came else { panic!("{ahead}: {came:?}") };
        // The sleep that was cut off, and the one of this hit.
        let most = NAP * 2 + Duration::from_secs(2);
        assert!(start.elapsed() < most, "{ahead}: {:?}", start.elapsed());
        assert!(text.contains("naps="), "{text}");
    }
}
