//! Filling in what a page asks for.

use std::fmt::Display;

use bytes::Bytes;

use super::browser::Browser;

/// Filling in. Nothing of it is a request.
impl Browser {
    /// Fills in the field of this name: in the form last filled in, else the first on the page. Of radio buttons, boxes
    /// and options it chooses the one with this value.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn order(mut req: Request) -> Result<()> {
    ///     req.print(html! {
    ///         form method="post" {
    ///             input name="pieces" value="1";
    ///             select name="size" { option value="s" { "small" } option value="l" { "large" } }
    ///             input type="checkbox" name="gift";
    ///             button { "Order" }
    ///         }
    ///     });
    ///     req.next().await?;
    ///     let (pieces, size): (u32, String) = (req.param("pieces")?, req.param("size")?);
    ///     let gift = req.param::<Option<String>>("gift")?.is_some();
    ///     req.print(html! { (pieces) " of size " (size) @if gift { ", wrapped" } });
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::new(order);
    /// browser.get("/").await.fill("pieces", 3).fill("size", "large").tick("gift");
    /// browser.click("Order").await.shows("3 of size l, wrapped");
    /// # }
    /// ```
    #[track_caller]
    pub fn fill(&mut self, name: &str, value: impl Display) -> &mut Self {
        let value = value.to_string();
        let filled = self.page_mut().document.fill(name, &value);
        self.found(filled);
        self.trail.add(format!("fill {name}={value}"));
        self
    }

    /// Ticks the checkbox of this name.
    #[track_caller]
    pub fn tick(&mut self, name: &str) -> &mut Self {
        let ticked = self.page_mut().document.tick(name, true);
        self.found(ticked);
        self.trail.add(format!("tick {name}"));
        self
    }

    /// Takes the tick from the checkbox of this name; from all of them if there are several.
    #[track_caller]
    pub fn untick(&mut self, name: &str) -> &mut Self {
        let unticked = self.page_mut().document.tick(name, false);
        self.found(unticked);
        self.trail.add(format!("untick {name}"));
        self
    }

    /// Puts a file into the file field of this name, beside others if it is `multiple`. Forms that are not `multipart/form-data` send its name only.
    #[track_caller]
    pub fn attach(&mut self, name: &str, file: &str, content: impl Into<Bytes>) -> &mut Self {
        let attached = self.page_mut().document.attach(name, file, content.into());
        self.found(attached);
        self.trail.add(format!("attach {name}={file}"));
        self
    }

    /// Goes to a form by its place on the page, from 0, where several have fields of the same name.
    #[track_caller]
    pub fn form(&mut self, form: usize) -> &mut Self {
        let count = self.page().document.forms.len();
        let lost = || format!("I looked for form {form} of {count} (counted from 0)");
        self.found((form < count).then_some(()).ok_or_else(lost));
        self.page_mut().document.filled = Some(form);
        self
    }
}
