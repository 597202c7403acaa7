//! Tenants: the list, a new one, another name.

use crate::{
    components::{
        At, Empty, FormState, Hidden, ListAddress, PageHead, Table, TextField, head, head_actions, load, page_query,
    },
    serverfns::tenant::{CreateTenant, UpdateTenant},
};
use gatepost_contract::Tenant;
use leptos::{prelude::*, server_fn::ServerFn};

/// The list of tenants with the form for a new one.
#[component]
pub fn TenantList() -> AnyView {
    let asked = page_query();
    load(|desk| async move {
        let page = desk.gatepost.list_tenants(&desk.actor, asked.clone()).await?;
        let address = ListAddress::new("/tenants", &asked, &[]);
        let manage = desk.actor.can_manage();
        let state = FormState::of(CreateTenant::url());
        let list = if page.items.is_empty() {
            view! { <Empty text=t!(tenant.none)/> }.into_any()
        } else {
            let pager = address.pager(&page);
            let heads = vec![address.head("name", t!(tenant.name)), head(t!(job.created)), head_actions()];
            let rows = page.items.into_iter().map(|tenant| row(tenant, manage)).collect_view().into_any();
            view! { <Table caption=t!(nav.tenants).to_owned() heads rows/> {pager} }.into_any()
        };
        Ok(view! {
            <PageHead title=t!(nav.tenants).to_owned()/>
            {list}
            {manage.then(|| view! {
                <section class="sheet" aria-labelledby="new">
                    <h2 id="new">{t!(tenant.new)}</h2>
                    <form method="post" action=CreateTenant::url() class="form">
                        <TextField state name="name" label=t!(tenant.name) required=true max=200/>
                        <div class="submit"><button type="submit" class="button primary">{t!(tenant.create)}</button></div>
                    </form>
                </section>
            })}
        }
        .into_any())
    })
}

fn row(tenant: Tenant, manage: bool) -> AnyView {
    let id = tenant.id.to_string();
    let input = format!("name-{id}");
    view! {
        <tr>
            <th scope="row" data-label=t!(tenant.name)><a href=format!("/jobs?tenant_id={id}")>{tenant.name.clone()}</a></th>
            <td data-label=t!(job.created)><At at=tenant.created_at/></td>
            <td>
                {manage.then(|| view! {
                    <details class="confirm">
                        <summary class="button small">{t!(tenant.rename)}<span class="hidden">" "{tenant.name.clone()}</span></summary>
                        <form method="post" action=UpdateTenant::url() class="form">
                            <Hidden name="tenant_id" value=id/>
                            <div class="field">
                                <label for=input.clone()>{t!(tenant.name)}</label>
                                <input id=input name="name" value=tenant.name required=true maxlength="200" autocomplete="off"/>
                            </div>
                            <button type="submit" class="button small">{t!(form.save)}</button>
                        </form>
                    </details>
                })}
            </td>
        </tr>
    }
    .into_any()
}
