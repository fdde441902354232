//! The test kit (feature `test`): a [`Browser`] in memory that a test drives as a visitor would, without a socket.
//!
//! It follows links and redirects, fills in and submits forms, keeps cookies, goes back and forward, opens tabs. What
//! it reads is what a visitor reads, and when a test fails it says what the visitor saw and how they got there. It
//! needs a tokio runtime and nothing else; paused time (`#[tokio::test(start_paused = true)]`) works.
//!
//! ```
//! use continuity::prelude::*;
//! use continuity::test::Browser;
//!
//! async fn greet(mut req: Request) -> Result<()> {
//!     req.print(html! { form { "Your name " input name="name"; } });
//!     let name: String = req.next().await?.param("name")?;
//!     req.print(html! { "Hello, " (name) "!" });
//!     Ok(())
//! }
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() {
//! let mut browser = Browser::new(greet);
//! browser.get("/").await.fill("name", "Ada").submit().await.shows("Hello, Ada!");
//! # }
//! ```
//!
//! Left out: scripts and what they would do, styles, frames, `<base>`, images and other things that pages load by
//! themselves, and all servers but the one under test.

mod browser;
mod client;
mod cookies;
mod document;
pub mod door;
mod elsewhere;
mod filling;
#[cfg(test)]
mod flows;
mod form;
mod history;
mod navigation;
mod page;
mod pattern;
mod place;
mod reading;
mod referrer;
mod replay;
mod served;
pub mod store;
mod stream;
mod travel;
mod validity;
mod visitor;

pub use browser::{Browser, Going};
pub use replay::{replay, replay_on};
pub use stream::Stream;

pub use crate::replay_file;
