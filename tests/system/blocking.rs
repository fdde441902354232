//! One visitor's code blocks a thread of the runtime, and the others go on.
//!
//! The server has a runtime of its own, of a few threads; whoever measures has another one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use continuity::prelude::*;
use continuity::{Files, Hit, Identity, Mapper, Pages, Purpose};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

use crate::client::Client;
use crate::program::Program;
use crate::running::Running;
use crate::until;

/// How long something blocks at most. The tests are over long before.
const LONG: Duration = Duration::from_secs(4);
/// How often others are measured.
const TIMES: usize = 16;
/// What others may wait for an answer while somebody blocks: mostly, and at worst on a machine that is busy.
const MOSTLY: Duration = Duration::from_millis(50);
const AT_WORST: Duration = Duration::from_millis(500);

/// Holds whoever comes to it, until it is opened.
#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opens: Condvar,
    held: AtomicUsize,
    listening: AtomicBool,
    /// Sessions that have heard what was told.
    heard: AtomicUsize,
    told: Notify,
}

impl Gate {
    fn hold(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
        let open = self.open.lock().expect("nobody panics there");
        drop(self.opens.wait_timeout_while(open, LONG, |open| !*open));
    }

    /// Holds without sleeping.
    fn spin(&self) {
        self.held.fetch_add(1, Ordering::SeqCst);
        let since = Instant::now();
        while !*self.open.lock().expect("nobody panics there") && since.elapsed() < LONG {
            std::hint::spin_loop();
        }
    }

    fn open(&self) {
        *self.open.lock().expect("nobody panics there") = true;
        self.opens.notify_all();
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::SeqCst)
    }
}

/// Blocks in its destructor.
struct Stubborn(Arc<Gate>);

impl Drop for Stubborn {
    fn drop(&mut self) {
        self.0.hold();
    }
}

#[derive(Deserialize)]
struct Answer {
    #[expect(dead_code, reason = "it is only checked")]
    word: String,
}

/// Goes where it is told to, and blocks there.
async fn visit(mut req: Request) -> Result<()> {
    let gate = req.app::<Arc<Gate>>().as_ref().clone();
    loop {
        match &*req.print("Hello").next().await?.path() {
            "/sleep" => gate.hold(),
            "/spin" => gate.spin(),
            "/page" => {
                let held = gate.clone();
                let page = req.choose(move |c| {
                    held.hold();
                    html! { (c.link("on", 1_u8)) }
                });
                page.await?;
            }
            "/check" => {
                let held = gate.clone();
                let asked = req.ask(move |f| {
                    let held = held.clone();
                    let check = move |_: &Answer| {
                        held.hold();
                        true
                    };
                    f.check(check, "word", "a word");
                    html! { (f.text("word")) button { "Send" } }
                });
                let _: Answer = asked.await?;
            }
            "/destructor" => drop(Stubborn(gate.clone())),
            "/layout" => _ = req.title("held"),
            "/tell" => {
                gate.told.notify_waiters();
                gate.hold();
            }
            _ => {}
        }
    }
}

/// Hears what others tell.
async fn listen(mut req: Request) -> Result<()> {
    let gate = req.app::<Arc<Gate>>().as_ref().clone();
    req.print("I listen").next().await?;
    let told = gate.told.notified();
    gate.listening.store(true, Ordering::SeqCst);
    told.await;
    gate.heard.fetch_add(1, Ordering::SeqCst);
    Ok(())
}

async fn plain(mut req: Request) -> Result<()> {
    loop {
        req.print("Hello").next().await?;
    }
}

/// Looks long at who somebody is.
struct Slow(Arc<Gate>);

impl Mapper for Slow {
    fn identify<'h>(&self, hit: &'h Hit, identity: &mut Identity<'h>) {
        identity.cookie(hit);
        self.0.hold();
    }
}

