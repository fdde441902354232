//! Seeded chance: what a server of a test draws is the same each time.

use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::chance::{Chance, Source};
use crate::journal::Memory;
use crate::server::Server;

/// A generator in place of the operating system's.
struct Seeded(Mutex<StdRng>);

impl Source for Seeded {
    fn fill(&self, bytes: &mut [u8]) {
        self.0.lock().expect("no code panics while it holds the generator").fill_bytes(bytes);
    }
}

fn seeded(seed: u64) -> Chance {
    Chance(Some(Arc::new(Seeded(Mutex::new(StdRng::seed_from_u64(seed))))))
}

impl Server {
    /// For tests: all chance comes from this seed. Visitors' ids, numbers of sessions, tokens, keys of effects, references of
    /// errors and what [`Request::rng`](crate::Request::rng) draws are the same in each run that does the same in the same
    /// order; with a journal, if that is [`Memory::seeded`]. Give paused time, and pages are the same byte for byte.
    ///
    /// Only builds with the feature `test` have it: who knows the seed knows all ids. A server that is started again on a
    /// journal needs another seed than before, else it makes the ids again that it has made.
    ///
    /// ```
    /// use continuity::prelude::*;
    /// use continuity::test::Browser;
    ///
    /// async fn dice(mut req: Request) -> Result<()> {
    ///     let thrown: u32 = req.rng().random_range(1..=6);
    ///     req.inform(html! { "A " (thrown) }).await?;
    ///     Ok(())
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut pages = Vec::new();
    /// for _ in 0..2 {
    ///     let mut browser = Browser::of(Server::new(dice).seed(7));
    ///     browser.get("/").await;
    ///     pages.push((browser.text(), browser.cookie("sid")));
    /// }
    /// assert_eq!(pages[0], pages[1]);
    /// # }
    /// ```
    pub fn seed(mut self, seed: u64) -> Self {
        self.chance = seeded(seed);
        self
    }
}

impl Memory {
    /// An empty one, whose number and secret come from this seed: for a server that is [seeded](Server::seed) too.
    pub fn seeded(seed: u64) -> Self {
        Memory::by(&seeded(seed))
    }
}
