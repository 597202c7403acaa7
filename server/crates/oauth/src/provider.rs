//! The two providers that most mail lies with. Addresses and scopes are from their documentation:
//! learn.microsoft.com/exchange/client-developer/legacy-protocols (IMAP with OAuth),
//! developers.google.com/workspace/gmail/imap/xoauth2-protocol.

use crate::{Endpoints, OauthError};
use url::Url;

/// What people consent to at Microsoft, so that IMAP is open.
pub const MICROSOFT_MAIL_SCOPE: &str = "https://outlook.office365.com/IMAP.AccessAsUser.All";
/// What an application asks for at Microsoft by itself: all that an administrator granted it for Exchange Online
/// (`IMAP.AccessAsApp`). Exchange also wants the application registered there as a service principal, with full access
/// to each mailbox.
pub const MICROSOFT_APP_SCOPE: &str = "https://outlook.office365.com/.default";
/// What people consent to at Google, and what a service account with domain-wide delegation is granted.
pub const GOOGLE_MAIL_SCOPE: &str = "https://mail.google.com/";

/// Microsoft's end points for one tenant. There is none to give tokens back: access ends at Microsoft's own pages.
pub(crate) fn microsoft(tenant: &str) -> Result<Endpoints, OauthError> {
    let at = |path: &str| microsoft_url(tenant, &["oauth2", "v2.0", path]);
    Ok(Endpoints {
        authorize: Some(at("authorize")?),
        token: at("token")?,
        device: Some(at("devicecode")?),
        revoke: None,
    })
}

/// Google's end points. Its device codes are not given for mail.
pub(crate) fn google() -> Endpoints {
    let url = |text: &str| Url::parse(text).expect("the address is well formed");
    Endpoints {
        authorize: Some(url("https://accounts.google.com/o/oauth2/v2/auth")),
        token: url("https://oauth2.googleapis.com/token"),
        device: None,
        revoke: Some(url("https://oauth2.googleapis.com/revoke")),
    }
}

/// Where an administrator of a Microsoft tenant consents for the whole of it. The browser comes back to `redirect` with
/// `admin_consent=True&tenant=…&state=…`, or with an error; [`Callback`](crate::Callback) reads both.
///
/// # Errors
/// [`OauthError::Setup`] where the tenant can be none.
pub fn admin_consent_url(tenant: &str, client_id: &str, redirect: &str, state: &str) -> Result<Url, OauthError> {
    let mut url = microsoft_url(tenant, &["v2.0", "adminconsent"])?;
    url.query_pairs_mut()
        .append_pair("client_id", client_id)
        .append_pair("scope", MICROSOFT_APP_SCOPE)
        .append_pair("redirect_uri", redirect)
        .append_pair("state", state);
    Ok(url)
}

fn microsoft_url(tenant: &str, path: &[&str]) -> Result<Url, OauthError> {
    let tenant = tenant.trim();
    let fine = !tenant.is_empty()
        && tenant.len() <= 253
        && !tenant.starts_with('.')
        && tenant.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    if !fine {
        return Err(OauthError::Setup(
            "The tenant must be the directory's id, or one of its domains such as example.onmicrosoft.com.".into(),
        ));
    }
    let text = format!("https://login.microsoftonline.com/{tenant}/{}", path.join("/"));
    Url::parse(&text).map_err(|_| OauthError::Setup("The tenant cannot be written into an address.".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_becomes_part_of_the_path_and_nothing_else() {
        let at = microsoft("example.onmicrosoft.com").unwrap();
        assert_eq!(at.token.as_str(), "https://login.microsoftonline.com/example.onmicrosoft.com/oauth2/v2.0/token");
        for tenant in ["", " ", "..", ".", "a/b", "a?b", "a#b", "a%2fb", "evil.example/@", "ä"] {
            assert!(matches!(microsoft(tenant), Err(OauthError::Setup(_))), "{tenant}");
        }
        let url = admin_consent_url("contoso.example", "id", "https://desk.example/oauth/callback", "s t").unwrap();
        assert!(
            url.as_str().ends_with("&redirect_uri=https%3A%2F%2Fdesk.example%2Foauth%2Fcallback&state=s+t"),
            "{url}"
        );
    }
}
