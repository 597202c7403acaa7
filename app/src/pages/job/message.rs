//! One message of the residue: its headers as text, read from the old server when the page is opened. Nothing of a
//! message is ever rendered as HTML.

use crate::{
    components::{At, Fact, Icon, JobTab, JobTabs, PageHead, PostButton, Shape, StateBadge, load, param, size},
    i18n::{Said, names},
    pages::job::crumbs,
    serverfns::residue::RetryMessage,
};
use gatepost_contract::{JobId, MessageHeaders, MessageId, MessageState, Problem, Residue};
use leptos::{prelude::*, server_fn::ServerFn};

/// The message's page.
#[component]
pub fn ShowMessage() -> AnyView {
    let id = param::<JobId>("id", "job");
    let message = param::<MessageId>("message", "message");
    load(|desk| async move {
        let (gatepost, actor, id, message) = (desk.gatepost, desk.actor, id?, message?);
        let job = gatepost.get_job(&actor, id).await?;
        let one = gatepost.residue_message(&actor, id, message).await?;
        let headers = gatepost.message_headers(&actor, message).await.map_err(Problem::from);
        let mut up = crumbs(&job);
        let tab = if one.state == MessageState::Quarantined { JobTab::Quarantine } else { JobTab::Residue };
        up.push(match tab {
            JobTab::Quarantine => (format!("/jobs/{id}/quarantine"), t!(quarantine.title).to_owned()),
            _ => (format!("/jobs/{id}/residue"), t!(residue.title).to_owned()),
        });
        let title = t!(quarantine.message, uid = one.source_uid, folder = one.folder.clone());
        let file = format!("/api/v1/migration/quarantine/{message}/message");
        let retry = (one.state == MessageState::Quarantined && actor.can_manage()).then(|| {
            let fields = vec![("job_id", id.to_string()), ("message_id", message.to_string())];
            view! { <PostButton action=RetryMessage::url() fields text=t!(quarantine.retry) class="small primary"/> }
        });
        Ok(view! {
            <PageHead title up>
                <a class="button small" href=file download=true>{t!(quarantine.download)}</a>
                {retry}
            </PageHead>
            <JobTabs id current=tab/>
            {facts(one)}
            {shown(headers)}
        }
        .into_any())
    })
}

fn facts(one: Residue) -> AnyView {
    view! {
        <dl class="facts wide">
            <Fact name=t!(residue.mailbox)>{one.email}</Fact>
            <Fact name=t!(residue.state)><StateBadge state=one.state/></Fact>
            <Fact name=t!(residue.date)><At at=one.internal_date/></Fact>
            <Fact name=t!(residue.size)>{size(one.size)}</Fact>
            <Fact name=t!(residue.cause)>{one.cause_kind.map_or(t!(cause.unknown), names::cause)}</Fact>
        </dl>
        {one.cause.map(|cause| view! { <p class="lead"><bdi><Said text=cause/></bdi></p> })}
    }
    .into_any()
}

fn shown(headers: Result<MessageHeaders, Problem>) -> AnyView {
    match headers {
        Ok(headers) => {
            let truncated = headers.truncated;
            let text = headers.lines.join("\n");
            view! {
                <section aria-labelledby="headers">
                    <h2 id="headers">{t!(quarantine.headers)}</h2>
                    <p class="hint">{t!(quarantine.headers_lead)}</p>
                    <pre class="sample wrap" tabindex="0" aria-labelledby="headers">{text}</pre>
                    {truncated.then(|| view! { <p class="hint">{t!(quarantine.headers_cut)}</p> })}
                </section>
            }
            .into_any()
        }
        Err(problem) => view! {
            <div class="notice bad" role="alert">
                <h2><Icon shape=Shape::Warn/>{t!(quarantine.unread)}</h2>
                <p><Said text=problem.detail/></p>
            </div>
        }
        .into_any(),
    }
}
