#![doc = include_str!("../README.md")]
#![warn(missing_debug_implementations, missing_docs, unreachable_pub)]

#[cfg(any(feature = "compression", feature = "files"))]
mod accept;
mod adapter;
mod body;
#[cfg(feature = "compression")]
mod compress;
#[cfg(any(feature = "gopher", feature = "test"))]
#[cfg_attr(
    not(all(feature = "gopher", feature = "test")),
    allow(dead_code, reason = "the test kit and gopher each need some of it")
)]
mod document;
mod engine;
mod error;
#[cfg(feature = "files")]
mod files;
mod flow;
#[cfg(all(
    any(test, continuity_fuzz),
    feature = "http",
    feature = "files",
    feature = "gopher",
    feature = "multipart"
))]
#[doc(hidden)]
pub mod fuzz;
mod hit;
mod intake;
pub mod journal;
mod limits;
mod log;
mod mapper;
mod markup;
mod page;
mod reply;
mod request;
mod server;
mod session;
#[cfg(any(feature = "fastcgi", feature = "gopher", feature = "http"))]
mod signals;
mod step;
mod sync;
#[cfg(feature = "test")]
pub mod test;

#[cfg(feature = "fastcgi")]
pub use adapter::fastcgi::FastCgi;
#[cfg(feature = "gopher")]
pub use adapter::gopher::Gopher;
#[cfg(feature = "http")]
pub use adapter::http::Http;
#[cfg(feature = "socket")]
pub use adapter::socket::Address;
#[cfg(feature = "tls")]
pub use adapter::socket::tls::Certificate;
pub use adapter::{Adapter, Listening, Stop};
#[cfg(feature = "tower")]
pub use adapter::{answering::Answering, tower::Mounted};
pub use body::Body;
#[cfg(feature = "cookies")]
pub use cookie::Cookie;
pub use engine::Engine;
pub use error::{BoxError, Error, Result};
#[cfg(feature = "files")]
pub use files::Files;
pub use flow::Flow;
pub use hit::{Hit, Site, Via};
#[cfg(feature = "sqlite")]
pub use journal::Sqlite;
pub use limits::Limits;
pub use mapper::{Identity, Map, Mapper, Purpose};
pub use markup::{Href, Json};
pub use page::{Notice, Page, Pages, Problem};
pub use reply::Answer;
#[cfg(feature = "files")]
pub use request::SendFile;
pub use request::{
    Callbacks, Choice, Choices, Draws, DrawsForm, First, Form, FromForm, FromParam, IntoPage, Key, Layout,
    Next, Parts, Request, Secret, Shared, Slots, StandsFor,
};
#[cfg(feature = "multipart")]
pub use request::{Upload, UploadedFile};
pub use server::{Bound, Server};
pub use step::OldPages;

/// The guides' programs are compiled and run.
#[cfg(doctest)]
mod guides {
    #[cfg(feature = "sqlite")]
    #[doc = include_str!("../docs/back-button.md")]
    mod back_button {}
    #[doc = include_str!("../docs/deploying.md")]
    mod deploying {}
    #[doc = include_str!("../docs/doors.md")]
    mod doors {}
    #[doc = include_str!("../docs/fastcgi.md")]
    mod fastcgi {}
    #[cfg(feature = "gopher")]
    #[doc = include_str!("../docs/gopher.md")]
    mod gopher {}
    #[cfg(feature = "sqlite")]
    #[doc = include_str!("../docs/journal.md")]
    mod journal {}
    #[doc = include_str!("../docs/parts.md")]
    mod parts {}
    #[doc = include_str!("../docs/security.md")]
    mod security {}
    #[doc = include_str!("../docs/sessions.md")]
    mod sessions {}
    #[doc = include_str!("../docs/testing.md")]
    mod testing {}
    #[cfg(feature = "sqlite")]
    #[doc = include_str!("../docs/upgrading.md")]
    mod upgrading {}
}

/// What a program of this library starts with: `use continuity::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "cookies")]
    pub use crate::Cookie;
    #[cfg(feature = "fastcgi")]
    pub use crate::FastCgi;
    #[cfg(feature = "gopher")]
    pub use crate::Gopher;
    #[cfg(feature = "http")]
    pub use crate::Http;
    #[cfg(feature = "sqlite")]
    pub use crate::Sqlite;
    #[cfg(feature = "multipart")]
    pub use crate::UploadedFile;
    pub use crate::{
        BoxError, Choices, Error, Flow, Form, Key, Limits, Map, Page, Pages, Purpose, Request, Result,
        Secret, Server, Slots,
    };
    pub use maud::{Markup, PreEscaped, Render, html};
    pub use rand::{Rng, RngExt};
    pub use serde::{Deserialize, Serialize};
}
