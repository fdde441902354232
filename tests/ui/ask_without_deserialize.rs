//! What a form asks for cannot be filled in.

use continuity::prelude::*;

struct Address {
    street: String,
}

async fn ship(mut req: Request) -> Result<()> {
    let address: Address = req.ask(|f| html! { (f.text("street")) }).await?;
    req.print(address.street);
    Ok(())
}

fn main() {
    drop(Server::new(ship));
}
