//! What forms with files may not do: every cap has its status, and closes; whatever comes, nothing is left of it.

use bytes::Bytes;
use continuity::prelude::*;
use proptest::collection::vec;
use proptest::prelude::*;

use crate::bare::{Bare, request};
use crate::uploading::{BOUNDARY, Folder, Form, post, slow};
use crate::uploads::{bare, keeping, large};

/// Asks for the status of a form, and that a refusal closes the connection.
pub async fn status(bare: &Bare, request: http::Request<Bytes>) -> u16 {
    let seen = bare.ask(request).await;
    assert_eq!(seen.header("connection") == "close", seen.status != 200, "{}", seen.status);
    assert_eq!(seen.header("retry-after").is_empty(), seen.status != 503);
    seen.status
}

#[tokio::test]
async fn r47_each_cap_of_a_form_has_its_status_and_closes() {
    let bare = bare(|limits| {
        (limits.upload, limits.body, limits.params, limits.files_per_hit) = (100_000, 1_000, 5, 3);
    })
    .await;
    let files = |count| (0..count).fold(Form::new(), |form, _| form.file("f", "f", "x"));
    let texts = |count| (0..count).fold(Form::new(), |form, _| form.text("t", "x"));
    let long = |bytes| "x".repeat(bytes);
    let padded = |bytes| format!("Content-Disposition: form-data; name=\"a\"\r\nX-Pad: {}", long(bytes));
    let cases: [(u16, &str, Bytes); 19] = [
        (200, "files", files(3).body()),
        (400, "too many files", files(4).body()),
        (400, "too many files, the last without a name", files(3).file("f", "", "x").body()),
        (200, "files that were not chosen", files(3).file("f", "", "").body()),
        (200, "fields", texts(5).body()),
        (400, "too many fields", texts(6).body()),
        (200, "text", Form::new().text("t", &long(1_000)).body()),
        (413, "text that is too long", Form::new().text("t", &long(1_001)).body()),
        (413, "texts that are too long", Form::new().text("t", &long(600)).text("t", &long(600)).body()),
        (200, "a large file", Form::new().file("f", "f", long(99_000)).body()),
        (413, "a form that is too large", Form::new().file("f", "f", long(100_000)).body()),
        (200, "a long name", Form::new().text(&long(1_024), "x").body()),
        (400, "a name that is too long", Form::new().text(&long(1_025), "x").body()),
        (400, "a file's name that is too long", Form::new().file("f", &long(1_025), "x").body()),
        (200, "a long head", Form::new().part(&padded(4_000), "x").body()),
        (400, "a head that is too long", Form::new().part(&padded(9_000), "x").body()),
        (400, "a head without an end", format!("--{BOUNDARY}\r\nX: {}", long(60_000)).into()),
        (400, "a long preamble", [long(60_000).into_bytes(), texts(1).body().to_vec()].concat().into()),
        (400, "an end that is missing", texts(2).body().slice(..100)),
    ];
    for (expected, what, body) in cases {
        assert_eq!(status(&bare, post("/", None, body)).await, expected, "{what}");
    }
    for (boundary, expected) in [(70, 200), (71, 400), (0, 400)] {
        let boundary = long(boundary);
        let body =
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nx\r\n--{boundary}--");
        let kind = format!("multipart/form-data; boundary={boundary}");
        let asked = request("POST", "/", &[("content-type", &kind)], &body);
        assert_eq!(status(&bare, asked).await, expected, "a boundary of {}", boundary.len());
    }
}

#[tokio::test]
async fn r47_a_head_without_an_end_is_not_read_on() {
    let bare = bare(|_| {}).await;
    let (sender, slow) = slow();
    sender.send(format!("--{BOUNDARY}\r\nX: "));
    for _ in 0..100_000 {
        sender.send("x");
    }
    let answer = bare.engine.receive(post("/", None, slow), None).await;
    assert_eq!(answer.status(), 400);
    assert!(sender.taken() < 10_000, "{} bytes were read", sender.taken());
}

#[tokio::test]
async fn r44_a_form_with_files_from_another_site_is_refused_unread() {
    let bare = bare(|_| {}).await;
    // Only in HTTP/1 it is the connection that ends.
    for (version, connection) in [(http::Version::HTTP_11, Some("close")), (http::Version::HTTP_2, None)] {
        let (sender, slow) = slow();
        sender.send("x");
        let mut request = post("/", None, slow);
        *request.version_mut() = version;
        request.headers_mut().insert("sec-fetch-site", http::HeaderValue::from_static("cross-site"));
        let answer = bare.engine.receive(request, None).await;
        assert_eq!((answer.status().as_u16(), sender.taken()), (403, 0));
        let told = answer.headers().get("connection").map(|value| value.to_str().expect("text"));
        assert_eq!(told, connection);
    }
}

