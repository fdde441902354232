//! The signs in a hit's head: where it comes from, what kind of request it is.

use http::{HeaderMap, header};

use super::Site;

/// What the head says about the hit itself, read in one pass: it is asked for on each hit.
#[derive(Default)]
pub(crate) struct Signs {
    pub(super) site: Option<Site>,
    pub(super) cookie_fields: u8,
    /// Which of all fields is the last of them.
    pub(super) cookie_at: u8,
    pub(super) origin: bool,
    /// There is an origin, and it is hidden.
    pub(super) opaque: bool,
    /// It says which page it comes from.
    pub(super) referer: bool,
    /// A browser, by what it calls itself.
    pub(super) browser: bool,
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
        for (at, (name, value)) in headers.iter().enumerate() {
            let value = value.as_bytes();
            match *name {
                header::COOKIE => {
                    signs.cookie_fields = signs.cookie_fields.saturating_add(1);
                    // A head may have more fields than that: then it is looked up.
                    signs.cookie_at = u8::try_from(at).unwrap_or(u8::MAX);
                }
                header::USER_AGENT => {
                    signs.browser = value.starts_with(b"Mozilla/");
                    signs.crawler = is_crawler(value);
                }
                header::CONTENT_TYPE => signs.read_type(value),
                header::ORIGIN => (signs.origin, signs.opaque) = (true, value == b"null"),
                header::REFERER => signs.referer = value.starts_with(b"http"),
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

/// Those letters: only where one stands, large or small, a name is looked for.
const RARE: [u8; 4] = *b"bpvw";
const BLOCK: usize = 16;

fn is_crawler(agent: &[u8]) -> bool {
    any(agent, is_rare) && is_named(agent)
}

#[inline(never)]
fn is_named(agent: &[u8]) -> bool {
    let named = |from: usize, block: &[u8]| {
        block.iter().enumerate().any(|(at, byte)| is_rare(*byte) && is_name_around(agent, from + at))
    };
    let mut blocks = agent.chunks(BLOCK).enumerate();
    blocks.any(|(nth, block)| any(block, is_rare) && named(nth * BLOCK, block))
}

/// Whether one of the bytes `is` so. It ends no block early: compilers look at one in a few instructions.
#[inline]
pub(crate) fn any(bytes: &[u8], is: impl Fn(u8) -> bool) -> bool {
    let in_block = |block: &[u8; BLOCK]| block.iter().fold(false, |any, byte| any | is(*byte));
    match bytes.last_chunk() {
        // The last one reaches back.
        Some(last) => bytes.as_chunks().0.iter().any(in_block) || in_block(last),
        None => bytes.iter().any(|byte| is(*byte)),
    }
}

fn is_rare(byte: u8) -> bool {
    let small = byte | 0x20;
    (small == RARE[0]) | (small == RARE[1]) | (small == RARE[2]) | (small == RARE[3])
}

fn is_name_around(agent: &[u8], at: usize) -> bool {
    CRAWLERS.iter().any(|(name, place)| {
        let here = at.checked_sub(*place).and_then(|start| agent.get(start..start + name.len()));
        here.is_some_and(|here| here.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crawler_is_known_wherever_in_its_name_for_itself() {
        for (name, rarest) in CRAWLERS {
            assert!(RARE.contains(&name[rarest]), "{}", name.escape_ascii());
            for before in 0..40 {
                for behind in [0, 1, 20] {
                    let agent =
                        [&b"-".repeat(before)[..], &name.to_ascii_uppercase(), &b"/".repeat(behind)].concat();
                    assert!(is_crawler(&agent), "{}", agent.escape_ascii());
                    assert!(!is_crawler(&agent[..before + name.len() - 1]), "{}", agent.escape_ascii());
                }
            }
        }
        assert!(!is_crawler(
            b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0"
        ));
    }
}
