//! Counts by callbacks: each link runs the code that stands beside its text.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn callback_counter(mut req: Request) -> Result<()> {
    let mut count = 0i64;
    loop {
        req.callbacks(&mut count, |c, count| {
            html! {
                @if *count == 42 { p { "The Answer to Life, The Universe, and Everything" } }
                h1 { "Count: " (count) }
                (c.link("++", |count| *count += 1)) " " (c.link("--", |count| *count -= 1))
            }
        })
        .await?;
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(callback_counter)).await
}
