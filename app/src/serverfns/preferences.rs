//! Language and theme.

use gatepost_contract::Problem;
use leptos::prelude::*;

/// Chooses the language: `en` or `pt-BR`.
#[server(prefix = "/api/fn", endpoint = "set_language")]
pub async fn set_language(language: String, #[server(default)] next: String) -> Result<(), Problem> {
    use crate::{context, i18n};
    let code = match language.as_str() {
        "en" => "en",
        "pt-BR" => "pt-BR",
        _ => return Err(Problem::field("language", "It may be en or pt-BR.")),
    };
    context::keep_choice(i18n::COOKIE, code);
    context::go(&next);
    Ok(())
}

/// Chooses the theme: `auto`, `light` or `dark`.
#[server(prefix = "/api/fn", endpoint = "set_theme")]
pub async fn set_theme(theme: String, #[server(default)] next: String) -> Result<(), Problem> {
    use crate::{context, islands, shell};
    let theme = shell::known_theme(&theme).ok_or_else(|| Problem::field("theme", "It may be auto, light or dark."))?;
    context::keep_choice(islands::theme::COOKIE, theme);
    context::go(&next);
    Ok(())
}
