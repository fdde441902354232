//! Promises that only whole processes can break: effects in flight, files that are made, clients that are not answered.

use std::fs;

use super::clients::{Came, Visitor};
use super::run::{Bench, Fault, Process};

fn get(visitor: &mut Visitor, process: &Process, target: &str) -> Option<String> {
    match visitor.get(&process.address, target) {
        Came::Answer { status: 200, text } => Some(text),
        Came::Answer { status, text } => panic!("{target}: {status} {text}\n{}", process.log()),
        Came::Nothing => None,
    }
}

/// The process dies in the middle of the effect of this word; the next one says what it made of it.
fn dies_in(word: &str) -> (Bench, String) {
    let (bench, mut visitor) = (Bench::new(0), Visitor::new(0));
    let process = bench.start(&Fault::none()).expect("it starts");
    get(&mut visitor, &process, "/dying");
    assert_eq!(get(&mut visitor, &process, &format!("/dying?word={word}")), None, "it dies");
    drop(process);
    let process = bench.start(&Fault::none()).expect("it starts");
    let text = get(&mut visitor, &process, "/dying").expect("it lives");
    let said = text.split_once("said=").and_then(|(_, rest)| rest.split(':').next());
    (bench, said.unwrap_or(&text).to_owned())
}

#[test]
fn r57_an_effect_in_flight_is_tried_again_with_the_same_key() {
    let (bench, said) = dies_in("again");
    assert_eq!(said, "again 2");
    let noted = bench.noted();
    assert_eq!(noted.len(), 2, "{noted:?}");
    assert_eq!(noted[0], noted[1], "a second try has the key of the first");
}

#[test]
fn r57_an_effect_that_must_not_be_doubled_is_unknown() {
    let (bench, said) = dies_in("sure");
    assert_eq!(said, "sure unknown");
    assert_eq!(bench.noted().len(), 1);
}

#[test]
fn r63_the_secret_is_written_aside_brought_to_the_disk_and_renamed() {
    let bench = Bench::new(1);
    let calls = bench.path("calls");
    bench.start(&Fault::watched("openat,write,fsync,rename", &calls)).expect("it starts").kill();
    let calls = fs::read_to_string(calls).expect("strace has written it");
    let lines: Vec<&str> = calls.lines().filter(|line| line.contains("journal.key")).collect();
    let place = |what: &str| {
        let place = lines.iter().position(|line| line.contains(what) && line.contains("journal.key.part"));
        place.unwrap_or_else(|| panic!("no {what} in {lines:#?}"))
    };
    let order = ["O_CREAT", "write(", "fsync(", "rename("].map(place);
    assert!(order.is_sorted(), "{lines:#?}");
    let renamed =
        calls.lines().skip_while(|line| !(line.contains("rename(") && line.contains("journal.key")));
    let folder = |line: &&str| line.contains("fsync(") && line.contains("disk>");
    assert!(renamed.take(6).any(|line| folder(&line)), "the folder is brought to the disk after it: {calls}");
}
