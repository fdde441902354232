//! Adds two numbers: ask, wait, ask, wait, answer. The shortest program that shows the idea.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn addtwo(mut req: Request) -> Result<()> {
    req.print(html! { form { "Enter first number " input name="num"; } });
    let a: i64 = req.next().await?.param("num")?;
    req.print(html! { form { "Enter second number " input name="num"; } });
    let b: i64 = req.next().await?.param("num")?;
    req.print(html! { "The sum of " (a) " and " (b) " is " (a + b) "!" });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(addtwo)).await
}
