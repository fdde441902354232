//! A form, and nothing that says what is made of it.

use continuity::prelude::*;

async fn ship(mut req: Request) -> Result<()> {
    let address = req.ask(|f| html! { (f.text("street")) button { "Go on" } }).await?;
    req.print("Thank you");
    Ok(())
}

fn main() {
    drop(Server::new(ship));
}
