//! A struct is asked of one parameter.

use continuity::prelude::*;

#[derive(Deserialize)]
struct Address {
    street: String,
}

async fn ship(mut req: Request) -> Result<()> {
    let address = req.param::<Address>("address")?;
    req.print(address.street);
    Ok(())
}

fn main() {
    drop(Server::new(ship));
}
