//! The pages on which people consent. They work without JavaScript, and a browser's test finds its way by labels.

use super::state::{Code, Decision, State, random};
use crate::http::{HttpRequest, HttpResponse, value, written};

const WAY_IN: &str = r#"<p><label>Account <input name="user" value="{user}" autocomplete="username"></label></p>
<p><label>Password <input name="password" type="password" autocomplete="current-password"></label></p>"#;
const DECIDE: &str = r#"<p><button name="decision" value="allow">Allow</button>
<button name="decision" value="refuse">Refuse</button></p>"#;

fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\"><title>{title}</title><h1>{title}</h1>{body}</html>"
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn trouble(words: Option<&str>) -> String {
    words.map(|words| format!("<p role=\"alert\">{}</p>", escaped(words))).unwrap_or_default()
}

/// The page for consent. A client that is not known, or asks without a challenge, learns it here and not by a redirect.
pub(super) fn authorize(state: &State, request: &HttpRequest, words: Option<&str>) -> HttpResponse {
    let asked = |name: &str| request.parameter(name).unwrap_or_default();
    if !state.clients.contains_key(asked("client_id")) {
        return HttpResponse::html(400, page("Unknown application", "<p>There is no such application here.</p>"));
    }
    if asked("response_type") != "code"
        || asked("code_challenge_method") != "S256"
        || asked("code_challenge").len() != 43
    {
        return HttpResponse::html(400, page("Not like this", "<p>A code is given for a challenge by S256 only.</p>"));
    }
    if !asked("redirect_uri").starts_with("http") || asked("state").is_empty() {
        return HttpResponse::html(400, page("Not like this", "<p>The redirect address or the state is missing.</p>"));
    }
    let way_in = WAY_IN.replace("{user}", &escaped(asked("login_hint")));
    let what = format!("<p>{} asks for: {}</p>", escaped(asked("client_id")), escaped(asked("scope")));
    // The form goes to the page's own address, whose query says what is asked for.
    let form = format!("<form method=\"post\">{way_in}{DECIDE}</form>");
    HttpResponse::html(
        if words.is_some() { 403 } else { 200 },
        page("Consent", &format!("{}{what}{form}", trouble(words))),
    )
}

pub(super) fn authorized(state: &mut State, request: &HttpRequest) -> HttpResponse {
    let first = authorize(state, request, None);
    if first.status != 200 {
        return first;
    }
    let form = request.form();
    let given = |name: &str| value(&form, name).unwrap_or_default().to_owned();
    let asked = |name: &str| request.parameter(name).unwrap_or_default().to_owned();
    let (redirect, back) = (asked("redirect_uri"), asked("state"));
    if given("decision") == "refuse" {
        let parameters = [("error", "access_denied"), ("error_description", "The user said no."), ("state", &back)];
        return HttpResponse::see_other(&with_parameters(&redirect, &parameters));
    }
    let user = given("user");
    if !state.knows(&user, &given("password")) {
        return authorize(state, request, Some("The account or the password is wrong."));
    }
    let grant = state.consent(&user, &asked("client_id"), &asked("scope"));
    let code = format!("co-{}", random());
    let kept = Code { grant, redirect: redirect.clone(), challenge: asked("code_challenge"), used: false };
    state.codes.insert(code.clone(), kept);
    HttpResponse::see_other(&with_parameters(&redirect, &[("code", &code), ("state", &back)]))
}

fn with_parameters(redirect: &str, parameters: &[(&str, &str)]) -> String {
    let sign = if redirect.contains('?') { '&' } else { '?' };
    format!("{redirect}{sign}{}", written(parameters))
}

/// The page on which an administrator consents for everybody.
pub(super) fn admin(request: &HttpRequest) -> HttpResponse {
    let who = escaped(request.parameter("client_id").unwrap_or_default());
    let form = format!("<p>{who} asks for all mailboxes.</p><form method=\"post\">{DECIDE}</form>");
    HttpResponse::html(200, page("Consent for the whole organisation", &form))
}

pub(super) fn administered(state: &mut State, request: &HttpRequest) -> HttpResponse {
    let form = request.form();
    let asked = |name: &str| request.parameter(name).unwrap_or_default();
    let (redirect, back) = (asked("redirect_uri"), asked("state"));
    if value(&form, "decision") != Some("allow") {
        return HttpResponse::see_other(&with_parameters(redirect, &[("error", "access_denied"), ("state", back)]));
    }
    state.tenant_consent(asked("client_id"), true);
    let parameters = [("admin_consent", "True"), ("tenant", "test-tenant"), ("state", back)];
    HttpResponse::see_other(&with_parameters(redirect, &parameters))
}

/// The page on which a device's code is typed in.
pub(super) fn device(request: &HttpRequest, words: Option<&str>) -> HttpResponse {
    let code = escaped(request.parameter("user_code").unwrap_or_default());
    let way_in = WAY_IN.replace("{user}", "");
    let form = format!(
        "<form method=\"post\" action=\"/device\"><p><label>Code <input name=\"user_code\" value=\"{code}\"></label></p>\
         {way_in}{DECIDE}</form>"
    );
    HttpResponse::html(
        if words.is_some() { 403 } else { 200 },
        page("Enter the code", &format!("{}{form}", trouble(words))),
    )
}

pub(super) fn device_entered(state: &mut State, request: &HttpRequest) -> HttpResponse {
    let form = request.form();
    let given = |name: &str| value(&form, name).unwrap_or_default();
    let typed = given("user_code").trim().to_ascii_uppercase();
    let allowed = given("decision") != "refuse";
    if allowed && !state.knows(given("user"), given("password")) {
        return device(request, Some("The account or the password is wrong."));
    }
    let open = |d: &&super::state::Device| d.user_code == typed && d.decision.is_none();
    let Some((client, scope)) = state.devices.values().find(open).map(|d| (d.client.clone(), d.scope.clone())) else {
        return device(request, Some("There is no such code."));
    };
    let decision =
        if allowed { Decision::Allowed(state.consent(given("user"), &client, &scope)) } else { Decision::Refused };
    if let Some(device) = state.devices.values_mut().find(|d| d.user_code == typed) {
        device.decision = Some(decision);
    }
    HttpResponse::html(200, page("Done", "<p>You can close this page.</p>"))
}
