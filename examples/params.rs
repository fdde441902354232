//! Shows what a form sent: one value of a name, all values of it, and all there is.

use continuity::prelude::*;

#[path = "port.rs"]
mod port;

pub async fn params(mut req: Request) -> Result<()> {
    while req.params().is_empty() {
        req.print(html! {
            h1 { "Parameter Passing Example" }
            form {
                label { "Name " input name="name"; }
                @for number in 1..=3 { label { "Favorite thing #" (number) " " input name="favorite"; } }
                button { "Show parameters" }
            }
        });
        req.next().await?;
    }
    let name: String = req.param("name")?;
    let favorites: Vec<String> = req.param("favorite")?;
    let first = favorites.first().map_or("", |first| first);
    req.print(html! {
        h1 { "This is what I got" }
        dl {
            dt { "Name" } dd { (name) }
            dt { "First favorite" } dd { (first) }
            dt { "All favorites" } dd { (favorites.join(", ")) }
            dt { "All parameters" } dd { @for (name, value) in req.params() { (name) " = " (value) br; } }
        }
        a href="?" { "Once more" }
    });
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(params)).await
}
