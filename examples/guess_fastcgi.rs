//! The game of `guess` behind a web server that speaks FastCGI, and for browsers directly: two ways in, the same sessions.

use continuity::prelude::*;

#[path = "guess.rs"]
#[allow(dead_code, clippy::duplicate_mod, reason = "an example has a `main` and a `port` of its own")]
mod guess;
#[path = "port.rs"]
#[allow(dead_code, clippy::duplicate_mod, reason = "there is another way in than the one it knows")]
mod port;

pub fn server(fastcgi: &str) -> Server {
    // The name does not depend on the way in, so that both know the same visitors.
    Server::new(guess::guess).cookie("guess").listen(FastCgi::on(fastcgi))
}

#[tokio::main]
async fn main() -> Result<()> {
    let fastcgi = std::env::var("FASTCGI").unwrap_or_else(|_| "127.0.0.1:9000".into());
    let bound = server(&fastcgi).listen(Http::on(port::port()?)).bind().await?;
    let addresses = bound.addresses();
    println!("Please contact me at: http://{}/", addresses[1]);
    println!("A web server contacts me by FastCGI at: {}", addresses[0]);
    bound.run().await
}
