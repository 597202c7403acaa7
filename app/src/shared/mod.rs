//! What people see who are not of the Desk: the badge, the small page for a frame, the customer's page.
//!
//! Plain text is made of what core shares about one job: no session, no cookie, no script, no log-in. Who may see it,
//! and the headers that go with it, are the HTTP server's business.

pub mod badge;
pub mod consent;
pub mod customer;
pub mod frame;

use crate::{
    components::{Shape, Tone},
    i18n::{self, Locale, names},
};
use gatepost_contract::{Gate, SharedGate};
use leptos::prelude::*;

/// How a visitor wants to see something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    language: Locale,
    theme: Theme,
}

/// The colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Theme {
    /// As the system says.
    Auto,
    Light,
    Dark,
}

impl Theme {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// Why nothing is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The token opens nothing.
    Invalid,
    /// Too many tokens opened nothing.
    TooMany {
        /// How long to wait.
        seconds: u64,
    },
    /// A fault of ours.
    Fault,
}

impl Look {
    /// Reads what was asked for; what makes no sense counts as left out. Without a language the browser's counts.
    #[must_use]
    pub fn of(language: Option<&str>, accepted: Option<&str>, theme: Option<&str>) -> Self {
        let named = language.and_then(|name| match name.get(..2)?.to_ascii_lowercase().as_str() {
            "pt" => Some(Locale::pt_BR),
            "en" => Some(Locale::en),
            _ => None,
        });
        let theme = match theme {
            Some("light") => Theme::Light,
            Some("dark") => Theme::Dark,
            _ => Theme::Auto,
        };
        Self { language: named.unwrap_or_else(|| accepted.map_or(Locale::en, i18n::negotiate)), theme }
    }

    /// The language's code.
    #[must_use]
    pub fn language(self) -> &'static str {
        leptos_i18n::Locale::as_str(self.language)
    }

    /// Writes something in the language.
    fn write<T>(self, text: impl FnOnce() -> T) -> T {
        Owner::new().with(|| {
            provide_context(self.language);
            text()
        })
    }
}

impl Refused {
    fn heading(self) -> &'static str {
        match self {
            Self::Invalid => t!(shared.invalid),
            Self::TooMany { .. } => t!(shared.too_many),
            Self::Fault => t!(shared.fault),
        }
    }

    fn sentence(self) -> String {
        match self {
            Self::Invalid => t!(shared.invalid_why).to_owned(),
            Self::TooMany { seconds } => t!(shared.too_many_why, seconds = seconds).to_string(),
            Self::Fault => t!(shared.fault_why).to_owned(),
        }
    }
}

/// The verdict as a tone, a picture and words.
fn verdict(shared: &SharedGate) -> (Tone, Shape, &'static str) {
    match shared.gate {
        _ if shared.closed => (Tone::Quiet, Shape::Dash, t!(shared.closed)),
        Gate::Blocked => (Tone::Bad, Shape::Shut, names::gate(shared.gate)),
        Gate::Warning => (Tone::Warn, Shape::Waiting, names::gate(shared.gate)),
        Gate::ReadyForDns => (Tone::Good, Shape::Open, names::gate(shared.gate)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_read_from_what_was_asked_for_and_from_the_browser() {
        for (language, accepted, expected) in [
            (Some("pt-BR"), Some("en"), "pt-BR"),
            (Some("pt"), None, "pt-BR"),
            (Some("EN"), Some("pt"), "en"),
            (Some("xx"), Some("pt;q=0.9"), "pt-BR"),
            (Some("ü"), None, "en"),
            (Some(""), Some("pt-PT,en;q=0.5"), "pt-BR"),
            (None, None, "en"),
        ] {
            assert_eq!(Look::of(language, accepted, None).language(), expected, "{language:?} {accepted:?}");
        }
        for (theme, expected) in
            [(Some("dark"), "dark"), (Some("light"), "light"), (Some("<x>"), "auto"), (None, "auto")]
        {
            assert_eq!(Look::of(None, None, theme).theme.as_str(), expected, "{theme:?}");
        }
    }
}
