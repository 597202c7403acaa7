//! Settings of old servers, found from a domain or an address.

use crate::http::{
    error::Answer,
    extract::{Json, Query},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{Discovery, DiscoveryQuery};
use gatepost_core::Gatepost;

/// Find the settings of a mail server
///
/// By SRV records, autoconfig, autodiscover, the provider that the MX belongs to, and usual names; each server that is
/// named is tried without logging in. Proposals with where they come from and how sure they are: nothing is applied. Takes
/// up to half a minute.
#[utoipa::path(get, path = "/migration/discover", tag = "mailboxes", params(DiscoveryQuery),
    responses((status = 200, description = "What was found", body = Discovery)))]
pub async fn discover(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Query(query): Query<DiscoveryQuery>,
) -> Answer<Json<Discovery>> {
    Ok(Json(core.discover(&actor, &query).await?))
}
