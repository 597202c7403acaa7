//! Puts a chosen file's text into the form field beside it, so that a long list need not be pasted.

use leptos::prelude::*;

/// A file field that fills a text field. It is shown only where it can work.
#[island]
pub fn CsvFile(
    /// The text field's id.
    target: String,
    /// The label.
    label: String,
) -> impl IntoView {
    let (alive, set_alive) = signal(false);
    Effect::new(move || set_alive.set(true));
    let chosen = move |event: leptos::ev::Event| fill(&event, target.clone());
    view! {
        <div class="field" hidden=move || !alive.get()>
            <label for="csv-file">{label}</label>
            <input id="csv-file" type="file" accept=".csv,text/csv,text/plain" on:change=chosen/>
        </div>
    }
}

#[cfg(feature = "hydrate")]
fn fill(event: &leptos::ev::Event, target: String) {
    use wasm_bindgen::JsCast;
    let input: web_sys::HtmlInputElement = event_target(event);
    let Some(file) = input.files().and_then(|files| files.get(0)) else { return };
    leptos::task::spawn_local(async move {
        let text = wasm_bindgen_futures::JsFuture::from(file.text()).await.ok().and_then(|text| text.as_string());
        let field = document().get_element_by_id(&target);
        if let (Some(text), Some(field)) = (text, field.and_then(|f| f.dyn_into::<web_sys::HtmlTextAreaElement>().ok()))
        {
            field.set_value(&text);
        }
    });
}

#[cfg(not(feature = "hydrate"))]
fn fill(_event: &leptos::ev::Event, _target: String) {}
