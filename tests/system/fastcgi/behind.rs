//! Behind real web servers: what a program sees of visitors, and they of it, is as without one.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use continuity::FastCgi;
use continuity::prelude::*;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::client::any_port;
use super::fronts::{Front, Kind, cgi_fcgi};
use crate::client::Client;
use crate::folder::Folder;
use crate::running::Running;
use crate::until;

/// How long something is waited for that must not come.
const A_WHILE: Duration = Duration::from_millis(300);

/// What came to the program.
#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

async fn tells(mut req: Request) -> Result<()> {
    for visit in 1.. {
        let seen = format!("{} {}", req.method(), req.path());
        req.app::<Arc<Seen>>().0.lock().expect("nobody panics with it").push(seen);
        let peer = req.peer().map(|peer| peer.ip().to_string()).unwrap_or_default();
        let q: Option<String> = req.param("q")?;
        let header = |name| req.header(name).unwrap_or_default();
        let (auth, x, host) = (header("authorization"), header("x-one"), header("host"));
        let bytes = req.body().len();
        req.print(format!(
            "visit {visit} path=[{}] q={q:?} peer={peer} auth=[{auth}] x=[{x}] host=[{host}] bytes={bytes}",
            req.path()
        ));
        if req.path() == "/elsewhere" {
            req.redirect("/there")?;
        }
        req.set_header("x-answer", "from the program")?.next().await?;
    }
    Ok(())
}

async fn start(kind: Kind) -> (Running, Front, Arc<Seen>) {
    let seen = Arc::new(Seen::default());
    let server = Server::new(tells).cookie("shop").app(seen.clone());
    let program = Running::start_on(any_port(), server).await;
    let front = Front::before(kind, &program.address);
    (program, front, seen)
}

/// The program sees the visitor and all they say, and they see its answer.
async fn it_is_as_without_one(kind: Kind) {
    let (program, front, _) = start(kind).await;
    let mut client = front.connect().await;
    let fields = "Authorization: Basic abc\r\nX-One: two  three\r\n";
    client.ask("GET /a%20b/c%2Fd?q=%C3%A4+b", fields).await;
    let first = client.reply().await;
    for part in
        ["visit 1 ", "path=[/a%20b/c%2Fd]", "q=Some(&quot;ä b&quot;)", "peer=127.0.0.1", "auth=[Basic abc]"]
    {
        assert!(first.text().contains(part), "{part}: {first:?}");
    }
    assert!(first.text().contains("x=[two  three]"), "{first:?}");
    assert!(first.text().contains("host=[localhost]"), "{first:?}");
    assert_eq!((first.status, first.field("x-answer")), (200, Some("from the program")));
    let cookie = first.cookie().to_owned();
    let gone = front.connect().await.get_as(&cookie, "/elsewhere").await;
    assert!(gone.status == 303 && gone.field("location") == Some("/there"), "{gone:?}");
    let mut client = front.connect().await;
    client.ask("HEAD /", &format!("Cookie: {cookie}\r\n")).await;
    let head = client.head().await;
    assert_eq!(head.status, 200, "{head:?}");
    let health = front.connect().await.get("/healthz").await;
    assert_eq!((health.status, health.text()), (200, "ok\n"));
    assert_eq!(program.sessions(), 1);
    program.stop().await;
}

/// Bodies up to the limit are taken, whatever they are made of, larger ones refused with a page.
async fn bodies_have_their_limit(kind: Kind) {
    let (program, front, _) = start(kind).await;
    let limit = Limits::default().body;
    for (length, status) in [(0, 200), (70_000, 200), (limit, 200), (limit + 1, 413)] {
        let mut client = front.connect().await;
        client.ask("POST /", &format!("Content-Length: {length}\r\nContent-Type: text/plain\r\n")).await;
        drop(client.try_send(vec![0xff; length]).await);
        let reply = client.reply().await;
        assert_eq!(reply.status, status, "{length}: {reply:?}");
        let told = reply.text().contains(&format!("bytes={length}"));
        assert_eq!(told, status == 200, "{length}: {reply:?}");
    }
    let mut client = front.connect().await;
    client.ask("POST /", "Transfer-Encoding: chunked\r\n").await;
    client.send("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n").await;
    assert!(client.reply().await.text().contains("bytes=11"));
    program.stop().await;
}

/// A session's flush is seen before it goes on.
async fn what_is_flushed_is_seen_at_once(kind: Kind) {
    async fn streams(mut req: Request) -> Result<()> {
        let go = req.app::<Arc<Semaphore>>();
        req.print("the first part").flush().await?;
        go.acquire().await?.forget();
        req.print("the second part");
        Ok(())
    }
    let go = Arc::new(Semaphore::new(0));
    let program = Running::start_on(any_port(), Server::new(streams).app(go.clone())).await;
    let front = Front::before(kind, &program.address);
    let mut client = front.connect().await;
    client.ask("GET /", "").await;
    assert!(client.head().await.is_chunked());
    let mut text = String::new();
    while !text.contains("the first part") {
        text += &String::from_utf8(client.chunk().await.expect("more")).expect("text");
    }
    assert!(!text.contains("the second part"));
    go.add_permits(1);
    while let Some(chunk) = client.chunk().await {
        text += &String::from_utf8(chunk).expect("text");
    }
    assert!(text.contains("the second part</body>"), "{text}");
    program.stop().await;
}

