//! What the sweep orders, and when, by a clock that is not waited for.

use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use super::deadlines::{Phase, Sweep, Times, Watched, order};

const TIMES: Times = Times {
    handshake: Duration::from_secs(10),
    first_byte: Duration::from_secs(15),
    head: Duration::from_secs(30),
    keep_alive: Duration::from_secs(60),
    write: Duration::from_secs(45),
    rate: 1000,
};

/// A connection, and the sweep over it.
fn watched() -> (Arc<Sweep>, Arc<Watched>) {
    let sweep = Sweep::new(TIMES);
    tokio::spawn(sweep.clone().run());
    let watched = sweep.watch(Waker::noop().clone());
    watched.rest(true);
    (sweep, watched)
}

/// All it is told in so many seconds.
async fn told(watched: &Watched, seconds: u64) -> u8 {
    let mut told = 0;
    for _ in 0..2 * seconds {
        tokio::time::sleep(Duration::from_millis(500)).await;
        told |= watched.orders();
    }
    told
}

#[tokio::test(start_paused = true)]
async fn r27_each_wait_has_its_own_time() {
    let (_sweep, watched) = watched();
    assert_eq!(told(&watched, 14).await, 0);
    assert_eq!(told(&watched, 3).await, order::CLOSE);
    watched.wait_for(Phase::Head);
    assert_eq!(told(&watched, 29).await, 0);
    // More of it came, and it still is not whole.
    watched.wait_for(Phase::Head);
    assert_eq!(told(&watched, 3).await, order::SLOW);
    watched.begin();
    assert_eq!(told(&watched, 1000).await, 0, "the server may take its time");
    watched.wait_for(Phase::Idle);
    assert_eq!(told(&watched, 59).await, 0);
    assert_eq!(told(&watched, 3).await, order::CLOSE);
}

#[tokio::test(start_paused = true)]
async fn r27_only_the_time_that_a_body_is_waited_for_counts() {
    let (_sweep, watched) = watched();
    watched.begin();
    for _ in 0..10 {
        watched.wait_for(Phase::Body);
        assert_eq!(told(&watched, 10).await, 0, "it keeps the rate");
        watched.came(10_000);
        assert_eq!(told(&watched, 100).await, 0, "nobody asks for more");
    }
    watched.wait_for(Phase::Body);
    assert_eq!(told(&watched, 28).await, 0);
    assert_eq!(told(&watched, 4).await, order::SLOW);
    // The next body begins anew.
    watched.begin();
    watched.wait_for(Phase::Body);
    assert_eq!(told(&watched, 28).await, 0);
}

#[tokio::test(start_paused = true)]
async fn r27_an_answer_must_be_read_and_not_too_slowly() {
    let (_sweep, watched) = watched();
    watched.begin();
    watched.stall();
    assert_eq!(told(&watched, 44).await, 0);
    assert_eq!(told(&watched, 3).await, order::ABORT);
    watched.went(1);
    // Some is read again and again, but below the rate.
    let mut orders = 0;
    for _ in 0..6 {
        watched.stall();
        orders |= told(&watched, 10).await;
        watched.went(100);
    }
    assert_eq!(orders, order::ABORT);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_not_used_is_told_to_rest_once_it_has_something_to_give_back() {
    let (_sweep, watched) = watched();
    watched.rest(false);
    watched.begin();
    watched.wait_for(Phase::Idle);
    assert_eq!(told(&watched, 1).await, 0);
    assert_eq!(told(&watched, 3).await, order::REST);
    watched.rest(true);
    assert_eq!(told(&watched, 10).await, 0);
}

#[tokio::test(start_paused = true)]
async fn all_are_told_that_the_server_stops_also_those_who_come_later() {
    let (sweep, watched) = watched();
    sweep.dismiss();
    assert_eq!(watched.orders(), order::LEAVE);
    assert_eq!(watched.orders(), order::LEAVE, "again and again");
    assert_eq!(sweep.watch(Waker::noop().clone()).orders(), order::LEAVE);
}

#[tokio::test]
async fn what_is_over_leaves_nothing() {
    let sweep = Sweep::new(TIMES);
    let watched = sweep.watch(Waker::noop().clone());
    let left = (Arc::downgrade(&sweep), Arc::downgrade(&watched));
    drop((sweep, watched));
    assert!(left.0.upgrade().is_none() && left.1.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_has_gone_is_watched_no_longer() {
    let (_sweep, watched) = watched();
    let gone = Arc::downgrade(&watched);
    drop(watched);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(gone.upgrade().is_none());
}
