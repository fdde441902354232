//! Decides whether what a client saw of one session has a past that explains it. Pure: it knows nothing of servers.
//!
//! A session is a list of words, told as their number and a chain of hashes over them. A word that was sent and never
//! answered may be in the list, once, at its place; a word that was answered is.

/// A session, as a response tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    pub n: u64,
    pub chain: u64,
}

impl Told {
    /// With one more word.
    pub fn with(self, word: &str) -> Told {
        let mut chain = self.chain ^ 0xcbf2_9ce4_8422_2325;
        for byte in word.bytes().chain([0]) {
            chain = (chain ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Told { n: self.n + 1, chain }
    }
}

/// What a client knows of one session.
#[derive(Debug, Default)]
pub struct History {
    /// What was told last, with the words that led there.
    told: Told,
    pub words: Vec<String>,
    /// Words that were sent since, in order; nobody knows what became of them.
    open: Vec<String>,
    /// What came first of all and never changes.
    mark: Option<u64>,
}

impl History {
    /// A word is about to be sent.
    pub fn sent(&mut self, word: &str) {
        if self.open.last().is_none_or(|last| last != word) {
            self.open.push(word.to_owned());
        }
    }

    /// The word that was sent last, and not answered.
    pub fn unknown(&self) -> Option<&str> {
        self.open.last().map(String::as_str)
    }

    /// Nothing was ever told of it that had to be kept.
    pub fn is_new(&self) -> bool {
        self.words.is_empty()
    }

    /// A response that tells the session. With `applied`, it is the answer to the word that was sent last.
    pub fn told(&mut self, told: Told, mark: u64, applied: bool) -> Result<(), String> {
        let found = self.explain(told, applied).ok_or_else(|| {
            format!("told {told:?} after {:?} with {:?} open; answered: {applied}", self.told, self.open)
        })?;
        if told.n > 0 && *self.mark.get_or_insert(mark) != mark {
            return Err(format!("what chance gave was {:?} and is {mark}", self.mark));
        }
        self.open.clear();
        self.words.extend(found);
        self.told = told;
        Ok(())
    }

    /// The open words that lead there: in order, some perhaps left out.
    fn explain(&self, told: Told, applied: bool) -> Option<Vec<String>> {
        let words = lead(self.told, told, &self.open)?;
        let last = !words.is_empty() && words.last() == self.open.last();
        (last || !applied).then_some(words)
    }
}

/// Words out of these, in order, that lead from there to here.
fn lead(from: Told, to: Told, words: &[String]) -> Option<Vec<String>> {
    if from == to {
        return Some(Vec::new());
    }
    let missing = usize::try_from(to.n.checked_sub(from.n)?).ok()?;
    if missing == 0 || missing > words.len() {
        return None;
    }
    words.iter().enumerate().find_map(|(place, word)| {
        let mut found = lead(from.with(word), to, &words[place + 1..])?;
        found.insert(0, word.clone());
        Some(found)
    })
}

/// What effects were noted outside, each as a word and the key that it came with: each word that is in a session was
/// noted, and never with two keys.
pub fn effects_are_single(noted: &[(String, String)], applied: &[String]) -> Result<(), String> {
    let mut keys = std::collections::HashMap::new();
    for (word, key) in noted {
        if keys.insert(word, key).is_some_and(|before| before != key) {
            return Err(format!("the effect of {word:?} was tried with two keys"));
        }
    }
    match applied.iter().find(|word| !keys.contains_key(word)) {
        Some(word) => Err(format!("{word:?} is answered, and its effect never was")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &[&str]) -> Told {
        words.iter().fold(Told::default(), |told, word| told.with(word))
    }

    /// `a` and `b` were answered; then these were sent.
    fn after_two(open: &[&str]) -> History {
        let mut history = History::default();
        for words in [&["a"][..], &["a", "b"]] {
            history.sent(words[words.len() - 1]);
            history.told(of(words), 7, true).expect("nothing is wrong");
        }
        open.iter().for_each(|word| history.sent(word));
        history
    }

    #[test]
    fn what_is_answered_is_there_and_what_is_unknown_may_be() {
        for seen in [&["a", "b", "e"][..], &["a", "b", "c", "e"], &["a", "b", "c", "d", "e"]] {
            let mut history = after_two(&["c", "d", "e"]);
            assert_eq!(history.told(of(seen), 7, true), Ok(()));
            assert_eq!(history.words, seen);
        }
        assert_eq!(after_two(&["c"]).told(of(&["a", "b"]), 7, false), Ok(()));
    }

    #[test]
    fn a_lost_a_doubled_a_reordered_and_a_foreign_hit_are_found() {
        for wrong in [
            &["a", "e"][..],
            &[],
            &["a", "b"],
            &["a", "b", "b", "e"],
            &["b", "a", "e"],
            &["a", "b", "d", "c", "e"],
            &["a", "b", "c", "c", "e"],
            &["a", "b", "c", "d", "e", "e"],
            &["a", "b", "x", "e"],
            &["a", "b", "c"],
        ] {
            assert!(after_two(&["c", "d", "e"]).told(of(wrong), 7, true).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_hit_that_comes_late_is_found() {
        let mut history = after_two(&["c"]);
        history.told(of(&["a", "b"]), 7, false).expect("it was dropped");
        history.sent("d");
        assert!(history.told(of(&["a", "b", "c", "d"]), 7, true).is_err());
    }

    #[test]
    fn other_chance_is_found() {
        let mut history = after_two(&["c"]);
        assert!(history.told(of(&["a", "b", "c"]), 8, true).is_err());
    }

    #[test]
    fn an_effect_with_two_keys_or_none_is_found() {
        let noted = |pairs: &[(&str, &str)]| -> Vec<_> {
            pairs.iter().map(|(word, key)| ((*word).to_owned(), (*key).to_owned())).collect()
        };
        let applied = ["a".to_owned()];
        assert_eq!(effects_are_single(&noted(&[("a", "1"), ("a", "1"), ("b", "2")]), &applied), Ok(()));
        assert!(effects_are_single(&noted(&[("a", "1"), ("a", "2")]), &applied).is_err());
        assert!(effects_are_single(&noted(&[("b", "1")]), &applied).is_err());
    }
}
