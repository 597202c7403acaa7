//! Reads the text fields of a form into what core wants, collecting every error before the first refusal.

use crate::i18n;
use gatepost_contract::{FieldError, Problem, Secret, SecretInput};
use std::{collections::BTreeMap, str::FromStr};

/// The errors found so far.
pub struct Fields(Vec<FieldError>);

impl Fields {
    /// Begins to read a form.
    pub fn new() -> Self {
        i18n::provide();
        Self(Vec::new())
    }

    fn wrong(&mut self, field: &str, message: &str) {
        self.0.push(FieldError { field: field.to_owned(), message: message.to_owned() });
    }

    /// A value that may be left out.
    pub fn maybe<T: FromStr>(&mut self, field: &str, text: &str) -> Option<T> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let value = text.parse().ok();
        if value.is_none() {
            self.wrong(field, t!(field.unreadable));
        }
        value
    }

    /// A value that must be there.
    pub fn must<T: FromStr>(&mut self, field: &str, text: &str) -> Option<T> {
        if text.trim().is_empty() {
            self.wrong(field, t!(field.missing));
            return None;
        }
        self.maybe(field, text)
    }

    /// Lines `Source folder = destination folder`.
    pub fn folder_map(&mut self, field: &str, text: &str) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once('=').map(|(from, to)| (from.trim(), to.trim())) {
                Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                    map.insert(from.to_owned(), to.to_owned());
                }
                _ => self.wrong(field, &t!(field.folder_map, line = line)),
            }
        }
        map
    }

    /// Refuses the form if anything was wrong with it.
    pub fn done(self) -> Result<(), Problem> {
        if self.0.is_empty() { Ok(()) } else { Err(Problem::invalid(self.0)) }
    }
}

/// A text that may be left out.
pub fn text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether a box was ticked.
pub fn ticked(text: &str) -> bool {
    !text.is_empty()
}

/// A secret from a form; none where both fields were left empty.
pub fn secret(password: Secret, oauth_token: Secret) -> Option<SecretInput> {
    let given = |secret: Secret| (!secret.0.is_empty()).then_some(secret);
    let input = SecretInput { password: given(password), oauth_token: given(oauth_token) };
    (input != SecretInput::default()).then_some(input)
}