/// A form with a file in it is taken apart as it comes.
async fn files_come_through(kind: Kind) {
    async fn takes(mut req: Request) -> Result<()> {
        req.print("a form").next().await?;
        let file = req.file("file")?.ok_or("no file")?;
        let sum: u64 = file.bytes().await?.iter().map(|byte| u64::from(*byte)).sum();
        let note: String = req.param("note")?;
        req.print(format!("{} {} bytes, sum {sum}, {note}", file.name(), file.len()));
        Ok(())
    }
    let program = Running::start_on(any_port(), Server::new(takes)).await;
    let front = Front::before(kind, &program.address);
    let cookie = front.connect().await.get("/").await.cookie().to_owned();
    let content: Vec<u8> = (0..900_000u32).map(|at| (at % 251) as u8).collect();
    let sum: u64 = content.iter().map(|byte| u64::from(*byte)).sum();
    let part = |head: &str| format!("--b\r\nContent-Disposition: form-data; {head}\r\n\r\n").into_bytes();
    let body =
        [part("name=\"note\""), b"hello\r\n".into(), part("name=\"file\"; filename=\"a.bin\""), content]
            .concat();
    let body = [body, b"\r\n--b--\r\n".into()].concat();
    let mut client = front.connect().await;
    let length = body.len();
    let kinds = format!("Content-Type: multipart/form-data; boundary=b\r\nContent-Length: {length}\r\n");
    client.ask("POST /", &format!("Cookie: {cookie}\r\n{kinds}")).await;
    client.send(body).await;
    let reply = client.reply().await;
    assert!(reply.text().contains(&format!("a.bin 900000 bytes, sum {sum}, hello")), "{reply:?}");
    program.stop().await;
}

