//! Line 6: each bound is filled by a test, which sees what is refused, what goes on, and that it recovers. Those that stand
//! nowhere else stand here.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use continuity::journal::{Change, Chunk, Found, Head, Memory, Opened, State, Store, StoreError, Visitor};
use continuity::prelude::*;
use continuity::test::Browser;

use crate::flows::counter;
use crate::log::warnings_elsewhere;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Files of tests, and the bounds that a test of theirs fills.
#[rustfmt::skip]
const FILLED: &[(&str, &[(&str, &str)])] = &[
    ("tests/it/back.rs", &[
        ("branches", "line_12_only_so_many_branches_stay_in_memory_and_all_live_on"),
    ]),
    ("tests/it/back_table.rs", &[
        ("replays", "too_many_replays"),
        ("replay", "a_replay_that_takes_too_long"),
    ]),
    ("tests/it/bounds.rs", &[
        ("lifetime_journaled", "a_journaled_session_lives_no_longer_than_its_lifetime"),
        ("in_memory", "of_many_journaled_sessions_some_stay_in_memory_and_all_go_on"),
        ("rebuilding", "visitors_who_come_back_all_at_once_are_rebuilt_some_at_a_time"),
        ("journal_queue", "steps_that_find_the_line_to_the_journal_full_did_not_happen_and_can_be_tried_again"),
        ("ended", "an_ended_session_is_in_the_journal_for_its_time_and_no_longer"),
        ("stuck", "a_session_that_does_not_await_is_named_in_the_log_and_others_go_on"),
    ]),
    ("tests/it/choices.rs", &[
        ("token", "line_10_a_value_over_1_kib_is_an_error_that_names_the_link"),
    ]),
    ("tests/it/clocks.rs", &[
        ("newborn", "line_05_a_newborn_has_a_short_life"),
        ("idle", "line_05_an_idle_session_is_told_and_may_await_while_it_cleans_up"),
        ("lifetime", "line_05_lifetime_ends_even_the_busiest"),
        ("grace", "line_05_a_session_that_takes_longer_than_its_grace_is_dropped"),
    ]),
    ("tests/it/ending.rs", &[
        ("linger", "line_03_after_it_has_lingered_the_last_page_is_gone"),
    ]),
    ("tests/it/journal.rs", &[
        ("idle_journaled", "line_05_a_parked_session_whose_time_is_over_is_rebuilt_told_and_ended"),
        ("park", "line_05_a_session_that_rests_is_parked_and_comes_back"),
    ]),
    ("tests/it/journal_bounds.rs", &[
        ("journal_session", "line_06_a_session_has_its_share_of_the_journal"),
        ("journal_bytes", "line_06_the_journal_has_its_share_of_the_disk"),
    ]),
    ("tests/it/limits.rs", &[
        ("sessions", "line_02_sessions_overall_are_capped_and_those_inside_go_on"),
        ("newborns", "line_06_the_oldest_newborn_is_shed_first_and_the_established_never"),
        ("newborns_per_address", "line_02_newborns_of_one_address_are_capped"),
        ("sessions_per_visitor", "line_02_sessions_of_one_visitor_are_capped"),
        ("lingering", "line_06_ended_sessions_that_linger_are_capped"),
        ("page", "line_06_a_page_that_grows_without_end_is_an_error_that_asks_for_flush"),
        ("params", "line_06_a_hit_with_too_many_parameters_is_refused"),
    ]),
    ("tests/it/repeats.rs", &[
        ("kept_page", "line_11_a_page_that_is_too_large_or_was_evicted_is_a_notice"),
        ("kept_pages", "line_11_a_page_that_is_too_large_or_was_evicted_is_a_notice"),
    ]),
    ("tests/it/sessions.rs", &[
        ("queue", "line_01_a_full_queue_is_answered_503_with_retry_after"),
    ]),
    ("tests/it/upload_limits.rs", &[
        ("upload", "r47_each_cap_of_a_form_has_its_status_and_closes"),
        ("files_per_hit", "r47_each_cap_of_a_form_has_its_status_and_closes"),
        ("upload_rate", "r27_a_form_that_is_too_slow_is_408_and_one_that_keeps_its_pace_may_take_long"),
        ("uploads", "r47_forms_that_come_in_at_once_are_capped_by_visitor_and_for_all"),
        ("uploads_per_visitor", "r47_forms_that_come_in_at_once_are_capped_by_visitor_and_for_all"),
        ("upload_files", "r47_temporary_files_and_their_bytes_are_capped_for_all_together"),
        ("upload_bytes", "r47_temporary_files_and_their_bytes_are_capped_for_all_together"),
    ]),
    ("tests/it/uploads.rs", &[
        ("upload_memory", "r47_files_come_in_order_with_names_types_and_bytes"),
    ]),
    ("tests/system/deadlines.rs", &[
        ("first_byte", "r27_a_connection_that_says_nothing_is_closed"),
        ("head_time", "r27_a_head_that_takes_too_long_ends_the_connection"),
        ("body_time", "a_body_that_takes_too_long_is_408"),
        ("keep_alive", "r27_a_connection_nobody_uses_is_closed"),
        ("write_time", "r27_a_client_that_does_not_read_is_cut_off"),
        ("rate", "r27_a_body_below_the_rate_is_408"),
    ]),
    ("tests/system/floods.rs", &[
        ("streams", "r31_what_is_reset_counts_until_its_work_is_done"),
    ]),
    ("tests/system/http.rs", &[
        ("body", "a_body_that_says_it_is_too_large_is_413"),
        ("head", "a_head_that_is_too_large_is_431"),
        ("headers", "r26_too_many_fields_are_431_duplicates_counted"),
        ("connections", "connections_above_their_cap_wait_until_one_closes"),
    ]),
    ("tests/system/stopping.rs", &[
        ("drain", "a_server_that_stops_waits_for_answers_no_longer_than_its_drain"),
    ]),
    ("tests/system/tls.rs", &[
        ("handshake", "r27_a_handshake_has_its_time_and_holds_up_nobody"),
    ]),
];

