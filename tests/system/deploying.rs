//! The guide to deploying, as it stands: its nginx in front of a program, its numbers beside the limits.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use continuity::prelude::*;
use tokio::sync::Semaphore;

use crate::client::Client;
use crate::folder::Folder;
use crate::running::Running;

const GUIDE: &str = include_str!("../../docs/deploying.md");
const PACKAGES: &str = "these tests need the Debian packages `nginx-light` and `openssl`";
/// An address of loopback that is not the proxy's.
const VISITOR: &str = "127.0.0.2";

/// The block of this language with this in it.
fn block(language: &str, with: &str) -> &'static str {
    let begin = format!("```{language}\n");
    let mut blocks = GUIDE.split(&*begin).skip(1).map(|after| after.split("```").next().expect("it ends"));
    blocks.find(|block| block.contains(with)).expect("the guide has one")
}

/// What stands behind this word on its line.
fn setting<'t>(text: &'t str, word: &str) -> &'t str {
    let line = text.lines().map(str::trim).find_map(|line| line.strip_prefix(word));
    line.unwrap_or_else(|| panic!("no {word}"))
        .trim_start_matches([' ', '='])
        .split([';', ' '])
        .next()
        .expect("a word")
}

/// nginx with the guide's configuration. Gone when dropped.
struct Nginx {
    child: Child,
    plain: u16,
    tls: u16,
    _folder: Folder,
}

impl Nginx {
    fn before(program: &str) -> Nginx {
        Nginx::configured(program, |guide| guide)
    }

