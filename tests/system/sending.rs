//! Large files on their way: as fast as the client takes them, and whole or visibly not.

use std::time::Duration;

use continuity::prelude::*;

use crate::client::Client;
use crate::folder::Folder;
use crate::running::Running;

const MIB: u64 = 1024 * 1024;
/// More than sockets hold.
const LARGE: u64 = 64 * MIB;

struct Disk(std::path::PathBuf);

async fn sends(mut req: Request) -> Result<()> {
    loop {
        let path = req.app::<Disk>().0.join("sent.bin");
        req.send_file(path).await?;
        req.next().await?;
    }
}

/// A server that has a large file in its folder, and another that its sessions send.
async fn start() -> (Running, Folder) {
    let folder = Folder::new("sending");
    for name in ["large.bin", "sent.bin"] {
        folder.write(name, "");
        folder.open(name).set_len(LARGE).expect("a file can grow");
        folder.touch(name, Duration::from_secs(3600));
    }
    let server = Server::new(sends).app(Disk(folder.0.clone())).files(&folder.0);
    (Running::start(server).await, folder)
}

/// Kilobytes of memory that this process has.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it tells the memory");
    line.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a number")
}

/// Reads so many bytes of a body and keeps none.
async fn read(client: &mut Client, bytes: u64) {
    for _ in 0..bytes / MIB {
        client.skip(MIB as usize).await;
    }
}

#[tokio::test]
async fn r48_a_client_that_does_not_read_costs_one_piece() {
    const CLIENTS: u64 = 24;
    let (server, _folder) = start().await;
    let before = resident();
    let mut clients = Vec::new();
    for at in 0..CLIENTS {
        let mut client = server.connect().await;
        client.ask(if at % 2 == 0 { "GET /large.bin" } else { "GET /" }, "").await;
        let length = LARGE.to_string();
        assert_eq!(client.head().await.field("content-length"), Some(&*length));
        clients.push(client);
    }
    let memory = || usize::try_from(resident()).expect("it fits");
    let after = crate::standstill("memory", Duration::from_millis(300), memory).await as u64;
    // Other tests run meanwhile; what is read without being asked for would be 1,500 MiB.
    assert!(after < before + 200 * 1024, "{before} KiB before, {after} KiB after");
    for client in &mut clients[..2] {
        read(client, LARGE).await;
        assert_eq!(client.get("/missing.css").await.status, 404, "the connection goes on");
    }
    drop(clients);
    server.stop().await;
}

#[tokio::test]
async fn r48_a_file_that_shrinks_ends_the_connection() {
    let (server, folder) = start().await;
    for (target, name) in [("/large.bin", "large.bin"), ("/", "sent.bin")] {
        let mut client = server.connect().await;
        client.ask(&format!("GET {target}"), "").await;
        assert_eq!(client.head().await.status, 200);
        folder.open(name).set_len(100).expect("a file can shrink");
        let sent = client.rest().await.len() as u64;
        assert!(sent < LARGE, "{target}: {sent} bytes are not the whole");
        assert_eq!(server.get("/large.bin").await.body.len() as u64, 100, "others are served");
    }
}

#[tokio::test]
async fn a_file_that_grows_is_sent_as_long_as_was_said() {
    let (server, folder) = start().await;
    let mut client = server.connect().await;
    client.ask("GET /large.bin", "").await;
    assert_eq!(client.head().await.status, 200);
    folder.open("large.bin").set_len(LARGE + 1000).expect("a file can grow");
    read(&mut client, LARGE).await;
    assert_eq!(client.get("/missing.css").await.status, 404, "nothing more came");
}

#[tokio::test]
async fn a_download_that_broke_off_goes_on_where_it_was() {
    let (server, folder) = start().await;
    let content: Vec<u8> = (0..300_000_u32).flat_map(u32::to_le_bytes).collect();
    folder.write("sent.bin", &content);
    let mut client = server.connect().await;
    client.ask("GET /", "").await;
    let head = client.head().await;
    let (cookie, tag) = (head.cookie().to_owned(), head.field("etag").expect("a tag").to_owned());
    client.skip(400_001).await;
    drop(client);
    let mut client = server.connect().await;
    client.ask("GET /", &format!("Cookie: {cookie}\r\nRange: bytes=400001-\r\nIf-Range: {tag}\r\n")).await;
    let rest = client.reply().await;
    assert_eq!((rest.status, rest.field("content-range")), (206, Some("bytes 400001-1199999/1200000")));
    assert!(rest.body == content[400_001..]);
    client.ask("GET /", &format!("Cookie: {cookie}\r\nRange: bytes=0-99999,1100000-\r\n")).await;
    let parts = client.reply().await;
    let has = |part: &[u8]| parts.body.windows(part.len()).any(|window| window == part);
    assert!(parts.status == 206 && has(&content[..100_000]) && has(&content[1_100_000..]));
}
