//! Web servers with the guide's configurations, started by tests on ports that the system picks, and stopped whatever
//! happens.

use std::fs::File;
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::folder::Folder;

const GUIDE: &str = include_str!("../../../docs/fastcgi.md");
const PACKAGES: &str = "these tests need the Debian packages `nginx-light`, `apache2-bin`, `lighttpd`, `haproxy` and `libfcgi-bin`";
/// Where the guide's program listens.
const PROGRAM: &str = "127.0.0.1:9000";
/// Apache's modules, as Debian has them.
const MODULES: &str = "/usr/lib/apache2/modules";

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Nginx,
    Apache,
    Lighttpd,
    Haproxy,
}

/// A running web server. Gone when dropped, with all its processes.
pub struct Front {
    pub kind: Kind,
    /// Where visitors reach it.
    pub address: String,
    folder: Folder,
    child: Child,
}

impl Front {
    /// Starts one in front of a program that listens there.
    pub fn before(kind: Kind, program: &str) -> Front {
        let folder = Folder::new("front");
        let address = free_address();
        let config = configuration(kind, &folder.0, &address, program);
        std::fs::write(folder.0.join("conf"), config).expect("it can be written");
        let child = spawn(kind, &folder.0);
        let mut front = Front { kind, address, folder, child };
        front.wait();
        front
    }

    pub async fn connect(&self) -> Client {
        Client::connect(&self.address).await
    }

    /// Kills all its processes at once, and starts it anew in the same place.
    pub fn kill_and_restart(&mut self) {
        self.kill();
        self.child = spawn(self.kind, &self.folder.0);
        self.wait();
    }

    fn wait(&mut self) {
        let start = Instant::now();
        while TcpStream::connect(&self.address).is_err() {
            let ended = self.child.try_wait().expect("it is our child");
            let log = || std::fs::read_to_string(self.folder.0.join("log")).unwrap_or_default();
            assert!(
                ended.is_none() && start.elapsed() < crate::PATIENCE,
                "{:?} does not listen: {}",
                self.kind,
                log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn kill(&mut self) {
        // Its workers too: the group is its own.
        let group = format!("-{}", self.child.id());
        drop(Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status());
        drop(self.child.wait());
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.kill();
    }
}

fn spawn(kind: Kind, folder: &Path) -> Child {
    let config = folder.join("conf");
    let mut command = match kind {
        Kind::Nginx => program("nginx", &["-e", "stderr", "-c"]),
        Kind::Apache => program("apache2", &["-X", "-f"]),
        Kind::Lighttpd => program("lighttpd", &["-D", "-f"]),
        Kind::Haproxy => program("haproxy", &["-db", "-f"]),
    };
    let log = File::options().create(true).append(true).open(folder.join("log")).expect("it can be made");
    command.arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).process_group(0);
    command.spawn().unwrap_or_else(|error| panic!("{kind:?} cannot be started ({error}): {PACKAGES}"))
}

/// A program that may not be in the PATH of everybody.
fn program(name: &str, args: &[&str]) -> Command {
    let path = Path::new("/usr/sbin").join(name);
    let mut command = if path.is_file() { Command::new(path) } else { Command::new(name) };
    command.args(args);
    command
}

/// `cgi-fcgi`, connected to a program.
pub fn cgi_fcgi(program: &str) -> Command {
    let mut command = Command::new("cgi-fcgi");
    command.env_clear().args(["-bind", "-connect", program]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn free_address() -> String {
    let socket = TcpListener::bind("127.0.0.1:0").expect("there is a port");
    socket.local_addr().expect("it has an address").to_string()
}

/// The guide's block, with the addresses of this test, and what such a server needs around it to be alone in a folder.
fn configuration(kind: Kind, folder: &Path, address: &str, program: &str) -> String {
    let (host, port) = program.rsplit_once(':').unwrap_or((program, ""));
    let (here, listens) = (folder.display(), address.rsplit_once(':').expect("a port").1);
    match kind {
        Kind::Nginx => {
            let listen = format!("listen {address};");
            let site = block("nginx", &[(PROGRAM, program), ("listen 80;", &listen)]);
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .iter()
                .map(|what| format!("{what}_temp_path {here}/{what};\n"))
                .collect();
            format!(
                "daemon off;\npid {here}/pid;\nuser root;\nworker_processes 1;\nevents {{}}\n\
                 http {{\naccess_log off;\n{temporary}{site}}}\n"
            )
        }
        Kind::Apache => {
            let modules: String = ["mpm_event", "authz_core", "proxy", "proxy_fcgi"]
                .iter()
                .map(|name| format!("LoadModule {name}_module {MODULES}/mod_{name}.so\n"))
                .collect();
            let site = block("apache", &[(PROGRAM, program)]);
            format!(
                "ServerRoot {here}\nPidFile {here}/pid\nDefaultRuntimeDir {here}\nMutex pthread\n\
                 ErrorLog /dev/stderr\nServerName shop.example\n{modules}Listen {address}\n\
                 ServerLimit 1\nThreadLimit 150\nThreadsPerChild 150\nMaxRequestWorkers 150\n\
                 MaxKeepAliveRequests 0\nKeepAliveTimeout 60\n{site}"
            )
        }
        Kind::Lighttpd => {
            let host = format!("\"{host}\",");
            let site = block("lighttpd", &[("\"127.0.0.1\",", &host), ("9000", port)]);
            format!(
                "server.bind = \"127.0.0.1\"\nserver.port = {listens}\nserver.document-root = \"{here}\"\n{site}"
            )
        }
        Kind::Haproxy => {
            let site = block("haproxy", &[(PROGRAM, program)]);
            format!(
                "global\nnbthread 1\ndefaults\nmode http\ntimeout connect 5s\ntimeout client 75s\n\
                 timeout server 75s\nfrontend web\nbind {address}\ndefault_backend shop\n{site}"
            )
        }
    }
}

/// The guide's block of this language, with what is other here.
fn block(language: &str, other: &[(&str, &str)]) -> String {
    let (_, after) = GUIDE.split_once(&format!("```{language}\n")).expect("the guide has one");
    let mut block = after.split("```").next().expect("it ends").to_owned();
    for (guides, here) in other {
        assert_eq!(block.matches(guides).count(), 1, "{language}: {guides}");
        block = block.replace(guides, here);
    }
    block
}
