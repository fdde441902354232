//! Files that come with forms: what the program gets, what is capped, what is left. And bodies as JSON.

use std::fs;
use std::os::unix::fs::MetadataExt;

use bytes::Bytes;
use continuity::prelude::*;
use continuity::test::Browser;
use http_body_util::BodyExt;

use crate::bare::{Bare, request};
use crate::log::Log;
use crate::upload_limits::status;
use crate::uploading::{Folder, Form, post, slow};

/// Tells what came.
async fn tells(mut req: Request) -> Result<()> {
    loop {
        for (name, value) in req.params() {
            req.print(html! { p { "param " (name) "=" (value) } });
        }
        for file in req.files() {
            let bytes = file.bytes().await?;
            assert_eq!((file.len(), file.is_empty()), (bytes.len() as u64, bytes.is_empty()));
            let sum: u64 = bytes.iter().map(|byte| u64::from(*byte)).sum();
            req.print(html! {
                p { "file " (file.field()) "=" (file.name()) " " (file.content_type().unwrap_or("?")) " " (file.len()) " " (sum) }
            });
        }
        req.next().await?;
    }
}

pub async fn bare(change: impl FnOnce(&mut Limits)) -> Bare {
    Bare::start(Server::new(tells).limits(change)).await
}

#[tokio::test]
async fn r47_files_come_in_order_with_names_types_and_bytes() {
    let bare = bare(|limits| limits.upload_memory = 1000).await;
    let body = Form::new()
        .text("title", "two cats")
        .file("photo", "cat.png", [1; 600])
        .file("photo", "../../etc/passwd", [2; 600])
        .file("other", "", "")
        .file("empty", "empty.txt", "")
        .text("title", "ä\r\n--x")
        .body();
    let seen = bare.ask(post("/?q=1", None, body)).await;
    let lines: Vec<_> = seen.body.split("<p>").skip(1).map(|line| line.split("</p>").next()).collect();
    let lines: Vec<_> = lines.into_iter().flatten().collect();
    assert_eq!(
        lines,
        [
            "param title=two cats",
            "param photo=cat.png",
            "param photo=../../etc/passwd",
            "param other=",
            "param empty=empty.txt",
            "param title=ä\r\n--x",
            "param q=1",
            "file photo=cat.png image/png 600 600",
            "file photo=../../etc/passwd image/png 600 1200",
            "file empty=empty.txt image/png 0 0",
        ]
    );
}

#[tokio::test]
async fn r47_however_a_form_is_cut_it_is_the_same_form() {
    let bare = bare(|limits| limits.upload_memory = 50).await;
    let file: Vec<u8> = (0..=255).chain(b"\r\n--\r\n------a-boundar\r\n".iter().copied()).collect();
    let body = Form::new().text("a", "\r\n--").file("f", "x", &file).file("g", "y", "").text("b", "").body();
    let whole = bare.ask(post("/", None, body.clone())).await;
    assert_eq!(whole.status, 200);
    assert!(whole.body.contains(&format!("file f=x image/png {}", file.len())), "{}", whole.body);
    for size in [1, 2, 3, 5, 7, 16, 64, 333] {
        let (sender, slow) = slow();
        body.chunks(size).for_each(|piece| assert!(sender.send(Bytes::copy_from_slice(piece))));
        drop(sender);
        let answer = bare.engine.receive(post("/", None, slow), None).await;
        let text = answer.into_body().collect().await.expect("a body").to_bytes();
        assert_eq!(String::from_utf8_lossy(&text), whole.body, "in pieces of {size}");
    }
}

/// Keeps each file that comes.
async fn keeps(mut req: Request) -> Result<()> {
    let mut kept = Vec::new();
    loop {
        kept.extend(req.files());
        if req.path() == "/forget" {
            kept.clear();
        }
        req.print(html! { "Kept " (kept.len()) }).next().await?;
    }
}

pub async fn keeping(folder: &Folder, change: impl FnOnce(&mut Limits)) -> Bare {
    Bare::start(Server::new(keeps).upload_dir(folder.path()).limits(change)).await
}

pub fn large() -> Bytes {
    Form::new().file("f", "f", vec![7; 100_000]).body()
}

#[tokio::test]
async fn r47_temporary_files_are_private_nameless_to_clients_and_go_with_their_last_holder() {
    let folder = Folder::new();
    let bare = keeping(&folder, |_| {}).await;
    let small = Form::new().file("f", "small", "x").body();
    let cookie = bare.ask(post("/", None, small)).await.cookie().expect("a new visitor");
    assert_eq!(folder.files().len(), 0, "what is small stays in memory");
    for count in 1..=2 {
        let seen = bare.ask(post("/", Some(&cookie), large())).await;
        assert!(seen.body.contains(&format!("Kept {}", count + 1)), "{}", seen.body);
        folder.has(count).await;
    }
    for path in folder.files() {
        let mode = |path: &std::path::Path| fs::metadata(path).expect("it is there").mode() & 0o7777;
        assert_eq!((mode(&path), mode(path.parent().expect("a folder"))), (0o600, 0o700));
        assert!(path.file_name().is_some_and(|name| name.len() == 32), "{path:?}");
    }
    bare.ask(request("GET", "/forget", &[("cookie", &cookie)], "")).await;
    folder.has(0).await;
    bare.ask(post("/", Some(&cookie), large())).await;
    folder.has(1).await;
    bare.stop().await;
    folder.has(0).await;
    assert_eq!(
        fs::read_dir(folder.path()).expect("it is there").count(),
        0,
        "the server's folder is gone too"
    );
}

