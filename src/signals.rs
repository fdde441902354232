//! Running until the operating system says otherwise: SIGTERM and SIGINT, and what a second one means.
//!
//! A thread of our own waits for signals, with a runtime of its own: sessions may hold all threads of the program's
//! runtime, and a runtime that is dropped waits for all that blocks there. So a second signal ends the process whatever
//! sessions do, and a server that has stopped leaves behind what still blocks when its time is over.

use std::future::{pending, poll_fn};
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, mpsc};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::server::{Bound, Server};

/// How often it is looked whether a server that stops is late.
const LOOK: Duration = Duration::from_millis(100);
/// How much longer than its limits say a stop may take before it is cut off: a last write to a slow disk.
const SLACK: Duration = Duration::from_secs(5);
/// How long the program has, at least, between its runtime's end and its own.
const LAST: Duration = Duration::from_secs(1);

impl Server {
    /// Listens, then serves until SIGTERM or SIGINT. Then: accepts no more, answers what is in flight, tells the
    /// sessions to end, and returns.
    ///
    /// A second signal ends the process at once, with 128 and the signal's number as its code; so does the next signal
    /// after this has returned. What still blocks a thread then (`spawn_blocking`, a session that never awaits) is left
    /// behind when `drain` and `grace` are over and the program has dropped its runtime, as `#[tokio::main]` does: the
    /// process ends with 0. A program that handles signals itself, or has long work to do after its runtime's end, uses
    /// [`run_until`](Bound::run_until): that does nothing about signals.
    pub async fn run(self) -> Result<()> {
        self.bind().await?.run().await
    }
}

impl Bound {
    /// Serves until SIGTERM or SIGINT: see [`Server::run`].
    pub async fn run(self) -> Result<()> {
        let (told, _serving) = Serving::enlist(self.limits())?;
        self.run_until(async { drop(told.await) }).await;
        Ok(())
    }
}

/// All servers of the process that run until a signal.
static KEEPER: Mutex<Keeper> = Mutex::new(Keeper { listens: false, servers: Vec::new() });

struct Keeper {
    /// Its thread waits for signals.
    listens: bool,
    servers: Vec<Kept>,
}

/// A server that runs until a signal, or has done so.
struct Kept {
    /// Until it is told.
    tell: Option<oneshot::Sender<()>>,
    /// When it was told, and by which signal.
    told: Option<(Instant, i32)>,
    /// How long it may take to stop, with what still blocks.
    time: Duration,
    /// How long its stop may take whatever happens.
    most: Duration,
    stage: Arc<Mutex<Stage>>,
}

#[derive(Clone, Copy)]
enum Stage {
    Runs,
    /// `run` is over, and the program goes on.
    Returned,
    /// The runtime is dropped, since then.
    Dropped(Instant),
}

/// While a server runs.
struct Serving(Arc<Mutex<Stage>>);

impl Serving {
    /// Has a server told of the next signal.
    fn enlist(limits: &Limits) -> Result<(oneshot::Receiver<()>, Serving)> {
        let (tell, told) = oneshot::channel();
        let stage = Arc::new(Mutex::new(Stage::Runs));
        let time = limits.drain.saturating_add(limits.grace);
        let most = time.saturating_add(limits.grace).saturating_add(SLACK);
        let mut keeper = keeper();
        keeper.listen().map_err(|error| Error::caused("signals cannot be handled", error))?;
        keeper.servers.retain(|kept| kept.told.is_some() || kept.serves());
        keeper.servers.push(Kept { tell: Some(tell), told: None, time, most, stage: stage.clone() });
        Ok((told, Serving(stage)))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        set(&self.0, Stage::Returned);
        let farewell = Farewell(self.0.clone());
        if let Ok(runtime) = Handle::try_current() {
            // A runtime that is dropped drops its tasks first, and then waits for what blocks.
            runtime.spawn(async move {
                let _farewell = farewell;
                pending::<()>().await;
            });
        }
    }
}

