//! Time, chance and the outside, as verbs: with a journal what comes in here is recorded, and replayed when the session
//! is rebuilt. Without one they pass through.

use std::panic::Location;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use maud::Render;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Request, parts};
use crate::cbor;
use crate::chance::Chance;
use crate::error::{BoxError, Chain, Error};
use crate::journal::inside::Inside;
use crate::journal::tape::{Diverged, Standing};
use crate::journal::{Args, Blob, Change, Effect, Outcome};
use crate::session::Session;

/// The key of an effect: the same for every try of the same effect, for gateways that take an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key(String);

impl Key {
    fn fresh(chance: &Chance) -> Self {
        Key::of(u128::from_le_bytes(chance.bytes()))
    }

    fn of(number: u128) -> Self {
        Key(format!("{number:032x}"))
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

/// Time and chance.
impl Request {
    /// The time: with a journal, that of the last input (a hit, or what `read`, `once` or `sleep` gave), so that it is the
    /// same when the session is rebuilt.
    pub fn now(&mut self) -> SystemTime {
        match self.session.tape(|tape| tape.now()) {
            Some(at) => UNIX_EPOCH + Duration::from_micros(u64::try_from(at).unwrap_or_default()),
            None => SystemTime::now(),
        }
    }

    /// Chance: a generator seeded by the operating system; with a journal, by a seed that is recorded.
    #[track_caller]
    pub fn rng(&mut self) -> StdRng {
        let place = Location::caller();
        let seed: [u8; 32] = self.session.core.chance.bytes();
        // Who has diverged gets any, and no further.
        let recorded = self.session.tape(|tape| tape.entropy(seed, place).unwrap_or(seed));
        StdRng::from_seed(recorded.unwrap_or(seed))
    }

    /// Waits. The response stays open; hits queue.
    ///
    /// With a journal the end of the wait is recorded: a session that is rebuilt waits for the rest of it, by the system's
    /// clock, and never longer than `time`.
    #[track_caller]
    pub fn sleep(&mut self, time: Duration) -> impl Future<Output = ()> + Send + use<> {
        let place = Location::caller();
        self.stand_at(place);
        let session = self.session.clone();
        async move {
            let micros_of = |time: Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
            let until = session.core.clock.micros().saturating_add(micros_of(time));
            let slept = session.tape(|tape| {
                let replayed = tape.is_replaying();
                tape.sleep(until, place).map(|(until, over)| (until, over, replayed))
            });
            let left = match slept {
                None => time,
                Some(Err(Diverged)) => return session.wait_for_the_end().await,
                Some(Ok((_, true, _))) => return,
                Some(Ok((until, false, replayed))) => {
                    session.goes_to_sleep(until, replayed);
                    let left = until.saturating_sub(session.core.clock.micros()).clamp(0, micros_of(time));
                    Duration::from_micros(u64::try_from(left).unwrap_or_default())
                }
            };
            Inside::new(session.clone(), tokio::time::sleep(left)).await;
            session.is_awake();
        }
    }
}

/// The outside.
impl Request {
    /// Observes the outside: a database, a file, another service. With a journal the result is part of this step: a
    /// session that is rebuilt gets the same, and `observe` does not run.
    ///
    /// The value goes through CBOR on its way, so that it is the same now and then. An error reaches a rebuilt session as
    /// text. Fails as `observe` does.
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
        let place = Location::caller();
        self.stand_at(place);
        async move {
            let session = &self.session;
            let then = session.tape(|tape| tape.read(name, &parts::path(), place));
            match then {
                Some(Ok(Some(then))) => return open(name, then),
                Some(Err(Diverged)) => return session.wait_for_the_end().await,
                Some(Ok(None)) | None => {}
            }
            let observed = Inside::new(session.clone(), async { observe().await }).await;
            if then.is_none() {
                return observed.map_err(|error| Error::effect(name, error.into()));
            }
            session.observed(name, write(name, observed)?)
        }
    }

    /// [`read`](Self::read) by code that blocks: it runs on a thread where that holds nobody up.
    #[track_caller]
    pub fn read_blocking<T, E, F>(
        &mut self,
        name: &'static str,
        observe: F,
    ) -> impl Future<Output = Result<T, Error>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Into<BoxError> + Send + 'static,
        F: FnOnce() -> Result<T, E> + Send + 'static,
    {
        self.read(name, move || blocking(observe))
    }

    /// Acts on the outside, once: charges a card, sends a mail. `args` are what the effect depends on; the key is for
    /// the other side, to recognise a second try.
    ///
    /// With a journal, what led here is durable before `act` runs, and what it gives is kept for ever: a session that is
    /// rebuilt gets it, and `act` does not run again. If the process dies while `act` runs, it is tried again, with the
    /// same key. An error that the program handles is kept as text; where it fails the step (`?`) it is forgotten, and the
    /// next try has the same key.
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
        self.act(name, args, Tries::Again, Location::caller(), act)
    }

