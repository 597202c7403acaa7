//! OAuth 2: applications that are registered with providers, and consents. A browser's way to a provider and back is in
//! [`crate::http::consent`].

use crate::http::{
    error::Answer,
    extract::{Created, Json, OptionalJson, Paging, Path, host},
    identity::Caller,
};
use axum::extract::State;
use gatepost_contract::{
    ConfirmAccounts, Consent, ConsentId, IssuedConsentLink, JobId, MailboxId, NewConsent, NewConsentLink, NewOauthApp,
    OauthApp, OauthAppId, OauthAppPatch, Page, PageQuery, Revocation, UnconfirmedAccounts,
};
use gatepost_core::Gatepost;
use http::{HeaderMap, StatusCode};

/// List the OAuth applications
#[utoipa::path(get, path = "/oauth/apps", tag = "oauth", params(PageQuery),
    responses((status = 200, description = "A page of applications, without their secrets", body = Page<OauthApp>)))]
pub async fn list_apps(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    headers: HeaderMap,
    Paging(page): Paging,
) -> Answer<Json<Page<OauthApp>>> {
    Ok(Json(core.list_oauth_apps(&actor, page, host(&headers)).await?))
}

/// Register an OAuth application here
///
/// It must be registered with the provider before, with the redirect address that the answer names. An ops lead or a
/// super admin may.
#[utoipa::path(post, path = "/oauth/apps", tag = "oauth", request_body = NewOauthApp,
    responses((status = 201, description = "The application, without its secrets", body = OauthApp)))]
pub async fn create_app(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    headers: HeaderMap,
    Json(input): Json<NewOauthApp>,
) -> Answer<Created<OauthApp>> {
    let app = core.create_oauth_app(&actor, input, host(&headers)).await?;
    Ok(Created(format!("/api/v1/oauth/apps/{}", app.id), app))
}

/// Read an OAuth application
#[utoipa::path(get, path = "/oauth/apps/{id}", tag = "oauth", params(("id" = i64, Path, description = "The application")),
    responses((status = 200, description = "The application, without its secrets", body = OauthApp)))]
pub async fn get_app(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    headers: HeaderMap,
    Path(id): Path<OauthAppId>,
) -> Answer<Json<OauthApp>> {
    Ok(Json(core.get_oauth_app(&actor, id, host(&headers)).await?))
}

/// Change an OAuth application
#[utoipa::path(patch, path = "/oauth/apps/{id}", tag = "oauth",
    params(("id" = i64, Path, description = "The application")), request_body = OauthAppPatch,
    responses((status = 200, description = "The application as it is now", body = OauthApp)))]
pub async fn update_app(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<OauthAppId>,
    headers: HeaderMap,
    Json(patch): Json<OauthAppPatch>,
) -> Answer<Json<OauthApp>> {
    Ok(Json(core.update_oauth_app(&actor, id, patch, host(&headers)).await?))
}

/// Forget an OAuth application
///
/// Refused while there are consents to it.
#[utoipa::path(delete, path = "/oauth/apps/{id}", tag = "oauth",
    params(("id" = i64, Path, description = "The application")),
    responses((status = 204, description = "It is forgotten")))]
pub async fn remove_app(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<OauthAppId>,
) -> Answer<StatusCode> {
    core.delete_oauth_app(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List a job's consents
///
/// Those that serve all its mailboxes first.
#[utoipa::path(get, path = "/migration/jobs/{id}/consents", tag = "oauth",
    params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "All of them, without their tokens", body = Vec<Consent>)))]
pub async fn of_job(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<Vec<Consent>>> {
    Ok(Json(core.job_consents(&actor, id).await?))
}

/// Ask for a consent that serves all mailboxes of a job
///
/// By client credentials or a service account. It becomes valid when an administrator has let the application in and a
/// check got a token. An ops lead or a super admin may.
#[utoipa::path(post, path = "/migration/jobs/{id}/consents", tag = "oauth",
    params(("id" = i64, Path, description = "The job")), request_body = NewConsent,
    responses((status = 201, description = "The consent", body = Consent)))]
pub async fn ask_for_job(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Json(input): Json<NewConsent>,
) -> Answer<Created<Consent>> {
    Ok(created(core.ask_job_consent(&actor, id, input).await?))
}

/// List the accounts that a consent for all mailboxes of a job waits with
///
/// Accounts that are not called as their mailbox, and all of them once the job has another new server, are served only when
/// an ops lead or a super admin has named or confirmed them.
#[utoipa::path(get, path = "/migration/jobs/{id}/consents/unconfirmed", tag = "oauth",
    params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "The accounts", body = UnconfirmedAccounts)))]
pub async fn unconfirmed(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<UnconfirmedAccounts>> {
    Ok(Json(core.unconfirmed_accounts(&actor, id).await?))
}

/// Confirm these accounts
///
/// Refused where they have changed since they were listed. An ops lead or a super admin may.
#[utoipa::path(post, path = "/migration/jobs/{id}/consents/unconfirmed", tag = "oauth",
    params(("id" = i64, Path, description = "The job")), request_body = ConfirmAccounts,
    responses((status = 200, description = "What is left to be confirmed", body = UnconfirmedAccounts)))]
