//! haproxy in front, which passes connections on and says whose they are.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::folder::Folder;

/// A running haproxy. Ended when dropped.
pub struct Haproxy {
    child: Child,
    _folder: Folder,
    /// Where it listens.
    pub address: String,
}

impl Haproxy {
    /// Passes TCP on to this address, with these words behind it (`send-proxy-v2`).
    pub fn start(server: &str, words: &str) -> Haproxy {
        let folder = Folder::new("haproxy");
        let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = free.local_addr().expect("it has one").to_string();
        drop(free);
        let config: PathBuf = folder.0.join("haproxy.cfg");
        let text = format!(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
             frontend here\n bind {address}\n default_backend there\nbackend there\n server one {server} {words}\n"
        );
        std::fs::write(&config, text).expect("it can be written");
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("these tests need the Debian package `haproxy`");
        let haproxy = Haproxy { child, _folder: folder, address };
        let start = std::time::Instant::now();
        while std::net::TcpStream::connect(&haproxy.address).is_err() {
            assert!(start.elapsed() < crate::PATIENCE, "haproxy does not listen");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        haproxy
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
