//! Service tokens: the list, a new one, its secret for the one time.

use crate::{
    components::{
        At, Badge, Empty, FormState, ListAddress, MaybeAt, PageHead, PostButton, Shape, Table, TextField, TickField,
        Tone, head, head_actions, load, page_query,
    },
    context,
    i18n::names,
    serverfns::token::{CreateToken, RevokeToken, issued},
};
use gatepost_contract::{IssuedToken, Scope, ServiceToken};
use leptos::{prelude::*, server_fn::ServerFn};

/// The list of tokens with the form for a new one.
#[component]
pub fn TokenList() -> AnyView {
    let asked = page_query();
    load(|desk| async move {
        let page = desk.gatepost.list_tokens(&desk.actor, asked.clone()).await?;
        let address = ListAddress::new("/tokens", &asked, &[]);
        let state = FormState::of(CreateToken::url());
        let new = issued::take(&desk.actor);
        if new.is_some() {
            context::header("cache-control", "no-store");
        }
        let list = if page.items.is_empty() {
            view! { <Empty text=t!(token.none)/> }.into_any()
        } else {
            let pager = address.pager(&page);
            let heads = vec![
                address.head("name", t!(token.name)),
                head(t!(token.scopes)),
                head(t!(user.status)),
                head(t!(token.expires)),
                head(t!(token.last_used)),
                head(t!(job.created)),
                head_actions(),
            ];
            let rows = page.items.into_iter().map(row).collect_view().into_any();
            view! { <Table caption=t!(nav.tokens).to_owned() heads rows/> {pager} }.into_any()
        };
        Ok(view! {
            <PageHead title=t!(nav.tokens).to_owned()/>
            {new.map(|token| view! { <NewSecret token/> })}
            <p class="lead">{t!(token.lead)}</p>
            {list}
            <section class="sheet" aria-labelledby="new">
                <h2 id="new">{t!(token.new)}</h2>
                <form method="post" action=CreateToken::url() class="form">
                    <TextField state=state.clone() name="name" label=t!(token.name) hint=t!(token.name_hint) required=true max=200/>
                    <fieldset>
                        <legend>{t!(token.scopes)}</legend>
                        <TickField state=state.clone() name="scope_gate_read" label=names::scope(Scope::GateRead)/>
                        <TickField state=state.clone() name="scope_dns_write" label=names::scope(Scope::DnsWrite)/>
                        <TickField state=state.clone() name="scope_jobs_read" label=names::scope(Scope::JobsRead)/>
                        <TickField state=state.clone() name="scope_metrics_read" label=names::scope(Scope::MetricsRead)/>
                    </fieldset>
                    <TextField state name="expires_in_days" kind="number" label=t!(token.days) hint=t!(token.days_hint) min=1 max=3_650/>
                    <div class="submit"><button type="submit" class="button primary">{t!(token.create)}</button></div>
                </form>
            </section>
        }
        .into_any())
    })
}

#[component]
fn NewSecret(token: IssuedToken) -> AnyView {
    view! {
        <section class="notice good block" aria-labelledby="secret">
            <h2 id="secret">{t!(token.secret)}" · "{token.token.name}</h2>
            <p>{t!(token.secret_hint)}</p>
            <pre class="sample secret" tabindex="0">{token.secret.0}</pre>
        </section>
    }
    .into_any()
}

fn row(token: ServiceToken) -> AnyView {
    let scopes = token.scopes.iter().map(|scope| view! { <code class="tag">{scope.as_str()}</code> }).collect_view();
    let revoked = token.revoked_at.is_some();
    view! {
        <tr>
            <th scope="row" data-label=t!(token.name)>{token.name.clone()}</th>
            <td data-label=t!(token.scopes)>{scopes}</td>
            <td data-label=t!(user.status)>
                {if revoked {
                    view! { <Badge tone=Tone::Quiet shape=Shape::Dash text=t!(token.revoked)/> }
                } else {
                    view! { <Badge tone=Tone::Good shape=Shape::Check text=t!(user.active)/> }
                }}
            </td>
            <td data-label=t!(token.expires)><MaybeAt at=token.expires_at/></td>
            <td data-label=t!(token.last_used)><MaybeAt at=token.last_used_at/></td>
            <td data-label=t!(job.created)><At at=token.created_at/></td>
            <td>
                {(!revoked).then(|| view! {
                    <details class="confirm">
                        <summary class="button small">{t!(token.revoke)}<span class="hidden">" "{token.name.clone()}</span></summary>
                        <p>{t!(token.revoke_hint)}</p>
                        <PostButton action=RevokeToken::url() fields=vec![("token_id", token.id.to_string())] text=t!(token.revoke_confirm) of=token.name class="small danger"/>
                    </details>
                })}
            </td>
        </tr>
    }
    .into_any()
}
