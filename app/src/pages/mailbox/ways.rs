//! The ways to an old server that programs take beside IMAP. They are for Zimbra and Dovecot alone, so they are folded away.

use crate::components::{FormState, TextField};
use gatepost_contract::{Mailbox, SourceType};
use leptos::prelude::*;

/// Where zmmailbox or doveadm is run by SSH, and where Zimbra exports by HTTPS.
#[component]
pub fn WayFields(state: FormState, mailbox: Option<Mailbox>) -> AnyView {
    let fits = |mailbox: &Mailbox| matches!(mailbox.source_type, SourceType::Zimbra | SourceType::Dovecot);
    if mailbox.as_ref().is_some_and(|mailbox| !fits(mailbox)) {
        return ().into_any();
    }
    let (ssh, web) = mailbox.map(|mailbox| (mailbox.source_ssh, mailbox.source_web)).unwrap_or_default();
    let (ssh, web) = (ssh.unwrap_or_default(), web.unwrap_or_default());
    let open = state.refused() || !ssh.is_empty() || !web.is_empty();
    view! {
        <details open=open>
            <summary>{t!(ways.more)}</summary>
            <div class="row">
                <TextField state=state.clone() name="source_ssh" label=t!(ways.ssh) hint=t!(ways.ssh_hint) value=ssh max=320/>
                <TextField state name="source_web" label=t!(ways.web) hint=t!(ways.web_hint) value=web max=320/>
            </div>
        </details>
    }
    .into_any()
}
