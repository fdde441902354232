//! The program behind each door that is checked: small flows, and a stage from which a script says when they go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use maud::html;
use tokio::sync::Semaphore;

use crate::error::{Error, Result};
use crate::flow::Flow;
use crate::mapper::Purpose;
use crate::request::Request;
use crate::server::Server;

/// Bytes of a body.
pub(super) const BODY: usize = 64 * 1024;
/// Bytes of a form with files.
pub(super) const UPLOAD: usize = 1024 * 1024;
/// Hits that wait.
pub(super) const QUEUE: usize = 2;
/// Chunks of a long stream, and bytes of one.
pub(super) const CHUNKS: usize = 512;
pub(super) const CHUNK: usize = 128 * 1024;

/// Where scripts and the program meet.
#[derive(Clone)]
pub(super) struct Stage {
    /// How often a session that waits may go on.
    pub(super) cues: Arc<Semaphore>,
    /// How far a stream has come, or how many came to the stage.
    pub(super) seen: Arc<AtomicU64>,
}

impl Default for Stage {
    fn default() -> Self {
        Stage { cues: Arc::new(Semaphore::new(0)), seen: Arc::default() }
    }
}

impl Stage {
    async fn wait(&self) {
        self.seen.fetch_add(1, Ordering::SeqCst);
        self.cues.acquire().await.expect("it is never closed").forget();
    }

    /// Lets one session go on.
    pub(super) fn cue(&self) {
        self.cues.add_permits(1);
    }

    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }
}

pub(super) fn server(stage: Stage) -> Server {
    let any = |flow: Flow| flow.purpose(|_| Purpose::Visit);
    Server::new(counter)
        .mount("/form", form)
        .mount("/echo", any(Flow::new(echo)))
        .mount("/reply", reply)
        .mount("/fail", fails)
        .mount("/upload", upload)
        .mount("/large", large)
        .mount("/flush", flush)
        .mount("/stream", stream)
        .mount("/slow", slow)
        .app(stage)
        .cookie("door")
        .limits(|limits| {
            (limits.body, limits.upload, limits.queue) = (BODY, UPLOAD, QUEUE);
        })
}

async fn counter(mut req: Request) -> Result<()> {
    let mut count = 0i64;
    loop {
        count += req
            .choose(|c| html! { h1 { "Count: " (count) } (c.link("++", 1)) " " (c.link("--", -1)) })
            .await?;
    }
}

async fn form(mut req: Request) -> Result<()> {
    req.print(html! { form method="post" { "Words " input name="words"; } });
    loop {
        let words: String = req.next().await?.param("words")?;
        req.print(html! { p { "You wrote (" (words) ")." } });
    }
}

/// Says all that came.
async fn echo(mut req: Request) -> Result<()> {
    let (method, uri, peer) = (req.method(), req.uri(), req.peer());
    let one = req.header("x-one").unwrap_or_default();
    let body = req.body();
    let sum = sum(&body);
    let peer = peer.map(|peer| peer.ip().to_string()).unwrap_or_default();
    req.print(html! {
        "method=" (method) " uri=" (uri) " one=(" (one) ") bytes=" (body.len()) " sum=" (sum) " peer=(" (peer) ") https=" (req.is_https())
    });
    Ok(())
}

/// Tells bytes from others, and their order.
pub(super) fn sum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)))
}

/// Answers as it is asked: with this status, or elsewhere.
async fn reply(mut req: Request) -> Result<()> {
    if req.path() == "/elsewhere" {
        req.redirect("/form/")?;
        return Ok(());
    }
    let status: u16 = req.param::<Option<u16>>("status")?.unwrap_or(200);
    req.set_status(status)?.set_header("x-reply", "yes, \"it\" is")?;
    req.set_cookie("tea", "green")?.set_cookie("milk", "no")?;
    req.print("Here it is.");
    Ok(())
}

async fn fails(_: Request) -> Result<()> {
    Err("as it was asked to".into())
}

#[cfg(feature = "multipart")]
async fn upload(mut req: Request) -> Result<()> {
    let name: String = req.param("name")?;
    let Some(file) = req.file("file")? else { return Err(Error::new("no file came").into()) };
    let bytes = file.bytes().await?;
    let sum = sum(&bytes);
    req.print(html! { "name=(" (name) ") bytes=" (bytes.len()) " sum=" (sum) });
    Ok(())
}

#[cfg(not(feature = "multipart"))]
async fn upload(_: Request) -> Result<()> {
    Err(Error::new("the feature `multipart` is off").into())
}

async fn large(mut req: Request) -> Result<()> {
    for line in 0..100_000 {
        req.print(html! { "line " (line) "\n" });
    }
    Ok(())
}

async fn flush(mut req: Request) -> Result<()> {
    let stage = req.app::<Stage>();
    req.print("the first part, ");
    req.flush().await?;
    stage.wait().await;
    req.print("the last part");
    Ok(())
}

async fn stream(mut req: Request) -> Result<()> {
    let stage = req.app::<Stage>();
    req.content_type("text/plain; charset=utf-8")?;
    let chunk = "x".repeat(CHUNK);
    for _ in 0..CHUNKS {
        req.print(&*chunk);
        req.flush().await?;
        stage.seen.fetch_add(1, Ordering::SeqCst);
    }
    Ok(())
}

/// Works on each hit until it is told to go on.
async fn slow(mut req: Request) -> Result<()> {
    let stage = req.app::<Stage>();
    for hit in 1.. {
        stage.wait().await;
        req.print(html! { "Hit " (hit) "." });
        req.next().await?;
    }
    Ok(())
}
