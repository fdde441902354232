//! The signs in a hit's head: where it comes from, what kind of request it is.

use http::{HeaderMap, header};

use super::Site;

/// What the head says about the hit itself, read in one pass: it is asked for on each hit.
#[derive(Default)]
pub(crate) struct Signs {
    pub(super) site: Option<Site>,
    pub(super) cookie_fields: u8,
    pub(super) origin: bool,
    pub(super) urlencoded: bool,
    /// Fetched by a browser as a part of a page.
    pub(crate) part: bool,
    pub(crate) prefetch: bool,
    pub(crate) crawler: bool,
}

/// Kinds of things that pages load by themselves.
const PARTS: [&str; 6] = ["image", "style", "script", "font", "manifest", "serviceworker"];

impl Signs {
    pub(super) fn read(headers: &HeaderMap) -> Signs {
        let mut signs = Signs::default();
        for (name, value) in headers {
            let value = value.as_bytes();
            match *name {
                header::COOKIE => signs.cookie_fields = signs.cookie_fields.saturating_add(1),
                header::USER_AGENT => signs.crawler = is_crawler(value),
                header::CONTENT_TYPE => signs.read_type(value),
                header::ORIGIN => signs.origin = true,
                _ => signs.read_other(name.as_str(), value),
            }
        }
        signs
    }

    fn read_other(&mut self, name: &str, value: &[u8]) {
        match name {
            "sec-fetch-site" => {
                let same = matches!(value, b"same-origin" | b"none");
                self.site = Some(if same { Site::Same } else { Site::Cross });
            }
            "sec-fetch-dest" => self.part = PARTS.iter().any(|part| part.as_bytes() == value),
            "sec-purpose" | "purpose" | "x-moz" => self.prefetch |= is_prefetch(value),
            _ => {}
        }
    }

    fn read_type(&mut self, content_type: &[u8]) {
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        self.urlencoded = essence.eq_ignore_ascii_case(b"application/x-www-form-urlencoded");
    }
}

fn is_prefetch(value: &[u8]) -> bool {
    ["prefetch", "prerender"].iter().any(|word| value.windows(word.len()).any(|at| at == word.as_bytes()))
}

/// What programs that read the web for others call themselves, each with the place of its rarest letter.
const CRAWLERS: [(&[u8], usize); 8] = [
    (b"bot", 0),
    (b"bingpreview", 4),
    (b"crawler", 3),
    (b"facebookexternalhit", 4),
    (b"ia_archiver", 8),
    (b"mediapartners", 5),
    (b"slurp", 4),
    (b"spider", 1),
];

/// Those letters, large and small: only where one stands a name is looked for.
const RARE: [bool; 256] = {
    let mut rare = [false; 256];
    let mut at = 0;
    while at < CRAWLERS.len() {
        let letter = CRAWLERS[at].0[CRAWLERS[at].1];
        rare[letter as usize] = true;
        rare[letter.to_ascii_uppercase() as usize] = true;
        at += 1;
    }
    rare
};

fn is_crawler(agent: &[u8]) -> bool {
    let mut from = 0;
    while let Some(at) = agent[from..].iter().position(|byte| RARE[usize::from(*byte)]) {
        if is_name_around(agent, from + at) {
            return true;
        }
        from += at + 1;
    }
    false
}

#[inline(never)]
fn is_name_around(agent: &[u8], at: usize) -> bool {
    CRAWLERS.iter().any(|(name, place)| {
        let here = at.checked_sub(*place).and_then(|start| agent.get(start..start + name.len()));
        here.is_some_and(|here| here.eq_ignore_ascii_case(name))
    })
}
