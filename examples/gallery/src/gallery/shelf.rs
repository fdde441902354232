//! The examples: their modules, their order, where they are mounted, and what is told about them.

use continuity::prelude::*;

/// The examples as modules. Each is a program of its own: its `main` is idle here.
macro_rules! modules {
    ($($path:literal $name:ident)+) => {$(
        #[path = $path]
        #[allow(dead_code, clippy::duplicate_mod, reason = "an example has a `main` and a `port` of its own")]
        pub mod $name;
    )+};
}

modules! {
    "../../../hello.rs" hello
    "../../../addtwo.rs" addtwo
    "../../../guess.rs" guess
    "../../../counter_simple.rs" counter_simple
    "../../../counter.rs" counter
    "../../../callback_counter.rs" callback_counter
    "../../../wizard.rs" wizard
    "../../../login.rs" login
    "../../../sign_in.rs" sign_in
    "../../../multi_counter.rs" multi_counter
    "../../../dashboard.rs" dashboard
    "../../../cookies.rs" cookies
    "../../../query_session.rs" query_session
    "../../../animals.rs" animals
    "../../../chat.rs" chat
    "../../../adventure.rs" adventure
    "../../../params.rs" params
    "../../../post_redirect.rs" post_redirect
    "../../../slowprint.rs" slowprint
    "../../../echo.rs" echo
    "../../../upload.rs" upload
    "../../../shop.rs" shop
    "../../../survey.rs" survey
    "../../../tabs.rs" tabs
    "../../../hotel.rs" hotel
}

/// An example as visitors of the gallery meet it.
pub struct Example {
    pub name: &'static str,
    pub source: &'static str,
    /// The page to begin with, below the example's mount.
    first: &'static str,
}

impl Example {
    /// Its first line.
    pub fn about(&self) -> &'static str {
        self.source.lines().next().unwrap_or_default().trim_start_matches("//! ")
    }

    /// Where to try it.
    pub fn door(&self) -> String {
        format!("/{}/{}", self.name, self.first)
    }

    /// Its session function.
    pub fn heart(&self) -> &'static str {
        let start = self.source.find("pub async fn").unwrap_or_default();
        let rest = &self.source[start..];
        rest.find("\n}\n").map_or(rest, |end| &rest[..end + 2])
    }

    pub fn source_page(&self) -> String {
        format!("/source/{}", self.name)
    }
}

macro_rules! shelves {
    ($($title:literal { $($name:ident $(/ $first:literal)? = $flow:expr;)+ })+) => {
        /// All examples by what they show.
        pub const SHELVES: &[(&str, &[Example])] = &[$(($title, &[$(Example {
            name: stringify!($name),
            source: include_str!(concat!("../../../", stringify!($name), ".rs")),
            first: concat!("", $($first)?),
        },)+]),)+];

        /// Mounts each example under its name.
        pub fn mount(server: Server) -> Server {
            server$($(.mount(concat!("/", stringify!($name)), $flow))+)+
        }
    };
}

shelves! {
    "First steps" {
        hello = hello::hello;
        addtwo = addtwo::addtwo;
        guess = guess::guess;
        counter_simple = counter_simple::counter_simple;
    }
    "Choices and forms" {
        counter = counter::counter;
        callback_counter = callback_counter::callback_counter;
        wizard = wizard::wizard;
        login = login::login;
        sign_in = sign_in::sign_in;
        adventure = adventure::adventure;
    }
    "Several parts on one page" {
        multi_counter = multi_counter::multi_counter;
        dashboard = dashboard::dashboard;
    }
    "Visitors, alone and together" {
        cookies = cookies::cookies;
        query_session = query_session::flow();
        animals = animals::animals;
        chat = chat::flow();
    }
    "Kept by a journal" {
        shop = shop::shop;
        survey = survey::survey;
        tabs = tabs::tabs;
        hotel = hotel::hotel;
    }
    "Closer to HTTP" {
        params = params::params;
        post_redirect = post_redirect::post_redirect;
        slowprint = slowprint::slowprint;
        echo / "json" = echo::flow();
        upload = upload::flow();
    }
}

/// The example of this name.
pub fn find(name: &str) -> Option<&'static Example> {
    SHELVES.iter().flat_map(|(_, examples)| *examples).find(|example| example.name == name)
}
