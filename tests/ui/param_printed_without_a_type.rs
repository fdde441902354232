//! A parameter that is printed, and nothing that says what it is.

use continuity::prelude::*;

async fn echo(mut req: Request) -> Result<()> {
    let text = req.next().await?.param("text")?;
    req.print(html! { p { (text) } });
    Ok(())
}

fn main() {
    drop(Server::new(echo));
}
