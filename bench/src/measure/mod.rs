//! The eight measurements, one file each, and what they share: starting servers and putting load on them.

pub(crate) mod branch;
pub(crate) mod create;
pub(crate) mod crowd;
mod entrant;
pub(crate) mod fronted;
pub(crate) mod journal;
pub(crate) mod memory;
pub(crate) mod place;
pub(crate) mod ratio;
pub(crate) mod rebuild;
pub(crate) mod throughput;

use std::path::Path;
use std::time::Duration;

use crate::load::{Generator, Shape, Stats, Visitors};
use crate::machine::{Pins, Watch};
use crate::options::Options;
use crate::process::{self, Journaled, Server};

/// The library's counter with tokens, the subject of the budgets.
pub(crate) const OURS: &str = "ours";
/// The library's counter with plain links.
pub(crate) const OURS_SIMPLE: &str = "ours_simple";
/// The ceiling that ratios are taken to.
pub(crate) const HELLO: &str = "hello";
/// The same once more: how far its ratio is from 1 is what the run cannot tell apart.
pub(crate) const HELLO_AGAIN: &str = "hello_again";
pub(crate) const HYPER_MAP: &str = "hyper_map";
pub(crate) const TOWER_SESSIONS: &str = "tower_sessions";
pub(crate) const ACTOR: &str = "actor";
/// Reads the rows of a journaled session for each request, and does nothing with them.
pub(crate) const ROWS: &str = "rows";

/// Runs before a measured pass, so that connections and caches are warm.
const WARM_UP: Duration = Duration::from_millis(100);

/// What all measurements need, and the mistakes of servers they found.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) pins: Option<Pins>,
    /// What the bare hello has to imitate.
    pub(crate) shape: Shape,
    /// Wrong answers; any makes the run fail.
    pub(crate) failures: Vec<String>,
}

/// Load on one server for a while.
#[derive(Debug)]
pub(crate) struct Pass {
    pub(crate) stats: Stats,
    /// The CPU time the server used for it.
    pub(crate) cpu: Duration,
    /// The cores that others kept busy meanwhile.
    pub(crate) others: f64,
}

impl Pass {
    /// Another pass of the same kind.
    pub(crate) fn join(&mut self, other: Pass) {
        self.stats.add(other.stats);
        self.cpu += other.cpu;
        self.others = f64::midpoint(self.others, other.others);
    }
}

impl Bench {
    pub(crate) fn new(options: Options, pins: Option<Pins>) -> Result<Self, String> {
        let shape = Shape { body: 256, cookie: 36, target: 28 };
        let mut bench = Self { options, pins, shape, failures: Vec::new() };
        bench.shape = bench.probe()?.unwrap_or(shape);
        Ok(bench)
    }

    /// The lengths of the library's first page, or of the first rival's if the library is not among the servers.
    fn probe(&mut self) -> Result<Option<Shape>, String> {
        let Some(name) =
            self.choose(&[OURS, HYPER_MAP, OURS_SIMPLE, TOWER_SESSIONS, ACTOR]).into_iter().next()
        else {
            return Ok(None);
        };
        let server = self.start(&name)?;
        let mut visitors = Visitors::default();
        self.create(&server, &mut visitors, 1)?;
        Ok(visitors.shape())
    }

    /// Those of `names` that are wanted and built.
    pub(crate) fn choose(&self, names: &[&str]) -> Vec<String> {
        let wanted: Vec<String> = match &self.options.only {
            Some(only) => only.iter().filter(|name| names.contains(&name.as_str())).cloned().collect(),
            None => names.iter().map(|name| (*name).to_owned()).collect(),
        };
        wanted.into_iter().filter(|name| process::exists(name)).collect()
    }

    pub(crate) fn start(&self, name: &str) -> Result<Server, String> {
        Server::start(name, self.pins, &self.shape, None)
    }

    /// The library's server for a web server in front, which speaks FastCGI to it or HTTP.
    pub(crate) fn start_behind(&self, fastcgi: bool) -> Result<Server, String> {
        Server::start_door(OURS, self.pins, &self.shape, None, fastcgi)
    }

    /// The library's server with its sessions in the journal at this path; on port 0, any that is free.
    pub(crate) fn start_journaled(&self, path: &Path, port: u16) -> Result<Server, String> {
        Server::start(OURS, self.pins, &self.shape, Some(Journaled { path, port, branches: None }))
    }

