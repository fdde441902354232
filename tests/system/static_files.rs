//! Files of a folder: found, or not; and nothing that is outside of it or hidden.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use continuity::prelude::*;

use crate::running::Running;

/// A folder of its own, gone when dropped.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Folder {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("continuity-{name}-{}-{next}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Folder(path)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().expect("it is in the folder")).expect("a folder can be made");
        std::fs::write(path, text).expect("a file can be written");
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left there is the system's to clean.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

const SECRET: &str = "a secret outside, or hidden";

async fn session(mut req: Request) -> Result<()> {
    let path = req.path();
    req.print(format!("the session at {path}"));
    Ok(())
}

async fn start() -> (Running, Folder) {
    let folder = Folder::new("files");
    folder.write("public/style.css", "body { color: teal }");
    folder.write("public/deep/er/page.html", "<p>deep</p>");
    folder.write("public/.well-known/security.txt", "Contact: us");
    for hidden in ["public/.env", "public/.git/config.txt", "public/deep/.hidden.txt", "secret.txt", "plain"]
    {
        folder.write(hidden, SECRET);
    }
    let server = Running::start(Server::new(session).files(folder.0.join("public"))).await;
    (server, folder)
}

#[tokio::test]
async fn files_are_found_with_their_types_and_start_no_session() {
    let (server, _folder) = start().await;
    let reply = server.get("/style.css?v=3").await;
    assert_eq!((reply.status, reply.text()), (200, "body { color: teal }"));
    let kind = reply.field("content-type").expect("a file has a type");
    assert!(kind.starts_with("text/css"), "{kind}");
    assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
    assert_eq!(reply.field("set-cookie"), None);
    assert_eq!(server.get("/deep/er/page.html").await.text(), "<p>deep</p>");
    assert_eq!(server.get("/.well-known/security.txt").await.text(), "Contact: us");
    assert_eq!(server.sessions(), 0);
}

/// r29: the encoding of what is text is told, not guessed.
#[tokio::test]
async fn r29_text_files_have_a_charset() {
    let (server, _folder) = start().await;
    for path in ["/style.css", "/deep/er/page.html", "/.well-known/security.txt"] {
        let reply = server.get(path).await;
        let kind = reply.field("content-type").unwrap_or_default();
        assert!(kind.to_lowercase().contains("charset=utf-8"), "{path} is {kind:?}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_is_no_file_is_the_sessions() {
    let (server, _folder) = start().await;
    let long = format!("/{}.css", "x".repeat(300));
    for path in ["/missing.css", "/style.css/more.css", "/a%00.css", "/deep/er/page.html/", &long] {
        let reply = server.get(path).await;
        let session = path.ends_with('/');
        assert_eq!(reply.status, if session { 200 } else { 404 }, "{path}");
        assert!(!reply.text().contains("deep</p>"), "{path}");
    }
    assert!(server.get("/deep").await.text().contains("the session at /deep"));
}

#[tokio::test]
async fn what_is_outside_is_refused_however_it_is_written() {
    let (server, folder) = start().await;
    let absolute = format!("/{}", folder.0.join("secret.txt").display());
    for path in [
        "/../secret.txt",
        "/deep/../../secret.txt",
        "/deep/er/../../../secret.txt",
        "/%2e%2e/secret.txt",
        "/%2E%2E/secret.txt",
        "/.%2e/secret.txt",
        "/..%2fsecret.txt",
        "/deep%2f..%2f..%2fsecret.txt",
        "/deep/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/%252e%252e/secret.txt",
        "/..%5csecret.txt",
        "/..\\secret.txt",
        "/%c0%ae%c0%ae/secret.txt",
        "/..;/secret.txt",
        "/./../secret.txt",
        &absolute,
        "/%2e%2e%2fplain",
    ] {
        let reply = server.get(path).await;
        assert!(!reply.text().contains(SECRET), "{path} leads outside");
        assert!(
            (400..500).contains(&reply.status) || reply.text().contains("the session"),
            "{path}: {reply:?}"
        );
    }
}

#[tokio::test]
async fn hidden_files_are_hidden_however_they_are_written() {
    let (server, _folder) = start().await;
    for path in [
        "/.env",
        "/%2eenv",
        "/%2Eenv",
        "//.env",
        "/./.env",
        "/.git/config.txt",
        "/%2egit/config.txt",
        "/.git%2fconfig.txt",
        "/deep/.hidden.txt",
        "/deep/%2ehidden.txt",
        "/deep%2f.hidden.txt",
        "/deep%2F%2ehidden.txt",
        "/x%2f..%2f.env",
    ] {
        let reply = server.get(path).await;
        assert!(!reply.text().contains(SECRET), "{path} shows what is hidden");
        assert!(reply.status == 404 || reply.text().contains("the session"), "{path}: {}", reply.status);
    }
}

#[tokio::test]
async fn a_range_is_206_and_one_outside_is_416() {
    let (server, _folder) = start().await;
    let mut client = server.connect().await;
    client.ask("GET /style.css", "Range: bytes=7-11\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.text()), (206, "color"));
    assert_eq!(reply.field("content-range"), Some("bytes 7-11/20"));
    assert_eq!(reply.field("content-length"), Some("5"));
    client.ask("GET /style.css", "Range: bytes=100-\r\n").await;
    let reply = client.reply().await;
    assert_eq!((reply.status, reply.field("content-range")), (416, Some("bytes */20")));
    assert_eq!(client.get("/style.css").await.status, 200, "the connection goes on");
}

#[tokio::test]
async fn a_file_that_did_not_change_is_304_and_head_has_no_body() {
    let (server, _folder) = start().await;
    let mut client = server.connect().await;
    let modified = client.get("/style.css").await;
    let modified = modified.field("last-modified").expect("a file has a time");
    client.ask("GET /style.css", &format!("If-Modified-Since: {modified}\r\n")).await;
    assert_eq!(client.reply().await.status, 304);
    client.ask("HEAD /style.css", "").await;
    let head = client.head().await;
    assert_eq!((head.status, head.field("content-length")), (200, Some("20")));
    assert_eq!(client.get("/style.css").await.text(), "body { color: teal }");
}
