//! Needs no cookie: a parameter of links and forms names the visitor.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn query_session(mut req: Request) -> Result<()> {
    let id = req.session_id();
    let top = html! { h1 { "Query Session Example" } p { "Your session ID is: " code { (id) } } };

    req.print(html! { (top) a href={ "?sid=" (id) } { "Click here to continue" } });
    req.next().await?;
    req.print(html! {
        (top)
        p { "A link brought the ID along. A form can do that too." }
        form method="post" action="?" {
            input type="hidden" name="sid" value=(id);
            input type="submit" value="Click here to continue";
        }
    });
    req.next().await?;
    req.print(html! {
        (top)
        p { "That was all: your session is over." }
        a href="?" { "Click here to get a new one" }
    });
    Ok(())
}

pub fn flow() -> Flow {
    Flow::new(query_session).map(Map::by_param("sid"))
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(flow())).await
}
