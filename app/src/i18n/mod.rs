//! Which language a page is in, and the texts of `locales/*.json`.
//!
//! `t!(nav.jobs)` is a text in the language of the request; [`names`] translates states, roles and the like. Only the
//! server knows this module: islands get their texts as properties.

/// A text of `locales/*.json` in the language of the request.
macro_rules! t {
    ($($key:tt)+) => { leptos_i18n::td_string!($crate::i18n::locale(), $($key)+) };
}

pub mod names;
mod said;
pub mod wave_names;

use crate::{context, numbers::Numbers};
use http::request::Parts;
use leptos::prelude::{provide_context, use_context};

#[allow(dead_code, unused_imports, reason = "the generated module offers more than is used here")]
mod generated {
    include!(concat!(env!("OUT_DIR"), "/i18n/mod.rs"));
}

pub use generated::i18n::Locale;
pub use said::{Said, phrases_of, said};

/// The cookie that holds the language that was chosen.
pub const COOKIE: &str = "gatepost_lang";

/// Decides the language of a request, from the cookie or what the browser prefers, and provides it.
pub fn provide() {
    let chosen = context::cookie(COOKIE).and_then(|name| name.parse::<Locale>().ok());
    provide_context(chosen.unwrap_or_else(preferred));
}

fn preferred() -> Locale {
    let header = use_context::<Parts>().and_then(|parts| {
        parts.headers.get(http::header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).map(str::to_owned)
    });
    header.as_deref().map_or(Locale::en, negotiate)
}

/// The language that an Accept-Language header prefers (RFC 9110, section 12.5.4). Any Portuguese is better served
/// by the Brazilian one than by English.
pub(crate) fn negotiate(header: &str) -> Locale {
    let mut wanted: Vec<(f32, &str)> = header
        .split(',')
        .filter_map(|part| {
            let (tag, parameters) = part.split_once(';').unwrap_or((part, ""));
            let weight = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse().ok())?;
            (weight > 0.0).then_some((weight, tag.trim()))
        })
        .collect();
    wanted.sort_by(|a, b| b.0.total_cmp(&a.0));
    wanted
        .into_iter()
        .find_map(|(_, tag)| match tag.split('-').next().unwrap_or(tag).to_ascii_lowercase().as_str() {
            "pt" => Some(Locale::pt_BR),
            "en" | "*" => Some(Locale::en),
            _ => None,
        })
        .unwrap_or(Locale::en)
}

/// The language of the request.
pub fn locale() -> Locale {
    use_context::<Locale>().unwrap_or(Locale::en)
}

/// How the language of the request writes numbers.
pub fn numbers() -> Numbers {
    match locale() {
        Locale::en => Numbers::ENGLISH,
        Locale::pt_BR => Numbers::PORTUGUESE,
    }
}

#[cfg(test)]
mod tests {
    use super::{Locale, negotiate};

    #[test]
    fn the_preferred_language_that_exists_is_chosen() {
        for (header, locale) in [
            ("pt-BR,pt;q=0.9,en;q=0.8", Locale::pt_BR),
            ("pt-PT", Locale::pt_BR),
            ("de-DE,de;q=0.9,en;q=0.5,pt;q=0.4", Locale::en),
            ("en;q=0.2, pt;q=0.7", Locale::pt_BR),
            ("pt;q=0, en", Locale::en),
            ("fr", Locale::en),
            ("", Locale::en),
            (";;;q=,", Locale::en),
        ] {
            assert_eq!(negotiate(header), locale, "{header:?}");
        }
    }
}
