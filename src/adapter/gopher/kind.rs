//! Types of items: what a client does with what a selector gets it.

/// What a client makes of an answer. The protocol names it by a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Menu,
    Text,
    /// A menu that takes words.
    Search,
    Gif,
    Image,
    Sound,
    Binary,
    /// A page of the web: its selector begins with `URL:`.
    Web,
}

impl Kind {
    const ALL: [Kind; 8] =
        [Kind::Menu, Kind::Text, Kind::Search, Kind::Gif, Kind::Image, Kind::Sound, Kind::Binary, Kind::Web];

    pub(super) fn letter(self) -> char {
        match self {
            Kind::Menu => '1',
            Kind::Text => '0',
            Kind::Search => '7',
            Kind::Gif => 'g',
            Kind::Image => 'I',
            Kind::Sound => 's',
            Kind::Binary => '9',
            Kind::Web => 'h',
        }
    }

    pub(super) fn of_letter(letter: u8) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| kind.letter() == char::from(letter))
    }

    /// What is found at a path, by its name: a menu, if the name says nothing.
    pub(super) fn of_path(path: &str) -> Kind {
        let name = path.rsplit('/').next().unwrap_or_default();
        mime_guess::from_path(name).first_raw().map_or(Kind::Menu, Kind::of_type)
    }

    /// What a response of this content type is.
    pub(super) fn of_type(content_type: &str) -> Kind {
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.split_once('/') {
            Some(("text", "html")) | Some(("application", "xhtml+xml")) => Kind::Menu,
            Some(("text", _)) => Kind::Text,
            Some(("image", "gif")) => Kind::Gif,
            Some(("image", _)) => Kind::Image,
            Some(("audio", _)) => Kind::Sound,
            _ => Kind::Binary,
        }
    }

    /// Whether an answer of this kind is sent as it is.
    pub(super) fn is_raw(self) -> bool {
        matches!(self, Kind::Gif | Kind::Image | Kind::Sound | Kind::Binary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_it_leads_to() {
        for (path, letter) in [
            ("/", '1'),
            ("/shop.d/list", '1'),
            ("/v1.2", '1'),
            ("/about.html", '1'),
            ("/notes.txt", '0'),
            ("/a/b.gif", 'g'),
            ("/a/b.PNG", 'I'),
            ("/song.mp3", 's'),
            ("/data.zip", '9'),
        ] {
            assert_eq!(Kind::of_path(path).letter(), letter, "{path}");
        }
    }

    #[test]
    fn a_letter_is_of_one_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::of_letter(kind.letter() as u8), Some(kind));
        }
        assert_eq!(Kind::of_letter(b'x'), None);
    }
}
