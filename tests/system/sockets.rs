//! Where servers listen: Unix sockets, who may connect to them, and what is left of them.

use std::os::unix::fs::PermissionsExt;

use continuity::prelude::*;

use crate::folder::Folder;
use crate::running::Running;

async fn two_steps(mut req: Request) -> Result<()> {
    let who = format!("{:?}", req.peer());
    req.print(format!("first, from {who}"));
    req.next().await?;
    req.print("second");
    Ok(())
}

#[tokio::test]
async fn http_goes_through_a_unix_socket_and_the_cookie_has_its_name() {
    let folder = Folder::new("unix");
    let path = folder.0.join("my shop.sock");
    let address = format!("unix:{}", path.display());
    let server = Running::start_at(&address, Server::new(two_steps)).await;
    assert_eq!(server.address, address);
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else may connect");
    let mut client = server.connect().await;
    let first = client.get("/").await;
    assert!(first.text().contains("first, from None"), "{first:?}");
    assert!(first.cookie().starts_with("sid_my_shop="), "{first:?}");
    let second = client.get_as(first.cookie(), "/").await;
    assert!(second.text().contains("second"), "{second:?}");
    drop(client);
    server.stop().await;
    assert!(!path.exists(), "the socket goes with the server");
}

#[tokio::test]
async fn two_servers_do_not_share_a_socket_and_a_group_may_be_let_in() {
    let folder = Folder::new("unix-two");
    let path = folder.0.join("app.sock");
    let address = format!("unix:{}", path.display());
    let listen = || Server::new(two_steps).listen(Http::on(&*address).socket_mode(0o660)).bind();
    let bound = listen().await.expect("the first one");
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    let error = listen().await.expect_err("the second one").to_string();
    assert!(error.contains("another program listens there"), "{error}");
    drop(bound);
    drop(listen().await.expect("when the first one is gone"));
}

/// All of it goes through a socket that is slow to take it, and the end is the end.
#[tokio::test]
async fn a_large_answer_goes_through_a_unix_socket() {
    async fn large(mut req: Request) -> Result<()> {
        req.print("x".repeat(3 << 20));
        Ok(())
    }
    let folder = Folder::new("unix-large");
    let address = format!("unix:{}", folder.0.join("app.sock").display());
    let server = Running::start_at(&address, Server::new(large)).await;
    let mut client = server.connect().await;
    client.ask("GET /", "Connection: close\r\n").await;
    assert!(client.reply().await.body.len() > 3 << 20);
    assert_eq!(client.rest().await, b"");
}

/// What stands in front on a Unix socket speaks for others only where it is trusted.
#[tokio::test]
async fn r38_who_connects_to_a_unix_socket_is_believed_by_name() {
    async fn who(mut req: Request) -> Result<()> {
        let (peer, https) = (req.peer(), req.is_https());
        req.print(format!("{peer:?} {https}"));
        Ok(())
    }
    let folder = Folder::new("unix-proxy");
    let address = format!("unix:{}", folder.0.join("app.sock").display());
    let said = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\n";
    for (trusted, seen) in [("unix", "Some(192.0.2.1:0) true"), ("10.0.0.0/8", "None false")] {
        let server = Running::start_at(&address, Server::new(who).trust_proxies([trusted])).await;
        let mut client = server.connect().await;
        client.ask("GET /", said).await;
        let reply = client.reply().await;
        assert!(reply.text().contains(seen), "{trusted}: {reply:?}");
        let cookie = reply.field("set-cookie").expect("a new visitor gets one");
        assert_eq!(cookie.starts_with("__Host-sid_app="), trusted == "unix", "{cookie}");
        drop(client);
        server.stop().await;
    }
}

/// The program that systemd would start: it takes one socket by its name and one by its number, and neither twice.
#[cfg(feature = "systemd")]
#[tokio::test]
#[ignore = "a program, not a test: `sockets_of_systemd_are_taken_by_name_or_number` starts it"]
async fn handed() {
    let listen = |which: &'static str| Server::new(two_steps).listen(Http::on(which));
    let bound = listen("systemd:web").listen(Http::on("systemd:1")).bind().await.expect("both are there");
    for (which, says) in [("systemd:0", "taken already"), ("systemd:other", "called web, local")] {
        let error = listen(which).bind().await.expect_err(which).to_string();
        assert!(error.contains(says), "{error}");
    }
    bound.run_until(std::future::pending()).await;
}

#[cfg(feature = "systemd")]
#[tokio::test]
async fn sockets_of_systemd_are_taken_by_name_or_number() {
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};
    let folder = Folder::new("systemd");
    let path = folder.0.join("handed.sock");
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let unix = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let address = tcp.local_addr().expect("it has one").to_string();
    // The shell gives them their numbers and becomes the program, whose own number it is then.
    let hand_on =
        "exec 3<&0 4<&2 2>/dev/null; LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=web:local exec \"$0\" \"$@\"";
    let mut program = Command::new("sh")
        .args(["-c", hand_on])
        .arg(std::env::current_exe().expect("a test knows where it is"))
        .args(["--exact", "sockets::handed", "--ignored"])
        .stdin(Stdio::from(OwnedFd::from(tcp)))
        .stdout(Stdio::null())
        .stderr(Stdio::from(OwnedFd::from(unix)))
        .spawn()
        .expect("there is a shell");
    let mut answered = Vec::new();
    for address in [address, format!("unix:{}", path.display())] {
        answered.push(crate::client::Client::connect(&address).await.get("/").await.status);
    }
    program.kill().and_then(|()| program.wait()).expect("it still runs");
    assert_eq!(answered, [200, 200]);
    assert!(path.exists(), "the file is systemd's");
}

#[tokio::test]
async fn where_systemd_has_handed_on_nothing_the_error_says_what_to_do() {
    let bound = Server::new(two_steps).listen(Http::on("systemd:web")).bind().await;
    let error = bound.expect_err("there is none").to_string();
    let says = if cfg!(feature = "systemd") { "start the .socket unit" } else { "feature `systemd`" };
    assert!(error.contains("systemd:web") && error.contains(says), "{error}");
}
