//! What draws a page, and what a page, a link and a form can be of: bounds of our own, so that the compiler says what to do
//! where a program gives something else.

use maud::Markup;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::choices::Choices;
use super::form::Form;

/// What can stand behind a link: any type that can be written and read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand behind a link",
    note = "a choice travels in its link: `#[derive(Serialize, Deserialize)]` for it",
    note = "if nothing says what is chosen, say it: `let choice: Op = req.choose(…).await?;`"
)]
pub trait Choice: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> Choice for T {}

/// What a link can be given for a choice of type `T`: a `T`, or one that is borrowed; for a `String` a `&str` too.
///
/// ```
/// use continuity::prelude::*;
///
/// async fn paint(mut req: Request) -> Result<()> {
///     let color: String = req.choose(|c| html! { (c.link("Green", "green")) " " (c.link("Red", "red")) }).await?;
///     req.print(html! { "Painted " (color) });
///     Ok(())
/// }
/// # #[cfg(feature = "test")]
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// # use continuity::test::Browser;
/// # Browser::new(paint).get("/").await.follow("Green").await.shows("Painted green");
/// # }
/// # #[cfg(not(feature = "test"))] fn main() {}
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot stand behind a link (the choice is a `{T}`)",
    note = "a choice travels in its link: `#[derive(Serialize, Deserialize)]` for it",
    note = "what comes back with a click is owned: a `String` and no `&str`, an `Op` and no `&Op`",
    note = "if nothing says what is chosen, say it: `let color: String = req.choose(…).await?;`"
)]
pub trait StandsFor<T>: Serialize {}

impl<T: Choice> StandsFor<T> for T {}

impl<T: Choice> StandsFor<T> for &T {}

impl StandsFor<String> for &str {}

/// What a form can be filled in as: any type that can be read.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be what a form is filled in as",
    note = "it is a struct of yours with a field for each of the form's: `#[derive(Deserialize)]` for it",
    note = "if nothing says what it is, say it: `let address: Address = req.ask(…).await?;`"
)]
pub trait FromForm: DeserializeOwned {}

impl<A: DeserializeOwned> FromForm for A {}

/// What a closure that draws a page returns: markup.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no page",
    label = "a page is made by `html!`",
    note = "write `html! {{ … }}`: text that stands in it as `(text)` is escaped, links and buttons are drawn"
)]
pub trait IntoPage {
    #[doc(hidden)]
    fn into_markup(self) -> Markup;
}

impl IntoPage for Markup {
    fn into_markup(self) -> Markup {
        self
    }
}

/// What draws a page to choose on: a closure `|c| html! { … }`, as often as it is needed.
pub trait Draws<T>: Fn(&Choices<'_, T>) -> <Self as Draws<T>>::Page {
    #[doc(hidden)]
    type Page: IntoPage;
}

impl<T, F, P: IntoPage> Draws<T> for F
where
    F: Fn(&Choices<'_, T>) -> P,
{
    type Page = P;
}

/// What draws a form: a closure `|f| html! { … }`, as often as it is needed.
pub trait DrawsForm<A>: Fn(&Form<'_, A>) -> <Self as DrawsForm<A>>::Page {
    #[doc(hidden)]
    type Page: IntoPage;
}

impl<A, F, P: IntoPage> DrawsForm<A> for F
where
    F: Fn(&Form<'_, A>) -> P,
{
    type Page = P;
}