#[tokio::test]
async fn r47_temporary_files_and_their_bytes_are_capped_for_all_together() {
    let folder = Folder::new();
    let bare = keeping(&folder, |limits| limits.upload_files = 2).await;
    let cookie = bare.ask(post("/", None, large())).await.cookie().expect("a new visitor");
    assert_eq!(status(&bare, post("/", None, large())).await, 200);
    assert_eq!(status(&bare, post("/", None, large())).await, 503);
    bare.ask(request("GET", "/forget", &[("cookie", &cookie)], "")).await;
    folder.has(1).await;
    assert_eq!(status(&bare, post("/", None, large())).await, 200);

    let other = Folder::new();
    let bare = keeping(&other, |limits| limits.upload_bytes = 150_000).await;
    assert_eq!(status(&bare, post("/", None, large())).await, 200);
    assert_eq!(status(&bare, post("/", None, large())).await, 503);
    other.has(1).await;
}

#[tokio::test]
async fn r47_forms_that_come_in_at_once_are_capped_by_visitor_and_for_all() {
    let bare = bare(|limits| (limits.uploads, limits.uploads_per_visitor) = (3, 2)).await;
    let ada = bare.ask(request("GET", "/", &[], "")).await.cookie().expect("a new visitor");
    let bob = bare.ask(request("GET", "/", &[], "")).await.cookie().expect("another one");
    let small = || Form::new().file("f", "f", "x").body();
    let mut coming = Vec::new();
    for cookie in [&ada, &ada, &bob] {
        assert_eq!(status(&bare, post("/", Some(cookie), small())).await, 200);
        let (sender, body) = slow();
        sender.send("--");
        let answer = tokio::spawn(bare.engine.receive(post("/", Some(cookie), body), None));
        while sender.taken() == 0 {
            tokio::task::yield_now().await;
        }
        coming.push((sender, answer));
        let theirs = coming.len() % 3;
        let expected = if theirs == 1 { 200 } else { 503 };
        assert_eq!(
            status(&bare, post("/", Some(cookie), small())).await,
            expected,
            "beside {}",
            coming.len()
        );
    }
    assert_eq!(bare.ask(request("GET", "/", &[("cookie", &ada)], "")).await.status, 200, "all else goes on");
    for (sender, answer) in coming {
        drop(sender);
        assert_eq!(answer.await.expect("an answer").status(), 400);
    }
    assert_eq!(status(&bare, post("/", Some(&ada), small())).await, 200);
}

#[tokio::test(start_paused = true)]
async fn r27_a_form_that_is_too_slow_is_408_and_one_that_keeps_its_pace_may_take_long() {
    let bare = bare(|limits| limits.upload_rate = 100).await;
    let start = tokio::time::Instant::now();
    let drip = async |bytes: usize| {
        let (sender, body) = slow();
        let answer = tokio::spawn(bare.engine.receive(post("/", None, body), None));
        let start = tokio::time::Instant::now();
        let body = Form::new().file("f", "f", vec![1; 20_000]).body();
        for piece in body.chunks(bytes) {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            if !sender.send(Bytes::copy_from_slice(piece)) {
                break;
            }
        }
        drop(sender);
        (answer.await.expect("an answer").status().as_u16(), start.elapsed().as_secs())
    };
    let (status, seconds) = drip(110).await;
    assert!(status == 200 && seconds > 180, "{status} after {seconds} s");
    let (status, seconds) = drip(10).await;
    let grace = Limits::default().body_time.as_secs();
    assert!(status == 408 && (grace..grace + 10).contains(&seconds), "{status} after {seconds} s");
    assert!(start.elapsed().as_secs() < 400);
}

/// A form of these parts: name, name of the file if it is one, content.
fn form(parts: &[(String, Option<String>, Vec<u8>)]) -> Vec<u8> {
    let form = parts.iter().fold(Form::new(), |form, (name, file, content)| match file {
        Some(file) => form.file(name, file, content),
        None => form.part(&format!("Content-Disposition: form-data; name=\"{name}\""), content),
    });
    form.body().to_vec()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn r47_whatever_comes_is_read_or_refused_and_leaves_nothing(
        parts in vec(("[a-z]{0,3}", proptest::option::of("[a-z.]{0,3}"), vec(any::<u8>(), 0..200)), 0..5),
        changes in vec((any::<usize>(), prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'-')]), 0..4),
        size in 1_usize..100,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let folder = Folder::new();
            let bare = keeping(&folder, |limits| limits.upload_memory = 20).await;
            let mut body = form(&parts);
            for (at, byte) in &changes {
                let at = at % body.len();
                body[at] = *byte;
            }
            let (sender, coming) = slow();
            body.chunks(size).for_each(|piece| assert!(sender.send(Bytes::copy_from_slice(piece))));
            drop(sender);
            let answer = bare.engine.receive(post("/", None, coming), None).await;
            let status = answer.status().as_u16();
            assert!(status == 200 || status == 400 && !changes.is_empty(), "{status}: {}", String::from_utf8_lossy(&body));
            bare.stop().await;
            folder.has(0).await;
        });
    }
}
