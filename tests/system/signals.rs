//! Examples as their users run them: the greeting, wrong ports, signals, `kill -9`.

use std::time::{Duration, Instant};

use crate::client::Client;
use crate::program::Program;

/// What a stopping server waits for answers, by default.
fn drain() -> Duration {
    continuity::Limits::default().drain
}

/// slowprint, in the middle of an answer.
async fn in_flight() -> (Program, Client) {
    let program = Program::start("slowprint", "0");
    let mut client = Client::connect(&program.address()).await;
    client.ask("GET /", "").await;
    assert_eq!(client.head().await.status, 200);
    let first = client.chunk().await.expect("the first line");
    assert!(String::from_utf8_lossy(&first).contains("Line 1"));
    (program, client)
}

async fn rest_of(client: &mut Client) -> String {
    let mut text = String::new();
    while let Some(chunk) = client.chunk().await {
        text.push_str(&String::from_utf8_lossy(&chunk));
    }
    text
}

/// Waits until nobody listens there.
async fn closed(address: &str) {
    let start = Instant::now();
    while tokio::net::TcpStream::connect(address).await.is_ok() {
        assert!(start.elapsed() < Duration::from_secs(3), "it still listens");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_first_line_says_where_it_is() {
    let program = Program::start("counter", "0");
    let greeting = &program.greeting;
    let port = greeting.strip_prefix("Please contact me at: http://127.0.0.1:");
    let port = port.and_then(|rest| rest.strip_suffix("/\n")).and_then(|port| port.parse::<u16>().ok());
    assert!(port.is_some_and(|port| port > 0), "{greeting:?}");
    let reply = Client::connect(&program.address()).await.get("/").await;
    assert!(reply.text().contains("Count: 0"), "{reply:?}");
}

#[test]
fn a_bad_port_is_an_error_that_names_it() {
    for port in ["http", "65536", "-1", "", "80 80"] {
        let ended = Program::run("counter", port);
        assert!(!ended.status.success(), "{port:?}: {ended:?}");
        assert!(ended.errors.contains("PORT") && ended.errors.contains("65535"), "{port:?}: {ended:?}");
        assert!(!ended.errors.contains("panicked"), "{port:?}: {ended:?}");
    }
}

#[test]
fn a_port_in_use_is_an_error_that_names_the_address() {
    let program = Program::start("counter", "0");
    let address = program.address();
    let port = address.rsplit(':').next().expect("an address has a port");
    let ended = Program::run("counter", port);
    assert!(!ended.status.success(), "{ended:?}");
    assert!(ended.errors.contains(&address), "{ended:?}");
    assert!(!ended.errors.contains("panicked"), "{ended:?}");
}

async fn drains_after(signal: &str) {
    let (mut program, mut client) = in_flight().await;
    let address = program.address();
    let signalled = Instant::now();
    program.signal(signal);
    closed(&address).await;
    assert!(program.is_running(), "it does not wait for its answer");
    let rest = rest_of(&mut client).await;
    assert!(rest.contains("Line 8") && rest.ends_with("</html>"), "{rest}");
    let ended = program.ended(drain().saturating_sub(signalled.elapsed()));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

#[tokio::test]
async fn r67_sigterm_finishes_what_is_in_flight_and_exits_0() {
    drains_after("TERM").await;
}

#[tokio::test]
async fn r67_sigint_finishes_what_is_in_flight_and_exits_0() {
    drains_after("INT").await;
}

/// Sessions and connections that wait hold nothing up.
#[tokio::test]
async fn r67_sigterm_does_not_wait_for_who_waits() {
    let program = Program::start("counter", "0");
    let mut waiting = Client::connect(&program.address()).await;
    assert_eq!(waiting.get("/").await.status, 200);
    let _unused = Client::connect(&program.address()).await;
    program.signal("TERM");
    let ended = program.ended(Duration::from_secs(3));
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    assert_eq!(waiting.rest().await, b"");
}

#[tokio::test]
async fn r67_a_second_sigterm_exits_at_once() {
    let (mut program, mut client) = in_flight().await;
    program.signal("TERM");
    closed(&program.address()).await;
    assert!(program.is_running());
    let second = Instant::now();
    program.signal("TERM");
    program.ended(Duration::from_secs(2));
    // The answer alone takes more than 5 seconds.
    assert!(second.elapsed() < Duration::from_secs(2));
    let rest = String::from_utf8_lossy(&client.rest().await).into_owned();
    assert!(!rest.contains("Line 8"), "{rest}");
}

#[tokio::test]
async fn r67_after_kill_9_the_same_port_can_be_taken_at_once() {
    let (program, _client) = in_flight().await;
    let address = program.address();
    let port = address.rsplit(':').next().expect("an address has a port").to_owned();
    program.signal("KILL");
    let ended = program.ended(Duration::from_secs(2));
    assert_eq!(ended.status.code(), None, "a signal ended it");
    let again = Program::start("slowprint", &port);
    assert_eq!(again.address(), address);
    let mut client = Client::connect(&address).await;
    client.ask("GET /", "").await;
    assert_eq!(client.head().await.status, 200);
}

#[tokio::test]
async fn r28_a_server_that_is_out_of_files_goes_on_when_it_has_some_again() {
    const FILES: usize = 40;
    let mut program = Program::start_with_files("counter", FILES);
    let mut first = Client::connect(&program.address()).await;
    let cookie = first.get("/").await.cookie().to_owned();
    // More than it can accept; the kernel keeps the rest.
    let mut crowd = Vec::new();
    for _ in 0..2 * FILES {
        crowd.push(Client::connect(&program.address()).await);
    }
    let last = crowd.last_mut().expect("there are some");
    last.ask("GET /", "").await;
    assert!(last.is_silent(Duration::from_millis(500)).await, "it has files enough for all");
    assert!(program.is_running());
    assert!(first.get_as(&cookie, "/").await.text().contains("Count: 0"), "those who are in are served");
    let mut last = crowd.pop().expect("there are some");
    drop(crowd);
    assert_eq!(last.reply().await.status, 200);
}

/// It does not try again and again, and those who wait learn that there is no place for them.
#[tokio::test]
async fn r28_a_server_that_is_out_of_files_sleeps_and_turns_away() {
    const FILES: usize = 40;
    let program = Program::start_with_files("counter", FILES);
    let mut crowd = Vec::new();
    for _ in 0..2 * FILES {
        let mut client = Client::connect(&program.address()).await;
        client.ask("GET /healthz", "").await;
        crowd.push(client);
    }
    let before = program.processor_time();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let used = program.processor_time() - before;
    assert!(used < Duration::from_millis(300), "{used:?} in a second");
    let mut statuses = Vec::new();
    for client in &mut crowd {
        if !client.is_silent(Duration::from_millis(1)).await {
            statuses.push(client.reply().await.status);
        }
    }
    let told = statuses.iter().filter(|status| **status == 503).count();
    assert!((1..FILES).contains(&told), "{statuses:?}");
    assert!(statuses.iter().filter(|status| **status == 200).count() > FILES / 2, "{statuses:?}");
    drop(crowd);
    assert_eq!(Client::connect(&program.address()).await.get("/").await.status, 200);
    program.signal("TERM");
    let errors = program.ended(Duration::from_secs(5)).errors;
    assert!(errors.matches("cannot be accepted").count() <= 2, "{errors}");
}
