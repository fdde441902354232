//! Sets and reads a cookie of its own, four requests in a row: no state machine says which of them is which.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

const NAME: &str = "continuity-cookie-demo";

pub async fn cookies(mut req: Request) -> Result<()> {
    req.set_cookie(NAME, "10")?;
    req.print(html! { p { "Setting '" (NAME) "' to 10" } (go_on()) });

    req.next().await?;
    req.print(html! { p { "Got '" (NAME) "' == " (value(&req)) } (go_on()) });

    req.next().await?;
    req.print(html! { p { "... still got '" (NAME) "' == " (value(&req)) } });
    req.set_cookie(NAME, "20")?;
    req.print(html! { p { "Setting '" (NAME) "' to 20" } (go_on()) });

    req.next().await?;
    req.print(html! { p { "Got '" (NAME) "' == " (value(&req)) } p { "All done with cookie demo!" } });
    Ok(())
}

fn value(req: &Request) -> String {
    req.cookie(NAME).unwrap_or_else(|| "nothing".into())
}

fn go_on() -> Markup {
    html! { a href="?" { "Go on" } }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(cookies)).await
}
