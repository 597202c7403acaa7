//! Forms: fields that show what was typed before and what is wrong with it.
//!
//! Every form is a plain HTML form that posts to a server function. When it is refused, [`FormState`] finds the
//! refusal of this form and gives each field its value and its error.

use super::{Icon, Shape};
use crate::{flash::Flash, i18n::said};
use leptos::prelude::*;
use std::sync::Arc;

/// What was typed into a form that was refused just before; empty otherwise.
#[derive(Clone, Debug, Default)]
pub struct FormState(Option<Arc<Flash>>);

impl FormState {
    /// The state of the form with this action.
    pub fn of(action: &str) -> Self {
        Self(Flash::take_for(action).map(Arc::new))
    }

    /// The same, where a page holds several forms with one action: only the one whose field has this value.
    pub fn with(action: &str, field: &str, value: &str) -> Self {
        let flash = Flash::take_for(action);
        Self(flash.filter(|flash| flash.values.get(field).is_some_and(|found| found == value)).map(Arc::new))
    }

    /// Whether the form was refused just before.
    pub fn refused(&self) -> bool {
        self.0.is_some()
    }

    /// What to show in a field.
    pub fn value(&self, name: &str, otherwise: &str) -> String {
        match &self.0 {
            Some(flash) => flash.values.get(name).cloned().unwrap_or_default(),
            None => otherwise.to_owned(),
        }
    }

    /// Whether a box is ticked.
    pub fn ticked(&self, name: &str, otherwise: bool) -> bool {
        self.0.as_ref().map_or(otherwise, |flash| flash.values.get(name).is_some_and(|value| !value.is_empty()))
    }

    /// What is wrong with a field. A secret's error may stand under the name of what holds it.
    pub fn error(&self, name: &str) -> Option<String> {
        let problem = &self.0.as_ref()?.problem;
        let holder = match name {
            "source_password" | "source_oauth_token" => "source_secret",
            "dest_password" => "dest_secret",
            _ => name,
        };
        problem
            .errors
            .iter()
            .find(|error| error.field == name || error.field.split('.').next().is_some_and(|field| field == holder))
            .map(|error| said(&error.message))
    }
}