    /// With the guide's configuration, changed in some lines.
    fn configured(program: &str, change: impl FnOnce(String) -> String) -> Nginx {
        let folder = Folder::new("nginx");
        let (plain, tls) = (free_port(), free_port());
        certify(&folder.0);
        let config = folder.0.join("nginx.conf");
        std::fs::write(&config, change(configuration(&folder.0, program, plain, tls)))
            .expect("it can be written");
        let log = std::fs::File::create(folder.0.join("log")).expect("it can be made");
        let child = Command::new(nginx())
            .arg("-p")
            .arg(&folder.0)
            .arg("-c")
            .arg(&config)
            .args(["-e", "stderr"])
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| panic!("nginx cannot be started ({error}): {PACKAGES}"));
        let mut nginx = Nginx { child, plain, tls, _folder: folder };
        nginx.wait();
        nginx
    }

    fn wait(&mut self) {
        let start = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.tls)).is_err() {
            let log = || std::fs::read_to_string(self._folder.0.join("log")).unwrap_or_default();
            let ended = self.child.try_wait().expect("it is our child");
            assert!(ended.is_none() && start.elapsed() < crate::PATIENCE, "nginx does not listen: {}", log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A connection over TLS.
    fn connect(&self) -> Tls {
        let mut child = Command::new("openssl")
            .args(["s_client", "-quiet", "-bind", &format!("{VISITOR}:0"), "-servername", "shop.example"])
            .args(["-connect", &format!("127.0.0.1:{}", self.tls)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("openssl cannot be started ({error}): {PACKAGES}"));
        let (input, output) = (child.stdin.take(), child.stdout.take());
        Tls {
            child,
            input: input.expect("it is piped"),
            output: output.expect("it is piped"),
            seen: String::new(),
        }
    }

    /// One request on a connection of its own, and all that comes back.
    fn ask(&self, line: &str, fields: &str, body: &[u8]) -> String {
        let mut tls = self.connect();
        tls.send(line, fields, body);
        tls.rest()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // The master ends its workers on SIGTERM, which `kill` is not.
        drop(Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status());
        drop(self.child.wait());
    }
}

struct Tls {
    child: Child,
    input: std::process::ChildStdin,
    output: std::process::ChildStdout,
    seen: String,
}

impl Tls {
    fn send(&mut self, line: &str, fields: &str, body: &[u8]) {
        let mut head = format!("{line} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields}");
        if !body.is_empty() {
            write!(head, "Content-Length: {}\r\n", body.len()).expect("a string takes all");
        }
        let bytes = [head.as_bytes(), b"\r\n", body].concat();
        self.input.write_all(&bytes).and_then(|()| self.input.flush()).expect("openssl reads");
    }

    /// All that came so far, up to this text.
    fn read_to(&mut self, text: &str) -> &str {
        while !self.seen.contains(text) {
            assert!(self.read(), "the end, and no {text}: {}", self.seen);
        }
        &self.seen
    }

    /// All there is.
    fn rest(mut self) -> String {
        while self.read() {}
        std::mem::take(&mut self.seen)
    }

    fn read(&mut self) -> bool {
        let mut piece = [0; 4096];
        let read = self.output.read(&mut piece).expect("openssl writes");
        self.seen += &String::from_utf8_lossy(&piece[..read]);
        read > 0
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn nginx() -> &'static str {
    // It is not in the PATH of everybody.
    if Path::new("/usr/sbin/nginx").is_file() { "/usr/sbin/nginx" } else { "nginx" }
}

fn free_port() -> u16 {
    let socket = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    socket.local_addr().expect("it has an address").port()
}

fn certify(folder: &Path) {
    let status = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=shop.example", "-keyout", "key.pem", "-out", "cert.pem"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("openssl cannot be started ({error}): {PACKAGES}"));
    assert!(status.success(), "openssl made no certificate");
}

/// The guide's file, with the ports and paths of this test.
fn configuration(folder: &Path, program: &str, plain: u16, tls: u16) -> String {
    let folder = folder.display();
    let mut guide: String = block("nginx", "server")
        .lines()
        .filter(|line| !line.contains("[::]"))
        .fold(String::new(), |text, line| text + line + "\n");
    for (here, there) in [
        ("server 127.0.0.1:8080;", format!("server {program};")),
        ("listen 80;", format!("listen 127.0.0.1:{plain};")),
        ("listen 443 ", format!("listen 127.0.0.1:{tls} ")),
        ("/etc/letsencrypt/live/shop.example/fullchain.pem", format!("{folder}/cert.pem")),
        ("/etc/letsencrypt/live/shop.example/privkey.pem", format!("{folder}/key.pem")),
    ] {
        assert_eq!(guide.matches(here).count(), 1, "{here}");
        guide = guide.replace(here, &there);
    }
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("{what}_temp_path {folder}/{what};\n"))
        .collect();
    format!(
        "daemon off;\npid {folder}/pid;\nworker_processes 1;\nevents {{}}\n\
         http {{\naccess_log off;\ngzip on;\n{temporary}{guide}}}\n"
    )
}

async fn who(mut req: Request) -> Result<()> {
    for visit in 1.. {
        let peer = req.peer().map(|peer| peer.ip().to_string()).unwrap_or_default();
        let bytes = req.body().len();
        req.print(format!("visit {visit} peer={peer} https={} bytes={bytes}", req.is_https())).next().await?;
    }
    Ok(())
}

fn server() -> Server {
    Server::new(who).cookie("shop").trust_proxies(["127.0.0.1"])
}

/// The first cookie of an answer, as the next request says it.
fn cookie(answer: &str) -> &str {
    let (_, after) =
        answer.split_once("Set-Cookie: ").or_else(|| answer.split_once("set-cookie: ")).expect("a cookie");
    after.split(';').next().expect("a pair")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_the_program_sees_who_comes_and_how() {
    let program = Running::start(server()).await;
    let nginx = Nginx::before(&program.address);
    let lies = "Forwarded: for=203.0.113.9;proto=http;host=evil.example\r\nX-Forwarded-For: 203.0.113.9\r\n\
                X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: http\r\nProxy: http://evil.example\r\n";
    for fields in ["", lies] {
        let answer = nginx.ask("GET /", fields, b"");
        assert!(answer.contains(&format!("peer={VISITOR} https=true")), "{answer}");
        assert!(answer.contains("Strict-Transport-Security"), "{answer}");
        let told = cookie(&answer).to_owned();
        assert!(told.starts_with("__Host-shop=") && answer.contains("; Secure"), "{answer}");
        let again = nginx.ask("GET /", &format!("{fields}Cookie: {told}\r\n"), b"");
        assert!(again.contains("visit 2") && !again.contains("Set-Cookie"), "{again}");
        for (origin, status) in [("https://shop.example", "200"), ("https://evil.example", "403")] {
            let answer = nginx.ask("POST /", &format!("{fields}Origin: {origin}\r\n"), b"a=1");
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{origin}: {answer}");
        }
    }
    let plain = Client::connect(&format!("127.0.0.1:{}", nginx.plain)).await.get("/x?y=1").await;
    assert_eq!((plain.status, plain.field("location")), (301, Some("https://localhost/x?y=1")));
    // Past nginx nobody is believed who is not it.
    let direct = program.connect().await.get("/").await;
    assert!(direct.text().contains("https=false") && direct.cookie().starts_with("shop="), "{direct:?}");
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_a_body_may_be_as_large_as_the_program_says() {
    let program = Running::start(server()).await;
    let nginx = Nginx::before(&program.address);
    let limit = Limits::default().body;
    let fits = nginx.ask("POST /", "", &vec![b'x'; limit]);
    assert!(fits.contains(&format!("bytes={limit}")), "{fits}");
    for length in [limit + 1, 30_000_000] {
        let mut tls = nginx.connect();
        tls.send("POST /", &format!("Content-Length: {length}\r\n"), b"");
        // nginx waits a while for the rest.
        let large = tls.read_to("</html>");
        assert!(large.starts_with("HTTP/1.1 413") && large.contains("nginx"), "{large}");
    }
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_what_is_flushed_is_seen_at_once() {
    async fn streams(mut req: Request) -> Result<()> {
        let go = req.app::<Arc<Semaphore>>();
        req.print("the first part").flush().await?;
        go.acquire().await?.forget();
        req.print("the second part");
        Ok(())
    }
    let go = Arc::new(Semaphore::new(0));
    let program = Running::start(Server::new(streams).app(go.clone())).await;
    let nginx = Nginx::before(&program.address);
    let mut tls = nginx.connect();
    tls.send("GET /", "", b"");
    assert!(!tls.read_to("the first part").contains("the second part"));
    go.add_permits(1);
    tls.read_to("the second part");
    program.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_a_program_that_comes_back_is_found() {
    let program = Running::start(server()).await;
    let (address, nginx) = (program.address.clone(), Nginx::before(&program.address));
    let first = nginx.ask("GET /", "", b"");
    program.stop().await;
    let away = nginx.ask("GET /", "", b"");
    assert!(away.starts_with("HTTP/1.1 502"), "{away}");
    let program = Running::start_at(&address, server()).await;
    let start = Instant::now();
    let back = loop {
        let answer = nginx.ask("GET /", &format!("Cookie: {}\r\n", cookie(&first)), b"");
        if answer.starts_with("HTTP/1.1 200") || start.elapsed() > crate::PATIENCE {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(
        back.contains("visit 1") && cookie(&back) != cookie(&first),
        "its sessions ended with it: {back}"
    );
    program.stop().await;
}

/// The guide's configuration for a program at a path of its own.
fn at_a_path(mut guide: String) -> String {
    let lines = guide.clone();
    let (mut changed, end) = (0, |line: &str| line.split('#').next().expect("a line").trim().to_owned());
    for line in block("nginx", "location /app/").lines().map(end).filter(|line| !line.is_empty()) {
        let (key, _) = line.rsplit_once(' ').expect("a value behind a name");
        let key = key.strip_suffix(" /app/").unwrap_or(key);
        let other =
            lines.lines().map(end).find(|other| other.starts_with(key)).expect("it is in the other one");
        changed += guide.matches(&other).count();
        guide = guide.replace(&other, &line);
    }
    assert_eq!(changed, 3, "{guide}");
    guide
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_at_a_path_all_that_leads_back_leads_there() {
    async fn links(mut req: Request) -> Result<()> {
        let home = req.mount();
        req.choose(|c| html! { "Here " (c.link("On", ())) a href={ (home) "/x" } { "Home" } }).await?;
        req.redirect(&format!("{home}/done"))?;
        Ok(())
    }
    let server = Server::new(links).mount("/till", links).cookie("shop").trust_proxies(["127.0.0.1"]);
    let program = Running::start(server).await;
    let nginx = Nginx::configured(&program.address, at_a_path);
    // What a client says of it does not get through.
    for lies in ["", "X-Forwarded-Prefix: /evil\r\n"] {
        for (path, home) in [("/app/", "/app"), ("/app/till", "/app/till")] {
            let page = nginx.ask(&format!("GET {path}"), lies, b"");
            assert!(page.contains(&format!("href=\"{home}/x\"")), "{page}");
            let (_, link) = page.split_once("href=\"?").expect("a link");
            let link = link.split('"').next().expect("it ends");
            let cookie = format!("{lies}Cookie: {}\r\n", cookie(&page));
            let done = nginx.ask(&format!("GET {path}?{link}"), &cookie, b"").to_lowercase();
            assert!(done.contains("303") && done.contains(&format!("location: {home}/done\r\n")), "{done}");
            let expired = nginx.ask(&format!("GET {path}?{link}"), lies, b"");
            assert!(expired.contains("410") && expired.contains(&format!("href=\"{path}\"")), "{expired}");
        }
    }
    program.stop().await;
}

#[test]
fn the_guides_numbers_fit_the_limits() {
    let limits = Limits::default();
    let seconds = |text: &str| Duration::from_secs(text.trim_end_matches('s').parse().expect("seconds"));
    let (nginx, unit) = (block("nginx", "server"), block("ini", "[Service]"));
    assert!(seconds(setting(nginx, "keepalive_timeout")) < limits.head_time);
    assert_eq!(setting(nginx, "client_max_body_size"), format!("{}m", limits.body >> 20));
    assert!(seconds(setting(unit, "TimeoutStopSec")) > limits.drain + limits.grace);
    assert!(unit.contains(&format!(
        "get {} s, sessions {} s more",
        limits.drain.as_secs(),
        limits.grace.as_secs()
    )));
    let files: usize = setting(unit, "LimitNOFILE").parse().expect("a number");
    assert!(files > 2 * limits.connections);
}
