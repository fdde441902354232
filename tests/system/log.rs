//! The access log: what was asked for, and nothing that identifies or is secret.

use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use continuity::prelude::*;
use tracing::field::{Field, Visit};
use tracing::span;

use crate::running::Running;

/// Takes all that is logged, at any level, as lines.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl tracing::Subscriber for Lines {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn event(&self, event: &tracing::Event<'_>) {
        struct Text(String);
        impl Visit for Text {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                write!(self.0, " {field}={value:?}").expect("a string takes all");
            }
        }
        let about = event.metadata();
        let mut text = Text(format!("{} {}", about.level(), about.target()));
        event.record(&mut text);
        self.0.lock().expect("nobody panics here").push(text.0);
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

impl Lines {
    fn all(&self) -> Vec<String> {
        self.0.lock().expect("nobody panics here").clone()
    }

    fn access(&self) -> Vec<String> {
        self.all().into_iter().filter(|line| line.contains("continuity::access")).collect()
    }
}

async fn visits(mut req: Request) -> Result<()> {
    loop {
        req.print("page").next().await?;
        if req.path() == "/panic" {
            panic!("as asked for");
        }
    }
}

#[tokio::test]
async fn the_access_log_has_a_line_a_hit_with_method_path_and_status() {
    let lines = Lines::default();
    let _here = tracing::subscriber::set_default(lines.clone());
    let server = Running::start(Server::new(visits)).await;
    server.get("/shop/basket?q=1").await;
    server.get("/favicon.ico").await;
    server.get("/healthz").await;
    let access = lines.access();
    assert_eq!(access.len(), 3, "{access:?}");
    for (line, parts) in access.iter().zip([
        ["DEBUG", "method=GET", "path=/shop/basket ", "status=200"],
        ["DEBUG", "method=GET", "path=/favicon.ico ", "status=404"],
        ["DEBUG", "method=GET", "path=/healthz ", "status=200"],
    ]) {
        for part in parts {
            assert!(line.contains(part), "{part} is not in {line}");
        }
    }
}

/// r14: neither an id nor what people send stands in any line, at any level.
#[tokio::test]
async fn r14_no_line_has_a_query_a_cookie_a_body_or_a_header() {
    let lines = Lines::default();
    let _here = tracing::subscriber::set_default(lines.clone());
    let server = Running::start(Server::new(visits)).await;
    let mut client = server.connect().await;
    let cookie = client.get("/?word=secretquery").await.cookie().to_owned();
    let id = cookie.split_once('=').expect("a name and an id").1;
    client
        .ask(
            "POST /form?word=secretquery",
            &format!(
                "Cookie: {cookie}; other=secretcookie\r\nAuthorization: secretheader\r\n\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 15\r\n"
            ),
        )
        .await;
    client.send("word=secretbody").await;
    assert_eq!(client.reply().await.status, 200);
    assert_eq!(client.get_as(&cookie, "/panic?word=secretquery").await.status, 500);
    let all = lines.all();
    assert_eq!(lines.access().len(), 3, "{all:?}");
    assert!(all.iter().any(|line| line.starts_with("ERROR")), "the panic is there: {all:?}");
    for line in &all {
        for secret in ["secret", "word", id, &id[..id.len() / 2]] {
            assert!(!line.contains(secret), "{secret} is in {line}");
        }
    }
}

#[tokio::test]
async fn a_path_cannot_forge_a_line() {
    let lines = Lines::default();
    let _here = tracing::subscriber::set_default(lines.clone());
    let server = Running::start(Server::new(visits)).await;
    server.get("/a%0aERROR%1b[31m").await;
    let access = lines.access();
    assert_eq!(access.len(), 1);
    assert!(!access[0].contains(char::is_control), "{access:?}");
}
