//! One journal in its folder, and the program that runs on it, again and again, perhaps under strace.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::checker::effects_are_single;
use super::clients::Visitor;
use super::program::{FLOWS, FOLDER, NAME};
use crate::folder::Folder;

/// Longer than anything takes here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A journal, and who visits.
pub struct Bench {
    pub folder: Folder,
    pub visitors: Vec<Visitor>,
}

/// The program while it runs. Killed when dropped.
pub struct Process {
    child: Child,
    /// The program's own number: the child may be strace.
    id: Option<Pid>,
    pub address: String,
    log: PathBuf,
}

/// What is brought about: the command by which the program is started, if it is another one.
#[derive(Clone, Default)]
pub struct Fault(Vec<String>);

impl Fault {
    pub fn none() -> Fault {
        Fault::default()
    }

    /// Calls fail, in strace's words: `fsync:error=EIO:when=3`; of each call, each thread counts its own.
    pub fn error(what: &str) -> Fault {
        // Other calls than these do not stop for strace.
        Fault::injected(&["--seccomp-bpf"], what)
    }

    fn injected(options: &[&str], what: &str) -> Fault {
        let calls = what.split(':').next().expect("calls come first");
        let (trace, inject) = (format!("trace={calls}"), format!("inject={what}"));
        let fixed = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject];
        Fault(fixed.iter().chain(options).map(|&word| word.to_owned()).collect())
    }

    /// The process is killed when one of its threads enters this call for the `number`th time.
    pub fn kill(call: &str, number: u64) -> Fault {
        // strace 6.1 sends no signal where calls are picked by seccomp.
        Fault::injected(&[], &format!("{call}:signal=KILL:when={number}"))
    }

    /// Calls are written down in this file, with the paths of what they are about.
    pub fn watched(calls: &str, to: &Path) -> Fault {
        let (trace, to) = (format!("trace={calls}"), to.display().to_string());
        Fault(["strace", "-f", "-y", "-qq", "-o", &to, "-e", &trace].map(str::to_owned).into())
    }

    /// The system's clock is ahead by this, like `-100d`.
    pub fn clock(ahead: &str) -> Fault {
        Fault(["faketime", "--exclude-monotonic", "-f", ahead].map(str::to_owned).into())
    }
}

