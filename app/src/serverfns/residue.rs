//! Messages that have not arrived: given up, taken back, tried again. One by one, or all that a filter shows.

#![allow(clippy::too_many_arguments, reason = "a form has as many fields as it has")]

use gatepost_contract::{JobId, MessageId, Problem, WaiverId};
use leptos::prelude::*;

/// Where a form leads back to: the quarantine where it came from there, the residue otherwise.
#[cfg(feature = "ssr")]
fn back(job: JobId, page: &str, notice: &str) {
    let page = if page == "quarantine" { "quarantine" } else { "residue" };
    crate::context::go(&format!("/jobs/{job}/{page}?notice={notice}"));
}

/// Gives a message up, with a reason.
#[server(prefix = "/api/fn", endpoint = "waive_message")]
pub async fn waive_message(
    job_id: JobId,
    message_id: MessageId,
    reason: String,
    #[server(default)] page: String,
) -> Result<(), Problem> {
    let desk = crate::context::desk()?;
    desk.gatepost.waive(&desk.actor, message_id, gatepost_contract::WaiveRequest { reason }).await?;
    back(job_id, &page, "waived");
    Ok(())
}

/// Gives up all messages that a filter shows, as long as they are as many as were shown.
#[server(prefix = "/api/fn", endpoint = "waive_class")]
pub async fn waive_class(
    job_id: JobId,
    #[server(default)] mailbox_id: String,
    #[server(default)] folder_id: String,
    #[server(default)] state: String,
    #[server(default)] cause_kind: String,
    #[server(default)] q: String,
    expected_count: String,
    reason: String,
    #[server(default)] page: String,
) -> Result<(), Problem> {
    use crate::serverfns::input::{Fields, text};
    let desk = crate::context::desk()?;
    let mut fields = Fields::new();
    let request = gatepost_contract::WaiveMany {
        mailbox_id: fields.maybe("mailbox_id", &mailbox_id),
        folder_id: fields.maybe("folder_id", &folder_id),
        state: fields.maybe("state", &state),
        cause_kind: fields.maybe("cause_kind", &cause_kind),
        q: text(&q),
        message_ids: Vec::new(),
        reason,
        expected_count: fields.must("expected_count", &expected_count).unwrap_or_default(),
    };
    fields.done()?;
    desk.gatepost.waive_many(&desk.actor, job_id, request).await?;
    back(job_id, &page, "waived_many");
    Ok(())
}

/// Takes a decision to give messages up back, whole.
#[server(prefix = "/api/fn", endpoint = "withdraw_waiver")]
pub async fn withdraw_waiver(
    job_id: JobId,
    waiver_id: WaiverId,
    #[server(default)] why: String,
) -> Result<(), Problem> {
    let desk = crate::context::desk()?;
    let why = crate::serverfns::input::text(&why);
    desk.gatepost.withdraw_waiver(&desk.actor, waiver_id, true, why).await?;
    back(job_id, "residue", "withdrawn");
    Ok(())
}

/// Tries a refused message again.
#[server(prefix = "/api/fn", endpoint = "retry_message")]
pub async fn retry_message(job_id: JobId, message_id: MessageId) -> Result<(), Problem> {
    let desk = crate::context::desk()?;
    desk.gatepost.retry_message(&desk.actor, message_id).await?;
    back(job_id, "quarantine", "retried");
    Ok(())
}

/// Tries all refused messages that a filter shows again, as long as they are as many as were shown.
#[server(prefix = "/api/fn", endpoint = "retry_class")]
pub async fn retry_class(
    job_id: JobId,
    #[server(default)] mailbox_id: String,
    #[server(default)] folder_id: String,
    #[server(default)] cause_kind: String,
    #[server(default)] q: String,
    expected_count: String,
) -> Result<(), Problem> {
    use crate::serverfns::input::{Fields, text};
    let desk = crate::context::desk()?;
    let mut fields = Fields::new();
    let request = gatepost_contract::RetryMany {
        mailbox_id: fields.maybe("mailbox_id", &mailbox_id),
        folder_id: fields.maybe("folder_id", &folder_id),
        cause_kind: fields.maybe("cause_kind", &cause_kind),
        q: text(&q),
        message_ids: Vec::new(),
        expected_count: fields.must("expected_count", &expected_count),
    };
    fields.done()?;
    desk.gatepost.retry_many(&desk.actor, job_id, request).await?;
    back(job_id, "quarantine", "retried");
    Ok(())
}
