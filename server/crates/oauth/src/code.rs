//! The flow in a browser: authorization code (RFC 6749 section 4.1) with PKCE (RFC 7636).

use crate::{
    App, OauthError, Pkce, Tokens,
    answer::{Form, printable, tokens},
    explain::{self, Asking},
};
use gatepost_contract::Secret;
use gatepost_web::Web;
use url::Url;

/// Where the browser goes. The state and the verifier of `pkce` are kept until it comes back to `redirect`.
///
/// # Errors
/// [`OauthError::Setup`] where the application has no authorization page.
pub fn authorize_url(
    app: &App,
    redirect: &str,
    state: &str,
    pkce: &Pkce,
    login_hint: Option<&str>,
) -> Result<Url, OauthError> {
    let missing = || OauthError::Setup("This OAuth application has no address where people consent.".into());
    let mut url = app.endpoints.authorize.clone().ok_or_else(missing)?;
    {
        let mut query = url.query_pairs_mut();
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &app.client_id)
            .append_pair("redirect_uri", redirect)
            .append_pair("scope", &app.scopes.join(" "))
            .append_pair("state", state)
            .append_pair("code_challenge", &pkce.challenge())
            .append_pair("code_challenge_method", "S256");
        for (name, value) in &app.authorize_with {
            query.append_pair(name, value);
        }
        if let Some(hint) = login_hint {
            query.append_pair("login_hint", hint);
        }
    }
    Ok(url)
}

/// What a browser brings back from the authorization page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Callback {
    /// A code for [`exchange`].
    Code(Secret),
    /// An administrator of Microsoft consented for a whole tenant.
    AdminConsent {
        /// The tenant's id, as the browser brought it.
        tenant: Option<String>,
    },
}

impl Callback {
    /// Reads the parameters of the redirect. Whether their state is the one that was sent is the caller's to check first.
    ///
    /// # Errors
    /// What the page refused, [`OauthError::Denied`] above all; [`OauthError::Nonsense`] where the parameters say nothing.
    pub fn read(provider: &str, parameters: &[(String, String)]) -> Result<Self, OauthError> {
        let value = |name: &str| parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        if let Some(error) = value("error") {
            let said = printable(value("error_description").unwrap_or_default(), 300);
            return Err(explain::refusal(provider, Asking::Code, &printable(error, 60), &[], &said));
        }
        if value("admin_consent").is_some_and(|given| given.eq_ignore_ascii_case("true")) {
            let tenant = value("tenant").map(|tenant| printable(tenant, 253));
            return Ok(Self::AdminConsent { tenant });
        }
        match value("code") {
            Some(code) if !code.is_empty() && code.len() <= 8192 && code.bytes().all(|b| b.is_ascii_graphic()) => {
                Ok(Self::Code(Secret(code.to_owned())))
            }
            _ => Err(OauthError::Nonsense {
                host: provider.to_owned(),
                what: "its log-in page sent the browser back with neither a code nor an error".into(),
            }),
        }
    }
}

/// Gives a code for tokens. `redirect` is the one of [`authorize_url`].
///
/// # Errors
/// Every kind but those of devices. A good answer without the scope for mail is [`OauthError::ScopeMissing`].
pub async fn exchange(
    web: &dyn Web,
    app: &App,
    code: &Secret,
    redirect: &str,
    pkce: &Pkce,
) -> Result<Tokens, OauthError> {
    let form = Form::grant("authorization_code")
        .with("code", &code.0)
        .with("redirect_uri", redirect)
        .with("code_verifier", &pkce.verifier().0)
        .by(app)?;
    covers_mail(app, tokens(web, &app.endpoints.token, form, Asking::Code).await?)
}

/// People may tick off what they are asked for: Google's page has a box for each scope.
pub(crate) fn covers_mail(app: &App, tokens: Tokens) -> Result<Tokens, OauthError> {
    if let (Some(wanted), Some(granted)) = (&app.mail_scope, &tokens.scope)
        && !granted.split_whitespace().any(|scope| scope.eq_ignore_ascii_case(wanted))
    {
        return Err(OauthError::ScopeMissing { wanted: wanted.clone() });
    }
    Ok(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Proof;

    fn parameters(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_browser_is_sent_with_everything_but_the_verifier() {
        let app = App::google("id", Proof::Secret(Secret("s3cret".into())));
        let pkce = Pkce::new();
        let url = authorize_url(&app, "https://desk.example/oauth/callback", "st", &pkce, Some("ana@example.com"));
        let url = url.unwrap();
        let query: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        for (name, value) in [
            ("response_type", "code"),
            ("client_id", "id"),
            ("redirect_uri", "https://desk.example/oauth/callback"),
            ("scope", "https://mail.google.com/ openid email"),
            ("state", "st"),
            ("code_challenge", &pkce.challenge()),
            ("code_challenge_method", "S256"),
            ("access_type", "offline"),
            ("login_hint", "ana@example.com"),
        ] {
            assert!(query.contains(&(name.to_owned(), value.to_owned())), "{name}: {url}");
        }
        assert!(!url.as_str().contains("s3cret") && !url.as_str().contains(&pkce.verifier().0), "{url}");
    }

    #[test]
    fn what_the_browser_brings_back_is_read() {
        let read = |pairs: &[(&str, &str)]| Callback::read("login.example", &parameters(pairs));
        assert_eq!(read(&[("code", "abc"), ("state", "s")]), Ok(Callback::Code(Secret("abc".into()))));
        assert!(matches!(read(&[("admin_consent", "True"), ("tenant", "t")]), Ok(Callback::AdminConsent { .. })));
        let denied = read(&[("error", "access_denied"), ("error_description", "no\u{7} thanks"), ("code", "abc")]);
        assert_eq!(denied, Err(OauthError::Denied { description: Some("no thanks".into()) }));
        for pairs in [&[][..], &[("code", "")], &[("code", "a b")], &[("admin_consent", "False")]] {
            assert!(matches!(read(pairs), Err(OauthError::Nonsense { .. })), "{pairs:?}");
        }
    }
}