#[test]
fn each_bound_has_a_test_that_fills_it() {
    let mut filled = BTreeSet::new();
    for (file, tests) in FILLED {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        for (bound, test) in *tests {
            assert!(
                text.contains(&format!("fn {test}(")),
                "{file} has no test {test}, which fills `{bound}`"
            );
            assert!(filled.insert(*bound), "`{bound}` is there twice");
        }
    }
    let bounds: BTreeSet<_> = Limits::table().into_iter().map(|(bound, ..)| bound).collect();
    assert_eq!(filled, bounds, "bounds that a test fills on the left, all of them on the right");
}

/// Visitors who have all counted to one.
async fn crowd(first: &Browser, count: usize) -> Vec<Browser> {
    let mut visitors: Vec<_> = (0..count).map(|_| first.other()).collect();
    for visitor in &mut visitors {
        visitor.get("/").await.follow("++").await.shows("Count: 1");
    }
    visitors
}

fn is_turned_away(browser: &Browser) -> bool {
    browser.header_value("retry-after").is_some()
}

#[tokio::test(start_paused = true)]
async fn a_journaled_session_lives_no_longer_than_its_lifetime() {
    let server = Server::new(counter).journal(Memory::new());
    let mut browser = Browser::of(server.limits(|limits| limits.lifetime_journaled = 60 * MINUTE));
    browser.get("/").await;
    for count in 1..=14 {
        browser.wait(4 * MINUTE).await.follow("++").await.shows(&format!("Count: {count}"));
    }
    browser.wait(5 * MINUTE).await.follow("++").await.status(410);
    browser.follow("Start again").await.shows("Count: 0");
}

#[tokio::test(start_paused = true)]
async fn of_many_journaled_sessions_some_stay_in_memory_and_all_go_on() {
    let server = Server::new(counter).journal(Memory::new());
    let first = Browser::of(server.limits(|limits| limits.in_memory = 2));
    let mut visitors = crowd(&first, 5).await;
    visitors[0].wait(3 * SECOND).await;
    assert!(first.sessions() <= 2, "{} sessions in memory", first.sessions());
    for visitor in &mut visitors {
        visitor.follow("++").await.shows("Count: 2");
    }
}

#[tokio::test]
async fn visitors_who_come_back_all_at_once_are_rebuilt_some_at_a_time() {
    let store = Memory::new();
    let server = || Server::new(counter).journal(store.clone()).limits(|limits| limits.rebuilding = 1);
    let first = Browser::of(server());
    let mut visitors = crowd(&first, 2).await;
    visitors[0].restart(server());
    let [ada, bob] = &mut visitors[..] else { panic!("two visitors") };
    tokio::join!(ada.follow("++"), bob.follow("++"));
    assert_ne!(is_turned_away(ada), is_turned_away(bob), "one of them has the only place");
    for visitor in [ada, bob] {
        visitor.back().await.follow("++").await.status(200).shows("Count: 2");
    }
}

/// A store that writes nothing while it is shut, as a disk that is slow.
#[derive(Clone, Default)]
struct Gated(Memory, Arc<(Mutex<bool>, Condvar)>);

