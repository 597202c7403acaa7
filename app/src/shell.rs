//! The HTML document around the app: language, theme, style sheet, the loader of the islands, and the content
//! security policy that allows nothing else.

use crate::{app::App, context, i18n, islands};
use leptos::{nonce::use_nonce, prelude::*};
use leptos_i18n::Locale as _;
use leptos_meta::MetaTags;

/// Loads the module and hydrates each island in place. This is the loader of leptos' own `HydrationScripts` in
/// islands mode; that component preloads the module without a nonce, which the policy below rightly refuses.
const LOADER: &str = include_str!("loader.js");

/// The whole document for a request.
pub fn shell(options: LeptosOptions) -> impl IntoView {
    i18n::provide();
    // Only islands carry markers for hydration.
    if let Some(shared) = Owner::current_shared_context() {
        shared.set_is_hydrating(false);
    }
    let nonce = use_nonce();
    if let Some(nonce) = &nonce {
        context::header("content-security-policy", &policy(nonce));
    }
    let package = format!("/{}", options.site_pkg_dir);
    let name = &options.output_name;
    let module = format!("{package}/{name}.js");
    let wasm = format!("{package}/{name}_bg.wasm");
    let loader = format!("{LOADER}({module:?}, {wasm:?});");
    view! {
        <!DOCTYPE html>
        <html lang=i18n::locale().as_str() data-theme=theme()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <meta name="robots" content="noindex"/>
                <link rel="stylesheet" href=format!("{package}/{name}.css")/>
                <link rel="icon" href="/favicon.svg" type="image/svg+xml"/>
                <script type="module" nonce=nonce inner_html=loader></script>
                <MetaTags/>
            </head>
            <body><App/></body>
        </html>
    }
}

fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic' 'wasm-unsafe-eval'; style-src 'self'; \
         img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; \
         object-src 'none'"
    )
}

/// The theme of the request: `auto`, `light` or `dark`.
pub(crate) fn theme() -> &'static str {
    context::cookie(islands::theme::COOKIE).as_deref().and_then(known_theme).unwrap_or("auto")
}

/// A theme by its name.
pub(crate) fn known_theme(name: &str) -> Option<&'static str> {
    ["auto", "light", "dark"].into_iter().find(|theme| *theme == name)
}
