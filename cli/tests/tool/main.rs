//! The tool on real journals: made by a server, looked at while it runs and after, damaged, exported and replayed.

mod damage;
mod keeping;
mod looking;
mod taking;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use continuity::prelude::*;
use continuity::test::Browser;

/// A folder of one test, gone when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("continuity-cli-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder for the test");
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn journal(&self) -> PathBuf {
        self.path("sessions.journal")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// What the tool did.
#[derive(Debug)]
struct Done {
    code: Option<i32>,
    out: String,
    bytes: Vec<u8>,
    err: String,
}

impl Done {
    #[track_caller]
    fn well(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }
}

/// Runs `continuity journal` with these words.
fn tool<W: AsRef<std::ffi::OsStr>>(words: impl IntoIterator<Item = W>) -> Done {
    tool_told("", words)
}

/// The same, with an answer to what it asks.
fn tool_told<W: AsRef<std::ffi::OsStr>>(answer: &str, words: impl IntoIterator<Item = W>) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_continuity"));
    command.arg("journal").args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tool starts");
    let mut stdin = child.stdin.take().expect("it was asked for");
    // Who asks nothing may be gone already.
    drop(stdin.write_all(answer.as_bytes()));
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    Done { code: output.status.code(), out, bytes: output.stdout, err }
}

/// The path as a word.
fn word(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

async fn counter(mut req: Request) -> Result<()> {
    let mut count: i64 = 0;
    loop {
        count += req.choose(|c| html! { "Count: " (count) (c.link("++", 1)) (c.link("--", -1)) }).await?;
    }
}

async fn greet(mut req: Request) -> Result<()> {
    req.print(html! { form { "Your name " input name="name"; input name="pin"; } });
    let name: String = req.next().await?.param("name")?;
    req.print(html! { "Hello, " (name) });
    Ok(())
}

fn server(journal: &Path) -> Server {
    let journal = Sqlite::open(journal).expect("the journal opens");
    Server::new(counter).mount("/greet", greet).secrets(["pin"]).journal(journal)
}

/// A visitor who has counted to 3 and was greeted; another who has counted to 1.
async fn visited(journal: &Path) -> (Browser, Browser) {
    let mut ada = Browser::of(server(journal));
    ada.get("/").await.follow("++").await.follow("++").await.follow("++").await.shows("Count: 3");
    ada.get("/greet").await.fill("name", "Ada\u{1b}[31m").fill("pin", "4711").submit().await.shows("Hello");
    let mut bob = ada.other();
    bob.get("/").await.follow("++").await.shows("Count: 1");
    (ada, bob)
}

/// The server stops, and has let go of its journal.
async fn stop(browsers: (Browser, Browser), journal: &Path) {
    drop(browsers);
    for _ in 0..100 {
        if Sqlite::open(journal).is_ok() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the server does not let go of its journal");
}

/// The number of the first session in this life, of the flow that is mounted here.
fn number(journal: &Path, flow: &str, state: &str) -> String {
    let out = tool(["list", "--json", word(journal)]).well();
    let list: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let list = list.as_array().expect("a list");
    let found = list.iter().find(|session| session["flow"] == flow && session["state"] == state);
    found.expect("there is one")["session"].as_str().expect("text").to_owned()
}
