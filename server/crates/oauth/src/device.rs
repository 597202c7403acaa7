//! The flow with a code that is typed in elsewhere (RFC 8628).

use crate::{
    App, OauthError, Tokens,
    answer::{Form, fields, host, printable, seconds, tokens},
    code::covers_mail,
    explain::Asking,
};
use gatepost_contract::Secret;
use gatepost_web::Web;
use serde_json::{Map, Value};
use std::time::Duration;
use url::Url;

/// What a person types in where, and what we ask with meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceCode {
    /// What [`device_poll`] asks with. Whoever has it gets the token.
    pub device: Secret,
    /// What the person types in.
    pub user_code: String,
    /// Where: an http or https address.
    pub verify_at: String,
    /// The same with the code in it, where the provider gives one.
    pub verify_at_with_code: Option<String>,
    /// How long both codes hold.
    pub expires_in: Duration,
    /// How long to wait between two questions; 5 seconds more after each [`OauthError::SlowDown`].
    pub interval: Duration,
}

/// Asks for a code.
///
/// # Errors
/// [`OauthError::Setup`] where the provider has no such flow for mail; otherwise as every request.
pub async fn device_begin(web: &dyn Web, app: &App) -> Result<DeviceCode, OauthError> {
    let missing = || {
        OauthError::Setup(
            "This provider gives no device codes for mail. Use the consent in a browser, or the one for the whole domain."
                .into(),
        )
    };
    let url = app.endpoints.device.as_ref().ok_or_else(missing)?;
    let form = Form::empty().with("scope", app.scopes.join(" ")).by(app)?;
    let fields = fields(web, url, form, Asking::DeviceCode).await?;
    read(&fields).map_err(|what| OauthError::Nonsense { host: host(url), what })
}

fn read(fields: &Map<String, Value>) -> Result<DeviceCode, String> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let device = text("device_code").filter(|code| code.len() <= 8192 && code.bytes().all(|b| b.is_ascii_graphic()));
    let device = device.ok_or("there is no device code in its answer")?;
    let user_code = text("user_code").map(|code| printable(code, 64)).filter(|code| !code.is_empty());
    // `verification_url` is how Google wrote it before the RFC.
    let verify_at = text("verification_uri").or_else(|| text("verification_url"));
    let lasts = fields.get("expires_in").and_then(seconds).unwrap_or(900.0).clamp(0.0, 3600.0);
    if lasts < 1.0 {
        return Err("its code has ended before it was sent".into());
    }
    let interval = fields.get("interval").and_then(seconds).unwrap_or(5.0).clamp(1.0, 60.0);
    Ok(DeviceCode {
        device: Secret(device.to_owned()),
        user_code: user_code.ok_or("there is no code for the person in its answer")?,
        verify_at: verify_at.and_then(page).ok_or("it does not tell where the code is typed in")?,
        verify_at_with_code: text("verification_uri_complete").and_then(page),
        expires_in: Duration::from_secs_f64(lasts),
        interval: Duration::from_secs_f64(interval),
    })
}

/// An address that a person may be sent to.
fn page(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http") && text.len() <= 2000)?;
    Some(url.into())
}

/// Asks whether the code was entered.
///
/// # Errors
/// [`OauthError::Pending`] and [`OauthError::SlowDown`] until then; [`OauthError::Denied`] and [`OauthError::Expired`]
/// where it never will be.
pub async fn device_poll(web: &dyn Web, app: &App, device: &Secret) -> Result<Tokens, OauthError> {
    let form = Form::grant("urn:ietf:params:oauth:grant-type:device_code").with("device_code", &device.0).by(app)?;
    covers_mail(app, tokens(web, &app.endpoints.token, form, Asking::Device).await?)
}
