//! Users: the list, a new one, a change.

use crate::{
    components::{
        Badge, FormState, Hidden, ListAddress, MaybeAt, PageHead, SelectField, Shape, Table, TextField, Tone, head,
        head_actions, load, page_query,
    },
    i18n::names,
    serverfns::user::{CreateUser, UpdateUser},
};
use gatepost_contract::{Role, User};
use leptos::{prelude::*, server_fn::ServerFn};

/// The list of users with the form for a new one.
#[component]
pub fn UserList() -> AnyView {
    let asked = page_query();
    load(|desk| async move {
        let page = desk.gatepost.list_users(&desk.actor, asked.clone()).await?;
        let address = ListAddress::new("/users", &asked, &[]);
        let pager = address.pager(&page);
        let state = FormState::of(CreateUser::url());
        let heads = vec![
            address.head("email", t!(user.email)),
            head(t!(user.name)),
            head(t!(user.role)),
            head(t!(user.status)),
            head(t!(user.last_login)),
            head_actions(),
        ];
        let rows = page.items.into_iter().map(row).collect_view().into_any();
        let roles = Role::ALL.iter().map(|role| (role.to_string(), names::role(*role).to_owned())).collect();
        Ok(view! {
            <PageHead title=t!(nav.users).to_owned()/>
            <Table caption=t!(nav.users).to_owned() heads rows/>
            {pager}
            <section class="sheet" aria-labelledby="new">
                <h2 id="new">{t!(user.new)}</h2>
                <form method="post" action=CreateUser::url() class="form">
                    <TextField state=state.clone() name="email" kind="email" label=t!(user.email) required=true max=320/>
                    <TextField state=state.clone() name="name" label=t!(user.name) max=200/>
                    <SelectField state=state.clone() name="role" label=t!(user.role) hint=t!(user.role_hint) options=roles required=true/>
                    <TextField state name="password" kind="password" label=t!(user.password) hint=t!(user.password_hint) required=true min=12 max=200 autocomplete="new-password"/>
                    <div class="submit"><button type="submit" class="button primary">{t!(user.create)}</button></div>
                </form>
            </section>
        }
        .into_any())
    })
}

fn row(user: User) -> AnyView {
    let id = user.id.to_string();
    let field = |name: &str| format!("{name}-{id}");
    let (name_id, role_id, password_id, disabled_id) =
        (field("name"), field("role"), field("password"), field("disabled"));
    let roles = Role::ALL.iter().map(|role| {
        view! { <option value=role.as_str() selected=*role == user.role>{names::role(*role)}</option> }
    });
    let roles = roles.collect_view();
    view! {
        <tr>
            <th scope="row" data-label=t!(user.email)>{user.email.clone()}</th>
            <td data-label=t!(user.name)>{user.name.clone()}</td>
            <td data-label=t!(user.role)>{names::role(user.role)}</td>
            <td data-label=t!(user.status)>
                {if user.disabled {
                    view! { <Badge tone=Tone::Quiet shape=Shape::Dash text=t!(user.disabled)/> }
                } else {
                    view! { <Badge tone=Tone::Good shape=Shape::Check text=t!(user.active)/> }
                }}
            </td>
            <td data-label=t!(user.last_login)><MaybeAt at=user.last_login_at/></td>
            <td>
                <details class="confirm">
                    <summary class="button small">{t!(form.change)}<span class="hidden">" "{user.email}</span></summary>
                    <form method="post" action=UpdateUser::url() class="form">
                        <Hidden name="user_id" value=id.clone()/>
                        <div class="field"><label for=name_id.clone()>{t!(user.name)}</label><input id=name_id name="name" value=user.name maxlength="200" autocomplete="off"/></div>
                        <div class="field"><label for=role_id.clone()>{t!(user.role)}</label><select id=role_id name="role">{roles}</select></div>
                        <div class="field"><label for=password_id.clone()>{t!(user.new_password)}</label><input id=password_id name="password" type="password" minlength="12" maxlength="200" autocomplete="new-password"/></div>
                        <div class="field tick"><input id=disabled_id.clone() name="disabled" type="checkbox" value="true" checked=user.disabled/><label for=disabled_id>{t!(user.disable)}</label></div>
                        <button type="submit" class="button small">{t!(form.save)}</button>
                    </form>
                </details>
            </td>
        </tr>
    }
    .into_any()
}