fn server(gate: &Arc<Gate>) -> Server {
    let [starting, ruling, layout, expired, files] = [(); 5].map(|()| gate.clone());
    let starts = move |req: Request| {
        starting.hold();
        plain(req)
    };
    let rule = move |hit: &Hit| {
        ruling.hold();
        Purpose::of(hit)
    };
    Server::new(visit)
        .mount("/listen", listen)
        .mount("/starts", starts)
        .mount("/mapped", Flow::new(plain).map_with(Slow(gate.clone())))
        .mount("/ruled", Flow::new(plain).purpose(rule))
        .layout(move |page| {
            if page.title() == Some("held") {
                layout.hold();
            }
            page.body()
        })
        .pages(Pages::default().expired(move |_| {
            expired.hold();
            html! { "Gone" }
        }))
        .files(Files::of("docs").only(move |path| {
            if path == "/file" {
                files.hold();
            }
            false
        }))
        .app(gate.clone())
}

/// A server on threads of its own, and who visits it.
struct Place {
    running: Option<Running>,
    server: Runtime,
    visitors: Runtime,
    gate: Arc<Gate>,
}

impl Place {
    fn new(threads: usize, change: impl FnOnce(Server) -> Server) -> Place {
        let gate = Arc::new(Gate::default());
        let server = Builder::new_multi_thread().worker_threads(threads).enable_all().build();
        let server = server.expect("threads can be started");
        let visitors = Builder::new_current_thread().enable_all().build().expect("so can this");
        let running = Some(server.block_on(Running::start(change(self::server(&gate)))));
        Place { running, server, visitors, gate }
    }

    fn address(&self) -> String {
        self.running.as_ref().expect("it runs").address.clone()
    }