    /// [`once`](Self::once), for what nobody on the other side would recognise the second time: if the process dies while
    /// `act` runs, it is not tried again. The error [is unknown](Error::is_unknown) then: ask the visitor, or look.
    #[track_caller]
    pub fn at_most_once<T, E, A, F, Fut>(
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
        self.act(name, args, Tries::Once, Location::caller(), act)
    }

    /// [`once`](Self::once) by code that blocks: it runs on a thread where that holds nobody up.
    #[track_caller]
    pub fn once_blocking<T, E, A, F>(
        &mut self,
        name: &'static str,
        args: &A,
        act: F,
    ) -> impl Future<Output = Result<T, Error>>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: Into<BoxError> + Send + 'static,
        A: Serialize + ?Sized,
        F: FnOnce(Key) -> Result<T, E> + Send + 'static,
    {
        self.act(name, args, Tries::Again, Location::caller(), move |key| blocking(move || act(key)))
    }

    fn act<T: Serialize + DeserializeOwned, E: Into<BoxError>, Fut>(
        &mut self,
        name: &'static str,
        args: &(impl Serialize + ?Sized),
        tries: Tries,
        place: &'static Location<'static>,
        act: impl FnOnce(Key) -> Fut,
    ) -> impl Future<Output = Result<T, Error>>
    where
        Fut: Future<Output = Result<T, E>> + Send,
    {
        self.stand_at(place);
        let args = self.session.args(name, args);
        async move {
            let session = &self.session;
            let once = tries == Tries::Once;
            let stands = |args| session.tape(|tape| tape.effect(name, &parts::path(), args, once, place));
            let effect = match args?.and_then(stands) {
                None => return unrecorded(name, session, act).await,
                Some(Err(Diverged)) => return session.wait_for_the_end().await,
                Some(Ok(Standing::Done(outcome))) => return open(name, outcome),
                Some(Ok(Standing::InDoubt(_))) if once => return Err(Error::unknown(name)),
                Some(Ok(Standing::InDoubt(effect))) => effect,
                Some(Ok(Standing::New(effect))) => session.intends(effect, once).await,
            };
            let key = session.key_of(&effect);
            let acted = Inside::new(session.clone(), async { act(key).await }).await;
            session.did(effect, name, write(name, acted)?)
        }
    }
}

/// An effect where there is no journal.
async fn unrecorded<T, E: Into<BoxError>, F, Fut>(
    name: &'static str,
    session: &Arc<Session>,
    act: F,
) -> Result<T, Error>
where
    F: FnOnce(Key) -> Fut,
    Fut: Future<Output = Result<T, E>> + Send,
{
    let acted = Inside::new(session.clone(), async { act(Key::fresh(&session.core.chance)).await }).await;
    acted.map_err(|error| Error::effect(name, error.into()))
}

/// What is done about an effect of which nobody knows whether it was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tries {
    Again,
    Once,
}

/// What came of an observation or an effect: as it is written, and the error as it was.
struct Written(Outcome, Option<BoxError>);

impl Written {
    fn open<T: DeserializeOwned>(self, name: &'static str) -> Result<T, Error> {
        match self.1 {
            Some(error) => Err(Error::effect(name, error)),
            None => open(name, self.0),
        }
    }
}

