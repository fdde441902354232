//! What the model has found in the library, each as the shortest script that showed it.

use std::sync::Arc;

use continuity::OldPages;
use continuity::journal::Memory;
use continuity::prelude::*;
use continuity::test::Browser;

use super::desk::{Till, desk};

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
    tab.back().follow("right").await.shows("At leri. Basket 2,.");
}

#[tokio::test]
async fn line_13_a_commit_that_is_replayed_leaves_the_way_back() {
    let mut tab = Browser::of(server(&Memory::new()));
    tab.get("/").await.follow("seal").await.follow("left").await.shows("At sele.");
    tab.back().follow("end").await.shows("Bye se.");
    tab.reload().await.shows("Bye se.");
    tab.get("/").await.shows("At sele.");
}

#[tokio::test]
async fn line_13_the_last_page_of_another_branch_shown_again_leaves_what_is_shared() {
    let mut tab = Browser::of(server(&Memory::new()));
    tab.get("/").await.follow("share").await.shows("Basket 0,.");
    tab.back().follow("end").await.shows("Bye .");
    tab.reload().await.shows("Bye .");
    tab.get("/").await.shows("At sh.");
    tab.follow("left").await.shows("At shle. Basket 0,.");
}
