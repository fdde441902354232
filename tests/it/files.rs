//! Files of a folder and files that programs send, without a socket.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use continuity::Files;
use continuity::prelude::*;
use continuity::test::Browser;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::bare::{Bare, get, request};
use crate::folder::{ESCAPES, Folder, SECRET};
use crate::log::Log;

async fn session(mut req: Request) -> Result<()> {
    req.print("the session");
    Ok(())
}

/// What the sessions of a test send.
struct Sent(std::path::PathBuf);

async fn sends(mut req: Request) -> Result<()> {
    loop {
        let path = req.app::<Sent>().0.clone();
        match req.param::<Option<String>>("as")? {
            Some(name) => req.send_file(path).as_download(name).await?,
            None => req.send_file(path).await?,
        }
        req.next().await?;
    }
}

fn sending(path: impl AsRef<Path>) -> Server {
    Server::new(sends).app(Sent(path.as_ref().to_owned()))
}

#[tokio::test]
async fn r48_no_spelling_of_a_path_leads_out() {
    let folder = Folder::served("kit");
    for all in [false, true] {
        let files = Files::of(folder.public());
        let files = if all { files.only(|_| true) } else { files };
        let bare = Bare::start(Server::new(session).files(files)).await;
        let mut asked = 0;
        for path in ESCAPES {
            // Some cannot be said in a request at all.
            let Ok(request) = http::Request::get(path).body(Vec::new().into()) else { continue };
            let seen = bare.ask(request).await;
            assert!(!seen.body.contains(SECRET), "{path} leads outside");
            assert!(
                seen.status == 404 || (!all && seen.body.contains("the session")),
                "{path}: {}",
                seen.status
            );
            asked += 1;
        }
        assert!(asked >= 60, "{asked}");
        bare.stop().await;
    }
}

#[test]
fn r48_whatever_the_path_what_is_opened_is_inside() {
    let folder = Folder::served("any");
    folder.pipe("public/pipe");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let files = Files::of(folder.public()).only(|_| true).show(|_| true);
    let bare = runtime.block_on(Bare::start(Server::new(session).files(files)));
    let between = "/|/|/|/|//|%2f|%5c|\\\\|;";
    let name = "\\.|\\.\\.|%2e|%2e%2e|\\.%2e|%252e|%c0%ae|style\\.css|deep|er|page\\.html|out|outside|public|pipe\
                |(secret|out|loop|absolute|dangling)\\.txt|plain|inside\\.css|etc|passwd|%00|%0a|c:|%25|%";
    let paths = format!("({name}){{1,2}}(({between})({name}){{0,2}}){{0,5}}");
    let paths = proptest::string::string_regex(&paths).expect("an expression");
    let mut runner =
        TestRunner::new(ProptestConfig { cases: 2_000, failure_persistence: None, ..Default::default() });
    let inside = std::cell::Cell::new(0);
    let result = runner.run(&paths, |path| {
        let Ok(request) = http::Request::get(format!("/{path}")).body(Vec::new().into()) else {
            return Ok(());
        };
        let seen = runtime.block_on(bare.ask(request));
        prop_assert!(!seen.body.contains(SECRET), "{path}");
        prop_assert!(matches!(seen.status, 200 | 308 | 404), "{path}: {}", seen.status);
        prop_assert!(!seen.header("location").starts_with("//"), "{path}: {}", seen.header("location"));
        inside.set(inside.get() + u32::from(seen.status == 200));
        Ok(())
    });
    result.expect("nothing leads out");
    assert!(inside.get() > 0, "some are files");
}

/// Somebody swaps a folder for a link that leads out while its files are asked for.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r48_a_folder_that_is_changed_meanwhile_gives_nothing_away() {
    let folder = Folder::new("swapped");
    folder.write("public/a/x.txt", "public");
    folder.write("outside/x.txt", SECRET);
    folder.link("public/link", folder.0.join("outside"));
    let bare = Bare::start(Server::new(session).files(folder.public())).await;
    let stop = Arc::new(AtomicBool::new(false));
    let (public, over) = (folder.public(), stop.clone());
    let swapping = std::thread::spawn(move || {
        let [a, link, aside] = ["a", "link", "aside"].map(|name| public.join(name));
        while !over.load(Ordering::Relaxed) {
            for (from, to) in [(&a, &aside), (&link, &a), (&a, &link), (&aside, &a)] {
                std::fs::rename(from, to).expect("it can be renamed");
            }
        }
    });
    let (mut asked, mut found) = (0, 0);
    let start = std::time::Instant::now();
    while asked < 3_000 || found == 0 || found == asked {
        assert!(start.elapsed() < Duration::from_secs(60), "{found} of {asked} times it was there");
        asked += 1;
        let seen = bare.ask(get("/a/x.txt", &[])).await;
        assert!(!seen.body.contains(SECRET), "after {asked}: {}", seen.status);
        assert!(seen.status == 404 || seen.body == "public", "{}", seen.status);
        found += u32::from(seen.status == 200);
    }
    stop.store(true, Ordering::Relaxed);
    swapping.join().expect("it can be renamed");
}

