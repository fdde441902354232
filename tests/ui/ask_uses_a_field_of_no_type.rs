//! A field of what a form gave, whose type nothing says.

use continuity::prelude::*;

async fn ship(mut req: Request) -> Result<()> {
    let address = req.ask(|f| html! { (f.text("street")) button { "Go on" } }).await?;
    req.print(address.street);
    Ok(())
}

fn main() {
    drop(Server::new(ship));
}