pub async fn confirm(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
    Json(input): Json<ConfirmAccounts>,
) -> Answer<Json<UnconfirmedAccounts>> {
    Ok(Json(core.confirm_accounts(&actor, id, &input.seen).await?))
}

/// List what may open a mailbox
///
/// Its own consents, then those for all mailboxes of its job.
#[utoipa::path(get, path = "/migration/mailboxes/{id}/consents", tag = "oauth",
    params(("id" = i64, Path, description = "The mailbox")),
    responses((status = 200, description = "All of them, without their tokens", body = Vec<Consent>)))]
pub async fn of_mailbox(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MailboxId>,
) -> Answer<Json<Vec<Consent>>> {
    Ok(Json(core.mailbox_consents(&actor, id).await?))
}

/// Ask for the consent of a mailbox's owner
#[utoipa::path(post, path = "/migration/mailboxes/{id}/consents", tag = "oauth",
    params(("id" = i64, Path, description = "The mailbox")), request_body = NewConsent,
    responses((status = 201, description = "The consent, which is still to be given", body = Consent)))]
pub async fn ask_for_mailbox(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<MailboxId>,
    Json(input): Json<NewConsent>,
) -> Answer<Created<Consent>> {
    Ok(created(core.ask_mailbox_consent(&actor, id, input).await?))
}

/// List the consents of a job that were taken back
///
/// The newest first, at most 50, each with how far the provider has followed. One that does not confirm is asked eight times
/// within a day.
#[utoipa::path(get, path = "/migration/jobs/{id}/consents/revocations", tag = "oauth",
    params(("id" = i64, Path, description = "The job")),
    responses((status = 200, description = "What was taken back", body = Vec<Revocation>)))]
pub async fn revocations(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<JobId>,
) -> Answer<Json<Vec<Revocation>>> {
    Ok(Json(core.job_revocations(&actor, id).await?))
}

/// Read a consent
#[utoipa::path(get, path = "/migration/consents/{id}", tag = "oauth",
    params(("id" = i64, Path, description = "The consent")),
    responses((status = 200, description = "The consent, without its tokens", body = Consent)))]
pub async fn get(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<ConsentId>,
) -> Answer<Json<Consent>> {
    Ok(Json(core.get_consent(&actor, id).await?))
}

/// Withdraw a consent
///
/// Its tokens are forgotten at once and given back to the provider, where that takes them; one that does not confirm is
/// asked again.
#[utoipa::path(delete, path = "/migration/consents/{id}", tag = "oauth",
    params(("id" = i64, Path, description = "The consent")),
    responses((status = 204, description = "It is withdrawn")))]
pub async fn withdraw(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<ConsentId>,
) -> Answer<StatusCode> {
    core.withdraw_consent(&actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Try a consent
///
/// Takes a token from the provider now. A consent for all mailboxes of a job becomes valid by that.
#[utoipa::path(post, path = "/migration/consents/{id}/check", tag = "oauth",
    params(("id" = i64, Path, description = "The consent")),
    responses((status = 200, description = "The consent as it stands", body = Consent)))]
pub async fn check(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<ConsentId>,
) -> Answer<Json<Consent>> {
    Ok(Json(core.check_consent(&actor, id).await?))
}

/// Get a code to be typed in at the provider's page
///
/// The answer holds the code; whether it was entered is seen by reading the consent again.
#[utoipa::path(post, path = "/migration/consents/{id}/device", tag = "oauth",
    params(("id" = i64, Path, description = "The consent")),
    responses((status = 200, description = "The consent with its code", body = Consent)))]
pub async fn device(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<ConsentId>,
) -> Answer<Json<Consent>> {
    Ok(Json(core.begin_device_consent(&actor, id).await?))
}

/// Make a link for the owner of a mailbox
///
/// Whoever opens it is led to the provider to consent. It is used up by the consent; links made before are refused.
#[utoipa::path(post, path = "/migration/consents/{id}/links", tag = "oauth",
    params(("id" = i64, Path, description = "The consent")), request_body = NewConsentLink,
    responses((status = 201, description = "The link, on the one occasion on which it is shown", body = IssuedConsentLink)))]
pub async fn link(
    State(core): State<Gatepost>,
    Caller(actor): Caller,
    Path(id): Path<ConsentId>,
    headers: HeaderMap,
    OptionalJson(input): OptionalJson<NewConsentLink>,
) -> Answer<Created<IssuedConsentLink>> {
    let issued = core.issue_consent_link(&actor, id, input, host(&headers)).await?;
    Ok(Created(format!("/api/v1/migration/consents/{id}"), issued))
}

fn created(consent: Consent) -> Created<Consent> {
    Created(format!("/api/v1/migration/consents/{}", consent.id), consent)
}
