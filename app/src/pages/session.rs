//! Log-in and the one-time set-up.

use crate::{
    components::{FormState, Happened, Hidden, TextField, load_open, query, refused},
    serverfns::session::{CompleteSetup, LogIn},
};
use gatepost_contract::Problem;
use leptos::{prelude::*, server_fn::ServerFn};
use leptos_meta::Title;

/// The log-in.
#[component]
pub fn LogInPage() -> AnyView {
    let next = query("next");
    let state = FormState::of(LogIn::url());
    view! {
        <Title text=t!(login.title)/>
        <section class="door">
            <h1>{t!(login.title)}</h1>
            <p class="lead">{t!(login.lead)}</p>
            <Happened/>
            <form method="post" action=LogIn::url() class="form">
                <Hidden name="next" value=next/>
                <TextField state=state.clone() name="email" kind="email" label=t!(user.email) required=true max=320 autocomplete="username"/>
                <TextField state name="password" kind="password" label=t!(user.password) required=true max=200 autocomplete="current-password"/>
                <button type="submit" class="button primary">{t!(login.submit)}</button>
            </form>
        </section>
    }
    .into_any()
}

/// The first user, by the one-time link.
#[component]
pub fn SetUpPage() -> AnyView {
    let token = query("token");
    load_open(|gatepost| async move {
        if token.is_empty() || !gatepost.setup_pending().await? {
            return Ok(refused(Problem::new(404, "not_found", t!(setup.used))));
        }
        let state = FormState::of(CompleteSetup::url());
        Ok(view! {
            <Title text=t!(setup.title)/>
            <section class="door">
                <h1>{t!(setup.title)}</h1>
                <p class="lead">{t!(setup.lead)}</p>
                <Happened/>
                <form method="post" action=CompleteSetup::url() class="form">
                    <Hidden name="token" value=token/>
                    <TextField state=state.clone() name="email" kind="email" label=t!(user.email) required=true max=320 autocomplete="username"/>
                    <TextField state=state.clone() name="name" label=t!(user.name) max=200 autocomplete="name"/>
                    <TextField state name="password" kind="password" label=t!(user.password) hint=t!(user.password_hint) required=true min=12 max=200 autocomplete="new-password"/>
                    <button type="submit" class="button primary">{t!(setup.submit)}</button>
                </form>
            </section>
        }
        .into_any())
    })
}
