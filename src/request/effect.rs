//! Time, chance and the outside, as verbs: the places where a journal will record what came in.
//!
//! Without a journal they pass through. Write them all the same: a program that meets the outside only here can be
//! replayed.

use std::time::{Duration, SystemTime};

use maud::Render;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Request;
use crate::error::{BoxError, Error};
use crate::mapper::key::random;

/// The key of an effect: the same for every try of the same effect, for gateways that take an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    fn fresh() -> Self {
        let mut bytes = [0; 16];
        random(&mut bytes);
        Key(format!("{:032x}", u128::from_le_bytes(bytes)))
    }

    /// 32 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Render for Key {
    fn render_to(&self, buffer: &mut String) {
        self.0.render_to(buffer);
    }
}

impl Request {
    /// The time.
    pub fn now(&mut self) -> SystemTime {
        SystemTime::now()
    }

    /// Chance: a generator seeded by the operating system.
    pub fn rng(&mut self) -> StdRng {
        let mut seed = [0; 32];
        random(&mut seed);
        StdRng::from_seed(seed)
    }

    /// Waits. The response stays open; hits queue.
    #[track_caller]
    pub fn sleep(&mut self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        self.stand_at(std::panic::Location::caller());
        tokio::time::sleep(time)
    }

    /// Observes the outside: a database, a file, another service. The result is part of this step.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # async fn stock(_: &str) -> std::io::Result<u32> { Ok(3) }
    /// # async fn shop(mut req: Request) -> Result<()> {
    /// let left: u32 = req.read("stock", async || stock("socks").await).await?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn read<T, E, F, Fut>(
        &mut self,
        name: &'static str,
        observe: F,
    ) -> impl Future<Output = Result<T, Error>>
    where
        T: Serialize + DeserializeOwned,
        E: Into<BoxError>,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>> + Send,
    {
        self.stand_at(std::panic::Location::caller());
        async move { observe().await.map_err(|error| Error::effect(name, error.into())) }
    }

    /// Acts on the outside, once: charges a card, sends a mail. `args` are what the effect depends on; the key is for
    /// the other side, to recognise a second try.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # async fn charge(cents: u32, key: Key) -> std::io::Result<u64> { Ok(7) }
    /// # async fn shop(mut req: Request) -> Result<()> {
    /// let cents = 4200;
    /// let receipt: u64 = req.once("charge card", &cents, async |key| charge(cents, key).await).await?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn once<T, E, A, F, Fut>(
        &mut self,
        name: &'static str,
        args: &A,
        act: F,
    ) -> impl Future<Output = Result<T, Error>>
    where
        T: Serialize + DeserializeOwned,
        E: Into<BoxError>,
        A: Serialize + ?Sized,
        F: FnOnce(Key) -> Fut,
        Fut: Future<Output = Result<T, E>> + Send,
    {
        let _ = args;
        self.stand_at(std::panic::Location::caller());
        async move { act(Key::fresh()).await.map_err(|error| Error::effect(name, error.into())) }
    }
}
