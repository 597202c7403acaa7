//! The links to a job: the list, a new one, its token for the one time.

use crate::{
    components::{
        At, Badge, Empty, FormState, Hidden, ListAddress, MaybeAt, PostButton, SelectField, Shape, Table, TextField,
        Tone, head, head_actions,
    },
    context::{self, Desk},
    islands::copy::CopyButton,
    serverfns::link::{CreateLink, RevokeLink, issued},
};
use gatepost_contract::{IssuedLink, JobId, LinkKind, Page, PageQuery, Problem, ShareLink};
use leptos::{prelude::*, server_fn::ServerFn};

/// Loads the section for a page below the job. `asked` is the part of the list that the page's address asks for.
pub async fn links_section(desk: &Desk, job: JobId, asked: PageQuery) -> Result<AnyView, Problem> {
    let links = desk.gatepost.list_links(&desk.actor, job, asked.clone()).await?;
    let new = issued::take(&desk.actor, job);
    if new.is_some() {
        context::header("cache-control", "no-store");
    }
    let may = desk.actor.can_manage();
    Ok(view! { <LinksSection job links asked new may/> }.into_any())
}

/// The section.
#[component]
pub fn LinksSection(
    /// The job.
    job: JobId,
    /// Its links.
    links: Page<ShareLink>,
    /// Which part of them was asked for.
    asked: PageQuery,
    /// A link that was made just now.
    new: Option<IssuedLink>,
    /// Whether the person may make and revoke links.
    may: bool,
) -> AnyView {
    let list = if links.items.is_empty() {
        view! { <Empty text=t!(links.none)/> }.into_any()
    } else {
        let address = ListAddress::new(format!("/jobs/{job}/report"), &asked, &[]);
        let pager = address.pager(&links);
        let heads = vec![
            head(t!(links.label)),
            address.head("kind", t!(links.kind)),
            head(t!(links.state)),
            address.head("expires_at", t!(links.expires)),
            address.head("last_used_at", t!(links.last_used)),
            address.head("created_at", t!(links.created)),
            head_actions(),
        ];
        let rows = links.items.into_iter().map(|link| row(link, may)).collect_view().into_any();
        view! { <Table caption=t!(links.title).to_owned() heads rows/> {pager} }.into_any()
    };
    let form = may.then(|| {
        let state = FormState::of(CreateLink::url());
        let kinds = LinkKind::ALL.iter().map(|kind| (kind.to_string(), kind_name(*kind).to_owned())).collect();
        view! {
            <form method="post" action=CreateLink::url() class="form sheet" aria-labelledby="new-link">
                <h3 id="new-link">{t!(links.new)}</h3>
                <Hidden name="job_id" value=job.to_string()/>
                <SelectField state=state.clone() name="kind" label=t!(links.kind) value=LinkKind::Badge.as_str() options=kinds required=true/>
                <TextField state=state.clone() name="label" label=t!(links.label) hint=t!(links.label_hint) max=200/>
                <TextField state name="days" kind="number" label=t!(links.days) hint=t!(links.days_hint) value="90" required=true min=1 max=366/>
                <div class="submit"><button type="submit" class="button">{t!(links.create)}</button></div>
            </form>
        }
    });
    view! {
        <section aria-labelledby="links">
            <h2 id="links">{t!(links.title)}</h2>
            <p class="lead">{t!(links.lead)}</p>
            {new.map(|link| view! { <NewToken link/> })}
            {list}
            {form}
        </section>
    }
    .into_any()
}

#[component]
fn NewToken(link: IssuedLink) -> AnyView {
    let texts = link.snippets.into_iter().enumerate().map(|(place, snippet)| {
        let name = match snippet.kind.as_str() {
            "image_html" => t!(links.image_html),
            "image_markdown" => t!(links.image_markdown),
            "frame_html" => t!(links.frame_html),
            _ => t!(links.address),
        };
        let id = format!("link-text-{place}");
        view! {
            <div class="line">
                <h3>{name}</h3>
                <CopyButton target=id.clone() text=t!(links.copy).to_owned() done=t!(links.copied).to_owned() what=name.to_owned()/>
            </div>
            <pre class="sample secret" id=id tabindex="0" aria-label=name>{snippet.text.0}</pre>
        }
    });
    view! {
        <section class="notice good block" aria-labelledby="issued-link">
            <h3 id="issued-link">{t!(links.issued)}" · "{kind_name(link.link.kind)}</h3>
            <p>{t!(links.issued_hint)}</p>
            {texts.collect_view()}
        </section>
    }
    .into_any()
}

fn kind_name(kind: LinkKind) -> &'static str {
    match kind {
        LinkKind::Badge => t!(links.kind_badge),
        LinkKind::Customer => t!(links.kind_customer),
    }
}

fn row(link: ShareLink, may: bool) -> AnyView {
    let name = if link.label.is_empty() { t!(links.unnamed, id = link.id.0).to_string() } else { link.label.clone() };
    let state = if link.revoked_at.is_some() {
        view! { <Badge tone=Tone::Quiet shape=Shape::Dash text=t!(links.revoked)/> }
    } else if link.usable {
        view! { <Badge tone=Tone::Good shape=Shape::Check text=t!(links.usable)/> }
    } else {
        view! { <Badge tone=Tone::Quiet shape=Shape::Dash text=t!(links.expired)/> }
    };
    let revoke = (may && link.usable).then(|| {
        let fields = vec![("link_id", link.id.to_string()), ("job_id", link.job_id.to_string())];
        view! {
            <details class="confirm">
                <summary class="button small">{t!(links.revoke)}<span class="hidden">" "{name.clone()}</span></summary>
                <p>{t!(links.revoke_hint)}</p>
                <PostButton action=RevokeLink::url() fields text=t!(links.revoke_confirm) of=name.clone() class="small danger"/>
            </details>
        }
    });
    view! {
        <tr>
            <th scope="row" data-label=t!(links.label)>{name}</th>
            <td data-label=t!(links.kind)>{kind_name(link.kind)}</td>
            <td data-label=t!(links.state)>{state}</td>
            <td data-label=t!(links.expires)><At at=link.expires_at/></td>
            <td data-label=t!(links.last_used)><MaybeAt at=link.last_used_at/></td>
            <td data-label=t!(links.created)><At at=link.created_at/><small>{link.created_by}</small></td>
            <td>{revoke}</td>
        </tr>
    }
    .into_any()
}
