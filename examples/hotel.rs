//! Books the hotel that stands on the page, however many tabs are open; and then there is no way back.

use continuity::prelude::*;

#[path = "journal.rs"]
mod journal;
#[path = "port.rs"]
mod port;

pub async fn hotel(mut req: Request) -> Result<()> {
    let mut trip = Trip { town: "Lisbon".into(), nights: 2 };
    loop {
        trip = req.ask(|f| search(f, &trip)).await?;
        while let Some(hotel) = req.choose(|c| list(c, &trip)).await? {
            if req.choose(|c| detail(c, hotel, &trip)).await? {
                let number: String = req.once("book", &(HOTELS[hotel].0, &trip), book).await?;
                // Pages of other tabs, and those behind this one, book nothing any more.
                req.commit();
                req.choose(|c| booked(c, hotel, &trip, &number)).await?;
                break;
            }
        }
    }
}

/// Name, town, what a night costs, and what there is to say.
const HOTELS: [(&str, &str, u32, &str); 4] = [
    ("Avenida", "Lisbon", 120, "Tram 28 stops at the door, and so do its bells."),
    ("Miramar", "Lisbon", 95, "From the roof one sees the river."),
    ("Ribeira", "Porto", 110, "Boats pass below the balconies."),
    ("Dom Luís", "Porto", 85, "Close to the bridge, and high above it."),
];

/// What a real program would ask the hotel for; the key says which booking it is, however often it is tried.
async fn book(key: Key) -> Result<String> {
    Ok(key.as_str()[..6].to_uppercase())
}

#[derive(Serialize, Deserialize)]
struct Trip {
    town: String,
    nights: u32,
}

fn search(f: &Form<'_, Trip>, start: &Trip) -> Markup {
    f.start_with(start);
    f.check(|trip| (1..=14).contains(&trip.nights), "nights", "1 to 14 nights, please");
    html! {
        h1 { "Where to?" }
        (f.select("town", &[("Lisbon", "Lisbon"), ("Porto", "Porto")])) (f.number("nights")) button { "Search" }
    }
}

fn list(c: &Choices<'_, Option<usize>>, trip: &Trip) -> Markup {
    html! {
        h1 { "Hotels in " (trip.town) }
        @for (at, (name, _, price, _)) in HOTELS.iter().enumerate().filter(|(_, hotel)| hotel.1 == trip.town) {
            p { (c.link(name, Some(at))) ", " (price) " a night" }
        }
        (c.link("Search again", None))
    }
}

fn detail(c: &Choices<'_, bool>, hotel: usize, trip: &Trip) -> Markup {
    let (name, town, price, about) = HOTELS[hotel];
    html! {
        h1 { (name) ", " (town) }
        p { (about) " " (trip.nights) " nights cost " (price * trip.nights) "." }
        (c.button("Book", true)) " " (c.link("Other hotels", false))
    }
}

fn booked(c: &Choices<'_, ()>, hotel: usize, trip: &Trip, number: &str) -> Markup {
    html! {
        h1 { "You booked " (HOTELS[hotel].0) }
        p { (trip.nights) " nights in " (trip.town) ". The number of your booking is " b { (number) } "." }
        (c.link("Another trip", ()))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(journal::keep(Server::new(hotel), "hotel")?).await
}
