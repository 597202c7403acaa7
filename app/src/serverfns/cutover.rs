//! The cutover: reading the DNS, its settings, and the word that the MX was changed.

use gatepost_contract::{JobId, Problem};
use leptos::prelude::*;

/// Reads the domain's DNS now.
#[server(prefix = "/api/fn", endpoint = "read_dns")]
pub async fn read_dns(job_id: JobId) -> Result<(), Problem> {
    use crate::context;
    let desk = context::desk()?;
    desk.gatepost.read_dns(&desk.actor, job_id).await?;
    context::go(&format!("/jobs/{job_id}/cutover?notice=dns_read"));
    Ok(())
}

/// Records that the domain's MX was changed, to what and when.
#[server(prefix = "/api/fn", endpoint = "record_cutover")]
pub async fn record_cutover(
    job_id: JobId,
    domain: String,
    #[server(default)] mx: String,
    #[server(default)] applied_at: String,
) -> Result<(), Problem> {
    use crate::{context, serverfns::input::text};
    let desk = context::desk()?;
    let applied = gatepost_contract::DnsApplied { domain, mx: text(&mx), applied_at: text(&applied_at) };
    desk.gatepost.dns_applied(&desk.actor, applied).await?;
    context::go(&format!("/jobs/{job_id}/cutover?notice=dns_applied"));
    Ok(())
}

/// Writes the settings of a job's cutover.
#[server(prefix = "/api/fn", endpoint = "update_cutover")]
pub async fn update_cutover(
    job_id: JobId,
    #[server(default)] straggler_minutes: String,
    #[server(default)] quiet_hours: String,
    #[server(default)] new_mx: String,
    #[server(default)] dkim_selectors: String,
) -> Result<(), Problem> {
    use crate::{context, serverfns::input::Fields};
    let desk = context::desk()?;
    let mut fields = Fields::new();
    let words = |text: &str| {
        let words = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let settings = gatepost_contract::CutoverSettings {
        straggler_minutes: fields.maybe("straggler_minutes", &straggler_minutes),
        quiet_hours: fields.must("quiet_hours", &quiet_hours).unwrap_or_default(),
        new_mx: words(&new_mx),
        dkim_selectors: words(&dkim_selectors),
    };
    fields.done()?;
    desk.gatepost.set_cutover_settings(&desk.actor, job_id, settings).await?;
    context::go(&format!("/jobs/{job_id}/cutover?notice=saved"));
    Ok(())
}