    /// The same, with so many branches of a session in memory.
    pub(crate) fn start_with_branches(&self, path: &Path, port: u16, many: usize) -> Result<Server, String> {
        Server::start(OURS, self.pins, &self.shape, Some(Journaled { path, port, branches: Some(many) }))
    }

    /// Reads the rows of as many sessions of the journal at this path, so many at a time: what a replay is compared to.
    pub(crate) fn read_rows(
        &mut self,
        path: &Path,
        sessions: usize,
        connections: usize,
    ) -> Result<Pass, String> {
        let server =
            Server::start(ROWS, self.pins, &self.shape, Some(Journaled { path, port: 0, branches: None }))?;
        let mut visitors = Visitors::of_hello(sessions, &self.shape)?;
        let mut generator = self.connect(&server, connections)?;
        let mut read = |how_many| {
            self.run(&server, &mut generator, &mut visitors, |generator, visitors| {
                generator.visit_next(visitors, how_many)
            })
        };
        read(sessions / 10)?;
        read(sessions)
    }

    /// New visitors of a server.
    pub(crate) fn create(
        &mut self,
        server: &Server,
        visitors: &mut Visitors,
        count: usize,
    ) -> Result<Pass, String> {
        self.pass(server, visitors, |generator, visitors| generator.create(visitors, count))
    }

    /// As many visitors with a session each; for the bare hello, ones who seem to have one.
    pub(crate) fn visitors(&mut self, server: &Server, count: usize) -> Result<Visitors, String> {
        if server.name == HELLO {
            return Visitors::of_hello(count, &self.shape);
        }
        let mut visitors = Visitors::with_room_for(count);
        self.create(server, &mut visitors, count)?;
        Ok(visitors)
    }

    /// A pass after a short one that is not counted.
    pub(crate) fn warm_pass(
        &mut self,
        server: &Server,
        visitors: &mut Visitors,
        load: impl FnOnce(&mut Generator, &mut Visitors) -> Result<Stats, String>,
    ) -> Result<Pass, String> {
        self.loaded(server, visitors, WARM_UP, load)
    }

    /// Fresh connections, and what `load` does on them.
    pub(crate) fn pass(
        &mut self,
        server: &Server,
        visitors: &mut Visitors,
        load: impl FnOnce(&mut Generator, &mut Visitors) -> Result<Stats, String>,
    ) -> Result<Pass, String> {
        self.loaded(server, visitors, Duration::ZERO, load)
    }

    fn loaded(
        &mut self,
        server: &Server,
        visitors: &mut Visitors,
        warm_up: Duration,
        load: impl FnOnce(&mut Generator, &mut Visitors) -> Result<Stats, String>,
    ) -> Result<Pass, String> {
        let mut generator = self.connect(server, self.options.connections)?;
        if !warm_up.is_zero() {
            self.run(server, &mut generator, visitors, |generator, visitors| {
                generator.visit(visitors, warm_up)
            })?;
        }
        self.run(server, &mut generator, visitors, load)
    }

    pub(crate) fn connect(&self, server: &Server, connections: usize) -> Result<Generator, String> {
        let generator = Generator::connect(server.address, connections);
        generator.map_err(|why| format!("{}: {why}", server.name))
    }

    /// Does what `load` does on connections that are open.
    pub(crate) fn run(
        &mut self,
        server: &Server,
        generator: &mut Generator,
        visitors: &mut Visitors,
        load: impl FnOnce(&mut Generator, &mut Visitors) -> Result<Stats, String>,
    ) -> Result<Pass, String> {
        let before = server.cpu();
        let watch = Watch::begin(before);
        let stats = load(generator, visitors).map_err(|why| format!("{}: {why}", server.name))?;
        let after = server.cpu();
        self.note_mistakes(&server.name, &stats);
        Ok(Pass { cpu: after.saturating_sub(before), others: watch.others(after), stats })
    }

    fn note_mistakes(&mut self, name: &str, stats: &Stats) {
        if let Some(first) = &stats.first_mismatch {
            let (wrong, all) = (stats.mismatches, stats.requests);
            self.failures.push(format!("{name}: {wrong} of {all} answers were wrong; the first: {first}"));
        }
    }
}
