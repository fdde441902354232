//! What the model has found in the library, each as the shortest script that showed it.

use std::sync::Arc;
use std::time::Duration;

use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;
use continuity::{OldPages, Sqlite};

use super::desk::{Till, desk};
use crate::folder::Folder;

fn server(store: &Memory) -> Server {
    Server::new(desk).journal(store.clone()).old_pages(OldPages::Branch).app(Arc::new(Till::default()))
}

#[tokio::test]
async fn line_04_a_failed_step_has_shared_nothing() {
    let mut tab = Browser::of(server(&Memory::new()));
    tab.get("/").await.follow("share").await.shows("Basket 0,.");
    tab.follow("late").await.status(500);
    tab.follow("Back to where you were").await.shows("At sh. Basket 0,.");
    tab.follow("left").await.shows("At shle. Basket 0,.");
}

#[tokio::test]
async fn line_13_who_goes_back_leaves_what_is_shared() {
    let mut tab = Browser::of(server(&Memory::new()).old_pages(OldPages::Rewind));
    tab.get("/").await.follow("left").await.follow("share").await.shows("Basket 2,.");
    tab.back().await.follow("right").await.shows("At leri. Basket 2,.");
}

#[tokio::test]
async fn line_13_a_commit_that_is_replayed_leaves_the_way_back() {
    let mut tab = Browser::of(server(&Memory::new()));
    tab.get("/").await.follow("seal").await.follow("left").await.shows("At sele.");
    tab.back().await.follow("end").await.shows("Bye se.");
    tab.reload().await.shows("Bye se.");
    tab.get("/").await.shows("At sele.");
}

#[tokio::test]
async fn line_13_the_last_page_of_another_branch_shown_again_leaves_what_is_shared() {
    let mut tab = Browser::of(server(&Memory::new()));
    tab.get("/").await.follow("share").await.shows("Basket 0,.");
    tab.back().await.follow("end").await.shows("Bye .");
    tab.reload().await.shows("Bye .");
    tab.get("/").await.shows("At sh.");
    tab.follow("left").await.shows("At shle. Basket 0,.");
}

#[tokio::test]
async fn line_11_go_on_leads_to_a_page_that_was_printed_on_another_branch() {
    let mut tab = Browser::of(server(&Memory::new()));
    tab.get("/").await.follow("seal").await.follow("left").await.shows("At sele.");
    tab.back().await.follow("slip").await.shows("Slip se.");
    tab.back().await.back().await.follow("left").await.status(410);
    tab.follow("Go on").await.shows("Slip se.");
    tab.follow("on").await.shows("At sesl.");
}

#[tokio::test]
async fn line_18_what_is_printed_before_a_checkpoint_is_not_missed_after_it() {
    let (store, till) = (Memory::new(), Arc::new(Till { checkpoints: true, ..Till::default() }));
    let server = || Server::new(desk).journal(store.clone()).app(till.clone());
    let mut tab = Browser::of(server());
    tab.get("/").await.follow("pay").await.shows("Receipt 1. At pa.");
    tab.restart(server()).get("/").await.shows("At pa.").shows_not("changed");
    tab.follow("left").await.shows("At pale.");
}

#[tokio::test(start_paused = true)]
async fn line_15_two_hits_that_bring_a_session_back_at_once_are_each_answered() {
    for links in [["name", "fail"], ["fail", "name"], ["end", "left"], ["left", "end"], ["fail", "fail"]] {
        let limits = |limits: &mut Limits| limits.park = Duration::from_secs(10);
        let mut tab = Browser::of(server(&Memory::new()).limits(limits));
        tab.get("/").await;
        tab.get("/").await.wait(Duration::from_secs(15)).await;
        assert_eq!(tab.sessions(), 0, "parked");
        let (mut one, mut two) = (tab.new_tab(), tab.new_tab());
        let urls = links.map(|link| tab.href(link));
        tokio::join!(one.get(&urls[0]), two.get(&urls[1]));
        for text in [one.text(), two.text()] {
            assert!(!text.contains("did not happen"), "{links:?}: {text}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn line_03_the_last_page_stays_when_two_hits_end_a_parked_session_at_once() {
    let limits = |limits: &mut Limits| limits.park = Duration::from_secs(10);
    let mut tab = Browser::of(server(&Memory::new()).limits(limits));
    tab.get("/").await;
    tab.get("/").await.wait(Duration::from_secs(15)).await;
    let (mut one, mut two) = (tab.new_tab(), tab.new_tab());
    let end = tab.href("end");
    tokio::join!(one.get(&end), two.get(&end));
    one.shows("Bye .");
    two.shows("Bye .");
    two.reload().await.shows("Bye .");
}

#[tokio::test]
async fn line_11_two_tabs_that_ask_for_old_pages_at_once_get_them() {
    let mut tab = Browser::of(server(&Memory::new()));
    tab.get("/").await.follow("left").await.follow("right").await.shows("At leri.");
    let mut old = tab.new_tab();
    old.get(&tab.back().await.back().await.href("left")).await.shows("At le.");
    for _ in 0..3 {
        // All of them are in line when the first one is answered.
        let (mut one, mut two, mut three) = (tab.new_tab(), tab.new_tab(), tab.new_tab());
        let (repeat, again, new) = (tab.href("left"), old.href("right"), old.href("name"));
        tokio::join!(one.get(&repeat), two.get(&again), three.get(&new));
        one.shows("At le.");
        two.shows("At leri.");
        three.shows("Name for le?");
    }
}

#[tokio::test]
async fn line_04_two_hits_that_fail_at_once_are_told_so_before_anything_of_their_session_is_written() {
    let folder = Folder::in_memory("two-fail");
    let journal = Sqlite::open(folder.0.join("journal")).expect("it opens");
    let first = Browser::of(Server::new(desk).journal(journal).app(Arc::new(Till::default())));
    for _ in 0..30 {
        let mut tab = first.other();
        tab.get("/").await;
        let (mut one, mut two) = (tab.new_tab(), tab.new_tab());
        let url = tab.href("fail");
        tokio::join!(one.get(&url), two.get(&url));
        for tab in [&mut one, &mut two] {
            tab.status(500);
            tab.follow("Back to where you were").await.shows("At .");
        }
    }
}
