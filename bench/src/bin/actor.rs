//! The rival with the same idea: one spawned task a session, reached by an mpsc channel, answering by oneshot.
//!
//! It leaves out expiry and caps; a task lives until the process ends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use continuity_bench::rival::page::{self, Id, Op};
use continuity_bench::rival::serve;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use tokio::sync::{mpsc, oneshot};

/// As many hits as a session of the library queues.
const QUEUE_DEPTH: usize = 16;
const SHARDS: usize = 256;

#[derive(Debug)]
struct Hit {
    op: Option<Op>,
    reply: oneshot::Sender<String>,
}

struct Sessions {
    shards: Vec<Mutex<HashMap<Id, mpsc::Sender<Hit>>>>,
}

impl Sessions {
    fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, id: &Id) -> &Mutex<HashMap<Id, mpsc::Sender<Hit>>> {
        &self.shards[usize::from(id[0]) % SHARDS]
    }

    fn find(&self, id: &Id) -> Option<mpsc::Sender<Hit>> {
        self.shard(id).lock().expect("nothing panics under this lock").get(id).cloned()
    }

    fn begin(&self) -> (Id, mpsc::Sender<Hit>) {
        let (door, hits) = mpsc::channel(QUEUE_DEPTH);
        tokio::spawn(session(hits));
        let id = page::fresh_id();
        self.shard(&id).lock().expect("nothing panics under this lock").insert(id, door.clone());
        (id, door)
    }
}

async fn session(mut hits: mpsc::Receiver<Hit>) {
    let mut count = 0;
    while let Some(Hit { op, reply }) = hits.recv().await {
        count = op.map_or(count, |op| op.apply(count));
        // A visitor who hung up does not read the answer.
        let _ = reply.send(page::text(count));
    }
}

fn main() -> io::Result<()> {
    let sessions = Arc::new(Sessions::new());
    serve::run(service_fn(move |request| {
        let sessions = Arc::clone(&sessions);
        async move { Ok::<_, Infallible>(answer(&sessions, &request).await) }
    }))
}

async fn answer(sessions: &Sessions, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let known = page::id_of(request.headers()).and_then(|id| sessions.find(&id));
    let (begun, door) = match known {
        Some(door) => (None, door),
        None => {
            let (id, door) = sessions.begin();
            (Some(id), door)
        }
    };
    let (reply, answer) = oneshot::channel();
    let hit = Hit { op: Op::from_query(request.uri().query()).filter(|_| begun.is_none()), reply };
    door.send(hit).await.expect("a session's task never ends");
    page::counter(answer.await.expect("a session answers every hit"), begun)
}
