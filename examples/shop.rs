//! A shop that charges once: kill it while it does, start it again, and go on where you were.

use continuity::prelude::*;

#[path = "gateway.rs"]
pub mod gateway;
#[path = "journal.rs"]
mod journal;
#[path = "port.rs"]
mod port;

use gateway::Gateway;

pub async fn shop(mut req: Request) -> Result<()> {
    let gateway = req.app::<Gateway>();
    loop {
        let mut cart = Vec::new();
        while let Go::Add(item) = req.choose(|c| shelf(c, &cart)).await? {
            cart.push(item);
        }
        let address: Address = req.ask(where_to).await?;
        let order = Order { cents: total(&cart), cart, address };
        let mut declined = false;
        let receipt = loop {
            let Payment { card } = req.ask(|f| payment(f, &order, declined)).await?;
            // An error fails the step: whoever tries again does so with the same key.
            let paid: Option<String> = req
                .once("charge card", &order, async |key| {
                    gateway.charge(&key, order.cents, card.open()?).await
                })
                .await?;
            match paid {
                Some(receipt) => break receipt,
                None => declined = true,
            }
        };
        let charges: u64 = req.read("charges", async || gateway.charges().await).await?;
        req.choose(|c| thanks(c, &order, &receipt, charges)).await?;
    }
}

const SHELF: [(&str, u64); 3] = [("A cup of tea", 250), ("A pot of tea", 700), ("A teapot", 4200)];

fn total(cart: &[usize]) -> u64 {
    cart.iter().map(|item| SHELF[*item].1).sum()
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

#[derive(Serialize, Deserialize)]
enum Go {
    Add(usize),
    Pay,
}

fn shelf(c: &Choices<'_, Go>, cart: &[usize]) -> Markup {
    html! {
        h1 { "Tea" }
        @for (item, (name, cents)) in SHELF.iter().enumerate() {
            p { (name) ", " (money(*cents)) " " (c.link(format!("Add {}", name.to_lowercase()), Go::Add(item))) }
        }
        p { "In your cart: " (cart.len()) ", " (money(total(cart))) }
        @if !cart.is_empty() { (c.button("Check out", Go::Pay)) }
    }
}

/// What the charge depends on. Never the card: it is a secret.
#[derive(Serialize)]
struct Order {
    cart: Vec<usize>,
    cents: u64,
    address: Address,
}

#[derive(Serialize, Deserialize)]
struct Address {
    name: String,
    street: String,
}

fn where_to(f: &Form<'_, Address>) -> Markup {
    f.check(|to| !to.name.trim().is_empty(), "name", "who shall get it?");
    f.check(|to| !to.street.trim().is_empty(), "street", "where shall it go?");
    html! { h1 { "Where to?" } (f.text("name")) (f.text("street")) button { "Go on" } }
}

#[derive(Deserialize)]
struct Payment {
    card: Secret<String>,
}

fn payment(f: &Form<'_, Payment>, order: &Order, declined: bool) -> Markup {
    html! {
        h1 { "To pay: " (money(order.cents)) }
        @if declined { p role="alert" { "That card was declined." } }
        (f.password("card")) " " button { "Pay" }
        p { code { "1111" } " pays; " code { "2222" } " is charged at once, but it takes 3 seconds before anybody knows: "
            "kill the shop meanwhile; " code { "3333" } " is charged, and the first time nobody is told." }
    }
}

fn thanks(c: &Choices<'_, ()>, order: &Order, receipt: &str, charges: u64) -> Markup {
    html! {
        h1 { "Thank you, " (order.address.name) "!" }
        p { "It goes to " (order.address.street) ". You paid " (money(order.cents)) ", receipt " b { (receipt) } "." }
        p { "Charges that the gateway has booked so far: " (charges) }
        (c.link("Shop again", ()))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    gateway::be_it_if_asked().await?;
    port::run(journal::keep(Server::new(shop).app(Gateway::default()), "shop")?).await
}
