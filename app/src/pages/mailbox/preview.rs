//! A list of mailboxes before it is stored: what it holds and what is wrong.

use crate::{
    components::{At, Badge, Hidden, Icon, PageHead, Shape, Table, Tone, count, head, head_figure, load, param},
    i18n::{Said, names},
    pages::job::crumbs,
    serverfns::import::StoreImport,
};
use gatepost_contract::{FieldError, ImportLine, ImportPreview, JobId};
use leptos::{prelude::*, server_fn::ServerFn};

/// How many mailboxes and errors the page shows; the file has them all.
const SHOWN: usize = 200;

/// The page.
#[component]
pub fn PreviewImport() -> AnyView {
    let id = param::<JobId>("id", "job");
    let preview = param::<String>("preview", "preview");
    load(|desk| async move {
        let (id, preview) = (id?, preview?);
        let job = desk.gatepost.get_job(&desk.actor, id).await?;
        let found = desk.gatepost.import_preview(&desk.actor, id, &preview).await?;
        let mut up = crumbs(&job);
        up.push((format!("/jobs/{id}/import"), t!(mailbox.import).to_owned()));
        let (good, wrong) = (found.mailboxes.len(), found.errors.len());
        let all_right = wrong == 0;
        let warnings = (!found.warnings.is_empty()).then(|| {
            let items = found.warnings.iter().map(|text| {
                view! { <li><Icon shape=Shape::Warn/><span><Said text=text.clone()/></span></li> }
            });
            view! {
                <section aria-labelledby="warnings">
                    <h2 id="warnings">{t!(bulk.warnings)}</h2>
                    <ul class="warnings">{items.collect_view()}</ul>
                </section>
            }
        });
        Ok(view! {
            <PageHead title=t!(bulk.preview).to_owned() up/>
            {if all_right {
                view! { <p class="notice good" role="status">{t!(bulk.good, count = count(good as i64))}</p> }.into_any()
            } else {
                view! { <p class="notice bad" role="alert">{t!(bulk.wrong, errors = count(wrong as i64), lines = count(found.lines))}</p> }.into_any()
            }}
            {(!all_right).then(|| errors(id, &found))}
            {warnings}
            <section aria-labelledby="list">
                <h2 id="list">{t!(bulk.mailboxes)}</h2>
                {mailboxes(&found)}
            </section>
            <div class="submit">
                {all_right.then(|| view! {
                    <form method="post" action=StoreImport::url() class="inline">
                        <Hidden name="job_id" value=id.to_string()/>
                        <Hidden name="preview" value=preview.clone()/>
                        <button type="submit" class="button primary">{t!(bulk.store, count = count(good as i64))}</button>
                    </form>
                })}
                <a class="button quiet" href=format!("/jobs/{id}/import")>{t!(bulk.other)}</a>
            </div>
            <p class="hint">{t!(bulk.until)}" "<At at=found.expires_at/></p>
        }
        .into_any())
    })
}

fn errors(job: JobId, found: &ImportPreview) -> AnyView {
    let heads = vec![head_figure(t!(bulk.line)), head(t!(bulk.column)), head(t!(bulk.message))];
    let rows = found.errors.iter().take(SHOWN).map(|error: &FieldError| {
        let (place, column) = error.field.split_once(": ").unwrap_or((&error.field, ""));
        let line = place.strip_prefix("line ").unwrap_or("–").to_owned();
        view! {
            <tr>
                <th scope="row" data-label=t!(bulk.line) class="num">{line}</th>
                <td data-label=t!(bulk.column)><code>{column.to_owned()}</code></td>
                <td data-label=t!(bulk.message)><Said text=error.message.clone()/></td>
            </tr>
        }
    });
    let rows = rows.collect_view().into_any();
    let href = format!("/api/v1/migration/jobs/{job}/mailboxes/preview/{}/errors.csv", found.id);
    let (shown, all) = (found.errors.len().min(SHOWN), found.errors.len());
    view! {
        <section aria-labelledby="errors">
            <div class="line">
                <h2 id="errors">{t!(bulk.errors)}</h2>
                <a class="button small" href=href download="gatepost-import-errors.csv">{t!(bulk.errors_csv)}</a>
            </div>
            <Table caption=t!(bulk.errors).to_owned() heads rows/>
            {(shown < all).then(|| view! { <p class="hint">{t!(bulk.first, shown = count(shown as i64), all = count(all as i64))}</p> })}
        </section>
    }
    .into_any()
}

fn mailboxes(found: &ImportPreview) -> AnyView {
    let heads = vec![
        head_figure(t!(bulk.line)),
        head(t!(mailbox.email)),
        head(t!(mailbox.source)),
        head(t!(run.tool)),
        head(t!(bulk.secrets)),
        head(t!(bulk.wave)),
    ];
    let rows = found.mailboxes.iter().take(SHOWN).map(row).collect_view().into_any();
    let (shown, all) = (found.mailboxes.len().min(SHOWN), found.mailboxes.len());
    view! {
        <Table caption=t!(bulk.mailboxes).to_owned() heads rows/>
        {(shown < all).then(|| view! { <p class="hint">{t!(bulk.first, shown = count(shown as i64), all = count(all as i64))}</p> })}
    }
    .into_any()
}

fn row(line: &ImportLine) -> AnyView {
    let server = match (&line.source_host, line.source_port, line.source_security) {
        (Some(host), Some(port), Some(security)) => format!("{host}:{port} · {}", names::security(security)),
        (Some(host), ..) => host.clone(),
        (None, ..) => String::new(),
    };
    let users: Vec<String> = [&line.source_user, &line.source_admin, &line.dest_user, &line.dest_admin]
        .into_iter()
        .flatten()
        .cloned()
        .collect();
    let secret = |stored: bool, text: &'static str| {
        stored.then(|| view! { <Badge tone=Tone::Good shape=Shape::Lock text/> " " })
    };
    let none = !line.has_source_secret && !line.has_dest_secret;
    view! {
        <tr>
            <th scope="row" data-label=t!(bulk.line) class="num">{line.line.to_string()}</th>
            <td data-label=t!(mailbox.email)>
                <span>{line.email.clone()}{(!users.is_empty()).then(|| view! { <small>{users.join(", ")}</small> })}</span>
            </td>
            <td data-label=t!(mailbox.source)>
                <span>{names::source_type(line.source_type)}{(!server.is_empty()).then(|| view! { <small>{server}</small> })}</span>
            </td>
            <td data-label=t!(run.tool)>{names::tool(line.tool)}</td>
            <td data-label=t!(bulk.secrets)>
                <span>
                    {secret(line.has_source_secret, t!(bulk.secret_source))}
                    {secret(line.has_dest_secret, t!(bulk.secret_dest))}
                    {none.then(|| t!(bulk.secret_none))}
                </span>
            </td>
            <td data-label=t!(bulk.wave)>{line.wave.clone().unwrap_or_else(|| "–".to_owned())}</td>
        </tr>
    }
    .into_any()
}
