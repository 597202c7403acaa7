//! Copies a text of the page, so that a long one need not be selected by hand.

use leptos::prelude::*;

/// A button that copies what stands in an element. It is shown only where it can work.
#[island]
pub fn CopyButton(
    /// The element's id.
    target: String,
    /// The button's text.
    text: String,
    /// The text once it was copied.
    done: String,
    /// What is copied, for screen readers.
    what: String,
) -> impl IntoView {
    let (alive, set_alive) = signal(false);
    Effect::new(move || set_alive.set(true));
    let (copied, set_copied) = signal(false);
    let copy = move |_| set_copied.set(copy(&target));
    let said = done.clone();
    view! {
        <span class="inline">
            <button type="button" class="button small" hidden=move || !alive.get() on:click=copy>
                <span>{move || if copied.get() { done.clone() } else { text.clone() }}</span>
                <span class="hidden">{what}</span>
            </button>
            <span class="hidden" role="status">{move || copied.get().then(|| said.clone())}</span>
        </span>
    }
}

/// Selects the element's text and copies it, also where the page came without TLS.
#[cfg(feature = "hydrate")]
fn copy(target: &str) -> bool {
    use wasm_bindgen::JsCast;
    let Some(element) = document().get_element_by_id(target) else { return false };
    let Ok(Some(selection)) = window().get_selection() else { return false };
    let Ok(page) = document().dyn_into::<web_sys::HtmlDocument>() else { return false };
    selection.select_all_children(&element).is_ok() && page.exec_command("copy") == Ok(true)
}

#[cfg(not(feature = "hydrate"))]
const fn copy(_target: &str) -> bool {
    false
}