fn write<T: Serialize, E: Into<BoxError>>(name: &str, result: Result<T, E>) -> Result<Written, Error> {
    match result {
        Ok(value) => match Blob::of(&value) {
            Ok(value) => Ok(Written(Outcome::Ok(value), None)),
            Err(error) => Err(Error::caused(format!("what `{name}` gave cannot be written"), error)),
        },
        Err(error) => {
            let error = error.into();
            Ok(Written(Outcome::Err(Chain(error.as_ref()).to_string()), Some(error)))
        }
    }
}

/// The value as it was written: the same now as when it is replayed.
fn open<T: DeserializeOwned>(name: &'static str, outcome: Outcome) -> Result<T, Error> {
    match outcome {
        Outcome::Ok(value) => value
            .open()
            .map_err(|error| Error::caused(format!("what `{name}` gave cannot be read back"), error)),
        Outcome::Err(error) => Err(Error::effect(name, error.into())),
    }
}

/// Runs what blocks where that holds nobody up.
async fn blocking<T: Send + 'static, E: Into<BoxError> + Send + 'static>(
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, BoxError> {
    match tokio::task::spawn_blocking(move || crate::journal::inside::within(work)).await {
        Ok(done) => done.map_err(Into::into),
        Err(error) => Err(error.into()),
    }
}

impl Session {
    /// For ever: the session will be taken away.
    async fn wait_for_the_end<T>(self: &Arc<Self>) -> T {
        Inside::new(self.clone(), std::future::pending()).await
    }

    /// What the arguments of an effect are known by; `None`: nothing is recorded. Fails if they cannot be written.
    fn args(&self, name: &str, args: &(impl Serialize + ?Sized)) -> Result<Option<Args>, Error> {
        let known = match self.tape(|tape| tape.salt()) {
            Some(salt) => Args::of(args, salt).map(Some),
            None => cbor::to_vec(args).map(|_| None),
        };
        known.map_err(|error| Error::caused(format!("the arguments of `{name}`"), error))
    }

    fn key_of(&self, effect: &Effect) -> Key {
        let salt = self.tape(|tape| tape.salt()).flatten();
        Key::of(self.core.journal().key_of(self.serial, salt, effect))
    }

    /// Has everything up to the intent written. If it cannot be, the session does not go on.
    async fn intends(self: &Arc<Self>, effect: Box<Effect>, once: bool) -> Box<Effect> {
        self.tape(|tape| {
            // A newborn with an effect is one no more.
            tape.grown = true;
            tape.intend(&effect, once);
        });
        if self.make_durable().await { effect } else { self.wait_for_the_end().await }
    }

    /// An effect that was done is written at once: its step may still fail. An error is a part of the step.
    fn did<T: DeserializeOwned>(
        self: &Arc<Self>,
        effect: Box<Effect>,
        name: &'static str,
        written: Written,
    ) -> Result<T, Error> {
        let at = self.core.clock.micros();
        self.tape(|tape| tape.record_effect(*effect, written.0.clone(), at));
        if matches!(written.0, Outcome::Ok(_)) {
            self.write_on();
        }
        written.open(name)
    }

    /// Records what was observed.
    fn observed<T: DeserializeOwned>(&self, name: &'static str, written: Written) -> Result<T, Error> {
        let at = self.core.clock.micros();
        self.tape(|tape| tape.record_read(name, &parts::path(), written.0.clone(), at));
        written.open(name)
    }

    /// Has the store know when the session wants to go on.
    fn goes_to_sleep(self: &Arc<Self>, until: i64, replayed: bool) {
        let (session, wake) = (self.serial, Some(until / 1_000_000));
        let known = self.tape(|tape| {
            tape.changes.push(Change::Sleep { session, wake });
            tape.begun || tape.grown
        });
        if known == Some(true) && !replayed {
            self.write_on();
        }
    }

    fn is_awake(&self) {
        let session = self.serial;
        self.tape(|tape| tape.changes.push(Change::Sleep { session, wake: None }));
    }
}
