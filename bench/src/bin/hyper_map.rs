//! The rival by hand: hyper and a sharded map of counters behind mutexes.
//!
//! What a careful programmer writes without a session library. It leaves out what the library cannot:
//! expiry, caps, head checks and tokens.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use continuity_bench::rival::page::{self, Id, Op};
use continuity_bench::rival::serve;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};

const SHARDS: usize = 256;

#[derive(Default)]
struct Counter {
    count: i64,
}

struct Sessions {
    shards: Vec<Mutex<HashMap<Id, Counter>>>,
}

impl Sessions {
    fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn shard(&self, id: &Id) -> &Mutex<HashMap<Id, Counter>> {
        &self.shards[usize::from(id[0]) % SHARDS]
    }

    /// The count of a known session after `op`.
    fn apply(&self, id: &Id, op: Option<Op>) -> Option<i64> {
        let mut shard = self.shard(id).lock().expect("nothing panics under this lock");
        let counter = shard.get_mut(id)?;
        counter.count = op.map_or(counter.count, |op| op.apply(counter.count));
        Some(counter.count)
    }

    fn begin(&self) -> Id {
        let id = page::fresh_id();
        self.shard(&id).lock().expect("nothing panics under this lock").insert(id, Counter::default());
        id
    }
}

fn main() -> io::Result<()> {
    let sessions = Arc::new(Sessions::new());
    serve::run(service_fn(move |request| future::ready(Ok::<_, Infallible>(answer(&sessions, &request)))))
}

fn answer(sessions: &Sessions, request: &Request<Incoming>) -> Response<Full<Bytes>> {
    let op = Op::from_query(request.uri().query());
    let known = page::id_of(request.headers()).and_then(|id| sessions.apply(&id, op));
    match known {
        Some(count) => page::counter(page::text(count), None),
        None => page::counter(page::text(0), Some(sessions.begin())),
    }
}