/// Heads that two readers could read in two ways: no program sees a request that nobody meant to send.
async fn r53_nothing_is_smuggled(kind: Kind) {
    let (program, front, seen) = start(kind).await;
    let hidden = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    let length = hidden.len();
    for head in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n{hidden}\r\n0\r\n\r\n"),
        format!("Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding : chunked\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("Content-Length: {length}\r\nContent-Length: 0\r\n\r\n{hidden}"),
        format!("Content-Length: {length}\r\nContent_Length: 0\r\n\r\n{hidden}"),
        format!("Content_Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("Transfer_Encoding: chunked\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("X: a\rContent-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("X: a\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("Content-Length: 0, {length}\r\n\r\n{hidden}"),
        format!("Content-Length: +{length}\r\n\r\n{hidden}"),
        format!("Expect: a miracle\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("Proxy: http://evil.example\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ] {
        let mut client = front.connect().await;
        client.send(format!("POST /meant HTTP/1.1\r\nHost: a\r\n{head}")).await;
        // Time for a second answer, which must not come.
        drop(timeout(A_WHILE, client.rest()).await);
    }
    let mut client = front.connect().await;
    assert_eq!(client.get("/after").await.status, 200);
    let mut seen = std::mem::take(&mut *seen.0.lock().expect("nobody panics with it"));
    assert_eq!(seen.pop().as_deref(), Some("GET /after"));
    assert!(!seen.is_empty() && seen.iter().all(|hit| hit == "POST /meant"), "{seen:?}");
    program.stop().await;
}

/// What a program's header fields cannot hold they do not, and what a visitor writes forges none.
async fn r53_no_field_is_injected(kind: Kind) {
    let (program, front, _) = start(kind).await;
    for target in ["/%0d%0aX-Evil:%20yes", "/?q=a%0d%0aX-Evil:%20yes", "/%00", "/elsewhere%0aX-Evil:%20yes"] {
        let mut client = front.connect().await;
        client.ask(&format!("GET {target}"), "X-One: a\tb\r\n").await;
        let reply = client.reply().await;
        assert!(reply.field("x-evil").is_none() && reply.status < 500, "{target}: {reply:?}");
    }
    for fields in ["X-One: a\0b\r\n", "X One: a\r\n", "X-One\0: a\r\n", ": a\r\n", "Cookie: shop=\x01\r\n"] {
        let mut client = front.connect().await;
        client.ask("GET /", fields).await;
        let reply = client.reply().await;
        assert!(reply.status < 500 && !reply.text().contains('\0'), "{fields:?}: {reply:?}");
    }
    program.stop().await;
}

macro_rules! behind {
    ($($name:ident $kind:ident),+: $tests:tt) => {$(behind! { @one $name $kind $tests })+};
    (@one $name:ident $kind:ident { $($test:ident)+ }) => {
        mod $name {
            use super::Kind;
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(Kind::$kind).await;
            })+
        }
    };
}

behind! { nginx Nginx, apache Apache, lighttpd Lighttpd, haproxy Haproxy: {
    it_is_as_without_one
    bodies_have_their_limit
    what_is_flushed_is_seen_at_once
    files_come_through
    r53_nothing_is_smuggled
    r53_no_field_is_injected
} }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_over_a_unix_socket() {
    let folder = Folder::new("socket");
    let door = FastCgi::on(format!("unix:{}", folder.0.join("app.sock").display()));
    let server = Server::new(tells).cookie("shop").app(Arc::new(Seen::default()));
    let program = Running::start_on(door, server).await;
    let front = Front::before(Kind::Nginx, &program.address);
    assert!(front.connect().await.get("/").await.text().contains("visit 1 "));
    program.stop().await;
}

/// Passes connections on to a program, and counts them.
async fn counted(program: &str) -> (String, Arc<Mutex<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a port");
    let address = listener.local_addr().expect("it has an address").to_string();
    let (count, program) = (Arc::new(Mutex::new(0)), program.to_owned());
    let counts = count.clone();
    tokio::spawn(async move {
        while let Ok((mut front, _)) = listener.accept().await {
            *counts.lock().expect("nobody panics with it") += 1;
            let mut behind = TcpStream::connect(&program).await.expect("the program listens");
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut front, &mut behind).await });
        }
    });
    (address, count)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r54_haproxy_has_many_requests_on_one_connection_and_gives_some_up() {
    async fn waits(mut req: Request) -> Result<()> {
        let go = req.app::<Arc<Semaphore>>();
        go.acquire().await?.forget();
        req.print(format!("answered {}", req.path()));
        Ok(())
    }
    const ASK: usize = 20;
    let go = Arc::new(Semaphore::new(0));
    let program = Running::start_on(any_port(), Server::new(waits).app(go.clone())).await;
    let (relay, connections) = counted(&program.address).await;
    let front = Front::before(Kind::Haproxy, &relay);
    let mut clients = Vec::new();
    for number in 0..ASK {
        let mut client: Client = front.connect().await;
        client.ask(&format!("GET /{number}"), "").await;
        until("the program has it", || program.sessions() > number).await;
        clients.push(client);
    }
    // Some go away; the rest of their connection is answered.
    let rest = clients.split_off(ASK / 4);
    drop(clients);
    go.add_permits(ASK);
    for (number, mut client) in rest.into_iter().enumerate() {
        let reply = client.reply().await;
        assert!(reply.text().contains(&format!("answered /{}", number + ASK / 4)), "{reply:?}");
    }
    let connections = *connections.lock().expect("nobody panics with it");
    assert!(connections < ASK / 4, "{connections} connections for {ASK} requests");
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cgi_fcgi_of_libfcgi_is_answered() {
    let server = Server::new(tells).cookie("shop").app(Arc::new(Seen::default()));
    let program = Running::start_on(any_port(), server).await;
    let address = program.address.clone();
    let ask = move |method: &'static str, body: &'static [u8]| {
        let mut command = cgi_fcgi(&address);
        command.env("REQUEST_METHOD", method).env("SCRIPT_NAME", "/a b").env("QUERY_STRING", "q=x");
        command
            .env("SERVER_NAME", "shop.example")
            .env("SERVER_PORT", "80")
            .env("SERVER_PROTOCOL", "HTTP/1.1");
        command.env("REMOTE_ADDR", "192.0.2.9").env("CONTENT_LENGTH", body.len().to_string());
        let mut child =
            command.spawn().expect("cgi-fcgi can be started: it is in the Debian package libfcgi-bin");
        child.stdin.take().expect("it is piped").write_all(body).expect("it reads");
        let ended = child.wait_with_output().expect("it ends");
        String::from_utf8(ended.stdout).expect("a text")
    };
    let asked = tokio::task::spawn_blocking(move || (ask("GET", b""), ask("POST", b"0123456789")));
    let (got, posted) = asked.await.expect("it does not panic");
    assert!(got.contains("\r\nStatus: 200 OK\r\n\r\n"), "{got}");
    for part in ["path=[/a%20b]", "q=Some(&quot;x&quot;)", "peer=192.0.2.9", "host=[shop.example:80]"] {
        assert!(got.contains(part), "{part}: {got}");
    }
    assert!(posted.contains("bytes=10"), "{posted}");
    program.stop().await;
}

#[test]
fn the_guides_numbers_fit_the_limits() {
    let (guide, limits) = (include_str!("../../../docs/fastcgi.md"), Limits::default());
    assert!(guide.contains(&format!("client_max_body_size {}m;", limits.body >> 20)));
    assert!(guide.contains(&format!("option max-reqs {} ", limits.streams)));
    let seconds = guide.split_once("keepalive_timeout ").expect("it is there").1.split('s').next();
    let seconds: u64 = seconds.expect("a unit").parse().expect("a number");
    assert!(seconds < limits.keep_alive.as_secs());
}
