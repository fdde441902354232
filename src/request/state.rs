//! State that outlives steps: what branches share, and checkpoints that let a session live for years.

use std::any::type_name;
use std::marker::PhantomData;
use std::panic::Location;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Request, parts};
use crate::cbor;
use crate::error::{BoxError, Error};
use crate::journal::Blob;

/// Why a component has none of its own.
const CHECKPOINTS: &str = "a checkpoint says where all parts are; make it before `parts`";

impl Request {
    /// A value that belongs to the session and not to one line of its steps: one for each type, `T::default()` at first.
    /// With a journal its versions are recorded.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// #[derive(Default, Serialize, Deserialize)]
    /// struct Seen(Vec<String>);
    ///
    /// # async fn shop(mut req: Request) -> Result<()> {
    /// let count = req.shared::<Seen>().update(|seen| { seen.0.push("socks".into()); seen.0.len() })?;
    /// let Seen(items) = req.shared::<Seen>().get()?;
    /// # Ok(()) }
    /// ```
    pub fn shared<T: Default + Serialize + DeserializeOwned>(&mut self) -> Shared<'_, T> {
        Shared { request: self, of: PhantomData }
    }

    /// Whether the program is past a change of its code here: `true` for a session that comes here with the new code, `false`
    /// for one that came here before, and is being rebuilt. So both find the steps that they did.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # async fn shop(mut req: Request) -> Result<()> {
    /// let amount: u32 = req.choose(|c| html! { (c.link("One", 1)) (c.link("Two", 2)) }).await?;
    /// if req.patched("ask for the colour") {
    ///     let blue = req.confirm("In blue?").await?;
    ///     # let _ = blue;
    /// }
    /// # let _ = amount;
    /// # Ok(()) }
    /// ```
    ///
    /// Each call counts for itself; keep what it says in a local where you need it twice. Without a journal it is always
    /// `true`. When [`Server::replay_check`](crate::Server::replay_check) is clean without it, it can go.
    pub fn patched(&mut self, change: &str) -> bool {
        self.session.tape(|tape| tape.patched(change)).unwrap_or(true)
    }

    /// At the start of the function: the state of the last [`checkpoint`](Self::checkpoint), or `default`.
    ///
    /// It stands first: verbs before it would be missing where the session is rebuilt from a checkpoint. Fails there, and
    /// when the state cannot be read as `T` any more.
    pub fn restore_or<T: DeserializeOwned>(&mut self, default: T) -> Result<T, Error> {
        parts::outside("restore_or", CHECKPOINTS)?;
        match self.session.tape(|tape| tape.restore()) {
            None | Some(Ok(None)) => Ok(default),
            Some(Ok(Some(state))) => state
                .open()
                .map_err(|error| Error::caused("the state of the last checkpoint cannot be read", error)),
            Some(Err(())) => Err(Error::new("restore_or stands first in the function, before all verbs")),
        }
    }

    /// At a loop's head: the session can be rebuilt from `state`, and needs nothing that came before. Without a journal it
    /// does nothing.
    ///
    /// ```
    /// use continuity::prelude::*;
    ///
    /// async fn count(mut req: Request) -> Result<()> {
    ///     let mut count = req.restore_or(0u64)?;
    ///     loop {
    ///         req.checkpoint(&count)?;
    ///         count += req.choose(|c| html! { (count) " " (c.link("more", 1)) }).await?;
    ///     }
    /// }
    /// ```
    ///
    /// Fails if the state cannot be written, and in a [part](Self::parts).
    #[track_caller]
    pub fn checkpoint<T: Serialize + ?Sized>(&mut self, state: &T) -> Result<(), Error> {
        parts::outside("checkpoint", CHECKPOINTS)?;
        let place = Location::caller();
        let state = Blob::of(state).map_err(|error| Error::caused("the checkpoint's state", error))?;
        self.session.checkpoint(state.0, place);
        Ok(())
    }
}

/// A value that belongs to the session: see [`Request::shared`].
#[derive(Debug)]
pub struct Shared<'a, T> {
    request: &'a mut Request,
    of: PhantomData<fn() -> T>,
}

impl<T: Default + Serialize + DeserializeOwned> Shared<'_, T> {
    /// The value as it is. Fails if it cannot be read as `T` any more.
    pub fn get(&self) -> Result<T, Error> {
        let mut state = self.request.session.queue.lock();
        let version = state.peek_extra().and_then(|extra| {
            let name = type_name::<T>();
            let at = extra.shared.iter().position(|(known, _)| known == name);
            let version = at.map(|at| &*extra.shared[at].1);
            if let Some(then) = extra.tape.as_mut().and_then(|tape| tape.look(name, version)) {
                match at {
                    Some(at) => extra.shared[at].1 = then,
                    None => extra.shared.push((name.to_owned(), then)),
                }
            }
            extra.shared.iter().find(|(known, _)| known == name).map(|(_, version)| version.clone())
        });
        drop(state);
        version.map_or_else(|| Ok(T::default()), |version| read(version))
    }

    /// Changes the value, and returns what `change` does. Fails if it cannot be read or written.
    #[track_caller]
    pub fn update<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> Result<R, Error> {
        let place = Location::caller();
        let (name, mut value) = (type_name::<T>(), self.get()?);
        let returned = change(&mut value);
        let lost = |error: BoxError| Error::caused(format!("the shared `{name}`"), error);
        let version = Blob::of(&value).map_err(lost)?.0;
        cbor::check(&value).map_err(|error| lost(error.into()))?;
        let session = &self.request.session;
        // Who has diverged keeps its own, and gets no further.
        let recorded =
            session.tape(|tape| tape.share(name, version.clone(), place).unwrap_or(version.clone()));
        let version = recorded.unwrap_or(version);
        let mut state = session.queue.lock();
        let shared = &mut state.extra().shared;
        match shared.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = version,
            None => shared.push((name.to_owned(), version)),
        }
        Ok(returned)
    }
}

fn read<T: DeserializeOwned>(version: Vec<u8>) -> Result<T, Error> {
    let read = Blob(version).open();
    read.map_err(|error| Error::caused(format!("the shared `{}` cannot be read", type_name::<T>()), error))
}
