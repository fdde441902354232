//! An example, or the gallery, as a process of its own: built, started, signalled, waited for.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// The examples that are run here.
const EXAMPLES: [&str; 4] = ["adventure", "slowprint", "counter", "upload"];

/// A running example. Killed when dropped.
pub struct Program {
    child: Child,
    output: BufReader<ChildStdout>,
    /// The first line it wrote.
    pub greeting: String,
}

/// How a program ended, and what it said.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub errors: String,
}

impl Program {
    /// Starts an example and waits for its first line.
    pub fn start(name: &str, port: &str) -> Program {
        Program::greeted(command(name, port))
    }

    /// Starts the one of https, with this certificate.
    #[cfg(feature = "tls")]
    pub fn start_sealed(certificate: &Path, key: &Path) -> Program {
        let mut command = command("hello_tls", "0");
        command.env("CERTIFICATE", certificate).env("KEY", key);
        Program::greeted(command)
    }

    /// Starts an example that keeps its temporary files there.
    pub fn start_with_temporary(name: &str, folder: &Path) -> Program {
        let mut command = command(name, "0");
        command.env("TMPDIR", folder);
        Program::greeted(command)
    }

    /// Starts the gallery with a journal there and a gateway elsewhere.
    pub fn start_gallery(port: &str, journal: &Path, gateway: &str) -> Program {
        let mut command = gallery(port);
        command.env("JOURNAL", journal).env("GATEWAY", gateway);
        Program::greeted(command)
    }

    /// Runs a gallery that ends by itself.
    pub fn run_gallery(journal: &Path) -> Ended {
        let mut command = gallery("0");
        Program::waiting(command.env("JOURNAL", journal)).ended(crate::PATIENCE)
    }

    /// Asks a gallery which sessions of a journal it replays: whether it ended well, and what it said.
    pub fn check_replay(journal: &Path) -> (bool, String) {
        let checked = gallery("0").arg("--replay-check").env("JOURNAL", journal).output();
        let checked = checked.expect("the gallery can be started");
        (checked.status.success(), String::from_utf8_lossy(&checked.stdout).into_owned())
    }

    /// Starts the gateway of the gallery's shop alone. Its first line is where it is; it ends when its input does.
    pub fn start_gateway() -> Program {
        let mut command = gallery("0");
        command.arg("gateway").stdin(Stdio::piped());
        Program::greeted(command)
    }

    /// Ends its input.
    pub fn hang_up(&mut self) {
        drop(self.child.stdin.take());
    }

    /// The most memory it has had so far, in KiB.
    pub fn peak(&self) -> usize {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).expect("a process has a status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.expect("the kernel tells it")
    }

    /// Starts an example that may have only so many files and connections open.
    pub fn start_with_files(name: &str, files: usize) -> Program {
        let mut limited = Command::new("sh");
        limited.args(["-c", &format!("ulimit -n {files} && exec \"$0\"")]).arg(folder().join(name));
        Program::greeted(piped(limited, "0"))
    }

    fn greeted(mut command: Command) -> Program {
        let mut child = command.spawn().expect("an example can be started");
        let mut output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut greeting = String::new();
        output.read_line(&mut greeting).expect("what it writes is text");
        Program { child, output, greeting }
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        let url = self.greeting.trim_end().strip_prefix("Please contact me at: ");
        let address =
            url.and_then(|url| url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")));
        let address = address.and_then(|rest| rest.strip_suffix('/'));
        address.unwrap_or_else(|| panic!("no greeting: {:?}", self.greeting)).to_owned()
    }

    /// Runs an example that ends by itself.
    pub fn run(name: &str, port: &str) -> Ended {
        Program::waiting(&mut command(name, port)).ended(crate::PATIENCE)
    }

    /// A program whose first line nobody waits for.
    fn waiting(command: &mut Command) -> Program {
        let mut child = command.spawn().expect("an example can be started");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        Program { child, output, greeting: String::new() }
    }

    /// Sends a signal, by its name without SIG.
    pub fn signal(&self, signal: &str) {
        let kill = format!("kill -s {signal} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status().expect("there is a shell");
        assert!(status.success(), "{kill}");
    }

    /// How long it has computed.
    pub fn processor_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        let stat = stat.expect("Linux says what a process has used");
        // After the name, which stands in brackets; in hundredths of a second, as user and as system.
        let fields = stat.rsplit(") ").next().expect("there is something behind the name").split(' ');
        let ticks = fields.skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number"));
        Duration::from_millis(10 * ticks.sum::<u64>())
    }

    /// How often a thread of this name, which the kernel cuts at 15 bytes, has gone to sleep.
    pub fn turns(&self, thread: &str) -> usize {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.child.id())).expect("it has threads");
        let status =
            threads.filter_map(|thread| std::fs::read_to_string(thread.ok()?.path().join("status")).ok());
        let name = format!("Name:\t{thread}\n");
        let status =
            status.into_iter().find(|status| status.starts_with(&name)).expect("there is such a thread");
        let turns = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        turns.and_then(|turns| turns.trim().parse().ok()).expect("the kernel counts them")
    }

    /// Bytes it holds in memory.
    pub fn resident(&self) -> usize {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id()));
        let statm = statm.expect("Linux says what a process holds");
        let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
        4096 * pages.expect("a number of pages")
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// Waits for the end, and not longer than that.
    pub fn ended(mut self, within: Duration) -> Ended {
        let start = Instant::now();
        while self.is_running() {
            assert!(start.elapsed() < within, "it still runs after {within:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = self.child.wait().expect("it is our child");
        let (mut output, mut errors) = (String::new(), String::new());
        self.output.read_to_string(&mut output).expect("what it writes is text");
        let mut stderr = self.child.stderr.take().expect("it is piped");
        stderr.read_to_string(&mut errors).expect("what it writes is text");
        Ended { status, errors }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn command(name: &str, port: &str) -> Command {
    piped(Command::new(folder().join(name)), port)
}

fn gallery(port: &str) -> Command {
    let mut path = folder().to_owned();
    path.set_file_name("gallery");
    piped(Command::new(path), port)
}

fn piped(mut command: Command, port: &str) -> Command {
    // What one of glibc's arenas has free another one does not use: nothing could be said of the memory that is needed.
    command.env("MALLOC_ARENA_MAX", "1");
    command.env("PORT", port).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Where the built examples are: beside this very binary. They are built when first asked for.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let this = std::env::current_exe().expect("a test knows where it is");
        let profile = this.ancestors().nth(2).expect("tests are two folders below the profile's");
        build(profile);
        profile.join("examples")
    })
}

fn build(profile: &Path) {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = profile.parent().expect("profiles are below the target folder");
    let profile = match profile.file_name().and_then(|name| name.to_str()).expect("a profile has a name") {
        "debug" => "dev",
        name => name,
    };
    let mut command = Command::new(cargo);
    command.current_dir(env!("CARGO_MANIFEST_DIR")).args([
        "build",
        "--quiet",
        "--offline",
        "--profile",
        profile,
    ]);
    command.arg("--target-dir").arg(target).args(["--bin", "gallery"]);
    for example in EXAMPLES {
        command.args(["--example", example]);
    }
    if cfg!(feature = "tls") {
        command.args(["--features", "tls", "--example", "hello_tls"]);
    }
    let status = command.status().expect("cargo can be started");
    assert!(status.success(), "the examples could not be built");
}
