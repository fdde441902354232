//! A server under test: started fresh, pinned, watched, and killed when dropped, or stopped as a user would.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::load::Shape;
use crate::machine::{self, Pins};

/// What a server prints first; its address follows.
const GREETING: &str = "Please contact me at: http://";
/// The thread that writes a server's journal: the 15 bytes of its name that the kernel keeps.
const WRITER: &str = "continuity-jour";
/// A server that takes longer to stop is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// The journal of a server that has one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Journaled<'a> {
    pub(crate) path: &'a Path,
    /// Where it listens, 0 is any free port: who visits it again after a restart has a cookie with the port in its name.
    pub(crate) port: u16,
    /// Branches of a session that it keeps in memory, if not as many as by default.
    pub(crate) branches: Option<usize>,
}

#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// What stands in front of it, and is what is asked.
    front: Option<Child>,
}

impl Server {
    /// Starts the server binary of this name, which lies beside our own.
    pub(crate) fn start(
        name: &str,
        pins: Option<Pins>,
        hello: &Shape,
        journal: Option<Journaled<'_>>,
    ) -> Result<Self, String> {
        Server::start_door(name, pins, hello, journal, false)
    }

    /// The same; the library's servers speak FastCGI if told so.
    pub(crate) fn start_door(
        name: &str,
        pins: Option<Pins>,
        hello: &Shape,
        journal: Option<Journaled<'_>>,
        fastcgi: bool,
    ) -> Result<Self, String> {
        let binary = Binary::copy(name)?;
        let mut command = pinned(pins, &binary.0);
        let port = journal.map_or(0, |journal| journal.port);
        command
            .env("PORT", port.to_string())
            .env("BODY_LEN", hello.body.to_string())
            .env("DOOR", if fastcgi { "fastcgi" } else { "http" })
            .env_remove("JOURNAL")
            .env_remove("BRANCHES");
        command.envs(journal.map(|journal| ("JOURNAL", journal.path)));
        let branches = journal.and_then(|journal| journal.branches);
        command.envs(branches.map(|branches| ("BRANCHES", branches.to_string())));
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("start {name}: {error}"))?;
        let out = child.stdout.take().expect("its standard output is a pipe");
        match contact(out) {
            Ok(address) => Ok(Self { child, name: name.to_owned(), address, front: None }),
            Err(why) => {
                end(&mut child);
                Err(format!("{name}: {why}"))
            }
        }
    }

    /// The same server behind another, which is what is asked from now on.
    pub(crate) fn behind(mut self, front: Child, address: SocketAddr) -> Self {
        (self.front, self.address) = (Some(front), address);
        self
    }

    /// The CPU time it has used so far, and what is in front of it.
    pub(crate) fn cpu(&self) -> Duration {
        let front = self.front.as_ref().map_or(Duration::ZERO, |front| machine::cpu_of(front.id()));
        machine::cpu_of(self.child.id()) + front
    }

    /// Moves the thread that writes its journal to another core.
    pub(crate) fn move_writer(&self, core: usize) -> Result<(), String> {
        let writer = machine::thread_named(self.child.id(), WRITER);
        let writer = writer.ok_or_else(|| format!("{}: no thread writes a journal", self.name))?;
        let moved = machine::pin_thread(writer, core);
        if moved { Ok(()) } else { Err(format!("{}: its writer cannot be moved", self.name)) }
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) -> Result<(), String> {
        let why = |error: io::Error| format!("stop {}: {error}", self.name);
        kill_process(Pid::from_child(&self.child), Signal::TERM).map_err(|error| why(error.into()))?;
        let asked = Instant::now();
        while asked.elapsed() < PATIENCE {
            match self.child.try_wait().map_err(why)? {
                Some(status) if status.success() => return Ok(()),
                Some(status) => return Err(format!("{} stopped with {status}", self.name)),
                None => thread::sleep(Duration::from_millis(5)),
            }
        }
        Err(format!("{} does not stop", self.name))
    }

    /// Its memory in RAM, in bytes.
    pub(crate) fn resident(&self) -> Result<u64, String> {
        machine::resident(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.front.iter_mut().for_each(end);
        end(&mut self.child);
    }
}

/// A copy of a server's binary, there until the server runs.
///
/// Which memory the kernel happens to keep a file in makes a program some percent faster or slower, for as long as the file
/// is kept: each start has a copy of its own, so that the rounds of a run meet many such places.
struct Binary(PathBuf);

impl Binary {
    fn copy(name: &str) -> Result<Self, String> {
        static COPIES: AtomicU32 = AtomicU32::new(0);
        let (path, number) = (path_of(name)?, COPIES.fetch_add(1, Ordering::Relaxed));
        let binary = Binary(path.with_file_name(format!("{name}-{}-{number}", process::id())));
        fs::copy(&path, &binary.0).map_err(|error| format!("copy {}: {error}", path.display()))?;
        Ok(binary)
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        // What is left behind if this fails is a file among those that are built.
        let _ = fs::remove_file(&self.0);
    }
}

/// Whether there is a server binary of this name.
pub(crate) fn exists(name: &str) -> bool {
    path_of(name).is_ok()
}

fn path_of(name: &str) -> Result<PathBuf, String> {
    let own = std::env::current_exe().map_err(|error| format!("find the bench's own binary: {error}"))?;
    let path = own.with_file_name(name);
    if path.is_file() { Ok(path) } else { Err(format!("no server `{name}` at {}", path.display())) }
}

/// A program on the server's core.
pub(crate) fn pinned(pins: Option<Pins>, path: &Path) -> Command {
    match pins {
        Some(pins) => taskset(pins.server, path),
        None => Command::new(path),
    }
}

fn taskset(core: usize, path: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(path);
    command
}

/// Reads the greeting; what comes after it is read by a thread, so that the server never waits for us.
fn contact(out: ChildStdout) -> Result<SocketAddr, String> {
    let mut out = BufReader::new(out);
    let mut line = String::new();
    out.read_line(&mut line).map_err(|error| format!("read its first line: {error}"))?;
    let address = address_in(&line).ok_or_else(|| format!("its first line is not the greeting: {line:?}"))?;
    thread::spawn(move || io::copy(&mut out, &mut io::sink()));
    Ok(address)
}

fn address_in(line: &str) -> Option<SocketAddr> {
    line.trim_end().strip_prefix(GREETING)?.trim_end_matches('/').parse().ok()
}

fn end(child: &mut Child) {
    // A server that has already ended cannot be killed; that is all that can fail here.
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greeting_tells_the_address() {
        let address = address_in("Please contact me at: http://127.0.0.1:8080/\n");
        assert_eq!(address, Some(SocketAddr::from(([127, 0, 0, 1], 8080))));
        assert_eq!(address_in("listening on 8080\n"), None);
    }
}