    /// A visitor comes, and asks for these one after the other; nobody waits for the last answer.
    fn send(&self, targets: &[&str]) -> Client {
        let (last, first) = targets.split_last().expect("they ask for something");
        self.visitors.block_on(async {
            let mut client = Client::connect(&self.address()).await;
            let (mut cookie, mut page) = (String::new(), String::new());
            for target in first {
                let reply = client.get_as(&cookie, target).await;
                reply.text().clone_into(&mut page);
                if reply.field("set-cookie").is_some() {
                    reply.cookie().clone_into(&mut cookie);
                }
            }
            let token = page.split_once("name=\"_t\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
            let last = last.replace("{token}", token.map_or("", |(token, _)| token));
            client.ask(&format!("GET {last}"), &format!("Cookie: {cookie}\r\n")).await;
            client
        })
    }

    fn until_held(&self, many: usize) {
        self.visitors.block_on(until("somebody blocks", || self.gate.held() == many));
    }

    /// How long others wait: newcomers by a connection of their own, and a visitor who is there and clicks on.
    fn others(&self) -> Vec<Duration> {
        self.visitors.block_on(async {
            let address = self.address();
            let mut waits = Vec::new();
            let start = Instant::now();
            let mut visitor = Client::connect(&address).await;
            let cookie = visitor.get("/").await.cookie().to_owned();
            waits.push(start.elapsed());
            for _ in 0..TIMES {
                let start = Instant::now();
                let health = Client::connect(&address).await.get("/healthz").await;
                assert_eq!(health.text(), "ok\n");
                waits.push(start.elapsed());
                let start = Instant::now();
                assert!(visitor.get_as(&cookie, "/").await.text().contains("Hello"));
                waits.push(start.elapsed());
            }
            waits.sort();
            waits
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.gate.open();
        if let (Some(running), false) = (self.running.take(), std::thread::panicking()) {
            self.server.block_on(running.stop());
        }
    }
}

/// Somebody asks for these, the last of which blocks, on all threads but one; and others go on.
fn others_go_on(threads: usize, targets: &[&str]) {
    let place = Place::new(threads, |server| server);
    let mut blocked = Vec::new();
    for one in 1..threads {
        blocked.push(place.send(targets));
        place.until_held(one);
        let waits = place.others();
        let (median, worst) = (waits[waits.len() / 2], waits[waits.len() - 1]);
        println!("{one} of {threads} threads blocked by {targets:?}: {median:?}, at worst {worst:?}");
        assert!(median <= MOSTLY && worst <= AT_WORST, "{one} of {threads}: {waits:?}");
        assert_eq!(place.gate.held(), one, "it blocked all the time");
    }
}

/// Where the thread that waits for sockets is the one that blocks is chance.
fn whatever_blocks(targets: &[&str]) {
    for threads in [2, 4, 2] {
        others_go_on(threads, targets);
    }
}

#[test]
fn others_go_on_while_a_session_sleeps_its_thread() {
    whatever_blocks(&["/", "/sleep"]);
}

#[test]
fn others_go_on_while_a_session_never_awaits() {
    whatever_blocks(&["/", "/spin"]);
}

#[test]
fn others_go_on_while_a_page_is_drawn() {
    whatever_blocks(&["/", "/page"]);
}

#[test]
fn others_go_on_while_a_form_is_checked() {
    whatever_blocks(&["/", "/check", "/?_t={token}&word=a"]);
}

#[test]
fn others_go_on_while_a_destructor_runs() {
    whatever_blocks(&["/", "/destructor"]);
}

#[test]
fn others_go_on_while_a_session_function_is_called() {
    whatever_blocks(&["/starts"]);
}

#[test]
fn others_go_on_while_a_mapper_looks() {
    whatever_blocks(&["/mapped"]);
}

#[test]
fn others_go_on_while_a_rule_is_asked() {
    whatever_blocks(&["/ruled"]);
    whatever_blocks(&["/file"]);
}

#[test]
fn others_go_on_while_a_layout_or_a_page_of_the_servers_own_is_drawn() {
    whatever_blocks(&["/", "/layout"]);
    whatever_blocks(&["/?_t=AAAAAAAAAAAAAAAAAAAAAAAA"]);
}

/// tokio keeps what was woken last for the thread that woke it.
#[test]
fn who_is_told_of_something_hears_it_though_the_teller_blocks() {
    for _ in 0..3 {
        let place = Place::new(2, |server| server);
        let _listener = place.send(&["/listen", "/listen"]);
        let listens = || place.gate.listening.load(Ordering::SeqCst);
        place.visitors.block_on(until("somebody listens", listens));
        let _teller = place.send(&["/", "/tell"]);
        place.until_held(1);
        let since = Instant::now();
        let heard = || place.gate.heard.load(Ordering::SeqCst) == 1;
        place.visitors.block_on(until("somebody has heard it", heard));
        assert!(since.elapsed() < AT_WORST, "after {:?}", since.elapsed());
    }
}

/// Blocks when it is told to end, if it was asked to.
async fn stay(mut req: Request) -> Result<()> {
    let gate = req.app::<Arc<Gate>>().as_ref().clone();
    let blocks = req.path() == "/blocks";
    let stayed = req.print("Hello").next().await.map(drop);
    if blocks {
        gate.hold();
    }
    gate.heard.fetch_add(1, Ordering::SeqCst);
    Ok(stayed?)
}

#[test]
fn who_blocks_when_it_is_told_to_end_holds_up_nobodys_end() {
    let place = Place::new(2, |server| {
        server.mount("/stay", stay).limits(|limits| limits.newborn = Duration::from_secs(1))
    });
    let _both = [place.send(&["/stay/blocks", "/healthz"]), place.send(&["/stay", "/healthz"])];
    place.until_held(1);
    let _later = place.send(&["/stay", "/healthz"]);
    let heard = || place.gate.heard.load(Ordering::SeqCst) == 2;
    let since = Instant::now();
    place.visitors.block_on(until("the others were told", heard));
    assert!(since.elapsed() < LONG - Duration::from_secs(1), "after {:?}", since.elapsed());
}

#[tokio::test]
async fn while_nobody_visits_nobody_watches() {
    let program = Program::start("counter", "0");
    assert_eq!(Client::connect(&program.address()).await.get("/").await.status, 200);
    let turns = || program.turns("continuity-watc");
    let asleep = crate::standstill("the watching thread sleeps", Duration::from_secs(1), turns).await;
    assert_eq!(Client::connect(&program.address()).await.get("/").await.status, 200);
    until("a visit wakes it", || turns() > asleep + 10).await;
}
