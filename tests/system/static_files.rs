//! Files of a folder: found, or not; and nothing that is outside of it or hidden.

use std::time::Duration;

use continuity::Files;
use continuity::prelude::*;

use crate::client::{Client, Reply};
use crate::folder::{ESCAPES, Folder, SECRET};
use crate::running::Running;

async fn session(mut req: Request) -> Result<()> {
    let path = req.path();
    req.print(format!("the session at {path}"));
    Ok(())
}

async fn start() -> (Running, Folder) {
    let folder = Folder::served("files");
    (Running::start(Server::new(session).files(folder.public())).await, folder)
}

/// All paths are files.
async fn start_all() -> (Running, Folder) {
    let folder = Folder::served("files");
    let files = Files::of(folder.public()).only(|_| true);
    (Running::start(Server::new(session).files(files)).await, folder)
}

async fn ask(client: &mut Client, line: &str, fields: &str) -> Reply {
    client.ask(line, fields).await;
    client.reply().await
}

#[tokio::test]
async fn files_are_found_with_their_types_and_start_no_session() {
    let (server, _folder) = start().await;
    let reply = server.get("/style.css?v=3").await;
    assert_eq!((reply.status, reply.text()), (200, "body { color: teal }"));
    assert_eq!(reply.field("content-type"), Some("text/css; charset=utf-8"));
    assert_eq!(reply.field("content-length"), Some("20"));
    assert_eq!(reply.field("accept-ranges"), Some("bytes"));
    assert_eq!(reply.field("cache-control"), Some("public, max-age=0, must-revalidate"));
    assert_eq!(reply.field("x-content-type-options"), Some("nosniff"));
    assert_eq!((reply.field("set-cookie"), reply.field("vary")), (None, None));
    let tag = reply.field("etag").expect("a file has a tag");
    assert!(tag.starts_with('"'), "a strong one: {tag}");
    for (path, text) in [
        ("/deep/er/page.html", "<p>deep</p>"),
        ("/.well-known/security.txt", "Contact: us"),
        ("/%73tyle.css", "body { color: teal }"),
        ("/inside.css", "body { color: teal }"),
        ("/absolute.css", "body { color: teal }"),
    ] {
        assert_eq!(server.get(path).await.text(), text, "{path}");
    }
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
    let deep = format!("{}x.css", "/x".repeat(2_100));
    for path in
        ["/missing.css", "/style.css/more.css", "/a%00.css", "/dangling.txt", "/loop.txt", &long, &deep]
    {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    for path in ["/deep", "/deep/er/page.html/", "/deep/"] {
        assert!(server.get(path).await.text().contains(&format!("the session at {path}")));
    }
}

#[tokio::test]
async fn r48_no_spelling_of_a_path_leads_out() {
    let ((dotted, folder), (all, _folder)) = (start().await, start_all().await);
    let absolute = format!("/{}", folder.0.join("secret.txt").display());
    for path in ESCAPES.into_iter().chain([absolute.as_str()]) {
        let reply = dotted.get(path).await;
        assert!(!reply.text().contains(SECRET), "{path} leads outside");
        let refused = (400..500).contains(&reply.status);
        assert!(refused || reply.text().contains("the session"), "{path}: {reply:?}");
        let reply = all.get(path).await;
        assert!(matches!(reply.status, 400 | 404) && !reply.text().contains(SECRET), "{path}: {reply:?}");
    }
    assert_eq!(all.sessions(), 0);
}

#[tokio::test]
async fn r48_what_is_no_regular_file_is_none() {
    let (server, folder) = start().await;
    folder.pipe("public/pipe.txt");
    let _socket =
        std::os::unix::net::UnixListener::bind(folder.0.join("public/socket.txt")).expect("a socket");
    folder.link("public/zero.txt", "/dev/zero");
    std::fs::create_dir(folder.0.join("public/folder.txt")).expect("a folder");
    for path in ["/pipe.txt", "/socket.txt", "/zero.txt", "/folder.txt"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
    }
    let dots = Files::of(folder.public()).show(|name| name == ".env");
    let server = Running::start(Server::new(session).files(dots)).await;
    assert_eq!(server.get("/.env").await.text(), SECRET, "the program may say so");
    assert_eq!(server.get("/.git/config.txt").await.status, 404);
}

#[tokio::test]
async fn r48_a_folder_is_its_index_and_no_list_and_a_redirect_stays_here() {
    let (server, folder) = start_all().await;
    assert_eq!(server.get("/deep/").await.text(), "<p>index</p>");
    for (path, to) in [("/deep", "/deep/"), ("/deep?a=//b", "/deep/?a=//b"), ("/%64eep", "/deep/")] {
        let reply = server.get(path).await;
        assert_eq!((reply.status, reply.field("location")), (308, Some(to)), "{path}");
    }
    folder.write("public/@evil.test/index.html", "");
    assert_eq!(server.get("/@evil.test").await.field("location"), Some("/%40evil.test/"));
    for path in [
        "/",
        "/deep/er",
        "/deep/er/",
        "/style.css/",
        "/outside",
        "/outside/",
        "//deep",
        "///deep",
        "//evil.test/",
        "/%2fdeep",
        "/%5cdeep",
        "/\\deep",
        "//evil.test/%2e%2e",
        "/./deep",
        "/deep//",
    ] {
        let reply = server.get(path).await;
        assert!(matches!(reply.status, 400 | 404) && reply.field("location").is_none(), "{path}: {reply:?}");
        assert!(!reply.text().contains("style.css"), "{path}");
    }
}

#[tokio::test]
async fn r48_ranges_are_cut_and_floods_get_the_whole_file() {
    let (server, _folder) = start().await;
    let mut client = server.connect().await;
    let flood = format!("bytes=0-{}", ",0-".repeat(1_300));
    for (range, status, text, content_range) in [
        ("bytes=7-11", 206, "color", "bytes 7-11/20"),
        ("bytes=-1", 206, "}", "bytes 19-19/20"),
        ("bytes=18-900", 206, " }", "bytes 18-19/20"),
        ("bytes=0-0,900-", 206, "b", "bytes 0-0/20"),
        ("bytes=100-", 416, "There are no such bytes.\n", "bytes */20"),
        ("bytes=0-5,3-7", 200, "body { color: teal }", ""),
        ("lines=1-2", 200, "body { color: teal }", ""),
        (&flood, 200, "body { color: teal }", ""),
    ] {
        let reply = ask(&mut client, "GET /style.css", &format!("Range: {range}\r\n")).await;
        assert_eq!((reply.status, reply.text()), (status, text), "{range}");
        assert_eq!(reply.field("content-range").unwrap_or_default(), content_range, "{range}");
    }
    assert_eq!(client.get("/style.css").await.status, 200, "the connection goes on");
}

#[tokio::test]
async fn r48_several_ranges_are_parts_with_heads_of_their_own() {
    let (server, _folder) = start().await;
    let mut client = server.connect().await;
    let reply = ask(&mut client, "GET /style.css", "Range: bytes=7-11,-1,0-3\r\n").await;
    let kind = reply.field("content-type").expect("a type");
    let boundary = kind.strip_prefix("multipart/byteranges; boundary=").expect("parts");
    let part = |range: &str, text: &str| {
        format!(
            "\r\n--{boundary}\r\nContent-Type: text/css; charset=utf-8\r\nContent-Range: bytes {range}/20\r\n\r\n{text}"
        )
    };
    let parts =
        [part("7-11", "color"), part("19-19", "}"), part("0-3", "body"), format!("\r\n--{boundary}--\r\n")];
    assert_eq!((reply.status, reply.text()), (206, &*parts.concat()));
    assert_eq!(reply.field("content-length"), Some(&*reply.body.len().to_string()));
    assert_eq!(reply.field("content-range"), None);
}

#[tokio::test]
async fn r48_conditions_are_judged_in_their_order() {
    let (server, _folder) = start().await;
    let mut client = server.connect().await;
    let first = client.get("/style.css").await;
    let tag = first.field("etag").expect("a tag").to_owned();
    let date = first.field("last-modified").expect("a date").to_owned();
    let old = "Sun, 06 Nov 1994 08:49:37 GMT";
    for (fields, status) in [
        (format!("If-None-Match: {tag}\r\n"), 304),
        (format!("If-None-Match: \"x\", W/{tag}\r\n"), 304),
        (format!("If-None-Match: \"x\"\r\nIf-Modified-Since: {date}\r\n"), 200),
        (format!("If-Modified-Since: {date}\r\n"), 304),
        (format!("If-Modified-Since: {old}\r\n"), 200),
        (format!("If-Match: \"x\"\r\nIf-None-Match: {tag}\r\n"), 412),
        (format!("If-Match: {tag}\r\nIf-Unmodified-Since: {old}\r\n"), 200),
        (format!("If-Unmodified-Since: {old}\r\nIf-Modified-Since: {date}\r\n"), 412),
        (format!("If-None-Match: {tag}\r\nRange: bytes=0-0\r\n"), 304),
        (format!("If-Range: {tag}\r\nRange: bytes=0-0\r\n"), 206),
        (format!("If-Range: {date}\r\nRange: bytes=0-0\r\n"), 206),
        (format!("If-Range: W/{tag}\r\nRange: bytes=0-0\r\n"), 200),
        ("If-Range: \"x\"\r\nRange: bytes=900-\r\n".into(), 200),
        ("If-Match: \"x\"\r\nRange: bytes=900-\r\n".into(), 412),
    ] {
        let reply = ask(&mut client, "GET /style.css", &fields).await;
        assert_eq!(reply.status, status, "{fields}");
        if status == 304 {
            assert_eq!((reply.field("etag"), reply.field("content-length")), (Some(&*tag), None));
            assert_eq!(reply.field("cache-control"), Some("public, max-age=0, must-revalidate"));
        }
    }
}

#[tokio::test]
async fn a_file_that_has_just_changed_is_recognised_by_nothing() {
    let (server, folder) = start().await;
    folder.touch("public/style.css", Duration::ZERO);
    let reply = server.get("/style.css").await;
    assert_eq!((reply.status, reply.field("etag"), reply.field("last-modified")), (200, None, None));
    let old = server.get("/deep/er/page.html").await;
    folder.write("public/deep/er/page.html", "<p>DEEP</p>");
    let new = server.get("/deep/er/page.html").await;
    assert_eq!(old.field("last-modified").is_some(), new.field("last-modified").is_some());
    assert_ne!(old.field("etag"), new.field("etag"), "the size is the same, the content is not");
}

#[tokio::test]
async fn r48_head_is_get_without_its_body_and_other_methods_are_405() {
    let (server, _folder) = start().await;
    let mut client = server.connect().await;
    for fields in ["", "Range: bytes=0-0\r\n"] {
        client.ask("HEAD /style.css", fields).await;
        let head = client.head().await;
        assert_eq!((head.status, head.field("content-length")), (200, Some("20")));
        assert!(head.field("etag").is_some());
    }
    for (method, status) in [("POST", 405), ("PUT", 405), ("DELETE", 405), ("OPTIONS", 204)] {
        let reply = ask(&mut client, &format!("{method} /style.css"), "Content-Length: 0\r\n").await;
        assert_eq!((reply.status, reply.field("allow")), (status, Some("GET, HEAD, OPTIONS")), "{method}");
    }
    for path in ["/version.2", "/.env", "/out.txt", "/pipe.txt"] {
        let reply = ask(&mut client, &format!("POST {path}"), "Content-Length: 0\r\n").await;
        assert!(reply.text().contains("the session at"), "{path}: what is no file is the session's");
    }
}

#[tokio::test]
async fn forms_made_before_are_chosen_by_what_the_client_takes() {
    let (server, folder) = start().await;
    folder.write("public/app.js", "plain");
    for (end, text) in [("br", "brotli"), ("gz", "gzip")] {
        folder.write(&format!("public/app.js.{end}"), text);
    }
    folder.link("public/style.css.gz", "../secret.txt");
    let mut client = server.connect().await;
    let mut tags = Vec::new();
    for (accept, text, coding) in [
        ("gzip, deflate, br, zstd", "brotli", Some("br")),
        ("gzip;q=1.0, br;q=0.1", "gzip", Some("gzip")),
        ("zstd, identity;q=0.5", "plain", None),
        ("", "plain", None),
    ] {
        let reply = ask(&mut client, "GET /app.js", &format!("Accept-Encoding: {accept}\r\n")).await;
        assert_eq!((reply.text(), reply.field("content-encoding")), (text, coding), "{accept}");
        assert_eq!(reply.field("vary"), Some("accept-encoding"));
        assert_eq!(reply.field("content-type"), Some("text/javascript; charset=utf-8"));
        tags.push(reply.field("etag").expect("a tag").to_owned());
    }
    tags.dedup();
    assert_eq!(tags.len(), 3, "each form has its own");
    let fields = format!("Accept-Encoding: br\r\nIf-None-Match: {}\r\n", tags[0]);
    let same = ask(&mut client, "GET /app.js", &fields).await;
    assert_eq!((same.status, same.field("vary")), (304, Some("accept-encoding")));
    let part = ask(&mut client, "GET /app.js", "Accept-Encoding: br\r\nRange: bytes=0-1\r\n").await;
    assert_eq!((part.status, part.text(), part.field("content-encoding")), (206, "br", Some("br")));
    let css = ask(&mut client, "GET /style.css", "Accept-Encoding: gzip\r\n").await;
    assert_eq!(
        (css.text(), css.field("vary")),
        ("body { color: teal }", None),
        "a form that leads out is none"
    );
}

#[tokio::test]
async fn how_long_files_are_kept_is_the_programs_choice() {
    let folder = Folder::served("files");
    let files = Files::of(folder.public()).cache(|path| {
        if path == "/style.css" { "public, max-age=31536000, immutable" } else { Files::REVALIDATE }
    });
    let server = Running::start(Server::new(session).files(files)).await;
    let field = |reply: Reply| reply.field("cache-control").map(str::to_owned);
    let kept = field(server.get("/style.css").await);
    assert_eq!(kept.as_deref(), Some("public, max-age=31536000, immutable"));
    assert_eq!(field(server.get("/deep/er/page.html").await).as_deref(), Some(Files::REVALIDATE));
    assert_eq!(field(server.get("/missing.css").await).as_deref(), Some("no-store"));
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told_at_the_start() {
    let server = Server::new(session).files("/no/such/folder").listen(Http::on(0));
    let error = server.bind().await.expect_err("there is no such folder");
    assert!(error.to_string().contains("/no/such/folder"), "{error}");
}
