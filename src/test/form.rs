//! Filling in forms, as values.
//!
//! What can go wrong is told as what the visitor looked for and did not find; the browser adds the page.

use bytes::Bytes;

use crate::document::Document;
use crate::document::form::{Choice, Field, Kind};

impl Document {
    /// Fills in a line of text, or chooses the radio button, box or option that has this value.
    pub(super) fn fill(&mut self, name: &str, value: &str) -> Result<(), String> {
        let at = self.find_open(name, "field", Kind::can_be_filled)?;
        self.filled = self.fields[at].form;
        match &mut self.fields[at].kind {
            Kind::Select { options, several } => select(options, *several, value).map_err(|there| {
                format!("I looked for an option {value:?} of `{name}` (there are {})", there.join(", "))
            }),
            Kind::Checkbox { .. } | Kind::Radio { .. } => self.choose(at, value),
            kind => {
                // What is pasted into a line loses its line ends.
                let lines = matches!(kind, Kind::Area);
                self.fields[at].value =
                    if lines { value.to_owned() } else { value.replace(['\r', '\n'], "") };
                if let Some(rules) = &mut self.fields[at].rules {
                    rules.edited = true;
                }
                Ok(())
            }
        }
    }

    /// Ticks the box of this name, or takes the tick away.
    pub(super) fn tick(&mut self, name: &str, tick: bool) -> Result<(), String> {
        let at = self.find_open(name, "checkbox", |kind| matches!(kind, Kind::Checkbox { .. }))?;
        let form = self.fields[at].form;
        self.filled = form;
        let mut boxes = Vec::new();
        for field in self.fields.iter_mut().filter(|field| field.form == form && field.name == name) {
            if let Kind::Checkbox { on } = &mut field.kind {
                boxes.push(on);
            }
        }
        if boxes.len() > 1 && tick {
            let count = boxes.len();
            return Err(format!("I looked for one checkbox `{name}`, not {count} (say which by `fill`),"));
        }
        boxes.into_iter().for_each(|on| *on = tick);
        Ok(())
    }

    /// Puts a file into the field of this name: beside others if it takes several.
    pub(super) fn attach(&mut self, name: &str, file: &str, content: Bytes) -> Result<(), String> {
        let at = self.find_open(name, "file field", |kind| matches!(kind, Kind::File { .. }))?;
        let field = &mut self.fields[at];
        self.filled = field.form;
        if let Kind::File { files, several } = &mut field.kind {
            if !*several {
                files.clear();
            }
            files.push((file.to_owned(), content));
            field.value = files.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(", ");
        }
        Ok(())
    }

    /// What the field of this name holds: of boxes and options the chosen one's value, else nothing.
    pub(super) fn value(&self, name: &str) -> Result<String, String> {
        let at = self.find(name, "field", |kind| !matches!(kind, Kind::Button { .. }))?;
        let form = self.fields[at].form;
        let group = self.fields.iter().filter(|field| field.form == form && field.name == name);
        Ok(group.flat_map(Field::chosen).next().unwrap_or_default().to_owned())
    }

    /// The form that a visitor means who says nothing more than "submit".
    pub(super) fn form_in_hand(&self) -> Result<usize, String> {
        match (self.filled, self.forms.len()) {
            (Some(form), _) => Ok(form),
            (None, 1) => Ok(0),
            (None, 0) => Err("I looked for a form".into()),
            (None, count) => Err(format!(
                "I looked for one form, not {count} (fill one in, or say which by `submit_form` or `click`),"
            )),
        }
    }

    /// The field of this name that a visitor means: in the form they are at, else the first.
    fn find(&self, name: &str, what: &str, fits: impl Fn(&Kind) -> bool) -> Result<usize, String> {
        let named = |field: &Field| field.name == name && fits(&field.kind);
        let here = |field: &Field| named(field) && self.filled.is_some() && field.form == self.filled;
        let at = self.fields.iter().position(here).or_else(|| self.fields.iter().position(named));
        at.ok_or_else(|| format!("I looked for a {what} `{name}`"))
    }

    /// Like `find`, for a field that is to be changed.
    fn find_open(&self, name: &str, what: &str, fits: impl Fn(&Kind) -> bool) -> Result<usize, String> {
        let at = self.find(name, what, fits)?;
        if self.fields[at].disabled {
            return Err(format!("I looked for a {what} `{name}` that is not disabled"));
        }
        Ok(at)
    }