impl Gated {
    fn shut(&self, shut: bool) {
        *self.1.0.lock().expect("nobody panics while they hold the gate") = shut;
        self.1.1.notify_all();
    }
}

impl Store for Gated {
    fn opened(&self) -> Opened {
        self.0.opened()
    }

    fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        let gate = self.1.0.lock().expect("nobody panics while they hold the gate");
        drop(self.1.1.wait_while(gate, |shut| *shut).expect("nobody panics while they hold the gate"));
        self.0.write(changes)
    }

    fn find(&self, visitor: &Visitor, label: u64) -> Result<Found, StoreError> {
        self.0.find(visitor, label)
    }

    fn head(&self, session: u64) -> Result<Option<Head>, StoreError> {
        self.0.head(session)
    }

    fn load(&self, session: u64) -> Result<Vec<Chunk>, StoreError> {
        self.0.load(session)
    }

    fn due(&self, now: u32, wall: i64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.0.due(now, wall, limit)
    }

    fn list(&self, after: u64, limit: usize) -> Result<Vec<Head>, StoreError> {
        self.0.list(after, limit)
    }

    fn bytes(&self) -> u64 {
        self.0.bytes()
    }

    fn mark(&self, slot: usize, session: Option<u64>) {
        self.0.mark(slot, session);
    }
}

#[tokio::test]
async fn steps_that_find_the_line_to_the_journal_full_did_not_happen_and_can_be_tried_again() {
    let store = Gated::default();
    let server = Server::new(counter).journal(store.clone());
    let first = Browser::of(server.limits(|limits| limits.journal_queue = 2));
    let mut visitors = crowd(&first, 6).await;
    store.shut(true);
    let mut clicks: Vec<_> = Vec::new();
    for visitor in &mut visitors {
        let href = visitor.href("++");
        clicks.push(tokio::spawn(visitor.open(&href)));
    }
    while clicks.iter().filter(|click| click.is_finished()).count() < 3 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(clicks.iter().any(|click| !click.is_finished()), "some are in line");
    store.shut(false);
    let mut refused = 0;
    for click in clicks {
        let answer = click.await.expect("an answer");
        assert!([200, 503].contains(&answer.status().as_u16()), "{answer:?}");
        refused += usize::from(answer.status() == 503);
    }
    assert!((3..6).contains(&refused), "{refused} of 6 are refused");
    for visitor in &mut visitors {
        visitor.follow("++").await.status(200).shows("Count: 2");
    }
}

#[tokio::test(start_paused = true)]
async fn an_ended_session_is_in_the_journal_for_its_time_and_no_longer() {
    async fn ends(mut req: Request) -> Result<()> {
        req.choose(|c| html! { (c.link("End", ())) }).await?;
        req.print("The end");
        Ok(())
    }
    let store = Memory::new();
    let server = Server::new(ends).journal(store.clone()).limits(|limits| limits.ended = 60 * MINUTE);
    let mut browser = Browser::of(server);
    let kept = || store.list(0, 10).expect("it can be read").into_iter().map(|head| head.state);
    browser.get("/").await.follow("End").await.shows("The end");
    assert_eq!(kept().collect::<Vec<_>>(), [State::Ended]);
    browser.wait(59 * MINUTE).await;
    assert_eq!(kept().collect::<Vec<_>>(), [State::Ended]);
    browser.wait(2 * MINUTE).await;
    assert_eq!(kept().count(), 0);
    browser.get("/").await.follow("End").await.shows("The end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_does_not_await_is_named_in_the_log_and_others_go_on() {
    async fn blocks(mut req: Request) -> Result<()> {
        loop {
            req.print("Here").next().await?;
            if req.path() == "/blocks" {
                std::thread::sleep(3 * SECOND);
            }
        }
    }
    warnings_elsewhere();
    let server = Server::new(blocks).limits(|limits| limits.stuck = SECOND / 2);
    let mut ada = Browser::of(server);
    let mut bob = ada.other();
    ada.get("/").await;
    bob.get("/").await;
    let stuck = tokio::spawn(ada.open("/blocks"));
    let named = |entry: &crate::log::Entry| {
        entry.says("message").contains("running without awaiting")
            && entry.says("place").contains("bounds.rs")
    };
    while !warnings_elsewhere().iter().any(named) {
        assert!(!stuck.is_finished(), "nobody was named while it was stuck");
        tokio::time::sleep(SECOND / 50).await;
        bob.get("/").await.shows("Here");
    }
    assert_eq!(stuck.await.expect("an answer").rest().await.matches("Here").count(), 1);
    ada.get("/").await.shows("Here");
}
