//! The checks that browsers make before they send a form: HTML's constraint validation, of what a visitor can type.
//!
//! Left out: steps of dates and times, `setCustomValidity`, which is of scripts, and patterns that [`Pattern`] does not
//! understand.

use super::browser::Browser;
use super::pattern::Pattern;
use crate::document::Document;
use crate::document::form::{Field, Kind, Rules};

/// One address of e-mail, by HTML's own rule.
const EMAIL: &str = "[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\
    (\\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*";
const URL: &str = "[a-zA-Z][a-zA-Z0-9+.-]*:.*[^ :/].*";
const NUMBER: &str = "-?([0-9]+(\\.[0-9]+)?|\\.[0-9]+)([eE][-+]?[0-9]+)?";
/// The inputs that hold dates and times, and what they can hold.
const MOMENTS: [(&str, &str); 5] = [
    ("date", "[0-9]{4,}-[01][0-9]-[0-3][0-9]"),
    ("month", "[0-9]{4,}-[01][0-9]"),
    ("week", "[0-9]{4,}-W[0-5][0-9]"),
    ("time", "[0-2][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,3})?)?"),
    (
        "datetime-local",
        "[0-9]{4,}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9](\\.[0-9]{1,3})?)?",
    ),
];
/// The inputs whose `pattern` counts.
const WITH_PATTERN: [&str; 6] = ["", "text", "search", "url", "tel", "email"];

impl Browser {
    /// Sends the next form without the checks that browsers make: as scripts can, and programs that are no browsers.
    ///
    /// ```
    /// # use continuity::prelude::*;
    /// # use continuity::test::Browser;
    /// async fn order(mut req: Request) -> Result<()> {
    ///     req.print(html! { form { input type="number" name="pieces" min="1" required; button { "Order" } } });
    ///     let pieces: u32 = req.next().await?.param("pieces")?;
    ///     req.print(html! { (pieces) " pieces" });
    ///     Ok(())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// let mut browser = Browser::new(order);
    /// browser.get("/").await.fill("pieces", 0);
    /// browser.unchecked().submit().await.shows("0 pieces");
    /// # }
    /// ```
    pub fn unchecked(&mut self) -> &mut Self {
        self.unchecked = true;
        self
    }
}

impl Document {
    /// What a browser says instead of sending a form by this button: of the first field that is not as it demands.
    pub(super) fn objection(&self, form: usize, button: Option<usize>) -> Option<String> {
        let pressed = button.map(|at| &self.fields[at].kind);
        if self.forms[form].unchecked || matches!(pressed, Some(Kind::Button { unchecked: true, .. })) {
            return None;
        }
        let fields = self.fields.iter().filter(|field| field.form == Some(form) && !field.disabled);
        fields.into_iter().find_map(|field| {
            let demand = self.demand(field, field.rules.as_deref()?)?;
            Some(format!("the field `{}` holds {:?}, and {demand}", field.name, field.chosen().join(", ")))
        })
    }

    /// What is demanded of a field that is not so.
    fn demand(&self, field: &Field, rules: &Rules) -> Option<String> {
        let empty = match &field.kind {
            Kind::Checkbox { on } => !on,
            Kind::Radio { .. } => return self.radio_demand(field),
            // An empty first option says that nothing is chosen.
            Kind::Select { options, several } => {
                let empty = |at: usize| !several && at == 0 && options[at].value.is_empty();
                !options.iter().enumerate().any(|(at, option)| option.on && !empty(at))
            }
            Kind::File { files, .. } => files.is_empty(),
            _ => field.value.is_empty(),
        };
        match &field.kind {
            _ if empty => rules.required.then(|| "it is required".to_owned()),
            Kind::Line | Kind::Area => rules.demand_of_text(&field.value),
            _ => None,
        }
    }

    /// One that is required makes all of its name so.
    fn radio_demand(&self, field: &Field) -> Option<String> {
        let group =
            || self.fields.iter().filter(|other| other.form == field.form && other.name == field.name);
        let required = group().any(|other| other.rules.as_ref().is_some_and(|rules| rules.required));
        let chosen = group().any(|other| matches!(other.kind, Kind::Radio { on: true }));
        (required && !chosen).then(|| "one of them is required".to_owned())
    }
}

