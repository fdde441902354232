//! A shop that sends you to a payment gateway and charges once: kill it while it does, start it again, and go on.

use continuity::prelude::*;

#[path = "gateway.rs"]
pub mod gateway;
#[path = "journal.rs"]
mod journal;
#[path = "port.rs"]
mod port;

use gateway::{Gateway, Payment, partner};

pub async fn shop(mut req: Request) -> Result<()> {
    let gateway = req.app::<Gateway>();
    loop {
        let mut cart = Vec::new();
        while let Go::Add(item) = req.choose(|c| shelf(c, &cart)).await? {
            cart.push(item);
        }
        let address: Address = req.ask(where_to).await?;
        let order = Order { cents: total(&cart), cart, address };
        let mut tried = false;
        let receipt = loop {
            req.choose(|c| bill(c, &order, tried)).await?;
            match pay(&mut req, &gateway, &order).await? {
                Some(receipt) => break receipt,
                None => tried = true,
            }
        };
        // It is paid for: nobody goes back to the cart, and pays again or not at all.
        req.commit();
        let charges: u64 = req.read("charges", async || gateway.charges().await).await?;
        req.choose(|c| thanks(c, &order, &receipt, charges)).await?;
    }
}

/// Sends the visitor to the gateway's page, and charges what they approved there: the receipt, if they did.
async fn pay(req: &mut Request, gateway: &Gateway, order: &Order) -> Result<Option<String>> {
    let back = req.return_url()?;
    let payment: Payment =
        req.once("begin payment", order, async |key| gateway.begin(&key, order.cents, &back).await).await?;
    req.leave_for(&payment.page)?;
    // What the way back says of the payment anybody may have written: the gateway knows.
    match req.choose(|c| waiting(c, &payment)).await? {
        // An error fails the step: who comes again charges the same payment.
        Way::Back => Ok(req.once("charge", &payment, async |_| gateway.charge(&payment).await).await?),
        Way::Cancel => {
            req.once("cancel payment", &payment, async |_| gateway.cancel(&payment).await).await?;
            Ok(None)
        }
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

/// What is paid for.
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

fn bill(c: &Choices<'_, ()>, order: &Order, tried: bool) -> Markup {
    html! {
        h1 { "To pay: " (money(order.cents)) }
        @if tried { p role="alert" { "That was not paid." } }
        (c.button("Pay", ()))
    }
}

#[derive(Serialize, Deserialize)]
enum Way {
    Back,
    Cancel,
}

/// For who comes by hand while they are to pay elsewhere.
fn waiting(c: &Choices<'_, Way>, payment: &Payment) -> Markup {
    html! {
        h1 { "We wait for your payment" }
        a href=(payment.page) { "To the payment" } " " (c.link("I have paid", Way::Back)) " "
        (c.link("Do not pay", Way::Cancel))
        (c.on_return(Way::Back))
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
    partner::be_it_if_asked(gateway::NAME, || gateway::server(Default::default())).await?;
    port::run(journal::keep(Server::new(shop).app(Gateway::default()), "shop")?).await
}
