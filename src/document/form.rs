//! Forms: what they hold, and what is sent of it.

use bytes::Bytes;

use super::Document;

#[derive(Debug, Default)]
pub(crate) struct Form {
    pub(crate) id: String,
    pub(crate) action: String,
    pub(crate) method: String,
    pub(crate) enctype: String,
    /// Sent without being checked.
    pub(crate) unchecked: bool,
}

#[derive(Debug)]
pub(crate) struct Field {
    /// Which form it belongs to; `None` outside all of them.
    pub(crate) form: Option<usize>,
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) disabled: bool,
    pub(crate) kind: Kind,
    /// What browsers demand of it before they send it.
    pub(crate) rules: Option<Box<Rules>>,
}

/// What browsers demand of a field.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// The kind of input: `text`, `number`.
    pub(crate) input: String,
    pub(crate) required: bool,
    pub(crate) several: bool,
    pub(crate) min: Option<String>,
    pub(crate) max: Option<String>,
    pub(crate) step: Option<String>,
    pub(crate) pattern: Option<String>,
    /// Characters, of what somebody has typed.
    pub(crate) least: Option<usize>,
    pub(crate) most: Option<usize>,
    /// What the field held first.
    pub(crate) first: String,
    /// Somebody has filled it in.
    pub(crate) edited: bool,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Hidden,
    Line,
    Area,
    Checkbox {
        on: bool,
    },
    Radio {
        on: bool,
    },
    Select {
        options: Vec<Choice>,
        several: bool,
    },
    /// Names and contents of what was attached.
    File {
        files: Vec<(String, Bytes)>,
        several: bool,
    },
    Button {
        action: Option<String>,
        method: Option<String>,
        /// It sends its form without checking it.
        unchecked: bool,
    },
}

/// An option of a `<select>`.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) text: String,
    pub(crate) disabled: bool,
    pub(crate) on: bool,
}

/// One pair of what a form sends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    /// The value; the name of a file.
    pub(crate) value: String,
    pub(crate) file: Option<Bytes>,
}

impl Document {
    /// What a form sends when this button of it is used.
    pub(crate) fn entries(&self, form: usize, button: Option<usize>) -> Vec<Entry> {
        self.entries_but(form, button, |_| false)
    }

    /// What it sends but for some of its fields.
    pub(crate) fn entries_but(
        &self,
        form: usize,
        button: Option<usize>,
        left_out: impl Fn(&Field) -> bool,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (at, field) in self.fields.iter().enumerate() {
            if field.form != Some(form) || field.disabled || field.name.is_empty() || left_out(field) {
                continue;
            }
            match &field.kind {
                Kind::Button { .. } if Some(at) != button => {}
                Kind::File { files, .. } if files.is_empty() => {
                    entries.push(Entry { file: Some(Bytes::new()), ..field.entry("") });
                }
                Kind::File { files, .. } => entries.extend(files.iter().map(|(name, content)| {
                    let file = Some(content.clone());
                    Entry { file, ..field.entry(name) }
                })),
                _ => entries.extend(field.chosen().into_iter().map(|value| field.entry(value))),
            }
        }
        entries
    }

    /// The button that Enter presses.
    pub(crate) fn default_button(&self, form: usize) -> Option<usize> {
        let button = |field: &Field| matches!(field.kind, Kind::Button { .. }) && !field.disabled;
        self.fields.iter().position(|field| field.form == Some(form) && button(field))
    }

    /// Where a form is sent to by this button of it, and whether it is posted: a button may know better than its form.
    pub(crate) fn goal(&self, form: usize, button: Option<usize>) -> (&str, bool) {
        let form = &self.forms[form];
        let (action, method) = match button.map(|at| &self.fields[at].kind) {
            Some(Kind::Button { action, method, .. }) => (action.as_ref(), method.as_ref()),
            _ => (None, None),
        };
        (action.unwrap_or(&form.action), method.unwrap_or(&form.method) == "post")
    }
}

impl Field {
    /// The values it stands for now.
    pub(crate) fn chosen(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Checkbox { on: false } | Kind::Radio { on: false } => Vec::new(),
            Kind::Select { options, .. } => {
                options.iter().filter(|option| option.on).map(|option| &*option.value).collect()
            }
            _ => vec![&self.value],
        }
    }

    /// The field as a line of text shows it.
    pub(crate) fn sketch(&self) -> String {
        let shown = match &self.kind {
            Kind::Checkbox { on: true } | Kind::Radio { on: true } => "x".to_owned(),
            _ => self.chosen().join(", "),
        };
        format!("{}=[{shown}]", self.name)
    }

    fn entry(&self, value: &str) -> Entry {
        Entry { name: self.name.clone(), value: value.to_owned(), file: None }
    }
}

/// What is sent, as in a query.
pub(crate) fn urlencoded(entries: &[Entry]) -> String {
    let pairs = entries.iter().map(|entry| (with_crlf(&entry.name), with_crlf(&entry.value)));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
}

/// Lines end as in all that is sent: by CR LF.
pub(crate) fn with_crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use crate::document::parse::parse;

    fn sent(document: &super::Document, button: Option<usize>) -> Vec<String> {
        let entries = document.entries(0, button);
        entries.iter().map(|entry| format!("{}={}", entry.name, entry.value)).collect()
    }

    #[test]
    fn a_form_sends_what_it_holds() {
        let document = parse(
            r#"<form><input type=hidden name=id value=7><input name=a value=x><input value=nameless>
            <input name=off value=1 disabled><fieldset disabled><input name=off2></fieldset>
            <input type=checkbox name=b checked><input type=checkbox name=c value=no>
            <input type=radio name=r value=1><input type=radio name=r value=2 checked>
            <select name=s><option value="" disabled>Choose</option><option>one</option><option>two</option></select>
            <select name=m multiple><option selected>a</option><option>b</option><option selected>c</option></select>
            <textarea name=t>
1
2</textarea></form><input name=outside>"#,
        );
        assert_eq!(sent(&document, None), ["id=7", "a=x", "b=on", "r=2", "s=one", "m=a", "m=c", "t=1\n2"]);
    }

    #[test]
    fn a_button_sends_itself_and_no_other() {
        let document = parse(
            "<form><button type=button name=x>Script</button><button name=go value=1>A</button>\
             <input type=submit name=go value=2></form>",
        );
        let first = document.default_button(0).expect("there is one");
        assert_eq!(sent(&document, Some(first)), ["go=1"]);
        assert_eq!(sent(&document, Some(first + 1)), ["go=2"]);
        assert_eq!(sent(&document, None), [""; 0]);
    }
}
