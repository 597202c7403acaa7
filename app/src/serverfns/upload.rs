//! Files of a mailbox. Their bytes come by tus or by a form of their own, not through here.

use gatepost_contract::{MailboxId, Problem};
use leptos::prelude::*;

/// Takes a file or folder that lies on the server.
#[server(prefix = "/api/fn", endpoint = "add_server_file")]
pub async fn add_server_file(mailbox_id: MailboxId, path: String) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    let file = gatepost_contract::ServerFile { path: path.trim().to_owned() };
    desk.gatepost.add_server_file(&desk.actor, mailbox_id, file).await?;
    context::go(&format!("/mailboxes/{mailbox_id}/files?notice=file_taken"));
    Ok(())
}

/// Deletes a file's bytes. With `force` and a reason also where it is needed for the proof.
#[server(prefix = "/api/fn", endpoint = "delete_upload")]
pub async fn delete_upload(
    upload_id: String,
    mailbox_id: MailboxId,
    #[server(default)] force: String,
    #[server(default)] reason: String,
) -> Result<(), Problem> {
    use crate::{context, serverfns::input::ticked};
    let desk = context::desk()?;
    let early = ticked(&force).then_some(reason.as_str());
    desk.gatepost.delete_upload(&desk.actor, &upload_id, early).await?;
    context::go(&format!("/mailboxes/{mailbox_id}/files?notice=file_deleted"));
    Ok(())
}