impl Rules {
    fn demand_of_text(&self, text: &str) -> Option<String> {
        let length = text.replace("\r\n", "\n").encode_utf16().count();
        if let Some(most) = self.most.filter(|most| self.edited && length > *most) {
            return Some(format!("nobody can type more than {most} characters there"));
        }
        if let Some(least) = self.least.filter(|least| self.edited && length < *least) {
            return Some(format!("at least {least} characters are wanted"));
        }
        let demand = match &*self.input {
            "email" if self.several => {
                text.split(',').find_map(|one| is_no(EMAIL, one.trim(), "an address of e-mail"))
            }
            "email" => is_no(EMAIL, text.trim(), "an address of e-mail"),
            "url" => is_no(URL, text.trim(), "a whole URL"),
            "number" => self.demand_of_number(text),
            input => MOMENTS.iter().find(|(moment, _)| *moment == input).and_then(|(what, pattern)| {
                is_no(pattern, text, &format!("a {what}"))
                    .or_else(|| self.demand_of_range(|bound| bound.cmp(text)))
            }),
        };
        demand.or_else(|| self.demand_of_pattern(text))
    }

    fn demand_of_number(&self, text: &str) -> Option<String> {
        if let Some(demand) = is_no(NUMBER, text, "a number") {
            return Some(demand);
        }
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        let value = number(text)?;
        let beside =
            |bound: &str| number(bound).map_or(std::cmp::Ordering::Equal, |bound| bound.total_cmp(&value));
        self.demand_of_range(beside).or_else(|| {
            let step = self.step.as_deref().unwrap_or("1");
            if step.trim().eq_ignore_ascii_case("any") {
                return None;
            }
            let step = number(step).filter(|step| *step > 0.0).unwrap_or(1.0);
            let base = self.min.as_deref().and_then(number).or_else(|| number(&self.first)).unwrap_or(0.0);
            let steps = (value - base) / step;
            let off = (steps - steps.round()).abs() > 1e-9 * steps.abs().max(1.0);
            off.then(|| format!("it goes by steps of {step} from {base}"))
        })
    }

    /// By how a bound is beside the value.
    fn demand_of_range(&self, beside: impl Fn(&str) -> std::cmp::Ordering) -> Option<String> {
        let low = self.min.as_deref().filter(|min| !min.is_empty() && beside(min).is_gt());
        let high = self.max.as_deref().filter(|max| !max.is_empty() && beside(max).is_lt());
        low.map(|min| format!("it is at least {min}"))
            .or_else(|| high.map(|max| format!("it is at most {max}")))
    }

    fn demand_of_pattern(&self, text: &str) -> Option<String> {
        let pattern = self
            .pattern
            .as_deref()
            .filter(|_| WITH_PATTERN.contains(&&*self.input) || self.input == "password")?;
        let fits = Pattern::read(pattern)?.fits(text);
        (!fits).then(|| format!("it has to fit the pattern {pattern}"))
    }
}

fn is_no(pattern: &str, text: &str, what: &str) -> Option<String> {
    let fits = Pattern::read(pattern).is_some_and(|pattern| pattern.fits(text));
    (!fits).then(|| format!("{what} is wanted"))
}

#[cfg(test)]
mod tests {
    use crate::document::parse::parse;

    /// What is said of a field with these attributes that somebody fills in.
    fn said(attributes: &str, value: &str) -> String {
        let mut page = parse(&format!("<form><input name=f {attributes}></form>"));
        page.fill("f", value).expect("it is there");
        let objection = page.objection(0, None).unwrap_or_default();
        objection.split_once(", and ").map_or("", |(_, demand)| demand).to_owned()
    }