/// The id of a field, for its label, its messages and the summary's links.
pub fn field_id(name: &str) -> String {
    format!("field-{}", name.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

/// The label above a field, and the hint and error below it.
fn framed(
    name: &str,
    label: &'static str,
    hint: &'static str,
    error: Option<String>,
    required: bool,
    field: AnyView,
) -> AnyView {
    let id = field_id(name);
    let class = if error.is_some() { "field wrong" } else { "field" };
    view! {
        <div class=class>
            <label for=id.clone()>
                {label}
                {(!required).then(|| view! { <span class="optional">{t!(form.optional)}</span> })}
            </label>
            {(!hint.is_empty()).then(|| view! { <p class="hint" id=format!("{id}-hint")>{hint}</p> })}
            {field}
            {error.map(|error| view! { <p class="error" id=format!("{id}-error")><Icon shape=Shape::Warn/>{error}</p> })}
        </div>
    }
    .into_any()
}

fn described(name: &str, hint: &str, error: bool) -> Option<String> {
    let id = field_id(name);
    match (hint.is_empty(), error) {
        (true, false) => None,
        (false, false) => Some(format!("{id}-hint")),
        (true, true) => Some(format!("{id}-error")),
        (false, true) => Some(format!("{id}-error {id}-hint")),
    }
}

/// A field of one line.
#[component]
pub fn TextField(
    /// The form's state.
    state: FormState,
    /// The field's name.
    name: &'static str,
    /// Its label.
    label: &'static str,
    /// What to know about it.
    #[prop(optional)]
    hint: &'static str,
    /// What is in it before anything was typed.
    #[prop(optional, into)]
    value: String,
    /// `text` where left out.
    #[prop(optional)]
    kind: &'static str,
    /// Whether it must be filled.
    #[prop(optional)]
    required: bool,
    /// The most characters.
    #[prop(optional)]
    max: u32,
    /// The fewest characters.
    #[prop(optional)]
    min: u32,
    /// What the browser may fill in.
    #[prop(optional)]
    autocomplete: &'static str,
    /// Whether it filters a list, where every field may be empty and none needs to say so.
    #[prop(optional)]
    filter: bool,
) -> impl IntoView {
    let error = state.error(name);
    let secret = kind == "password";
    let value = if secret { String::new() } else { state.value(name, &value) };
    let kind = if kind.is_empty() { "text" } else { kind };
    let autocomplete = if autocomplete.is_empty() { "off" } else { autocomplete };
    let words = (kind == "text" || kind == "password" || kind == "email").then_some(());
    let field = view! {
        <input
            id=field_id(name)
            name=name
            type=kind
            value=(!secret).then_some(value)
            required=required
            maxlength=words.and((max > 0).then_some(max))
            minlength=words.and((min > 0).then_some(min))
            min=(kind == "number").then_some(min)
            max=(kind == "number").then_some(max)
            autocomplete=autocomplete
            spellcheck="false"
            aria-invalid=error.is_some().then_some("true")
            aria-describedby=described(name, hint, error.is_some())
        />
    };
    framed(name, label, hint, error, required || filter, field.into_any())
}

/// A field of several lines.
#[component]
pub fn AreaField(
    /// The form's state.
    state: FormState,
    /// The field's name.
    name: &'static str,
    /// Its label.
    label: &'static str,
    /// What to know about it.
    #[prop(optional)]
    hint: &'static str,
    /// What is in it before anything was typed.
    #[prop(optional, into)]
    value: String,
    /// Whether it must be filled.
    #[prop(optional)]
    required: bool,
    /// How high it is.
    #[prop(default = 4)]
    rows: u32,
    /// The most characters.
    #[prop(optional)]
    max: u32,
) -> impl IntoView {
    let error = state.error(name);
    let field = view! {
        <textarea
            id=field_id(name)
            name=name
            rows=rows
            required=required
            maxlength=(max > 0).then_some(max)
            aria-invalid=error.is_some().then_some("true")
            aria-describedby=described(name, hint, error.is_some())
        >
            {state.value(name, &value)}
        </textarea>
    };
    framed(name, label, hint, error, required, field.into_any())
}

/// A choice of one.
#[component]
pub fn SelectField(
    /// The form's state.
    state: FormState,
    /// The field's name.
    name: &'static str,
    /// Its label.
    label: &'static str,
    /// What to know about it.
    #[prop(optional)]
    hint: &'static str,
    /// What is chosen before anything was.
    #[prop(optional, into)]
    value: String,
    /// Values and their words.
    options: Vec<(String, String)>,
    /// Whether one must be chosen.
    #[prop(optional)]
    required: bool,
    /// Whether it filters a list, where every field may be empty and none needs to say so.
    #[prop(optional)]
    filter: bool,
) -> impl IntoView {
    let error = state.error(name);
    let chosen = state.value(name, &value);
    let field = view! {
        <select
            id=field_id(name)
            name=name
            required=required
            aria-invalid=error.is_some().then_some("true")
            aria-describedby=described(name, hint, error.is_some())
        >
            {options
                .into_iter()
                .map(|(value, words)| {
                    let selected = value == chosen;
                    view! { <option value=value selected=selected>{words}</option> }
                })
                .collect_view()}
        </select>
    };
    framed(name, label, hint, error, required || filter, field.into_any())
}

/// A box to tick.
#[component]
pub fn TickField(
    /// The form's state.
    state: FormState,
    /// The field's name.
    name: &'static str,
    /// Its label.
    label: &'static str,
    /// What to know about it.
    #[prop(optional)]
    hint: &'static str,
    /// Whether it is ticked before anything was.
    #[prop(optional)]
    value: bool,
) -> AnyView {
    let error = state.error(name);
    let invalid = error.is_some().then_some("true");
    let class = if error.is_some() { "field tick wrong" } else { "field tick" };
    let described = described(name, hint, error.is_some());
    let id = field_id(name);
    view! {
        <div class=class>
            <input
                id=id.clone()
                name=name
                type="checkbox"
                value="true"
                checked=state.ticked(name, value)
                aria-invalid=invalid
                aria-describedby=described
            />
            <label for=id.clone()>{label}</label>
            {(!hint.is_empty()).then(|| view! { <p class="hint" id=format!("{id}-hint")>{hint}</p> })}
            {error.map(|error| view! { <p class="error" id=format!("{id}-error")><Icon shape=Shape::Warn/>{error}</p> })}
        </div>
    }
    .into_any()
}

/// A value that is sent along.
#[component]
pub fn Hidden(name: &'static str, #[prop(into)] value: String) -> AnyView {
    view! { <input type="hidden" name=name value=value/> }.into_any()
}

/// A button that posts a few values and nothing else.
#[component]
pub fn PostButton(
    /// The server function.
    action: &'static str,
    /// What it posts.
    fields: Vec<(&'static str, String)>,
    /// What it says.
    text: &'static str,
    /// What it acts on, for screen readers, where the text alone does not tell.
    #[prop(optional, into)]
    of: String,
    /// Its look: `primary`, `danger`, `small`, …
    #[prop(optional)]
    class: &'static str,
) -> AnyView {
    let fields = fields.into_iter().map(|(name, value)| view! { <Hidden name value/> }).collect_view();
    view! {
        <form method="post" action=action class="inline">
            {fields}
            <button type="submit" class=format!("button {class}")>
                {text}
                {(!of.is_empty()).then(|| view! { <span class="hidden">" "{of}</span> })}
            </button>
        </form>
    }
    .into_any()
}
