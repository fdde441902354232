//! A session that was exported from a journal, played again in a test.

use std::panic::Location;

use http::header::{self, HeaderName};

use super::browser::Browser;
use crate::flow::Flow;
use crate::journal::{Export, Memory};
use crate::request::Request;
use crate::server::Server;

/// Header fields of the last hit that the browser says by itself, or that were of that hit alone.
const NOT_KEPT: [HeaderName; 12] = [
    header::HOST,
    header::COOKIE,
    header::ORIGIN,
    header::REFERER,
    header::CONNECTION,
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CACHE_CONTROL,
    header::PRAGMA,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
];

/// Replays a session that `continuity journal export` wrote to a file. The path is relative to the crate's folder, where
/// its Cargo.toml is; the file is read when the test is compiled.
///
/// The rest is as with [`replay`](crate::test::replay):
///
/// ```no_run
/// # use continuity::prelude::*;
/// # async fn counter(_: Request) -> Result<()> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use continuity::test::replay_file;
///
/// let mut browser = replay_file!("tests/it/journals/counter.journal", counter).await;
/// browser.shows("Count: 3");
/// browser.follow("++").await.shows("Count: 4");
/// # }
/// ```
#[macro_export]
macro_rules! replay_file {
    ($path:literal, $flow:expr $(,)?) => {
        $crate::test::replay(include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)), $flow)
    };
}

/// Replays a session that `continuity journal export` wrote to a file, and goes to the page where it waits.
///
/// The program has to ask for what it asked for, do what it did, and print what it printed, character by character; what
/// the closures of `choose` draw is not compared. What is asked for is known by its type's name, so the flow has to be in
/// the same module of the same crate as it was. Effects are not tried again and observations are not made again: what
/// came of them then comes of them now. A session that has ended is played up to the last page that it waited at; one
/// that was in the middle of a step does the rest of it in earnest.
///
/// ```no_run
/// use continuity::prelude::*;
///
/// # async fn counter(_: Request) -> Result<()> { Ok(()) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let export = std::fs::read("bug.journal").expect("an export");
/// let mut browser = continuity::test::replay(&export, counter).await;
/// browser.shows("Count: 3");
/// browser.follow("++").await.shows("Count: 4");
/// # }
/// ```
///
/// # Panics
/// If the program does something else: with what it does, what was recorded, and which entries led there. If there is
/// not just one session in the export, or it cannot be read. Outside a tokio runtime.
#[track_caller]
pub fn replay(export: &[u8], flow: impl Into<Flow>) -> impl Future<Output = Browser> {
    let place = Location::caller();
    let export = read(export, place);
    let mount = export.sessions().next().map_or_else(String::new, |(head, _)| head.flow.clone());
    let server = if mount.is_empty() { Server::new(flow) } else { Server::new(nothing).mount(&mount, flow) };
    play(export, server, place)
}

/// The same on a server, for flows that need more of it: [`app`](Server::app), [`secrets`](Server::secrets), limits. It
/// is given a journal in memory in place of its own, and has to have a flow where the session's was.
#[track_caller]
pub fn replay_on(export: &[u8], server: Server) -> impl Future<Output = Browser> {
    let place = Location::caller();
    play(read(export, place), server, place)
}

fn read(export: &[u8], place: &Location<'_>) -> Export {
    match Export::read(export) {
        Ok(export) => export,
        Err(error) => panic!("the export cannot be replayed: {error}\n(replayed at {place})"),
    }
}

/// What is at the root where the session's flow is not.
async fn nothing(_: Request) -> crate::error::Result<()> {
    Ok(())
}

async fn play(export: Export, server: Server, place: &'static Location<'static>) -> Browser {
    let mut browser = Browser::of(server.journal(Memory::new()));
    let visitor = match browser.client.core().replay_export(export).await {
        Ok(visitor) => visitor,
        Err(report) => panic!("the session cannot be replayed: {report}\n(replayed at {place})"),
    };
    let (name, id) = &visitor.cookie;
    browser.set_cookie(name, id);
    browser.client.address = visitor.address.unwrap_or(browser.client.address);
    for (name, value) in &visitor.headers {
        if !NOT_KEPT.contains(name) && !name.as_str().starts_with("sec-") {
            browser.client.headers.append(name, value.clone());
        }
    }
    browser.get(&visitor.link).await;
    browser
}
