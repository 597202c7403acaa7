//! New tokens for old ones, and tokens given back.

use crate::{
    App, OauthError, Tokens,
    answer::{Form, odd, refusal, send, tokens, unavailable},
    explain::Asking,
};
use gatepost_contract::Secret;
use gatepost_web::Web;
use serde_json::Value;

/// Gets a new access token (RFC 6749 section 6). Where the answer holds a refresh token, it takes the place of the one
/// that was used: store it before anything else, because the old one has ended.
///
/// # Errors
/// [`OauthError::ConsentGone`] where nobody consents any more.
pub async fn refresh(web: &dyn Web, app: &App, refresh_token: &Secret) -> Result<Tokens, OauthError> {
    // Without a scope the answer is for all that was consented to; naming more than that would be an error.
    let form = Form::grant("refresh_token").with("refresh_token", &refresh_token.0).by(app)?;
    tokens(web, &app.endpoints.token, form, Asking::Refresh).await
}

/// Gives a token back (RFC 7009): a refresh token takes its access tokens with it. Gives whether the provider has an
/// address for it at all; Microsoft has none. A token that had ended before counts as given back.
///
/// # Errors
/// Where the provider could not be asked, or refused.
pub async fn revoke(web: &dyn Web, app: &App, token: &Secret) -> Result<bool, OauthError> {
    let Some(url) = app.endpoints.revoke.as_ref() else { return Ok(false) };
    let form = Form::empty().with("token", &token.0).by(app)?;
    let reply = send(web, url, &form).await?;
    if (200..300).contains(&reply.status) {
        return Ok(true);
    }
    match serde_json::from_slice(&reply.body) {
        // Google says so of a token that it does not know any more.
        Ok(Value::Object(fields)) if fields.get("error").and_then(Value::as_str) == Some("invalid_token") => Ok(true),
        Ok(Value::Object(fields)) if fields.contains_key("error") => {
            Err(refusal(url, &reply, &fields, &form, Asking::Revoke))
        }
        _ if reply.status == 429 || reply.status >= 500 => Err(unavailable(url, &reply)),
        _ => Err(OauthError::Nonsense { host: crate::answer::host(url), what: odd(&reply) }),
    }
}
