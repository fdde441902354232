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
        let Some(start) = at.checked_sub(*place) else { return false };
        let here = agent.get(start..start + name.len());
        here.is_some_and(|here| here.eq_ignore_ascii_case(name)) && is_given(agent, start, start + name.len())
    })
}

/// Whether a crawler gives itself the name that stands here. Phones have such names too, and stand in a comment with what
/// else the browser runs on; a crawler's name there has a version, or an address to complain to is given.
#[cold]
fn is_given(agent: &[u8], start: usize, end: usize) -> bool {
    let rest = agent[end..].strip_prefix(b"s").unwrap_or(&agent[end..]);
    let in_word = rest.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    if in_word || is_phone(&agent[..start]) {
        return false;
    }
    let Some(comment) = open_comment(&agent[..start]) else { return true };
    let says = |text: &[u8]| agent.windows(text.len()).any(|at| at == text);
    rest.starts_with(b"/") || comment.starts_with(b"compatible") || says(b"://") || says(b"@")
}

/// Whether the word that ends with `bot` is the name of a maker of phones.
fn is_phone(before: &[u8]) -> bool {
    let word = before.rsplit(|byte| !byte.is_ascii_alphanumeric()).next().unwrap_or_default();
    word.eq_ignore_ascii_case(b"cu")
}

/// What stands behind the last `(` that is not closed.
fn open_comment(before: &[u8]) -> Option<&[u8]> {
    let mut closed = 0;
    for (at, byte) in before.iter().enumerate().rev() {
        match byte {
            b')' => closed += 1,
            b'(' if closed == 0 => return Some(&before[at + 1..]),
            b'(' => closed -= 1,
            _ => {}
        }
    }
    None
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
    }

    #[test]
    fn crawlers_are_known_in_whatever_way_they_write_their_name() {
        for agent in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/139.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; bingbot/2.0; \
             +http://www.bing.com/bingbot.htm) Chrome/116.0 Safari/537.36",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 \
             Safari/605.1.15 (Applebot/0.1; +http://www.apple.com/go/applebot)",
            "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 \
             (compatible; Bytespider; spider-feedback@bytedance.com)",
            "Mozilla/5.0 (compatible; SemrushBot)",
            "Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/us/ysearch/slurp)",
            "Mozilla/5.0 (compatible; archive.org_bot +http://www.archive.org/details/archive.org_bot)",
            "Mozilla/5.0 (Windows NT 5.1) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/35.0 Safari/537.36; 360Spider",
            "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)",
            "AdsBot-Google (+http://www.google.com/adsbot.html)",
            "Googlebot-Image/1.0",
            "Mediapartners-Google",
            "TelegramBot (like TwitterBot)",
            "Slackbot 1.0 (+https://api.slack.com/robots)",
            "Twitterbot/1.0",
            "DuckDuckBot/1.1; (+http://duckduckgo.com/duckduckbot.html)",
            "crawler4j (https://github.com/yasserg/crawler4j/)",
            "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
            "Baiduspider",
        ] {
            assert!(is_crawler(agent.as_bytes()), "{agent}");
        }
    }

    #[test]
    fn phones_and_browsers_are_no_crawlers_whatever_they_are_called() {
        let chrome = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/110.0.0.0 Mobile Safari/537.36";
        for phone in [
            "Linux; Android 10; CUBOT_X30",
            "Linux; Android 9; CUBOT X19",
            "Linux; Android 9; CUBOT KING KONG 3",
            "Linux; Android 8.1.0; CUBOT",
            "Linux; U; Android 8.0.0; CUBOT_X18_Plus Build/O00623; wv",
            "Linux; Android 5.1; CUBOT_NOTE_S Build/LMY47I",
            "Linux; Android 7.0; cubot/MAX",
            "Linux; Android 12; Abbot Pro",
            "Linux; Android 12; Kingbot Build/1",
            "Linux; Android 11; Spider 5G",
            "Linux; Android 11; Botany",
        ] {
            let agent = format!("Mozilla/5.0 ({phone}) {chrome}");
            assert!(!is_crawler(agent.as_bytes()), "{agent}");
        }
        for agent in [
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0",
            "Dalvik/2.1.0 (Linux; U; Android 9; CUBOT_X19 Build/PPR1.180610.011)",
            "Shop/2.1 CUBOT X30 (Android 10)",
            "Instagram 308.0.0.36.109 Android (29/10; 320dpi; 720x1460; CUBOT; CUBOT_X30; en_IN; 534961943)",
            "Robotics/1.0",
            "",
            "(",
        ] {
            assert!(!is_crawler(agent.as_bytes()), "{agent}");
        }
    }
}
