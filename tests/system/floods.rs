//! HTTP/2 of those who mean harm: floods are cut, others do not notice, what nobody reads is not piled up.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use continuity::prelude::*;

use crate::client::Client;
use crate::frames::*;
use crate::program::Program;
use crate::running::Running;

/// Time that is over soon.
const SOON: Duration = Duration::from_millis(400);
/// The longest an innocent client may wait meanwhile.
const UNNOTICED: Duration = Duration::from_millis(250);

async fn visits(mut req: Request) -> Result<()> {
    for visit in 1.. {
        req.print(format!("visit {visit}")).next().await?;
    }
    Ok(())
}

/// A thousand pages of a flood that `round` makes, as far as they are taken; the reason that is given at the end.
async fn flood(server: &Running, start: &[u8], mut round: impl FnMut(u32) -> Vec<u8>) -> Option<u32> {
    let mut raw = Raw::connect(&server.address).await;
    raw.send(start).await;
    for some in 0..1000 {
        let frames: Vec<u8> = (some * 100..some * 100 + 100).flat_map(&mut round).collect();
        if raw.try_send(frames).await.is_err() {
            break;
        }
    }
    raw.end().await
}

/// An innocent client's longest wait while `attack` lasts.
async fn beside<T>(server: &Running, attack: impl Future<Output = T>) -> (T, Duration) {
    let mut client = server.connect().await;
    let cookie = client.get("/").await.cookie().to_owned();
    let mut longest = Duration::ZERO;
    let mut attack = std::pin::pin!(attack);
    loop {
        let visit = async {
            let start = Instant::now();
            assert_eq!(client.get_as(&cookie, "/").await.status, 200);
            start.elapsed()
        };
        tokio::select! {
            biased;
            done = &mut attack => return (done, longest),
            took = visit => longest = longest.max(took),
        }
    }
}

/// Connections that ask for all they may, and let nothing be sent.
#[tokio::test]
async fn r33_what_is_asked_for_and_not_read_is_held_in_little_memory() {
    const GREEDY: u32 = 50;
    let program = Program::start("counter", "0");
    let address = program.address();
    let before = program.resident();
    let mut greedy = Vec::new();
    for _ in 0..GREEDY {
        let mut raw = Raw::with(&address, &[(4, 0)]).await;
        let all: Vec<u8> = (0..100).flat_map(|n| get(2 * n + 1, &[])).collect();
        raw.send(all).await;
        greedy.push(raw);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    let each = program.resident().saturating_sub(before) / GREEDY as usize;
    println!("{each} bytes for each greedy connection");
    assert!(each < 1024 * 1024, "a greedy connection costs {each} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r34_floods_are_cut_and_others_do_not_notice() {
    let server = Running::start(Server::new(visits)).await;
    let open = frame(HEADERS, END_HEADERS, 1, &block(&[(":method", "POST"), GET[1], GET[2], GET[3]]));
    let block_open = frame(HEADERS, END_STREAM, 1, &block(&GET));
    type Round = Box<dyn FnMut(u32) -> Vec<u8>>;
    let floods: [(&str, &[u8], Round); 9] = [
        ("ping", b"", Box::new(|_| frame(PING, 0, 0, &[0; 8]))),
        ("settings", b"", Box::new(|_| settings(&[(4, 65_535)]))),
        ("priority", b"", Box::new(|_| frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]))),
        ("window", b"", Box::new(|_| number(WINDOW_UPDATE, 0, 1))),
        ("unknown", b"", Box::new(|_| frame(77, 0, 0, b"what"))),
        ("empty data", &open, Box::new(|_| frame(DATA, 0, 1, b""))),
        ("continuation", &block_open, Box::new(|_| frame(CONTINUATION, 0, 1, b""))),
        (
            "large continuation",
            &block_open,
            Box::new(|_| frame(CONTINUATION, 0, 1, &block(&[("x", "y"); 99]))),
        ),
        ("rapid reset", b"", Box::new(|n| [get(2 * n + 1, &[]), number(RST_STREAM, 2 * n + 1, 8)].concat())),
    ];
    for (name, start, round) in floods {
        let (reason, longest) = beside(&server, flood(&server, start, round)).await;
        // A reset can cost the one who floods the reason.
        assert!(reason.is_none_or(|reason| reason == ENHANCE_YOUR_CALM), "{name}: {reason:?}");
        assert!(longest < UNNOTICED, "{name}: {longest:?}");
    }
    assert!(server.sessions() < 1000, "{}", server.sessions());
}

