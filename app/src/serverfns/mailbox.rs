//! Mailboxes of a job.

use gatepost_contract::{JobId, MailboxId, Problem, Secret};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

/// The form of a mailbox, as text.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MailboxForm {
    /// Its address.
    pub email: String,
    /// Where its mail comes from.
    pub source_type: String,
    /// What does the copying.
    pub tool: String,
    /// The old server.
    pub source_host: String,
    /// Its port.
    pub source_port: String,
    /// How the connection to it is protected.
    pub source_security: String,
    /// Ticked: its certificate is not verified.
    pub source_insecure_tls: String,
    /// The log-in name there.
    pub source_user: String,
    /// Who logs in there for that user.
    pub source_admin: String,
    /// Where a program there is run by SSH.
    pub source_ssh: String,
    /// Its web address.
    pub source_web: String,
    /// The password there.
    pub source_password: Secret,
    /// The OAuth token there.
    pub source_oauth_token: Secret,
    /// The log-in name at the new server.
    pub dest_user: String,
    /// Who logs in there for that user.
    pub dest_admin: String,
    /// The password at the new server.
    pub dest_password: Secret,
    /// Lines `from = to`.
    pub folder_map: String,
}

/// Adds a mailbox to a job.
#[server(prefix = "/api/fn", endpoint = "add_mailbox")]
pub async fn add_mailbox(job_id: JobId, #[server(flatten)] form: MailboxForm) -> Result<(), Problem> {
    use crate::{
        context,
        serverfns::input::{Fields, secret, text, ticked},
    };
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let mailbox = gatepost_contract::NewMailbox {
        email: fields.must("email", &form.email).unwrap_or_default(),
        source_type: fields.must("source_type", &form.source_type).unwrap_or(gatepost_contract::SourceType::Imap),
        tool: fields.maybe("tool", &form.tool),
        source_host: text(&form.source_host),
        source_port: fields.maybe("source_port", &form.source_port),
        source_security: fields.maybe("source_security", &form.source_security),
        source_insecure_tls: ticked(&form.source_insecure_tls),
        source_user: text(&form.source_user),
        source_admin: text(&form.source_admin),
        source_ssh: text(&form.source_ssh),
        source_web: text(&form.source_web),
        source_secret: secret(form.source_password, form.source_oauth_token),
        dest_user: text(&form.dest_user),
        dest_admin: text(&form.dest_admin),
        dest_secret: secret(form.dest_password, Secret::default()),
        folder_map: fields.folder_map("folder_map", &form.folder_map),
    };
    fields.done()?;
    let mailbox = desk.gatepost.add_mailbox(&desk.actor, job_id, mailbox).await?;
    // What is filled from files needs them next.
    let next = if mailbox.source_type.is_file() {
        format!("/mailboxes/{}/files?notice=created", mailbox.id)
    } else if mailbox.source_type == gatepost_contract::SourceType::ImapOauth && !mailbox.has_source_secret {
        // Nobody has been asked yet.
        format!("/mailboxes/{}/consent?notice=created", mailbox.id)
    } else {
        format!("/jobs/{job_id}?notice=created")
    };
    context::go(&next);
    Ok(())
}

/// Adds the mailboxes of a CSV text, all or none.
#[server(prefix = "/api/fn", endpoint = "import_mailboxes")]
pub async fn import_mailboxes(job_id: JobId, csv: Secret) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.import_mailboxes(&desk.actor, job_id, csv.0.as_bytes()).await?;
    context::go(&format!("/jobs/{job_id}?notice=imported"));
    Ok(())
}

/// Changes a mailbox. Empty secrets stay as they are.
#[server(prefix = "/api/fn", endpoint = "update_mailbox")]
pub async fn update_mailbox(mailbox_id: MailboxId, #[server(flatten)] form: MailboxForm) -> Result<(), Problem> {
    use crate::{
        context,
        serverfns::input::{Fields, secret, text, ticked},
    };
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let patch = gatepost_contract::MailboxPatch {
        tool: fields.maybe("tool", &form.tool),
        source_host: text(&form.source_host),
        source_port: fields.maybe("source_port", &form.source_port),
        source_security: fields.maybe("source_security", &form.source_security),
        source_insecure_tls: Some(ticked(&form.source_insecure_tls)),
        source_user: text(&form.source_user),
        // An emptied field means that nobody but the user logs in any more.
        source_admin: Some(form.source_admin),
        source_ssh: Some(form.source_ssh),
        source_web: Some(form.source_web),
        source_secret: secret(form.source_password, form.source_oauth_token),
        dest_user: text(&form.dest_user),
        dest_admin: Some(form.dest_admin),
        dest_secret: secret(form.dest_password, Secret::default()),
        folder_map: Some(fields.folder_map("folder_map", &form.folder_map)),
    };
    fields.done()?;
    desk.gatepost.update_mailbox(&desk.actor, mailbox_id, patch).await?;
    context::go(&format!("/mailboxes/{mailbox_id}?notice=saved"));
    Ok(())
}

/// Takes a mailbox out of its job. Nothing is deleted on either server.
#[server(prefix = "/api/fn", endpoint = "delete_mailbox")]
pub async fn delete_mailbox(mailbox_id: MailboxId, job_id: JobId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.delete_mailbox(&desk.actor, mailbox_id).await?;
    context::go(&format!("/jobs/{job_id}?notice=deleted"));
    Ok(())
}
