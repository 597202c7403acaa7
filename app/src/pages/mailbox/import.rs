//! Many mailboxes from CSV.

use crate::{
    components::{AreaField, FormState, Hidden, PageHead, field_id, load, param},
    islands::csv::CsvFile,
    pages::job::crumbs,
    serverfns::{import::PreviewImport, mailbox::ImportMailboxes as Import},
};
use gatepost_contract::JobId;
use leptos::{prelude::*, server_fn::ServerFn};

const EXAMPLE: &str =
    "email,source_type,source_host,source_port,source_security,source_user,source_password,dest_user,dest_password
ana@example.org,imap,imap.old.example,993,tls,,secret-1,,secret-2
rui@example.org,imap,imap.old.example,993,tls,rui,secret-3,,secret-4
lia@example.org,pst,,,,,,,secret-5";

/// The form that imports mailboxes.
#[component]
pub fn ImportMailboxes() -> AnyView {
    let id = param::<JobId>("id", "job");
    load(|desk| async move {
        let job = desk.gatepost.get_job(&desk.actor, id?).await?;
        let state = FormState::of(Import::url());
        Ok(view! {
            <PageHead title=t!(mailbox.import).to_owned() up=crumbs(&job)/>
            <p class="lead">{t!(import.lead)}</p>
            <p>
                <a class="button small" href="/api/v1/migration/mailboxes/template.csv" download="gatepost-mailboxes.csv">{t!(bulk.template)}</a>
            </p>
            <p class="hint">{t!(bulk.template_hint)}</p>
            <form method="post" action=Import::url() class="form wide">
                <Hidden name="job_id" value=job.id.to_string()/>
                <p class="hint">{t!(bulk.look_hint)}</p>
                <CsvFile target=field_id("csv") label=t!(import.file).to_owned()/>
                <AreaField state name="csv" label=t!(import.csv) hint=t!(import.csv_hint) required=true rows=12/>
                <div class="submit">
                    <button type="submit" class="button primary" formaction=PreviewImport::url()>{t!(bulk.look)}</button>
                    <button type="submit" class="button">{t!(import.submit)}</button>
                    <a class="button quiet" href=format!("/jobs/{}", job.id)>{t!(form.cancel)}</a>
                </div>
            </form>
            <section aria-labelledby="example">
                <h2 id="example">{t!(import.example)}</h2>
                <p>{t!(bulk.columns_text)}</p>
                <pre class="sample" tabindex="0">{EXAMPLE}</pre>
            </section>
        }
        .into_any())
    })
}