/// The reason is there to be read by who stops soon enough.
#[tokio::test]
async fn r34_who_floods_is_told_why() {
    let server = Running::start(Server::new(visits)).await;
    let mut raw = Raw::connect(&server.address).await;
    raw.send(frame(PING, ACK, 0, &[0; 8]).repeat(1100)).await;
    assert_eq!(raw.end().await, Some(ENHANCE_YOUR_CALM));
}

/// Streams that the server has to reset count like those that the client resets.
#[tokio::test]
async fn r31_resets_count_whoever_is_made_to_send_them() {
    let server = Running::start(Server::new(visits)).await;
    let mut raw = Raw::connect(&server.address).await;
    for stream in (1..2000).step_by(2) {
        if raw.try_send(get(stream, &[("content-length", "5")])).await.is_err() {
            break;
        }
    }
    let reason = raw.end().await;
    assert!(reason.is_none_or(|reason| reason == ENHANCE_YOUR_CALM), "{reason:?}");
    assert_eq!(server.sessions(), 0);
}

static AT_WORK: AtomicUsize = AtomicUsize::new(0);

/// hyper forgets who is reset; the work that they have caused counts on.
#[tokio::test]
async fn r31_what_is_reset_counts_until_its_work_is_done() {
    async fn works(_: Request) -> Result<()> {
        AT_WORK.fetch_add(1, SeqCst);
        std::future::pending().await
    }
    let server = Running::start(Server::new(works).limits(|limits| limits.streams = 5)).await;
    let mut raw = Raw::connect(&server.address).await;
    for stream in (1..80).step_by(2) {
        raw.send(get(stream, &[])).await;
        raw.send(frame(PING, 0, 0, &[0; 8])).await;
        raw.until(&[PING]).await.expect("it was read");
        raw.send(number(RST_STREAM, stream, 8)).await;
    }
    raw.send(get(81, &[])).await;
    let mut answer = raw.until(&[HEADERS]).await.expect("an answer");
    while answer.stream != 81 {
        answer = raw.until(&[HEADERS]).await.expect("an answer");
    }
    assert_eq!(AT_WORK.load(SeqCst), 5);
}

const PAGE: usize = 200_000;

async fn large(mut req: Request) -> Result<()> {
    req.send("application/octet-stream", vec![b'x'; PAGE])?;
    Ok(())
}

/// Neither a window of nothing nor one that is opened byte by byte holds an answer for long.
#[tokio::test]
async fn r33_who_lets_nothing_be_sent_is_cut() {
    let server = Running::start(Server::new(large).limits(|limits| limits.write_time = SOON)).await;
    let start = Instant::now();
    let mut raw = Raw::with(&server.address, &[(4, 0)]).await;
    raw.send(get(1, &[])).await;
    assert_eq!(raw.until(&[HEADERS]).await.expect("an answer").status(), 200);
    while raw.next().await.is_some() {}
    assert!(start.elapsed() >= SOON);
    let mut raw = Raw::with(&server.address, &[(4, 0)]).await;
    raw.send(get(1, &[])).await;
    while raw.try_send(number(WINDOW_UPDATE, 1, 1)).await.is_ok() {
        assert!(start.elapsed() < crate::PATIENCE, "it is cut");
        tokio::time::sleep(SOON / 20).await;
    }
    // The windows of HTTP/2 are no matter of the others.
    assert_eq!(Client::connect(&server.address).await.get("/").await.body.len(), PAGE);
}

#[tokio::test]
async fn r33_answers_that_nobody_reads_are_not_piled_up() {
    let server = Running::start(Server::new(large).limits(|limits| limits.page = 3 * PAGE)).await;
    let mut raw = Raw::with(&server.address, &[(4, 0)]).await;
    for stream in (1..21).step_by(2) {
        raw.send(get(stream, &[])).await;
    }
    let mut busy = 0;
    for _ in 0..10 {
        let answer = raw.until(&[HEADERS]).await.expect("an answer");
        busy += usize::from(answer.payload.len() > 1 && !matches!(answer.payload[0], 0x20..0x40 | 0x88));
    }
    assert_eq!(busy, 6, "the fifth finds more than three pages");
}
