//! Uploads over sockets: memory, progress, refusals, and what `kill -9` leaves.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use continuity::prelude::*;

use crate::client::{Client, Reply};
use crate::program::Program;
use crate::running::Running;
use crate::until;

const BOUNDARY: &str = "a-boundary";
const MIB: usize = 1024 * 1024;

/// What stands before a file's bytes.
fn start() -> String {
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"a.bin\"\r\n\r\n")
}

/// What stands behind them.
fn end() -> String {
    format!("\r\n--{BOUNDARY}--\r\n")
}

/// Begins a form with one file of so many bytes.
async fn begin(client: &mut Client, cookie: &str, bytes: usize) {
    let length = start().len() + bytes + end().len();
    let fields = format!(
        "Cookie: {cookie}\r\nContent-Length: {length}\r\nContent-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
    );
    client.ask("POST /", &fields).await;
    client.send(start()).await;
}

/// A folder for temporary files, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("continuity-system-{name}-{}", std::process::id()));
        fs::create_dir(&path).expect("a folder for the test");
        Folder(path)
    }

    /// The folders of servers in it, and their files.
    fn paths(&self) -> Vec<PathBuf> {
        let below = |path: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(path).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).collect()
        };
        let folders = below(&self.0);
        let files: Vec<_> = folders.iter().flat_map(|folder| below(folder)).collect();
        [folders, files].concat()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").mode() & 0o7777
}

#[tokio::test]
async fn r47_a_large_file_is_streamed_in_little_memory() {
    let folder = Folder::new("memory");
    let program = Program::start_with_temporary("upload", &folder.0);
    let mut client = Client::connect(&program.address()).await;
    let cookie = client.get("/").await.cookie().to_owned();
    let before = program.peak();
    for _ in 0..3 {
        begin(&mut client, &cookie, 20 * MIB).await;
        for _ in 0..20 {
            client.send(vec![b'x'; MIB]).await;
        }
        client.send(end()).await;
        let reply = client.reply().await;
        assert_eq!((reply.status, reply.is_last()), (303, false), "{reply:?}");
    }
    let grown = program.peak().saturating_sub(before);
    assert!(grown < 6 * 1024, "{grown} KiB more for 20 MiB, three times");
}

#[tokio::test]
async fn r47_after_kill_9_the_next_start_removes_what_was_being_uploaded() {
    let folder = Folder::new("killed");
    let living = Program::start_with_temporary("upload", &folder.0);
    let program = Program::start_with_temporary("upload", &folder.0);
    let mut clients = Vec::new();
    for program in [&living, &program] {
        let mut client = Client::connect(&program.address()).await;
        let cookie = client.get("/").await.cookie().to_owned();
        begin(&mut client, &cookie, 2 * MIB).await;
        client.send(vec![b'x'; MIB]).await;
        clients.push(client);
    }
    until("both servers have a folder with a file", || folder.paths().len() == 4).await;
    for path in folder.paths() {
        assert_eq!(mode(&path), if path.is_dir() { 0o700 } else { 0o600 }, "{path:?}");
    }
    program.signal("KILL");
    program.ended(Duration::from_secs(5));
    assert_eq!(folder.paths().len(), 4, "a killed server cannot tidy up");
    let _next = Program::start_with_temporary("upload", &folder.0);
    until("what the killed server had is gone", || folder.paths().len() == 2).await;

    // The one that lives goes on as if nothing had been.
    let client = &mut clients[0];
    client.send(vec![b'x'; MIB]).await;
    client.send(end()).await;
    assert_eq!(client.reply().await.status, 303);
    living.signal("TERM");
    living.ended(Duration::from_secs(10));
    assert!(folder.paths().is_empty(), "nothing is left after a good end: {:?}", folder.paths());
}

/// How far an upload is, as the page of another session of the visitor says.
async fn progress(client: &mut Client, cookie: &str) -> Reply {
    client.get_as(cookie, "/progress").await
}

#[tokio::test]
async fn progress_is_seen_on_another_connection_while_the_form_comes_in() {
    let program = Program::start("upload", "0");
    let (mut sending, mut watching) =
        (Client::connect(&program.address()).await, Client::connect(&program.address()).await);
    let cookie = watching.get("/").await.cookie().to_owned();
    begin(&mut sending, &cookie, 2 * MIB).await;
    sending.send(vec![b'x'; MIB]).await;
    let total = format!("max=\"{}\"", start().len() + 2 * MIB + end().len());
    loop {
        let page = progress(&mut watching, &cookie).await;
        if page.text().contains(&total) && page.text().contains("1024 KiB") {
            break;
        }
    }
    assert!(watching.get_as(&cookie, "/").await.text().contains("Files: 0"), "the session is free");
    sending.send(vec![b'x'; MIB]).await;
    sending.send(end()).await;
    assert_eq!(sending.reply().await.status, 303);
    assert!(!progress(&mut watching, &cookie).await.text().contains("KiB"), "it has come");
}

async fn counts(mut req: Request) -> Result<()> {
    loop {
        let count = req.files().len();
        req.print(html! { "Files: " (count) }).next().await?;
    }
}

/// The answer to a form with one file; the client goes on sending whatever comes.
async fn answer(server: &Running, bytes: usize) -> Reply {
    let mut client = server.connect().await;
    begin(&mut client, "none=1", bytes).await;
    drop(client.try_send(vec![b'x'; bytes]).await);
    drop(client.try_send(end()).await);
    let reply = client.reply().await;
    if reply.is_last() {
        assert_eq!(client.rest().await, b"", "nothing follows");
    } else {
        assert_eq!(client.get("/").await.status, 200, "the connection goes on");
    }
    reply
}

#[tokio::test]
async fn r47_what_is_refused_on_its_way_closes_the_connection() {
    let server = Running::start(Server::new(counts).limits(|limits| {
        (limits.upload, limits.upload_bytes) = (300_000, 200_000);
        limits.body_time = Duration::from_millis(300);
    }))
    .await;
    for (bytes, status) in [(1_000, 200), (150_000, 200), (290_000, 503), (300_000, 413)] {
        let reply = answer(&server, bytes).await;
        assert_eq!((reply.status, reply.is_last()), (status, status != 200), "{bytes} bytes");
    }
    let mut client = server.connect().await;
    begin(&mut client, "none=1", 1_000).await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.is_last()), (408, true));
    server.stop().await;
}
