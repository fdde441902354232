//! Counts by plain links and plain `next`: all there is to a session is one number.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn counter_simple(mut req: Request) -> Result<()> {
    let mut count = 0i64;
    loop {
        req.print(html! {
            h1 { "Count: " (count) }
            a href="?op=inc" { "++" } " " a href="?op=dec" { "--" }
        });
        let op: Option<String> = req.next().await?.param("op")?;
        count += match op.as_deref() {
            Some("inc") => 1,
            Some("dec") => -1,
            _ => 0,
        };
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(counter_simple)).await
}
