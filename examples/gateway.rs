//! A small payment gateway for the shop: it has a page to pay on, and charges each payment that was approved there once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use continuity::prelude::*;

#[path = "partner.rs"]
pub mod partner;

use partner::Partner;

/// How the program is started that is the gateway.
pub const NAME: &str = "gateway";

/// What it knows of payments, each by the key that it was begun under.
#[derive(Clone, Default)]
pub struct Books(Arc<Mutex<HashMap<String, Entry>>>);

struct Entry {
    cents: u64,
    /// Where the visitor comes back to.
    back: String,
    state: State,
}

#[derive(Clone, PartialEq)]
enum State {
    Open,
    Approved { card: String },
    Charged,
    Cancelled,
}

/// How long it takes to say that it took money of the card 2222.
const SLOW: Duration = Duration::from_secs(3);

impl Books {
    /// The payment's page was used: with this card, or to cancel. Where that sends the visitor.
    pub fn decide(&self, id: &str, card: Option<&str>) -> Result<String> {
        self.with(id, |entry| {
            let good = card.filter(|card| ["1111", "2222", "3333"].contains(card));
            let outcome = match (good, card) {
                (Some(_), _) => "approved",
                (None, Some(_)) => "declined",
                (None, None) => "cancelled",
            };
            if let (State::Open, Some(card)) = (&entry.state, good) {
                entry.state = State::Approved { card: card.to_owned() };
            }
            format!("{}&outcome={outcome}", entry.back)
        })
    }

    fn with<T>(&self, id: &str, look: impl FnOnce(&mut Entry) -> T) -> Result<T> {
        let mut books = self.0.lock().map_err(|_| "the books are broken")?;
        Ok(look(books.get_mut(id).ok_or("there is no such payment")?))
    }

    /// How many payments were charged.
    pub fn charges(&self) -> Result<usize> {
        let books = self.0.lock().map_err(|_| "the books are broken")?;
        Ok(books.values().filter(|entry| entry.state == State::Charged).count())
    }
}

/// The page that visitors pay on.
pub async fn pay(mut req: Request) -> Result<()> {
    let (books, id) = (req.app::<Books>(), req.path().trim_matches('/').to_owned());
    let cents = books.with(&id, |entry| entry.cents)?;
    let card = req.choose(|c| desk(c, cents)).await?;
    req.leave_for(&books.decide(&id, card.map(|card| card.card).as_deref())?)?;
    Ok(())
}

#[derive(Serialize, Deserialize)]
struct Card {
    card: String,
}

fn desk(c: &Choices<'_, Option<Card>>, cents: u64) -> Markup {
    html! {
        h1 { "The gateway" }
        p { "To pay: " (cents / 100) "." (format!("{:02}", cents % 100)) }
        (c.form(Some, |f| html! { (f.text("card")) " " button { "Pay" } }))
        (c.button("Cancel", None))
        p { code { "1111" } " pays; " code { "2222" } " is charged at once, but it takes 3 seconds before anybody knows: "
            "kill the shop meanwhile; " code { "3333" } " is charged, and the first time nobody is told." }
    }
}

/// What the shop asks: to begin a payment, to charge or cancel it, and how many were charged.
pub async fn api(mut req: Request) -> Result<()> {
    let books = req.app::<Books>();
    match &*req.path() {
        "/begin" => {
            let (key, cents, back) = (req.param("key")?, req.param("cents")?, req.param("back")?);
            let mut books = books.0.lock().map_err(|_| "the books are broken")?;
            books.entry(key).or_insert(Entry { cents, back, state: State::Open });
        }
        "/charge" => return charge(req, &books).await,
        "/cancel" => books.with(&req.param::<String>("id")?, |entry| {
            if entry.state != State::Charged {
                entry.state = State::Cancelled;
            }
        })?,
        _ => drop(req.send("text/plain", books.charges()?.to_string())?),
    }
    Ok(())
}

async fn charge(mut req: Request, books: &Books) -> Result<()> {
    let id: String = req.param("id")?;
    let before = books.with(&id, |entry| {
        let before = entry.state.clone();
        if let State::Approved { .. } = before {
            entry.state = State::Charged;
        }
        before
    })?;
    match before {
        State::Open | State::Cancelled => {
            req.set_status(402)?.print("not approved");
            return Ok(());
        }
        State::Approved { card } if card == "3333" => return Err("charged, but nobody will know".into()),
        State::Approved { card } if card == "2222" => req.sleep(SLOW).await,
        State::Approved { .. } | State::Charged => {}
    }
    req.send("text/plain", format!("R-{}", id.get(..6).unwrap_or(&id)))?;
    Ok(())
}

/// The gateway as a server.
pub fn server(books: Books) -> Server {
    let api = Flow::new(api).purpose(|_| Purpose::Visit);
    Server::new(api).mount("/pay", Flow::new(pay).map(Map::by_cookie().path())).app(books)
}

/// The way to the gateway.
pub struct Gateway(Partner);

/// A payment that was begun: its number there, and the page to pay on.
#[derive(Serialize, Deserialize)]
pub struct Payment {
    id: String,
    pub page: String,
}

impl Default for Gateway {
    fn default() -> Self {
        Gateway(Partner::new(NAME))
    }
}

impl Gateway {
    /// The one at this address.
    pub fn at(address: String) -> Self {
        Gateway(Partner::at(NAME, address))
    }

    /// Begins a payment, from which the visitor comes back there. Under the same key it is the same.
    pub async fn begin(&self, key: &Key, cents: u64, back: &str) -> Result<Payment> {
        let (id, cents) = (key.to_string(), cents.to_string());
        self.ask("/begin", &[("key", &id), ("cents", &cents), ("back", back)]).await?;
        Ok(Payment { page: format!("http://{}/pay/{id}", self.0.address().await?), id })
    }

    /// Charges what was approved; the receipt, or `None` if nothing was. Charged once, however often it is asked for.
    pub async fn charge(&self, payment: &Payment) -> Result<Option<String>> {
        self.ask("/charge", &[("id", &payment.id)]).await
    }

    /// From here on nothing can be charged.
    pub async fn cancel(&self, payment: &Payment) -> Result<Option<String>> {
        self.ask("/cancel", &[("id", &payment.id)]).await
    }

    /// How many charges there were.
    pub async fn charges(&self) -> Result<u64> {
        Ok(self.ask("/charges", &[]).await?.ok_or("it does not say")?.parse()?)
    }

    async fn ask(&self, path: &str, fields: &[(&str, &str)]) -> Result<Option<String>> {
        match self.0.ask(path, fields).await? {
            (200, text) => Ok(Some(text)),
            (402, _) => Ok(None),
            (status, _) => Err(format!("the gateway answered {status}").into()),
        }
    }
}