#[tokio::test]
async fn r47_a_form_that_breaks_off_leaves_nothing() {
    let folder = Folder::new();
    let bare = keeping(&folder, |_| {}).await;
    let (sender, body) = slow();
    let answer = tokio::spawn(bare.engine.receive(post("/", None, body), None));
    sender.send(large().slice(..90_000));
    folder.has(1).await;
    drop(sender);
    assert_eq!(answer.await.expect("an answer").status(), 400);
    folder.has(0).await;
    let (sender, body) = slow();
    let answer = tokio::spawn(bare.engine.receive(post("/", None, body), None));
    sender.send(large().slice(..90_000));
    folder.has(1).await;
    answer.abort();
    folder.has(0).await;
    assert_eq!(bare.engine.sessions(), 0);
}

#[tokio::test]
async fn r47_where_nothing_can_be_written_is_500_and_logged() {
    let log = Log::listen();
    let folder = Folder::new();
    let bare = keeping(&folder, |_| {}).await;
    fs::remove_dir_all(folder.path()).expect("it is there");
    assert_eq!(status(&bare, post("/", None, large())).await, 500);
    assert!(log.errors()[0].says("message").contains("could not be written"), "{:?}", log.errors());
    let server = Server::new(keeps).upload_dir(folder.path()).listen(Http::on(0));
    let error = server.bind().await.expect_err("there is no such folder").to_string();
    assert!(error.contains("upload_dir") && error.contains("no such folder"), "{error}");
}

#[tokio::test]
async fn r47_a_file_is_saved_whole_private_and_over_nothing() {
    async fn saves(mut req: Request) -> Result<()> {
        let folder = req.app::<std::path::PathBuf>();
        loop {
            if let Some(file) = req.file("f")? {
                let target = folder.join("saved");
                let saved = file.save_to(&target).await;
                if req.path() == "/over" {
                    file.save_over(&target).await?;
                    file.save_over(&target).await?;
                }
                assert_eq!(
                    file.bytes().await?,
                    fs::read(&target).unwrap_or_default(),
                    "still there to be read"
                );
                req.print(html! { (saved.is_ok()) });
            }
            req.next().await?;
        }
    }
    for size in [10, 100_000] {
        let (temporary, target) = (Folder::new(), Folder::new());
        let server = Server::new(saves).upload_dir(temporary.path()).app(target.path().to_owned());
        let bare = Bare::start(server).await;
        let form = |byte: u8| Form::new().file("f", "f", vec![byte; size]).body();
        assert!(bare.ask(post("/", None, form(1))).await.body.contains("true"));
        let seen = bare.ask(post("/over", None, form(2))).await;
        assert!(seen.body.contains("false"), "it was there: {}", seen.body);
        let files = target.files();
        assert_eq!(files, [target.path().join("saved")], "nothing lies beside it");
        assert_eq!(fs::read(&files[0]).expect("it is there"), vec![2; size]);
        assert_eq!(fs::metadata(&files[0]).expect("it is there").mode() & 0o7777, 0o600);
        bare.stop().await;
        temporary.has(0).await;
        assert!(files[0].exists(), "what was saved stays");
    }
}

#[tokio::test]
async fn r47_a_file_that_is_saved_elsewhere_is_copied() {
    async fn saves(mut req: Request) -> Result<()> {
        let target = req.app::<std::path::PathBuf>().join("no such folder/file");
        let file = req.file("f")?.ok_or("no file")?;
        let error = file.save_to(&target).await.expect_err("no such folder").to_string();
        assert!(error.contains("no such folder/file"), "{error}");
        // Another file system than that of temporary files, on most machines.
        let shared = std::path::Path::new("/dev/shm").join(format!("continuity-{}", std::process::id()));
        file.save_to(&shared).await?;
        let same = fs::read(&shared)? == *file.bytes().await?;
        fs::remove_file(&shared)?;
        req.print(html! { (same) });
        Ok(())
    }
    let folder = Folder::new();
    let server = Server::new(saves).upload_dir(folder.path()).app(folder.path().to_owned());
    let seen = Bare::start(server).await.ask(post("/", None, large())).await;
    assert!(seen.body.contains("true"), "{}", seen.body);
}

#[tokio::test]
async fn line_11_a_form_with_files_that_comes_again_is_a_repeat_whatever_its_boundary() {
    #[derive(Deserialize)]
    struct Nothing {}
    async fn takes(mut req: Request) -> Result<()> {
        let mut count = 0;
        loop {
            req.ask::<Nothing, _>(|f| html! { "Taken " (count) (f.file("f")) button { "Send" } }).await?;
            count += req.files().len();
        }
    }
    let mut browser = Browser::new(takes);
    browser.get("/").await.attach("f", "a", "one").submit().await.shows("Taken 1");
    browser.back().await;
    browser.attach("f", "a", "one").submit().await.shows("Taken 1").shows_not("older page");
    browser.attach("f", "a", "one").submit().await.shows("Taken 2");
    browser.back().await;
    browser.attach("f", "a", "two").submit().await.shows("Taken 2").shows("older page");
}

