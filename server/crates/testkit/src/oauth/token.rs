//! The end points that programs ask: tokens, codes for devices, revocation, introspection.

use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::state::{Decision, Device, State, random};
use super::{MAIL_SCOPE, PUBLIC_KEY, SERVICE_ACCOUNT};
use crate::http::{HttpRequest, HttpResponse, pairs, value};

type Form = [(String, String)];
type Answer = Result<Value, HttpResponse>;

fn no(error: &str, description: &str) -> HttpResponse {
    let status = if error == "invalid_client" { 401 } else { 400 };
    HttpResponse::json(status, &json!({ "error": error, "error_description": description }))
}

fn field<'a>(form: &'a Form, name: &str) -> &'a str {
    value(form, name).unwrap_or_default()
}

/// The application that asks, once it has proved who it is.
fn client(state: &State, request: &HttpRequest, form: &Form) -> Result<String, HttpResponse> {
    let wrong = || no("invalid_client", "AADSTS7000215: Invalid client secret provided.");
    let basic = request.header("authorization").and_then(|header| header.strip_prefix("Basic "));
    let (id, secret) = match basic.and_then(|text| STANDARD.decode(text).ok()) {
        Some(both) => {
            let both = String::from_utf8_lossy(&both).into_owned();
            let (id, secret) = both.split_once(':').ok_or_else(wrong)?;
            // Each part is form-encoded (RFC 6749 section 2.3.1).
            let decoded = |text: &str| pairs(&format!("x={text}")).pop().map(|(_, value)| value).unwrap_or_default();
            (decoded(id), Some(decoded(secret)))
        }
        None => (field(form, "client_id").to_owned(), value(form, "client_secret").map(str::to_owned)),
    };
    let known = state.clients.get(&id).ok_or_else(|| no("invalid_client", "There is no such application."))?;
    if known.certificate {
        let claims = signed(field(form, "client_assertion"), Algorithm::PS256).ok_or_else(wrong)?;
        let right = claims["iss"] == json!(id) && claims["sub"] == json!(id) && claims["aud"] == json!(here(state));
        return if right { Ok(id) } else { Err(wrong()) };
    }
    if known.secret == secret { Ok(id) } else { Err(wrong()) }
}

fn here(state: &State) -> String {
    format!("{}/token", state.url)
}

/// The claims of a statement whose signature and time are right.
fn signed(statement: &str, algorithm: Algorithm) -> Option<Value> {
    let key = DecodingKey::from_rsa_pem(PUBLIC_KEY.as_bytes()).ok()?;
    let mut validation = Validation::new(algorithm);
    validation.validate_aud = false;
    decode::<Value>(statement, &key, &validation).ok().map(|token| token.claims)
}

pub(super) fn token(state: &mut State, request: &HttpRequest) -> HttpResponse {
    let form = request.form();
    let grant_type = field(&form, "grant_type").to_owned();
    state.asked.push(grant_type.clone());
    let given = match grant_type.as_str() {
        "authorization_code" => by_code(state, request, &form),
        "refresh_token" => by_refresh(state, request, &form),
        "urn:ietf:params:oauth:grant-type:device_code" => by_device(state, request, &form),
        "client_credentials" => by_itself(state, request, &form),
        "urn:ietf:params:oauth:grant-type:jwt-bearer" => by_statement(state, &form),
        _ => Err(no("unsupported_grant_type", "There is no such grant.")),
    };
    given.map_or_else(|refusal| refusal, |fields| HttpResponse::json(200, &fields).with("Cache-Control", "no-store"))
}

fn tokens(state: &mut State, grant: usize, refresh: Option<String>) -> Value {
    let (user, scope) = state.grants.get(grant).map(|g| (g.user.clone(), g.scope.clone())).unwrap_or_default();
    let access = state.new_access(grant, Some(&user));
    let claims = json!({ "email": user, "aud": "test" }).to_string();
    let mut fields = json!({
        "access_token": access,
        "token_type": "Bearer",
        "expires_in": state.lifetime.as_secs(),
        "scope": scope,
        "id_token": format!("e30.{}.none", URL_SAFE_NO_PAD.encode(claims)),
    });
    if let Some(refresh) = refresh {
        fields["refresh_token"] = json!(refresh);
    }
    fields
}

fn by_code(state: &mut State, request: &HttpRequest, form: &Form) -> Answer {
    let client = client(state, request, form)?;
    let invalid = |why: &str| no("invalid_grant", why);
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field(form, "code_verifier")));
    let code = state.codes.get_mut(field(form, "code")).ok_or_else(|| invalid("There is no such code."))?;
    let grant = code.grant;
    if std::mem::replace(&mut code.used, true) {
        state.revoke_grant(grant);
        return Err(invalid("AADSTS54005: The code was redeemed already."));
    }
    if code.redirect != field(form, "redirect_uri") || code.challenge != challenge {
        return Err(invalid("The redirect address or the verifier is another one."));
    }
    if state.grants[grant].client != client {
        return Err(invalid("The code belongs to another application."));
    }
    let refresh = state.new_refresh(grant);
    Ok(tokens(state, grant, Some(refresh)))
}