    /// Chooses the radio button or box with this value among those of the same name.
    fn choose(&mut self, at: usize, value: &str) -> Result<(), String> {
        let (form, name) = (self.fields[at].form, self.fields[at].name.clone());
        let group = |field: &&mut Field| field.form == form && field.name == name;
        if !self.fields.iter_mut().any(|field| group(&&mut *field) && field.value == value) {
            return Err(format!("I looked for a choice {value:?} of `{name}`"));
        }
        for field in self.fields.iter_mut().filter(group) {
            let meant = field.value == value;
            match &mut field.kind {
                Kind::Radio { on } => *on = meant,
                Kind::Checkbox { on } => *on |= meant,
                _ => {}
            }
        }
        Ok(())
    }
}

impl Kind {
    fn can_be_filled(&self) -> bool {
        !matches!(self, Kind::Hidden | Kind::File { .. } | Kind::Button { .. })
    }
}

/// Selects the option with this value, else with this text; what there is if there is none.
fn select(options: &mut [Choice], several: bool, wanted: &str) -> Result<(), Vec<String>> {
    let open = |option: &&Choice| !option.disabled;
    let by_value = options.iter().filter(open).any(|option| option.value == wanted);
    let meant = |option: &Choice| wanted == if by_value { &option.value } else { &option.text };
    if !options.iter().filter(open).any(meant) {
        return Err(options.iter().map(|option| format!("{:?}", option.value)).collect());
    }
    for option in options {
        option.on = !option.disabled && meant(option) || several && option.on;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::document::parse::parse;

    fn sent(document: &super::Document, button: Option<usize>) -> Vec<String> {
        let entries = document.entries(0, button);
        entries.iter().map(|entry| format!("{}={}", entry.name, entry.value)).collect()
    }

    #[test]
    fn fields_are_filled_ticked_and_chosen() {
        let mut document = parse(
            "<form><input name=a><input type=checkbox name=b><input type=checkbox name=c value=1>\
             <input type=checkbox name=c value=2><input type=radio name=r value=1 checked>\
             <input type=radio name=r value=2><select name=s><option value=1>one<option value=2>two</select></form>",
        );
        document.fill("a", "x").expect("a line");
        document.tick("b", true).expect("a box");
        document.fill("c", "2").expect("one of two boxes");
        document.fill("r", "2").expect("a radio button");
        document.fill("s", "two").expect("an option by its text");
        assert_eq!(sent(&document, None), ["a=x", "b=on", "c=2", "r=2", "s=2"]);
        assert_eq!(document.value("r"), Ok("2".into()));
        document.tick("c", false).expect("none is ticked then");
        assert_eq!(document.value("c"), Ok("".into()));
    }

    #[test]
    fn what_is_not_there_is_said() {
        let mut document = parse(
            "<form><input type=hidden name=h><input name=d disabled><input type=checkbox name=c>\
             <input type=checkbox name=c><input type=radio name=r value=1>\
             <select name=s><option>a<option>b</select></form><form></form>",
        );
        let fill = |document: &mut super::Document, name| document.fill(name, "x").expect_err("not there");
        assert!(document.form_in_hand().expect_err("two").starts_with("I looked for one form, not 2"));
        assert_eq!(fill(&mut document, "nobody"), "I looked for a field `nobody`");
        assert_eq!(fill(&mut document, "h"), "I looked for a field `h`");
        assert_eq!(fill(&mut document, "d"), "I looked for a field `d` that is not disabled");
        assert_eq!(fill(&mut document, "r"), "I looked for a choice \"x\" of `r`");
        assert_eq!(fill(&mut document, "s"), "I looked for an option \"x\" of `s` (there are \"a\", \"b\")");
        let two = document.tick("c", true).expect_err("two of them");
        assert_eq!(two, "I looked for one checkbox `c`, not 2 (say which by `fill`),");
    }

    #[test]
    fn the_form_in_hand_is_the_one_last_filled() {
        let mut document = parse(
            "<form><input name=a></form><form><input name=a><input name=b></form><input form=late name=z>\
             <form id=late></form>",
        );
        document.fill("b", "1").expect("only there");
        document.fill("a", "2").expect("the one beside `b`");
        assert_eq!(document.form_in_hand(), Ok(1));
        assert_eq!(document.value("a"), Ok("2".into()));
        document.fill("z", "3").expect("it names its form");
        assert_eq!(document.form_in_hand(), Ok(2));
    }
}
