//! Light, dark, or as the system says.

use crate::serverfns::preferences::SetTheme;
use leptos::{prelude::*, server_fn::ServerFn};
use serde::{Deserialize, Serialize};

/// The cookie that holds the choice.
pub const COOKIE: &str = "gatepost_theme";

/// What the buttons say.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ThemeWords {
    /// What the choice is about.
    pub label: String,
    /// As the system says.
    pub auto: String,
    /// Light.
    pub light: String,
    /// Dark.
    pub dark: String,
}

/// Three buttons. Without JavaScript each posts the choice; with it the page changes at once.
#[island]
pub fn ThemeToggle(
    /// The choice now.
    now: String,
    /// Where to return to without JavaScript.
    here: String,
    /// What the buttons say.
    words: ThemeWords,
) -> impl IntoView {
    let (now, set_now) = signal(now);
    let choices = [("auto", words.auto), ("light", words.light), ("dark", words.dark)];
    view! {
        <form method="post" action=SetTheme::url() class="segmented" aria-label=words.label>
            <input type="hidden" name="next" value=here/>
            {choices
                .into_iter()
                .map(|(value, text)| {
                    let choose = move |event: leptos::ev::MouseEvent| {
                        if apply(value) {
                            event.prevent_default();
                            set_now.set(value.to_owned());
                        }
                    };
                    let pressed = move || if now.get() == value { "true" } else { "false" };
                    view! {
                        <button type="submit" name="theme" value=value aria-pressed=pressed on:click=choose>{text}</button>
                    }
                })
                .collect_view()}
        </form>
    }
}

/// Changes the page and keeps the choice; false where that is not possible.
#[cfg(feature = "hydrate")]
fn apply(theme: &str) -> bool {
    use wasm_bindgen::JsCast;
    let Some(root) = document().document_element() else { return false };
    let kept = document()
        .dyn_into::<web_sys::HtmlDocument>()
        .map(|page| page.set_cookie(&format!("{COOKIE}={theme}; Path=/; Max-Age=31536000; SameSite=Lax")).is_ok());
    kept == Ok(true) && root.set_attribute("data-theme", theme).is_ok()
}

#[cfg(not(feature = "hydrate"))]
const fn apply(_theme: &str) -> bool {
    false
}