    #[test]
    fn numbers_have_bounds_and_steps() {
        for (attributes, good, bad, demand) in [
            ("type=number", "-3", "1.5", "it goes by steps of 1 from 0"),
            ("type=number", "1e2", "1,5", "a number is wanted"),
            ("type=number step=any", "1.5", "abc", "a number is wanted"),
            ("type=number step=0.1", "0.3", "0.35", "it goes by steps of 0.1 from 0"),
            ("type=number min=1 step=2", "5", "4", "it goes by steps of 2 from 1"),
            ("type=number value=0.5", "2.5", "2", "it goes by steps of 1 from 0.5"),
            ("type=number min=1 max=12", "12", "13", "it is at most 12"),
            ("type=number min=1", "1", "-0.5", "it is at least 1"),
            ("type=number required", "0", "", "it is required"),
        ] {
            assert_eq!(
                (said(attributes, good).as_str(), said(attributes, bad).as_str()),
                ("", demand),
                "{attributes}"
            );
        }
        assert_eq!(said("type=number min=1", ""), "", "what is empty has no bounds");
    }

    #[test]
    fn text_is_of_its_kind() {
        for (attributes, good, bad, demand) in [
            ("type=email", "ada@example.org", "ada@", "an address of e-mail is wanted"),
            ("type=email", "a.b+c@x-y.example", "ada lovelace@example.org", "an address of e-mail is wanted"),
            ("type=email multiple", "a@b.c, d@e.f", "a@b.c; d@e.f", "an address of e-mail is wanted"),
            ("type=url", "https://example.org", "example.org", "a whole URL is wanted"),
            ("type=date min=2026-01-02", "2026-01-02", "2026-01-01", "it is at least 2026-01-02"),
            ("type=date", "2026-12-01", "1.12.2026", "a date is wanted"),
            ("type=time max=17:00", "16:59", "17:01", "it is at most 17:00"),
            ("pattern='[A-Z]{3}'", "ABC", "ABCD", "it has to fit the pattern [A-Z]{3}"),
            ("maxlength=3", "a𝄞", "a𝄞b", "nobody can type more than 3 characters there"),
            ("minlength=3", "", "ab", "at least 3 characters are wanted"),
            ("required", " ", "", "it is required"),
        ] {
            assert_eq!(
                (said(attributes, good).as_str(), said(attributes, bad).as_str()),
                ("", demand),
                "{attributes}"
            );
        }
        assert_eq!(said("type=number pattern=x", "5"), "", "numbers have no pattern");
    }

    fn objection(fields: &str) -> Option<String> {
        parse(&format!("<form>{fields}<button>Go</button></form>")).objection(0, None)
    }

    #[test]
    fn what_is_required_is_ticked_chosen_or_attached() {
        for (wrong, right) in [
            ("<input type=checkbox name=f required>", "<input type=checkbox name=f required checked>"),
            (
                "<input type=radio name=f required value=1><input type=radio name=f value=2>",
                "<input type=radio name=f required value=1><input type=radio name=f value=2 checked>",
            ),
            (
                "<select name=f required><option value=''>Choose<option>a</select>",
                "<select name=f required><option>a<option value=''>b</select>",
            ),
            ("<input type=file name=f required>", "<input type=file name=f>"),
            ("<textarea name=f required></textarea>", "<textarea name=f required>x</textarea>"),
            ("<input name=f required>", "<input name=f required readonly>"),
            ("<input name=f required>", "<fieldset disabled><input name=f required></fieldset>"),
            ("<input name=f required>", "<input type=hidden name=f required>"),
            ("<input name=f type=email value=x>", "<input name=f maxlength=1 value=xx>"),
        ] {
            assert!(objection(wrong).is_some_and(|objection| objection.contains("`f`")), "{wrong}");
            assert_eq!(objection(right), None, "{right}");
        }
    }

    #[test]
    fn a_form_or_a_button_may_say_that_nothing_is_checked() {
        let page = parse(
            "<form><input name=f required><button>Go</button><button formnovalidate>Later</button></form>\
             <form novalidate><input name=f required></form>",
        );
        assert!(page.objection(0, None).is_some() && page.objection(0, Some(1)).is_some());
        assert_eq!((page.objection(0, Some(2)), page.objection(1, None)), (None, None));
    }
}
