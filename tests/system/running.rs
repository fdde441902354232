//! A server in this process, on a port of its own.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use continuity::{Adapter, Engine, Error, Http, Listening, Server, Stop};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;

/// A server that runs until it is told to stop, or dropped.
pub struct Running {
    pub address: String,
    engine: Arc<OnceLock<Engine>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start(server: Server) -> Running {
        Running::start_at("127.0.0.1:0", server).await
    }

    pub async fn start_at(address: &str, server: Server) -> Running {
        let engine = Arc::new(OnceLock::new());
        let server = server.listen(Watched { http: Http::on(address), engine: engine.clone() });
        let bound = server.bind().await.expect("the server starts");
        let address = bound.addresses().remove(0);
        let (stop, told) = oneshot::channel();
        let task = tokio::spawn(bound.run_until(async { drop(told.await) }));
        Running { address, engine, stop, task }
    }

    pub async fn connect(&self) -> Client {
        Client::connect(&self.address).await
    }

    /// One GET on a connection of its own.
    pub async fn get(&self, target: &str) -> crate::client::Reply {
        self.connect().await.get(target).await
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// How many sessions are alive.
    pub fn sessions(&self) -> usize {
        self.engine.get().map_or(0, Engine::sessions)
    }

    pub async fn stop(self) {
        drop(self.stop);
        tokio::time::timeout(crate::PATIENCE, self.task)
            .await
            .expect("the server stops in time")
            .expect("the server does not panic");
    }
}

/// The HTTP adapter, whose engine can be asked for its sessions.
struct Watched {
    http: Http,
    engine: Arc<OnceLock<Engine>>,
}

struct WatchedOpen {
    http: Box<dyn Listening>,
    engine: Arc<OnceLock<Engine>>,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Adapter for Watched {
    fn bind(self: Box<Self>) -> BoxFuture<Result<Box<dyn Listening>, Error>> {
        Box::pin(async move {
            let http = Box::new(self.http).bind().await?;
            Ok(Box::new(WatchedOpen { http, engine: self.engine }) as Box<dyn Listening>)
        })
    }
}

impl Listening for WatchedOpen {
    fn address(&self) -> String {
        self.http.address()
    }

    fn serve(self: Box<Self>, engine: Engine, stop: Stop) -> BoxFuture<()> {
        assert!(self.engine.set(engine.clone()).is_ok(), "a server serves once");
        self.http.serve(engine, stop)
    }
}