/// Lives as long as the runtime.
struct Farewell(Arc<Mutex<Stage>>);

impl Drop for Farewell {
    fn drop(&mut self) {
        set(&self.0, Stage::Dropped(Instant::now()));
    }
}

fn set(stage: &Mutex<Stage>, to: Stage) {
    *stage.lock().expect("no code panics while it holds a stage") = to;
}

fn keeper() -> MutexGuard<'static, Keeper> {
    KEEPER.lock().expect("no code panics while it holds the keeper")
}

impl Kept {
    fn serves(&self) -> bool {
        self.tell.as_ref().is_some_and(|tell| !tell.is_closed())
    }

    /// The code to end the process with, if what is left of this server has had its time.
    fn is_late(&self) -> Option<i32> {
        let (told, signal) = self.told?;
        match *self.stage.lock().expect("no code panics while it holds a stage") {
            Stage::Runs if told.elapsed() >= self.most => Some(128 + signal),
            Stage::Dropped(since) if told.elapsed() >= self.time && since.elapsed() >= LAST => Some(0),
            _ => None,
        }
    }
}

impl Keeper {
    /// Starts the thread that waits for signals, if it is not there yet.
    fn listen(&mut self) -> io::Result<()> {
        if self.listens {
            return Ok(());
        }
        let (report, started) = mpsc::sync_channel(1);
        std::thread::Builder::new().name("continuity-signals".into()).spawn(move || keep(&report))?;
        started.recv().unwrap_or_else(|_| Err(io::Error::other("the thread that waits for them ended")))?;
        self.listens = true;
        Ok(())
    }

    /// A signal came. Returns whether a server was told.
    fn tell(&mut self, signal: i32) -> bool {
        let mut any = false;
        for kept in &mut self.servers {
            if kept.tell.take().is_some_and(|tell| tell.send(()).is_ok()) {
                kept.told = Some((Instant::now(), signal));
                any = true;
            }
        }
        any
    }

    fn is_late(&self) -> Option<i32> {
        if self.servers.iter().any(Kept::serves) {
            return None;
        }
        self.servers.iter().find_map(Kept::is_late)
    }
}

/// Waits for signals as long as the process lives.
fn keep(report: &mpsc::SyncSender<io::Result<()>>) {
    let started = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        let inside = runtime.enter();
        let kinds = [SignalKind::terminate(), SignalKind::interrupt()];
        let [terminate, interrupt] = kinds.map(|kind| signal(kind).map(|signal| (signal, kind)));
        drop(inside);
        Ok((runtime, [terminate?, interrupt?]))
    });
    let (runtime, signals) = match started {
        Ok(started) => started,
        Err(error) => return report.send(Err(error)).expect("who starts this thread waits for it"),
    };
    report.send(Ok(())).expect("who starts this thread waits for it");
    runtime.block_on(attend(signals))
}

async fn attend(mut signals: [(Signal, SignalKind); 2]) {
    let mut looks = tokio::time::interval(LOOK);
    let mut stopping = false;
    loop {
        let next = poll_fn(|cx| match poll_signals(&mut signals, cx) {
            Poll::Pending if stopping => looks.poll_tick(cx).map(|_| None),
            signalled => signalled.map(Some),
        });
        match next.await {
            Some(signal) if keeper().tell(signal) => stopping = true,
            Some(signal) => end(128 + signal, "a second signal ends the process at once"),
            None => {
                let late = keeper().is_late();
                late.into_iter()
                    .for_each(|code| end(code, "what blocks threads is left behind: its time is over"));
            }
        }
    }
}

/// The number of a signal that came.
fn poll_signals(signals: &mut [(Signal, SignalKind)], cx: &mut Context<'_>) -> Poll<i32> {
    for (signal, kind) in signals {
        if signal.poll_recv(cx).is_ready() {
            return Poll::Ready(kind.as_raw_value());
        }
    }
    Poll::Pending
}

fn end(code: i32, why: &str) {
    tracing::warn!(code, "{why}");
    std::process::exit(code)
}
