//! The gallery as a server: each example under its name, the index at the root, one layout around all.

mod index;
mod layout;
pub mod shelf;

use continuity::prelude::*;

/// All of it, but for the way in.
pub fn server() -> Server {
    shelf::mount(Server::new(index::index))
        .app(shelf::animals::Tree::default())
        .app(shelf::chat::Room::default())
        .app(shelf::shop::gateway::Gateway::default())
        .app(shelf::sign_in::provider::Provider::default())
        .layout(|page| {
            layout::document(
                page.title(),
                layout::bar(shelf::find(page.mount().trim_start_matches('/'))),
                html! { div.stage { (page.body()) } },
            )
        })
}
