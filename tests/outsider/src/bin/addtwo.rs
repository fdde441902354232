//! Print, wait, read a parameter: the shortest program.

use continuity::prelude::*;

#[tokio::main]
async fn main() -> Result<()> {
    Server::new(addtwo).listen(Http::on(8080)).run().await
}

async fn addtwo(mut req: Request) -> Result<()> {
    req.print(html! { form { "Enter first number " input name="num"; } });
    let a: i64 = req.next().await?.param("num")?;
    req.print(html! { form { "Enter second number " input name="num"; } });
    let b: i64 = req.next().await?.param("num")?;
    req.print(html! { "The sum of " (a) " and " (b) " is " (a + b) "!" });
    Ok(())
}
