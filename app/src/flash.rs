//! What a refused form remembers until the page with that form is shown again.
//!
//! The HTTP server stores a [`Flash`] in the session when a server function refuses a form that was posted without
//! JavaScript, sends the browser back, and provides it as context for that one page.

use gatepost_contract::Problem;
use leptos::prelude::use_context;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest value that is worth keeping; a whole CSV file is not.
const MAX_VALUE: usize = 20_000;

/// A refused form.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// The form's action: the server function's path.
    pub path: String,
    /// What was typed, by field name, without secrets.
    pub values: BTreeMap<String, String>,
    /// Why it was refused.
    pub problem: Problem,
}

impl Flash {
    /// Remembers a form, leaving out secrets and what is too long to be worth it.
    #[must_use]
    pub fn new(path: &str, values: impl IntoIterator<Item = (String, String)>, problem: Problem) -> Self {
        let values =
            values.into_iter().filter(|(name, value)| !Self::is_secret(name) && value.len() <= MAX_VALUE).collect();
        Self { path: path.to_owned(), values, problem }
    }

    /// Whether a field may hold a secret, so that it must be kept nowhere.
    #[must_use]
    pub fn is_secret(field: &str) -> bool {
        let field = field.to_ascii_lowercase();
        // Where tokens are given is no token.
        let named = ["password", "secret", "token"].iter().any(|word| field.contains(word)) && field != "token_url";
        named || ["csv", "private_key", "service_account"].contains(&field.as_str())
    }

    /// The refusal that this page is to show, if there is one.
    #[must_use]
    pub fn current() -> Option<Self> {
        use_context::<Self>().or_else(|| use_context::<Option<Self>>().flatten())
    }

    /// The refusal of the form with this action, if there is one.
    #[must_use]
    pub fn take_for(path: &str) -> Option<Self> {
        Self::current().filter(|flash| flash.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::Flash;
    use gatepost_contract::Problem;

    #[test]
    fn a_refused_form_is_remembered_without_its_secrets() {
        let typed = [
            ("email", "a@b.example"),
            ("token_url", "https://login.example/token"),
            ("source_password", "hunter2"),
            ("dest_oauth_token", "t"),
            ("service_account", "{}"),
            ("private_key", "k"),
            ("csv", "x"),
        ];
        let typed = typed.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let flash = Flash::new("/api/fn/add_mailbox", typed, Problem::internal());
        assert_eq!(flash.values.keys().collect::<Vec<_>>(), ["email", "token_url"]);
    }
}
