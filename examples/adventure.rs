//! A small cave to find your way in: where you are and what you carry are local variables. On the web, and by gopher.

use continuity::prelude::*;

#[path = "gopher.rs"]
mod gopher;
#[path = "port.rs"]
mod port;

pub async fn adventure(mut req: Request) -> Result<()> {
    let (mut here, mut lamp, mut moves) = (Place::Beach, false, 0);
    while here != Place::Vault {
        let (name, about, ways) = scene(here, lamp);
        let act = req.choose(|c| {
            html! {
                h1 { (name) } p { (about) } ul { @for (text, act) in ways { li { (c.link(text, *act)) } } }
            }
        });
        moves += 1;
        match act.await? {
            Act::Take => lamp = true,
            Act::Go(place) => here = place,
            Act::Wake if answer(&mut req).await? == "secret" => here = Place::Vault,
            Act::Wake => req.inform("\"Wrong,\" says the door, and goes back to sleep.").await?,
        }
    }
    req.print(html! {
        h1 { "The vault" }
        pre { "   $  $ $   $\n  $$$ $$$ $$$$" }
        p { "Gold, as far as your lamp shines. You are rich, after " (moves) " moves." }
        a href="?" { "Play again" }
    });
    Ok(())
}

/// What a visitor says to the door.
async fn answer(req: &mut Request) -> Result<String> {
    #[derive(Deserialize)]
    struct Said {
        answer: String,
    }
    let said = req.ask(|f: &Form<'_, Said>| {
        f.check(|said| !said.answer.trim().is_empty(), "answer", "say something");
        html! {
            p { "\"If you have me you want to share me, and if you share me you have me no more. What am I?\"" }
            (f.errors()) (f.text("answer")) button { "Say it" }
        }
    });
    Ok(said.await?.answer.trim().to_lowercase().trim_start_matches("a ").to_owned())
}

#[derive(Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Place {
    Beach,
    Tunnel,
    Hall,
    Vault,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
enum Act {
    Go(Place),
    Take,
    Wake,
}

type Way = (&'static str, Act);
const TAKE: Way = ("Take the lamp", Act::Take);
const CAVE: Way = ("Go into the cave", Act::Go(Place::Tunnel));
const BEACH: Way = ("Go back to the beach", Act::Go(Place::Beach));
const HALL: Way = ("Go on", Act::Go(Place::Hall));
const WAKE: Way = ("Wake the door", Act::Wake);

/// A place's name, what there is to see, and what there is to do.
fn scene(here: Place, lamp: bool) -> (&'static str, &'static str, &'static [Way]) {
    match (here, lamp) {
        (Place::Beach, false) => {
            ("The beach", "A boat with a lamp in it, the mouth of a cave.", &[TAKE, CAVE])
        }
        (Place::Beach, true) => ("The beach", "An empty boat, the mouth of a cave.", &[CAVE]),
        (Place::Tunnel, false) => ("The cave", "It is dark, and something breathes.", &[BEACH]),
        (Place::Tunnel, true) => ("The cave", "A bat sleeps in the light of your lamp.", &[HALL, BEACH]),
        _ => ("The hall", "A door with a face fills the wall. It snores.", &[WAKE, CAVE]),
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    port::run(Server::new(adventure).listen(gopher::door()?)).await
}