#[tokio::test]
async fn ask_shows_a_form_with_files_again_until_it_is_right() {
    #[derive(Deserialize)]
    struct Photo {
        title: String,
        photo: String,
    }
    async fn asks(mut req: Request) -> Result<()> {
        let answer: Photo = req
            .ask(|f| {
                f.check(|photo: &Photo| !photo.photo.is_empty(), "photo", "choose one, please");
                html! { (f.text("title")) (f.file("photo")) button { "Send" } }
            })
            .await?;
        let photo = req.file("photo")?.ok_or("no file came")?;
        req.print(html! { (answer.title) ": " (photo.len()) });
        Ok(())
    }
    let mut browser = Browser::new(asks);
    browser.get("/").await.fill("title", "A cat").submit().await.status(422).shows("choose one, please");
    assert_eq!(browser.value("title"), "A cat");
    browser.attach("photo", "cat.png", "meow").submit().await.shows("A cat: 4");
}

#[tokio::test]
async fn a_file_of_a_form_that_sends_its_name_only_is_an_error_that_says_so() {
    async fn forgets(mut req: Request) -> Result<()> {
        req.print(html! { form method="post" { input type="file" name="photo"; button { "Send" } } });
        let none = req.next().await?.file("photo")?.is_none();
        req.print(html! { (none) });
        Ok(())
    }
    let mut browser = Browser::new(forgets);
    browser.get("/").await.submit().await.shows("true");
    browser.get("/").await.attach("photo", "cat.png", "meow").submit().await;
    browser.status(400).shows("photo").shows("multipart/form-data");
}

#[tokio::test]
async fn json_is_read_as_a_type_or_the_field_is_named() {
    #[derive(Deserialize)]
    struct Order {
        items: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        price: u32,
    }
    async fn orders(mut req: Request) -> Result<()> {
        let order: Order = req.json()?;
        req.print(html! { "Sum " (order.items.iter().map(|item| item.price).sum::<u32>()) });
        Ok(())
    }
    let bare = Bare::start(Server::new(orders)).await;
    let send = async |body: &str| {
        bare.ask(request("POST", "/", &[("content-type", "application/json")], body)).await
    };
    assert!(send(r#"{"items": [{"price": 2}, {"price": 3}]}"#).await.body.contains("Sum 5"));
    let wrong = send(r#"{"items": [{"price": 2}, {"price": -3}]}"#).await;
    assert!(wrong.status == 400 && wrong.body.contains("items[1].price"), "{}", wrong.body);
}

/// Tells what is on its way from the visitor.
async fn watches(mut req: Request) -> Result<()> {
    loop {
        let came = req.files().len();
        let drawn = req.path() == "/drawn";
        let line = |uploads: Vec<continuity::Upload>| {
            let each = uploads.iter().map(|upload| format!("{}/{:?}", upload.received, upload.total));
            format!("Files {came}, on their way: {}", each.collect::<Vec<_>>().join(" "))
        };
        if drawn {
            req.choose::<(), _>(|c| html! { (line(c.uploads())) }).await?;
        } else {
            let uploads = req.uploads();
            req.print(line(uploads)).next().await?;
        }
    }
}

#[tokio::test]
async fn progress_is_seen_by_the_visitor_alone_while_the_form_comes_in() {
    let bare = Bare::start(Server::new(watches)).await;
    let ada = bare.ask(request("GET", "/", &[], "")).await.cookie().expect("a new visitor");
    let bob = bare.ask(request("GET", "/", &[], "")).await.cookie().expect("another one");
    let (sender, body) = slow();
    let answer = tokio::spawn(bare.engine.receive(post("/", Some(&ada), body), None));
    sender.send(large().slice(..5_000));
    let see =
        async |cookie: &str, path: &str| bare.ask(request("GET", path, &[("cookie", cookie)], "")).await.body;
    while sender.taken() < 5_000 {
        tokio::task::yield_now().await;
    }
    assert!(see(&ada, "/").await.contains("Files 0, on their way: 5000/None"));
    assert!(see(&bob, "/").await.contains("on their way: <"), "it is not Bob's");
    let forged = ada.replace(&ada[ada.len() - 4..], "0000");
    assert!(see(&forged, "/").await.contains("on their way: <"));
    assert!(see(&ada, "/drawn").await.contains("on their way: 5000/None"));
    sender.send(large().slice(5_000..));
    drop(sender);
    let page = answer.await.expect("an answer").into_body().collect().await.expect("a body").to_bytes();
    assert!(String::from_utf8_lossy(&page).contains("Files 0, on their way: <"), "drawn again, not taken");
    assert!(see(&ada, "/drawn").await.contains("on their way: <"), "it has come");
}