#[tokio::test]
async fn a_program_sends_a_file_as_any_response() {
    let folder = Folder::new("sent");
    folder.write("report.csv", "a,b\n1,2\n");
    let mut browser = Browser::of(sending(folder.0.join("report.csv")));
    let field = |browser: &Browser, name| browser.header_value(name).unwrap_or_default();
    browser.get("/").await;
    assert_eq!(field(&browser, "cache-control"), "private, no-cache", "it carries a new id");
    browser.get("/").await.shows("a,b 1,2").status(200);
    assert_eq!(field(&browser, "content-type"), "text/csv; charset=utf-8");
    assert_eq!(field(&browser, "content-length"), "8");
    assert_eq!(field(&browser, "cache-control"), "private, no-cache", "it may be of this visitor alone");
    assert_eq!(field(&browser, "x-content-type-options"), "nosniff");
    assert_eq!(field(&browser, "content-disposition"), "");
    browser.get("/?as=M%C3%A4rz.csv").await.shows("a,b 1,2");
    let disposition = "attachment; filename=\"M_rz.csv\"; filename*=UTF-8''M%C3%A4rz.csv";
    assert_eq!(field(&browser, "content-disposition"), disposition);
    browser.get("/?as=a%0D%0ASet-Cookie:+x").await.status(500);
}

#[tokio::test]
async fn conditions_and_ranges_of_the_hit_in_hand_are_honoured() {
    let folder = Folder::new("sent");
    folder.write("report.csv", "a,b\n1,2\n");
    let bare = Bare::start(sending(folder.0.join("report.csv"))).await;
    let first = bare.ask(get("/", &[])).await;
    let (cookie, tag) = (first.cookie().expect("a visitor"), first.header("etag").to_owned());
    let ask = |name: &'static str, value: String| {
        let request = get("/", &[("cookie", &cookie), (name, &value)]);
        bare.ask(request)
    };
    let part = ask("range", "bytes=4-6".into()).await;
    assert_eq!((part.status, &*part.body, part.header("content-range")), (206, "1,2", "bytes 4-6/8"));
    let same = ask("if-none-match", tag.clone()).await;
    assert_eq!((same.status, &*same.body, same.header("content-type")), (304, "", "text/csv; charset=utf-8"));
    assert_eq!(ask("if-match", "\"x\"".into()).await.status, 412);
    let outside = ask("range", "bytes=8-".into()).await;
    assert_eq!((outside.status, outside.header("content-range")), (416, "bytes */8"));
    let form =
        request("POST", "/", &[("cookie", &cookie), ("range", "bytes=0-0"), ("if-none-match", &tag)], "");
    let form = bare.ask(form).await;
    assert_eq!((form.status, &*form.body), (200, "a,b\n1,2\n"), "only a GET asks for a part");
}

#[tokio::test]
async fn what_was_set_before_a_file_stays() {
    let folder = Folder::new("sent");
    folder.write("gone.html", "<h1>Gone</h1>");
    let path = folder.0.join("gone.html");
    let flow = move |mut req: Request| {
        let path = path.clone();
        async move {
            assert!(req.send_file(&path).as_download("a/b").await.is_err());
            req.set_status(410)?.set_header("cache-control", "no-store")?.content_type("text/x-own")?;
            req.send_file(path).await?;
            Ok::<_, BoxError>(())
        }
    };
    let bare = Bare::start(Server::new(flow)).await;
    let seen = bare.ask(get("/", &[("range", "bytes=0-1"), ("if-none-match", "*")])).await;
    assert_eq!((seen.status, &*seen.body), (410, "<h1>Gone</h1>"));
    assert_eq!((seen.header("cache-control"), seen.header("content-type")), ("no-store", "text/x-own"));
    assert_eq!(seen.header("content-length"), "13");
}

#[tokio::test]
async fn a_file_that_cannot_be_sent_is_named_in_the_log_and_not_to_the_visitor() {
    let folder = Folder::new("secret-place");
    folder.pipe("pipe");
    for path in [folder.0.join("missing.pdf"), folder.0.join("pipe"), folder.0.clone(), "/dev/zero".into()] {
        let bare = Bare::start(sending(&path)).await;
        let name = path.display().to_string();
        let mut told = false;
        // A line that another thread writes for the first time just now may be lost: then it is asked for again.
        for _ in 0..50 {
            let log = Log::listen();
            let seen = tokio::time::timeout(Duration::from_secs(20), bare.ask(get("/", &[]))).await;
            let seen = seen.expect("no file makes it wait");
            assert!(seen.status == 500 && !seen.body.contains(&name), "{name}: {}", seen.body);
            told = log.errors().iter().any(|entry| entry.says("error").contains(&name));
            if told {
                break;
            }
        }
        assert!(told, "{name} is in the log");
    }
}

#[tokio::test]
async fn an_error_after_a_file_is_an_error_page() {
    async fn fails(mut req: Request) -> Result<()> {
        req.send_file(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).await?;
        Err("too late".into())
    }
    let bare = Bare::start(Server::new(fails)).await;
    let seen = bare.ask(get("/", &[("range", "bytes=0-0")])).await;
    assert!(seen.status == 500 && seen.header("content-type").starts_with("text/html"));
    for field in ["content-length", "content-range", "etag", "last-modified", "accept-ranges"] {
        assert_eq!(seen.header(field), "", "{field} was the file's");
    }
}

#[tokio::test]
async fn a_download_behind_a_link_can_be_asked_for_twice() {
    async fn downloads(mut req: Request) -> Result<()> {
        loop {
            req.choose(|c| html! { (c.link("Download", ())) }).await?;
            req.send_file(concat!(env!("CARGO_MANIFEST_DIR"), "/LICENSE-MIT")).as_download("LICENSE").await?;
            req.next().await?;
        }
    }
    let mut browser = Browser::new(downloads);
    browser.get("/").await.follow("Download").await.shows("Permission is hereby granted");
    browser.reload().await.status(200).shows("Permission is hereby granted");
}