fn by_refresh(state: &mut State, request: &HttpRequest, form: &Form) -> Answer {
    let client = client(state, request, form)?;
    let gone = || no("invalid_grant", "AADSTS700082: The refresh token has expired or was revoked.");
    let rotates = state.rotates;
    let (grant, replaced) = state.refresh.get_mut(field(form, "refresh_token")).ok_or_else(gone)?;
    let grant = *grant;
    let again = *replaced;
    *replaced = rotates;
    if again {
        // Somebody has a copy: nobody gets anything any more (RFC 9700 section 4.14.2).
        state.revoke_grant(grant);
    }
    if state.grants[grant].revoked || state.grants[grant].client != client {
        return Err(gone());
    }
    let refresh = rotates.then(|| state.new_refresh(grant));
    Ok(tokens(state, grant, refresh))
}

pub(super) fn device_code(state: &mut State, request: &HttpRequest) -> HttpResponse {
    let form = request.form();
    let client = match client(state, request, &form) {
        Ok(client) => client,
        Err(refusal) => return refusal,
    };
    let (device_code, user_code) = (format!("dc-{}", random()), random()[..8].to_ascii_uppercase());
    let scope = field(&form, "scope").to_owned();
    let interval = state.device_interval;
    let ends = Instant::now() + Duration::from_secs(600).min(state.lifetime);
    let device = Device { user_code: user_code.clone(), client, scope, ends, interval, asked: None, decision: None };
    state.devices.insert(device_code.clone(), device);
    let page = format!("{}/device", state.url);
    let complete = format!("{page}?user_code={user_code}");
    HttpResponse::json(
        200,
        &json!({
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": page,
            "verification_uri_complete": complete,
            "expires_in": 600,
            "interval": interval.as_secs(),
        }),
    )
}

fn by_device(state: &mut State, request: &HttpRequest, form: &Form) -> Answer {
    let client = client(state, request, form)?;
    let code = field(form, "device_code");
    let device = state.devices.get_mut(code).filter(|device| device.client == client);
    let device = device.ok_or_else(|| no("invalid_grant", "There is no such code."))?;
    let now = Instant::now();
    if device.ends < now {
        return Err(no("expired_token", "The code has expired."));
    }
    // A little earlier is not too early: clocks and networks are not exact.
    let hasty = device.asked.is_some_and(|asked| now - asked < device.interval * 8 / 10);
    device.asked = Some(now);
    match device.decision {
        None if hasty => {
            device.interval += Duration::from_secs(5);
            Err(no("slow_down", ""))
        }
        None => Err(no("authorization_pending", "")),
        Some(Decision::Refused) => Err(no("access_denied", "The user said no.")),
        Some(Decision::Allowed(grant)) => {
            state.devices.remove(code);
            let refresh = state.new_refresh(grant);
            Ok(tokens(state, grant, Some(refresh)))
        }
    }
}

fn by_itself(state: &mut State, request: &HttpRequest, form: &Form) -> Answer {
    let client = client(state, request, form)?;
    let consented = state.clients.get(&client).is_some_and(|known| known.tenant);
    if !consented {
        return Err(no("unauthorized_client", "AADSTS700016: The application was not found in the directory."));
    }
    let access = state.give(None, None);
    Ok(json!({ "access_token": access, "token_type": "Bearer", "expires_in": state.lifetime.as_secs() }))
}

fn by_statement(state: &mut State, form: &Form) -> Answer {
    let claims = signed(field(form, "assertion"), Algorithm::RS256);
    let claims = claims.filter(|claims| claims["iss"] == SERVICE_ACCOUNT && claims["aud"] == json!(here(state)));
    let claims = claims.ok_or_else(|| no("invalid_grant", "Invalid JWT Signature."))?;
    let text = |name: &str| claims[name].as_str().unwrap_or_default().to_owned();
    if !state.delegated || !text("scope").split(' ').any(|scope| scope.contains(MAIL_SCOPE)) {
        let words = "Client is unauthorized to retrieve access tokens using this method, or client not authorized for \
                     any of the scopes requested.";
        return Err(no("unauthorized_client", words));
    }
    let user = text("sub");
    if !state.users.contains_key(&user) {
        return Err(no("invalid_grant", "Invalid email or User ID"));
    }
    let access = state.give(None, Some(&user));
    Ok(json!({ "access_token": access, "token_type": "Bearer", "expires_in": state.lifetime.as_secs() }))
}

pub(super) fn revoke(state: &mut State, request: &HttpRequest) -> HttpResponse {
    let form = request.form();
    if let Err(refusal) = client(state, request, &form) {
        return refusal;
    }
    let token = field(&form, "token");
    if let Some(&(grant, _)) = state.refresh.get(token) {
        state.revoke_grant(grant);
    }
    state.access.remove(token);
    // A token that is not known is revoked as well (RFC 7009 section 2.2).
    HttpResponse::json(200, &json!({}))
}

/// What a mail server asks (RFC 7662). Tokens of applications open any mailbox, which a server must be told apart.
pub(super) fn introspect(state: &mut State, request: &HttpRequest, app: bool) -> HttpResponse {
    let form = request.form();
    let fields = match state.holding(field(&form, "token")) {
        Some(access) if access.user.is_none() == app => {
            let user = access.user.as_deref().unwrap_or("application");
            json!({ "active": true, "username": user, "scope": MAIL_SCOPE })
        }
        _ => json!({ "active": false }),
    };
    HttpResponse::json(200, &fields)
}
