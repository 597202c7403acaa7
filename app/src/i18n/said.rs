//! What core says, in the language of the request.
//!
//! Core's sentences are English, for programs read them too. They stand as patterns in `locales/*.json` under `said`;
//! a sentence that is not among them stays as it is, and the page says that it is English.

use super::{Locale, locale};
use crate::phrases::{Phrases, Piece};
use leptos::prelude::*;
use std::{collections::BTreeMap, sync::LazyLock};

/// The sentences by name, in English and in Portuguese.
static SENTENCES: LazyLock<BTreeMap<String, (String, String)>> = LazyLock::new(|| {
    let mut here = said_of(include_str!("../../locales/pt-BR.json"));
    let english = said_of(include_str!("../../locales/en.json"));
    english.into_iter().filter_map(|(key, text)| here.remove(&key).map(|here| (key, (text, here)))).collect()
});

static PORTUGUESE: LazyLock<Phrases> = LazyLock::new(|| Phrases::new(SENTENCES.values().cloned()));

static NONE: LazyLock<Phrases> = LazyLock::new(Phrases::default);

/// The sentences of a file. The build has read it too, so that it is known to be well formed.
fn said_of(file: &str) -> BTreeMap<String, String> {
    let all: BTreeMap<String, serde_json::Value> = serde_json::from_str(file).unwrap_or_default();
    all.get("said").and_then(|said| serde_json::from_value(said.clone()).ok()).unwrap_or_default()
}

/// What there is for the language of the request.
fn phrases() -> &'static Phrases {
    match locale() {
        Locale::en => &NONE,
        Locale::pt_BR => &PORTUGUESE,
    }
}

/// A sentence of core's in the language of the request.
pub fn said(text: &str) -> String {
    phrases().say(text)
}

/// The sentences for what speaks in the browser later: those whose names begin so.
pub fn phrases_of(names: &[&str]) -> Phrases {
    if locale() == Locale::en {
        return Phrases::default();
    }
    let wanted = |key: &str| names.iter().any(|name| key.starts_with(name));
    Phrases::new(SENTENCES.iter().filter(|(key, _)| wanted(key)).map(|(_, pair)| pair.clone()))
}

/// Sentences of core's in the language of the request. What stays as it came, such as a server's own words within them,
/// is marked as English, for screen readers and for whoever translates the page.
#[component]
pub fn Said(
    /// The sentences.
    #[prop(into)]
    text: String,
) -> AnyView {
    let piece = |Piece { text, known }| match known {
        true => view! { {text} }.into_any(),
        false => view! { <span lang="en">{text}</span> }.into_any(),
    };
    let mut pieces = phrases().pieces(&text);
    match pieces.pop() {
        Some(last) if pieces.is_empty() => piece(last),
        Some(last) => {
            let first = pieces.into_iter().map(piece).collect_view();
            view! { <span>{first}{piece(last)}</span> }.into_any()
        }
        None => ().into_any(),
    }
}

#[cfg(test)]
mod tests;
