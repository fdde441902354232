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
