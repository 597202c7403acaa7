//! What a person should know of an item that was written.

/// Sentences on what could not be read; none where all of it could.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notes {
    sentences: Vec<String>,
    more: usize,
}

/// More than these are only counted.
const LISTED: usize = 20;

impl Notes {
    pub(crate) fn add(&mut self, sentence: String) {
        if self.sentences.len() < LISTED { self.sentences.push(sentence) } else { self.more += 1 }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.more += other.more;
        other.sentences.into_iter().for_each(|sentence| self.add(sentence));
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sentences.is_empty()
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.sentences.iter().map(String::as_str)
    }

    /// All of them as one text; `None` where there are none.
    #[must_use]
    pub fn summary(&self) -> Option<String> {
        if self.sentences.is_empty() {
            return None;
        }
        let more = if self.more > 0 { format!("; and {} more", self.more) } else { String::new() };
        Some(self.sentences.join("; ") + &more)
    }
}
