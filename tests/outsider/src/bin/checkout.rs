//! A form that is shown until it is right, and an effect on the program's own state.

use continuity::prelude::*;

struct Gateway;

#[derive(Serialize)]
struct Cart {
    cents: u32,
}

#[derive(Serialize, Deserialize)]
struct Address {
    street: String,
    zip: String,
}

#[derive(Serialize, Deserialize)]
struct Receipt {
    id: String,
}

impl Gateway {
    async fn charge(&self, order: &(&Cart, &Address), key: Key) -> std::io::Result<Receipt> {
        let (cart, address) = order;
        Ok(Receipt { id: format!("{key}: {} cents to {} {}", cart.cents, address.street, address.zip) })
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    Server::new(checkout).app(Gateway).listen(Http::on(8080)).run().await
}

async fn checkout(mut req: Request) -> Result<()> {
    let cart = browse(&mut req).await?;
    let address: Address = req
        .ask(|f| {
            f.check(|a: &Address| a.zip.len() == 5, "zip", "five digits, please");
            html! { (f.errors()) (f.text("street")) (f.text("zip")) button { "Go on" } }
        })
        .await?;
    let order = (&cart, &address);
    let gateway = req.app::<Gateway>();
    let receipt = req.once("charge card", &order, async |key| gateway.charge(&order, key).await).await?;
    req.print(html! { h1 { "Thank you" } p { "Receipt " (receipt.id) } });
    Ok(())
}

async fn browse(req: &mut Request) -> Result<Cart> {
    let cents = req.choose(|c| html! { (c.link("Tea", 350)) " " (c.link("Coffee", 420)) }).await?;
    Ok(Cart { cents })
}
