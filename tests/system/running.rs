//! A server in this process, on a port of its own.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use continuity::{Adapter, Engine, Error, Http, Listening, Server, Stop};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::client::Client;

/// A server that runs until it is told to stop, or dropped.
pub struct Running {
    /// Where it was started.
    pub address: String,
    /// That, behind those of the server's own adapters.
    pub addresses: Vec<String>,
    engine: Arc<OnceLock<Engine>>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn start(server: Server) -> Running {
        Running::start_at("127.0.0.1:0", server).await
    }

    pub async fn start_at(address: &str, server: Server) -> Running {
        Running::start_on(Http::on(address), server).await
    }

    /// Starts it with another way in.
    pub async fn start_on(adapter: impl Adapter, server: Server) -> Running {
        let engine = Arc::new(OnceLock::new());
        let server = server.listen(Watched { adapter: Box::new(adapter), engine: engine.clone() });
        let bound = server.bind().await.expect("the server starts");
        let addresses = bound.addresses();
        let address = addresses.last().expect("it listens").clone();
        let (stop, told) = oneshot::channel();
        let task = tokio::spawn(bound.run_until(async { drop(told.await) }));
        Running { address, addresses, engine, stop, task }
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

/// An adapter whose engine can be asked for its sessions.
struct Watched {
    adapter: Box<dyn Adapter>,
    engine: Arc<OnceLock<Engine>>,
}

struct WatchedOpen {
    open: Box<dyn Listening>,
    engine: Arc<OnceLock<Engine>>,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl Adapter for Watched {
    fn bind(self: Box<Self>) -> BoxFuture<Result<Box<dyn Listening>, Error>> {
        Box::pin(async move {
            let open = self.adapter.bind().await?;
            Ok(Box::new(WatchedOpen { open, engine: self.engine }) as Box<dyn Listening>)
        })
    }
}

impl Listening for WatchedOpen {
    fn address(&self) -> String {
        self.open.address()
    }

    fn serve(self: Box<Self>, engine: Engine, stop: Stop) -> BoxFuture<()> {
        assert!(self.engine.set(engine.clone()).is_ok(), "a server serves once");
        self.open.serve(engine, stop)
    }
}