impl Bench {
    pub fn new(visitors: u64) -> Bench {
        let folder = Folder::in_memory("crash");
        fs::create_dir(folder.0.join("disk")).expect("a folder can be made");
        Bench { folder, visitors: (0..visitors).map(Visitor::new).collect() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.0.join(name)
    }

    /// Starts the program; `Err` with what it logged if it ended instead.
    pub fn start(&self, fault: &Fault) -> Result<Process, String> {
        self.start_with(fault, |_| {})
    }

    pub fn start_with(&self, fault: &Fault, change: impl FnOnce(&mut Command)) -> Result<Process, String> {
        let (said, log) = (self.path("address"), self.path("log"));
        drop(fs::remove_file(&said));
        let mut command = command(fault);
        command.args(["--exact", NAME, "--ignored", "--nocapture"]).env(FOLDER, &self.folder.0);
        let errors = fs::File::create(&log).expect("a log can be made");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        change(&mut command);
        let child = command.spawn().expect("the program can be started (Debian: strace, faketime)");
        let mut process = Process { child, id: None, address: String::new(), log };
        let start = Instant::now();
        loop {
            if let Ok(line) = fs::read_to_string(&said) {
                let (id, address) = line.split_once(' ').expect("two words");
                let id = id.parse().ok().and_then(Pid::from_raw);
                (process.id, process.address) = (id, address.to_owned());
                return Ok(process);
            }
            if !process.runs() {
                return Err(process.log());
            }
            assert!(start.elapsed() < PATIENCE, "it neither starts nor ends: {}", process.log());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// All visitors hit all their sessions, so often or until the program is gone.
    pub fn visit(&mut self, process: &Process, rounds: usize) {
        let before = self.counts()[2];
        for _ in 0..rounds {
            for flow in 0..FLOWS.len() {
                for visitor in &mut self.visitors {
                    let hit = visitor.hit(&process.address, flow);
                    hit.unwrap_or_else(|why| panic!("{why}\n{}", process.log()));
                }
            }
            if self.counts()[2] > before {
                return;
            }
        }
    }

    /// Starts the program once more, and looks whether all is as it was told.
    pub fn check(&mut self) {
        let process = self.start(&Fault::none()).unwrap_or_else(|log| panic!("it does not start: {log}"));
        for visitor in &mut self.visitors {
            visitor.look(&process.address).unwrap_or_else(|why| panic!("{why}\n{}", process.log()));
        }
        process.is_well();
        drop(process);
        self.check_effects();
    }

    /// What effects there were: each as a word and its key.
    pub fn noted(&self) -> Vec<(String, String)> {
        let noted = fs::read_to_string(self.path("outside")).unwrap_or_default();
        let pair = |line: &str| line.split_once(' ').map(|(word, key)| (word.to_owned(), key.to_owned()));
        noted.lines().filter_map(pair).collect()
    }

    fn check_effects(&self) {
        let noted = self.noted();
        for visitor in &self.visitors {
            let single = effects_are_single(&noted, &visitor.sessions[2].history.words);
            single.unwrap_or_else(|why| panic!("{why}"));
        }
    }

    /// Hits that were answered, answered by an error, not answered.
    pub fn counts(&self) -> [usize; 3] {
        let mut counts = [0; 3];
        for visitor in &self.visitors {
            counts.iter_mut().zip(visitor.counts).for_each(|(all, more)| *all += more);
        }
        counts
    }
}

/// Sets a number in the program's environment.
pub fn set(command: &mut Command, name: &str, value: &str) {
    command.env(name, value);
}

fn command(Fault(before): &Fault) -> Command {
    let program = std::env::current_exe().expect("a test knows where it is");
    let Some((first, rest)) = before.split_first() else { return Command::new(program) };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}

impl Process {
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Nothing is logged as wrong, but that a session was given up since processes died while they rebuilt it: who
    /// kills at any moment also kills then.
    pub fn is_well(&self) {
        let log = self.log();
        let wrong = |line: &&str| line.contains("panicked") || line.contains("ERROR");
        let wrong =
            log.lines().filter(wrong).find(|line| !line.contains("processes died while they rebuilt it"));
        assert!(wrong.is_none(), "{log}");
    }

    pub fn signal(&self, signal: Signal) {
        let Some(id) = self.id else { return };
        // It may be gone already.
        _ = kill_process(id, signal);
    }

    /// Waits for the end.
    pub fn ended(mut self) -> std::process::ExitStatus {
        let start = Instant::now();
        while self.runs() {
            assert!(start.elapsed() < PATIENCE, "it still runs: {}", self.log());
            std::thread::sleep(Duration::from_millis(2));
        }
        self.id = None;
        self.child.wait().expect("it is our child")
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(self) -> String {
        self.signal(Signal::TERM);
        let log = self.log.clone();
        let status = self.ended();
        assert_eq!((status.code(), status.signal()), (Some(0), None), "it stops well");
        fs::read_to_string(log).unwrap_or_default()
    }

    pub fn kill(self) {
        self.signal(Signal::KILL);
        self.ended();
    }

    /// A number of `/proc/…/status`, in KiB or as it is.
    pub fn status(&self, name: &str) -> u64 {
        let path = format!("/proc/{}/status", self.id.expect("it runs").as_raw_nonzero());
        let status = fs::read_to_string(path).expect("a process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("the kernel tells it");
        line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
    }

    /// Files it has open.
    pub fn files(&self) -> usize {
        let path = format!("/proc/{}/fd", self.id.expect("it runs").as_raw_nonzero());
        fs::read_dir(path).expect("a process has files").count()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // strace ends with the program.
        if self.id.is_none() {
            drop(self.child.kill());
        }
        drop(self.child.wait());
    }
}
