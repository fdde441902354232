//! The library's counter without tokens: plain links and plain `next()`.

use continuity::prelude::*;

async fn counter_simple(mut req: Request) -> Result<()> {
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

fn main() -> Result<()> {
    continuity_bench::library::run(counter_simple)
}
