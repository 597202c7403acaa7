//! OAuth 2 in the Desk over HTTP: consents in all ways, tokens that end and are revoked, and what may go wrong, with a
//! real authorization server and Dovecots that ask it about each token.

mod common;

use common::{
    DOMAIN, Journey, NEW_PASSWORD, OLD_PASSWORD, USER, assert_same, id, ids, kit,
    kit::{Reply, Server},
    mail, new_server, number, old_server, text, wait_for,
};
use gatepost_testkit::{AuthServer, Dovecot, Proxy, fill, oauth::Mischief, proxy::Direction};
use serde_json::{Value, json};
use std::{cell::Cell, time::Duration};

const CLIENT: &str = "gatepost-desk";
const CLIENT_SECRET: &str = "planted client secret";
const OTHER: &str = "rui@move.example";
/// What a person may log in with at the authorization server.
const PASSWORD: &str = "owner's password";

/// Two mail servers, the provider that the old one belongs to, and a Desk with one mailbox to move.
struct Scene {
    auth: AuthServer,
    old: Dovecot,
    new: Dovecot,
    journey: Journey,
    app: i64,
    mailbox: i64,
    /// The run that failed last: only it can be started again.
    failed: Cell<Option<i64>>,
}

fn provider() -> AuthServer {
    AuthServer::builder()
        .user(USER, PASSWORD)
        .user(OTHER, PASSWORD)
        .client(CLIENT, CLIENT_SECRET)
        .start()
        .expect("an authorization server")
}

fn oauth_mailbox(user: &str, port: u16) -> Value {
    json!({
        "email": user, "source_type": "imap_oauth",
        "source_host": "127.0.0.1", "source_port": port, "source_security": "plain",
        "dest_secret": {"password": NEW_PASSWORD},
    })
}

/// An application of the test's provider.
fn application(auth: &AuthServer, port: u16) -> Value {
    json!({
        "name": "Desk at the provider", "provider": "custom", "client_id": CLIENT, "client_secret": CLIENT_SECRET,
        "authorize_url": auth.endpoint("authorize"), "token_url": auth.endpoint("token"),
        "device_url": auth.endpoint("device/code"), "revoke_url": auth.endpoint("revoke"),
        "scopes": "mail offline_access", "mail_hosts": [format!("127.0.0.1:{port}")],
    })
}

impl Scene {
    fn new(messages: usize) -> Self {
        let auth = provider();
        let old = old_server().user(OTHER, OLD_PASSWORD).oauth2(auth.url()).start().expect("Dovecot starts");
        let port = old.imap_port();
        Self::with(auth, old, port, messages)
    }

    /// The same where the Desk reaches the old server by another port.
    fn with(auth: AuthServer, old: Dovecot, port: u16, messages: usize) -> Self {
        let new = new_server().user(OTHER, NEW_PASSWORD).start().expect("Dovecot starts");
        fill(&old.account(USER), &mail(messages)).expect("mail is generated");
        let settings = [("MIGRATION_ALLOWED_HOSTS", "127.0.0.1")];
        let journey = Journey::with(&settings, new.imap_port(), &[oauth_mailbox(USER, port)]);
        let app = application(&auth, port);
        let app = journey.server.call(&journey.lead, "POST", "/oauth/apps", &app).expect(201).json();
        let (app, mailbox) = (id(&app), id(&journey.mailbox()));
        Self { auth, old, new, journey, app, mailbox, failed: Cell::new(None) }
    }

    fn server(&self) -> &Server {
        &self.journey.server
    }

    /// Asks for the consent of the mailbox's owner.
    #[track_caller]
    fn ask(&self, way: &str) -> i64 {
        let asked = json!({"app_id": self.app, "way": way});
        id(&self.journey.post(&format!("/migration/mailboxes/{}/consents", self.mailbox), &asked).expect(201).json())
    }

    #[track_caller]
    fn consent(&self, consent: i64) -> Value {
        self.journey.get(&format!("/migration/consents/{consent}"))
    }

    #[track_caller]
    fn check(&self, consent: i64) -> Reply {
        self.server().call(&self.journey.lead, "POST", &format!("/migration/consents/{consent}/check"), &Value::Null)
    }

    /// Goes to the provider as the technician: the provider's address, and the cookie that stays.
    #[track_caller]
    fn leave(&self, consent: i64) -> (String, String) {
        let bearer = format!("Bearer {}", self.journey.technician);
        let reply = self.server().send("GET", &format!("/oauth/start/{consent}"), &[("authorization", &bearer)], "");
        left(reply)
    }

    /// Comes back.
    #[track_caller]
    fn arrive(&self, back: &str, cookie: &str) -> Reply {
        arrive(self.server(), back, cookie)
    }

    /// The owner consents in the browser of the staff.
    #[track_caller]
    fn give(&self, consent: i64) {
        let (url, cookie) = self.leave(consent);
        let back = self.auth.allow(&url, USER, PASSWORD).expect("the page sends the browser back");
        let reply = self.arrive(&back, &cookie).expect(303);
        assert_eq!(reply.header("location"), format!("/mailboxes/{}/consent?notice=consented", self.mailbox));
        assert_eq!(self.consent(consent)["state"], "valid");
    }

    /// A run to its end: another attempt at the one that failed last, or a new one.
    #[track_caller]
    fn run(&self, what: &str) -> Value {
        match self.failed.take() {
            Some(run) => {
                let started = self.journey.post(&format!("/migration/runs/{run}/retry"), &Value::Null).expect(202);
                self.journey.ended(ids(&started.json())[0])
            }
            None => self.journey.run(what).remove(0),
        }
    }

    /// A run that fails, with the mailbox's sentence about it.
    #[track_caller]
    fn fails(&self, what: &str) -> String {
        let run = self.run(what);
        assert_eq!(run["status"], "failed", "{run:#}\n{}", self.journey.log(&run));
        self.failed.set(Some(id(&run)));
        text(&self.journey.mailbox()["last_error"])
    }

    /// A run that succeeds.
    #[track_caller]
    fn succeeds(&self, what: &str) {
        let run = self.run(what);
        assert_eq!(run["status"], "success", "{run:#}\n{}", self.journey.log(&run));
    }
}

#[track_caller]
fn left(reply: Reply) -> (String, String) {
    let reply = reply.expect(303);
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    let cookie = reply.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    (reply.header("location").to_owned(), cookie.split(';').next().expect("a cookie").to_owned())
}

#[track_caller]
fn arrive(server: &Server, back: &str, cookie: &str) -> Reply {
    let path = back.strip_prefix(&server.address).unwrap_or_else(|| panic!("another address than ours: {back}"));
    let headers = [("cookie", cookie), ("sec-fetch-site", "cross-site")];
    let headers = if cookie.is_empty() { &headers[1..] } else { &headers[..] };
    server.send("GET", path, headers, "")
}

/// What the audit log has of the job.
#[track_caller]
fn audit_actions(journey: &Journey) -> Vec<String> {
    let path = format!("/audit?job_id={}&per_page=200", journey.job);
    let page = journey.server.get(&journey.lead, &path).expect(200).json();
    page["items"].as_array().expect("a list").iter().map(|row| text(&row["action"])).collect()
}

#[test]
fn an_owner_consents_in_the_browser_and_the_mail_is_moved() {
    let scene = Scene::new(60);
    let error = scene.fails("preflight");
    assert!(error.contains("neither a consent nor an OAuth token"), "{error}");
    assert!(error.contains(&format!("/mailboxes/{}/consent", scene.mailbox)), "{error}");

    let consent = scene.ask("authorization_code");
    let error = scene.fails("preflight");
    assert!(error.contains("Nobody has consented yet"), "{error}");
    assert_eq!(scene.consent(consent)["state"], "pending");
    assert_eq!(scene.ask("authorization_code"), consent, "asking twice is asking once");

    let (url, _) = scene.leave(consent);
    assert!(!url.contains(CLIENT_SECRET.split(' ').next().expect("a word")), "{url}");
    scene.give(consent);
    for what in ["preflight", "initial", "delta", "verify"] {
        scene.succeeds(what);
    }
    assert_same(&scene.old.account(USER), &scene.new.account(USER));

    let given = scene.consent(consent);
    assert_eq!(given["granted_by"], "technician@desk.example");
    assert!(given["refreshed_at"].is_string() && given["error"].is_null(), "{given:#}");
    let actions = audit_actions(&scene.journey);
    for action in ["consent.ask", "consent.grant"] {
        assert!(actions.contains(&action.to_owned()), "{action}: {actions:?}");
    }
    // Nothing of what was given is shown or lies about in the open.
    let all = scene.journey.get(&format!("/migration/mailboxes/{}/consents", scene.mailbox)).to_string()
        + &scene.journey.get("/oauth/apps").to_string()
        + &scene.server().stdout();
    let database = scene.server().dir.path().join("data");
    let files = ["gatepost.db", "gatepost.db-wal"].map(|name| std::fs::read(database.join(name)).unwrap_or_default());
    let token = scene.auth.token_of(USER);
    let prefix = token.split('-').next().expect("a prefix").to_owned() + "-";
    for secret in [CLIENT_SECRET, &prefix] {
        assert!(!all.contains(secret), "{secret} is shown");
        for file in &files {
            let found = file.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{secret} lies in the database");
        }
    }
}

#[test]
fn a_token_that_ends_within_a_run_is_renewed_and_the_run_goes_on() {
    let auth = provider();
    let old = old_server().oauth2(auth.url()).start().expect("Dovecot starts");
    let proxy = Proxy::start(old.imap_port()).expect("a proxy");
    let port = proxy.port();
    let scene = Scene::with(auth, old, port, 400);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    scene.journey.succeed("preflight");
    let before = proxy.bytes(Direction::ToClient);
    let run = scene.journey.start("initial")[0];
    // In the middle of it every line breaks, and every token has ended by then.
    wait_for("the run to be at work", || (proxy.bytes(Direction::ToClient) > before + 100_000).then_some(()));
    proxy.stall(true);
    scene.auth.expire_now();
    proxy.cut_now();
    proxy.stall(false);
    let ended = scene.journey.ended(run);
    assert_eq!(ended["status"], "success", "{ended:#}\n{}", scene.journey.log(&ended));
    assert_same(&scene.old.account(USER), &scene.new.account(USER));
    let renewals = scene.auth.asked().iter().filter(|grant| *grant == "refresh_token").count();
    assert_eq!(renewals, 1, "all lanes share one renewal: {:?}", scene.auth.asked());
    assert_eq!(scene.consent(consent)["state"], "valid");
}

#[test]
fn a_revoked_consent_ends_the_run_with_the_way_to_renew_it_and_renewing_mends_it() {
    let scene = Scene::new(30);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    scene.journey.succeed("preflight");
    scene.journey.succeed("initial");
    scene.auth.revoke_consent(USER);
    let error = scene.fails("delta");
    let there = format!("/mailboxes/{}/consent", scene.mailbox);
    assert!(error.contains(&there) && error.contains("revoked"), "{error}");
    // The provider's words are those of a consent that has lapsed.
    let lost = scene.consent(consent);
    assert_eq!(lost["state"], "expired", "{lost:#}");
    assert!(audit_actions(&scene.journey).contains(&"consent.lost".to_owned()));
    // The next run is refused without asking the provider again.
    let asked = scene.auth.asked().len();
    assert!(scene.fails("delta").contains(&there));
    assert_eq!(scene.auth.asked().len(), asked);
    scene.give(consent);
    scene.succeeds("delta");
    assert_same(&scene.old.account(USER), &scene.new.account(USER));

    // Withdrawing gives back what the provider gave.
    let path = format!("/migration/consents/{consent}");
    scene.server().call(&scene.journey.technician, "DELETE", &path, &Value::Null).expect(204);
    scene.server().get(&scene.journey.technician, &path).expect(404);
    let withdrawn = &scene.journey.audit("consent.withdraw")[0];
    assert_eq!(withdrawn["after"], r#"{"given_back":true}"#, "{withdrawn:#}");
    assert!(scene.fails("delta").contains("neither a consent"));
}

#[test]
fn an_answer_counts_once_and_only_in_the_browser_that_left_with_its_own_state() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let (url, cookie) = scene.leave(consent);
    let (other_url, other_cookie) = scene.leave(consent);
    assert_ne!(cookie, other_cookie);
    let back = scene.auth.allow(&url, USER, PASSWORD).expect("the page sends the browser back");
    let other_back = scene.auth.allow(&other_url, USER, PASSWORD).expect("the page sends the browser back");
    let base = format!("{}/oauth/callback", scene.server().address);
    let state = back.split("state=").nth(1).and_then(|rest| rest.split('&').next()).expect("a state").to_owned();
    let code = back.split("code=").nth(1).and_then(|rest| rest.split('&').next()).expect("a code").to_owned();
    let strays = [
        ("without the cookie", back.clone(), String::new()),
        ("with another browser's cookie", back.clone(), other_cookie.clone()),
        ("with an invented cookie", back.clone(), format!("gatepost_consent={}", "a".repeat(43))),
        ("without a state", format!("{base}?code={code}"), cookie.clone()),
        ("with another state", format!("{base}?code={code}&state={}", "b".repeat(43)), cookie.clone()),
        ("with two states", format!("{back}&state={state}"), cookie.clone()),
        ("with nothing", base.clone(), cookie.clone()),
        ("with noise", format!("{base}?state=%00&code=%ff&{}", "x=1&".repeat(500)), cookie.clone()),
    ];
    for (what, back, cookie) in &strays {
        let reply = scene.arrive(back, cookie);
        assert_eq!(reply.status, 403, "{what}: {reply:?}");
        assert!(reply.text.contains("This answer cannot be used") && !reply.text.contains(&code), "{what}: {reply:?}");
        assert!(!reply.headers.iter().any(|(name, _)| name == "set-cookie"), "{what}");
        assert_eq!(scene.consent(consent)["state"], "pending", "{what}");
    }
    scene.arrive(&back, &cookie).expect(303);
    assert_eq!(scene.consent(consent)["state"], "valid");
    scene.arrive(&back, &cookie).expect(403);
    // The answer to the older question came too late: a consent has come meanwhile.
    scene.arrive(&other_back, &other_cookie).expect(403);
    assert_eq!(scene.consent(consent)["state"], "valid");
}

#[test]
fn a_no_at_the_provider_is_told_and_harms_no_consent_that_stands() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let refuse = || {
        let (url, cookie) = scene.leave(consent);
        let back = scene.auth.refuse(&url, USER, PASSWORD).expect("the page sends the browser back");
        let reply = scene.arrive(&back, &cookie).expect(303);
        assert_eq!(reply.header("location"), format!("/mailboxes/{}/consent?refused=1", scene.mailbox));
    };
    refuse();
    let refused = scene.consent(consent);
    assert_eq!(refused["state"], "failed");
    assert!(text(&refused["error"]).contains("The user said no"), "{refused:#}");
    scene.give(consent);
    refuse();
    assert_eq!(scene.consent(consent)["state"], "valid");
    scene.journey.succeed("preflight");
}

#[test]
fn another_site_cannot_send_the_staff_to_a_provider() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let session = scene.server().cookie("technician");
    let path = format!("/oauth/start/{consent}");
    let by = |site: &str| scene.server().send("GET", &path, &[("cookie", &session), ("sec-fetch-site", site)], "");
    by("cross-site").problem(403, "csrf");
    by("same-origin").expect(303);
    let stranger = scene.server().send("GET", &path, &[], "").expect(303);
    assert_eq!(stranger.header("location"), format!("/login?next={path}"));
}

#[test]
fn an_owner_consents_by_a_code_that_is_typed_in() {
    let scene = Scene::new(20);
    let consent = scene.ask("device_code");
    let begin = format!("/migration/consents/{consent}/device");
    let begun = scene.journey.post(&begin, &Value::Null).expect(200).json();
    let code = text(&begun["device"]["user_code"]);
    assert!(text(&begun["device"]["verification_url"]).ends_with("/device"), "{begun:#}");
    scene.auth.enter_code(&code, USER, PASSWORD, "refuse").expect("the code is taken");
    let refused = wait_for("the refusal", || {
        let now = scene.consent(consent);
        (now["state"] == "failed").then_some(now)
    });
    assert!(refused["device"].is_null(), "{refused:#}");

    let begun = scene.journey.post(&begin, &Value::Null).expect(200).json();
    assert_eq!(begun["state"], "pending");
    let code = text(&begun["device"]["user_code"]);
    scene.auth.enter_code(&code, USER, PASSWORD, "allow").expect("the code is taken");
    let given = wait_for("the consent", || {
        let now = scene.consent(consent);
        (now["state"] == "valid").then_some(now)
    });
    assert!(given["device"].is_null(), "{given:#}");
    scene.journey.to_evidence();
    assert_same(&scene.old.account(USER), &scene.new.account(USER));
}

#[test]
fn one_consent_of_an_administrator_serves_all_mailboxes_of_a_job_in_its_domain() {
    let scene = Scene::new(20);
    let journey = &scene.journey;
    let port = scene.old.imap_port();
    fill(&scene.old.account(OTHER), &mail(10)).expect("mail is generated");
    let add = |mailbox: &Value| journey.post(&journey.path("/mailboxes"), mailbox).expect(201).json();
    add(&oauth_mailbox(OTHER, port));
    let stranger = add(&oauth_mailbox("eva@elsewhere.example", port));
    let path = journey.path("/consents");
    let asked = json!({"app_id": scene.app});
    let app = json!({
        "name": "Service account", "provider": "custom", "service_account": scene.auth.service_account_json(),
        "mail_hosts": [format!("127.0.0.1:{port}")], "scopes": "mail",
    });
    journey.post(&path, &asked).problem(403, "forbidden");
    let app = scene.server().call(&journey.lead, "POST", "/oauth/apps", &app).expect(201).json();
    assert_eq!(app["ways"], json!(["service_account"]));
    assert_eq!(app["client_id"], "1012345");

    for (app, switch) in [(scene.app, "client"), (id(&app), "service")] {
        let allow = |allowed: bool| match switch {
            "client" => scene.auth.tenant_consent(CLIENT, allowed),
            _ => scene.auth.delegate(allowed),
        };
        allow(false);
        let consent = scene.server().call(&journey.lead, "POST", &path, &json!({"app_id": app})).expect(201).json();
        assert_eq!((consent["domain"].as_str(), consent["state"].as_str()), (Some(DOMAIN), Some("pending")));
        let consent = id(&consent);
        scene.check(consent).problem(409, "provider_refused");
        assert_eq!(scene.consent(consent)["state"], "failed");
        let check = format!("/migration/consents/{consent}/check");
        journey.post(&check, &Value::Null).problem(403, "forbidden");
        allow(true);
        assert_eq!(scene.check(consent).expect(200).json()["state"], "valid");
        for run in journey.run(if switch == "client" { "preflight" } else { "initial" }) {
            let log = journey.log(&run);
            if run["mailbox_id"] == stranger["id"] {
                assert_eq!(run["status"], "failed", "{run:#}");
                assert!(log.contains("for accounts of move.example") && log.contains("is none"), "{log}");
            } else {
                assert_eq!(run["status"], "success", "{switch}: {run:#}\n{log}");
            }
        }
    }
    for user in [USER, OTHER] {
        assert_same(&scene.old.account(user), &scene.new.account(user));
    }
}

#[test]
fn a_consent_for_all_serves_other_accounts_only_once_an_ops_lead_has_confirmed_them() {
    let scene = Scene::new(3);
    let journey = &scene.journey;
    let call = |token: &str, method: &str, path: &str, body: &Value| scene.server().call(token, method, path, body);
    let mailbox = format!("/migration/mailboxes/{}", scene.mailbox);
    let diverted = json!({"dest_user": OTHER});
    scene.auth.tenant_consent(CLIENT, true);
    let consent = call(&journey.lead, "POST", &journey.path("/consents"), &json!({"app_id": scene.app})).expect(201);
    scene.check(id(&consent.json())).expect(200);
    scene.succeeds("preflight");
    let path = journey.path("/consents/unconfirmed");
    assert_eq!(journey.get(&path)["mailboxes"], json!([]));

    call(&journey.technician, "PATCH", &mailbox, &diverted).expect(200);
    let error = scene.fails("preflight");
    assert!(error.contains(&format!("the mail of {USER} goes to {OTHER}")), "{error}");
    assert!(error.contains(&format!("/jobs/{}/consents", journey.job)), "{error}");
    let waiting = journey.get(&path);
    assert_eq!(waiting["mailboxes"][0]["dest_account"], OTHER, "{waiting:#}");
    let seen = json!({"seen": waiting["seen"]});
    journey.post(&path, &seen).problem(403, "forbidden");
    call(&journey.lead, "POST", &path, &json!({"seen": "something else"})).problem(409, "changed_meanwhile");
    let page = scene.server().cookie("technician");
    let page = scene.server().send("GET", &format!("/jobs/{}/consents", journey.job), &[("cookie", &page)], "");
    assert!(page.expect(200).text.contains("Accounts to be confirmed"));
    let left = call(&journey.lead, "POST", &path, &seen).expect(200).json();
    assert_eq!(left["mailboxes"], json!([]));
    scene.succeeds("preflight");

    // What an ops lead names needs no more, and ends with the next change of somebody else.
    call(&journey.technician, "PATCH", &mailbox, &json!({"dest_user": ""})).expect(200);
    call(&journey.lead, "PATCH", &mailbox, &diverted).expect(200);
    scene.succeeds("preflight");
    let elsewhere = json!({"dest_imap_host": "localhost"});
    call(&journey.technician, "PATCH", &journey.path(""), &elsewhere).expect(200);
    assert_eq!(journey.get(&path)["mailboxes"][0]["email"], USER);
}

#[test]
fn a_consent_is_the_accounts_that_the_mailbox_logs_in_as_and_ends_with_the_mailbox() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let (url, cookie) = scene.leave(consent);
    let back = scene.auth.allow(&url, OTHER, PASSWORD).expect("the page sends the browser back");
    let reply = scene.arrive(&back, &cookie).expect(303);
    assert_eq!(reply.header("location"), format!("/mailboxes/{}/consent?refused=1", scene.mailbox));
    let refused = scene.consent(consent);
    let error = text(&refused["error"]);
    assert!(error.contains(&format!("{OTHER} has consented")) && error.contains(USER), "{error}");
    assert_ne!(refused["state"], "valid");
    // A shared mailbox is an ops lead's business.
    let bearer = format!("Bearer {}", scene.journey.lead);
    let start = format!("/oauth/start/{consent}");
    let (url, cookie) = left(scene.server().send("GET", &start, &[("authorization", &bearer)], ""));
    let back = scene.auth.allow(&url, OTHER, PASSWORD).expect("the page sends the browser back");
    scene.arrive(&back, &cookie).expect(303);
    assert_eq!(scene.consent(consent)["account"], OTHER);

    scene.give(consent);
    scene.succeeds("preflight");
    let mailbox = format!("/migration/mailboxes/{}", scene.mailbox);
    let call = |method: &str, body: &Value| scene.server().call(&scene.journey.technician, method, &mailbox, body);
    call("PATCH", &json!({"dest_user": OTHER})).expect(200);
    assert_eq!(scene.consent(consent)["state"], "pending");
    let error = scene.fails("preflight");
    assert!(error.contains("has got another account since the consent was given"), "{error}");
    scene.give(consent);
    call("DELETE", &Value::Null).expect(204);
    let withdrawn = &scene.journey.audit("consent.withdraw")[0];
    assert_eq!(withdrawn["reason"], "its mailbox was removed", "{withdrawn:#}");
}

#[test]
fn a_link_leads_the_owner_to_consent_once_and_opens_nothing_else() {
    let scene = Scene::new(5);
    let consent = scene.ask("authorization_code");
    let links = format!("/migration/consents/{consent}/links");
    let issue = || text(&scene.journey.post(&links, &Value::Null).expect(201).json()["url"]);
    let open =
        |url: &str| scene.server().send("GET", url.strip_prefix(&scene.server().address).expect("ours"), &[], "");
    let first = issue();
    let page = open(&first).expect(200);
    assert!(page.text.contains(USER) && page.text.contains("Give access to your mailbox"), "{page:?}");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert!(page.text.contains("/start\""), "{page:?}");
    for (name, _) in &page.headers {
        assert_ne!(name, "set-cookie");
    }
    let url = issue();
    open(&first).expect(403);
    let (head, last) = url.split_at(url.len() - 1);
    let wrong = format!("{head}{}", if last == "A" { "E" } else { "A" });
    for url in [wrong.as_str(), &format!("{url}x"), &format!("{}/consent/1.x.y", scene.server().address)] {
        let refused = open(url).expect(403);
        assert!(!refused.text.contains(USER), "{refused:?}");
    }
    assert!(open(&format!("{first}/start")).expect(403).headers.iter().all(|(name, _)| name != "set-cookie"));

    let (away, cookie) = left(open(&format!("{url}/start")));
    // Somebody who says no may come again.
    let back = scene.auth.refuse(&away, USER, PASSWORD).expect("the page sends the browser back");
    assert_eq!(scene.arrive(&back, &cookie).expect(303).header("location"), "/consent/refused");
    assert!(scene.server().send("GET", "/consent/refused?lang=pt", &[], "").expect(200).text.contains("não foi dado"));
    let (away, cookie) = left(open(&format!("{url}/start")));
    let back = scene.auth.allow(&away, USER, PASSWORD).expect("the page sends the browser back");
    assert_eq!(scene.arrive(&back, &cookie).expect(303).header("location"), "/consent/thanks");
    assert!(scene.server().send("GET", "/consent/thanks", &[], "").expect(200).text.contains("Thank you"));
    let given = scene.consent(consent);
    assert_eq!(
        (given["state"].as_str(), given["granted_by"].as_str()),
        (Some("valid"), Some("owner of ana@move.example"))
    );
    open(&url).expect(403);
    open(&format!("{url}/start")).expect(403);
    scene.journey.succeed("preflight");
    // No link for what is not one owner's.
    let code = scene.ask("device_code");
    scene.journey.post(&format!("/migration/consents/{code}/links"), &Value::Null).problem(409, "not_by_link");
    for days in [0, 31] {
        scene.journey.post(&links, &json!({ "days": days })).problem(422, "invalid");
    }
}

#[test]
fn a_token_end_point_that_lies_or_is_slow_is_told_and_costs_no_consent() {
    let scene = Scene::new(3);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    let lies = [
        Mischief::Html,
        Mischief::Status(503),
        Mischief::Redirect,
        Mischief::NotJson,
        Mischief::NotBearer,
        Mischief::Ended,
        Mischief::NoToken,
        Mischief::Control,
        Mischief::Flood,
    ];
    for lie in lies {
        scene.auth.rotate(false);
        scene.auth.mischief(Some(lie.clone()));
        let problem = scene.check(consent).problem(502, "provider_failed");
        let now = scene.consent(consent);
        assert_eq!(now["state"], "valid", "{lie:?}: {now:#}");
        assert!(now["error"].is_string(), "{lie:?}: {now:#}");
        assert!(!text(&problem["detail"]).contains(CLIENT_SECRET), "{lie:?}");
        scene.auth.mischief(None);
        let mended = scene.check(consent).expect(200).json();
        assert!(mended["error"].is_null(), "{lie:?}: {mended:#}");
    }
    // The token that was given before still opens the mailbox while the provider is of no use.
    scene.auth.mischief(Some(Mischief::Html));
    scene.journey.succeed("preflight");
    scene.auth.expire_now();
    let error = scene.fails("preflight");
    assert!(error.contains("127.0.0.1") && !error.contains('<'), "{error}");
    assert_eq!(scene.consent(consent)["state"], "valid");
    scene.auth.mischief(Some(Mischief::Refuse("invalid_client".into(), String::new())));
    scene.check(consent).problem(409, "consent_refused");
    assert_eq!(scene.consent(consent)["state"], "failed");
    scene.auth.mischief(None);
    scene.succeeds("preflight");
    assert_eq!(scene.consent(consent)["state"], "valid", "a run that gets a token mends it");
}

#[test]
fn two_processes_that_renew_at_once_use_each_refresh_token_once() {
    let scene = Scene::new(3);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    // A second Desk on the same database.
    let settings = [("MIGRATION_ALLOWED_HOSTS", "127.0.0.1")];
    let mut command = kit::gatepost(scene.server().dir.path());
    command.envs(settings);
    let second = Server::start_command(tempfile::tempdir().expect("a directory"), command);
    // The provider ends the whole consent when a refresh token comes twice.
    let path = format!("/migration/consents/{consent}/check");
    let check = |server: &Server| server.call(&scene.journey.lead, "POST", &path, &Value::Null).status;
    let answers: Vec<u16> = std::thread::scope(|scope| {
        let hands: Vec<_> = (0..12)
            .map(|n| {
                let server = if n % 2 == 0 { scene.server() } else { &second };
                let check = &check;
                scope.spawn(move || (0..4).map(|_| check(server)).collect::<Vec<_>>())
            })
            .collect();
        hands.into_iter().flat_map(|hand| hand.join().expect("it does not panic")).collect()
    });
    assert!(answers.contains(&200), "{answers:?}");
    assert!(answers.iter().all(|status| [200, 409].contains(status)), "{answers:?}");
    let now = scene.consent(consent);
    assert_eq!(now["state"], "valid", "{now:#}");
    scene.auth.expire_now();
    scene.journey.succeed("preflight");
}

#[test]
fn tokens_are_shown_to_no_server_that_their_application_does_not_name() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    scene.give(consent);
    let path = format!("/migration/mailboxes/{}", scene.mailbox);
    let patch = |body: Value| scene.server().call(&scene.journey.technician, "PATCH", &path, &body).expect(200);
    patch(json!({"source_host": "localhost"}));
    let error = scene.fails("preflight");
    let port = scene.old.imap_port();
    let named = format!("are for 127.0.0.1:{port} and are not shown to");
    assert!(error.contains(&format!("{named} localhost:{port}")), "{error}");
    assert!(!scene.old.log().contains("localhost"), "{}", scene.old.log());
    patch(json!({"source_host": "127.0.0.1", "source_port": port + 1}));
    let error = scene.fails("preflight");
    assert!(error.contains(&format!("{named} 127.0.0.1:{}", port + 1)), "{error}");
    patch(json!({"source_port": port, "source_security": "tls", "source_insecure_tls": true}));
    let error = scene.fails("preflight");
    assert!(error.contains("while its certificate is not verified"), "{error}");
}

#[test]
fn applications_are_checked_field_by_field_and_registered_by_an_ops_lead() {
    let server = Server::start();
    let [technician, lead, admin] = kit::ROLES.map(|role| server.token(role));
    let create = |token: &str, body: &Value| server.call(token, "POST", "/oauth/apps", body);
    let microsoft = json!({"name": "M365", "provider": "microsoft", "client_id": "id", "client_secret": "value"});
    create(&technician, &microsoft).problem(403, "forbidden");
    let with = |changes: Value| {
        let mut body = microsoft.clone();
        for (name, value) in changes.as_object().expect("an object") {
            body[name] = value.clone();
        }
        body
    };
    for (body, field) in [
        (with(json!({"name": ""})), "name"),
        (with(json!({"client_id": " "})), "client_id"),
        (with(json!({"directory": "a/b"})), "directory"),
        (with(json!({"token_url": "https://login.example/token"})), "token_url"),
        (with(json!({"scopes": "mail"})), "scopes"),
        (with(json!({"mail_hosts": ["mail.example"]})), "mail_hosts"),
        (with(json!({"secret_expires_on": "soon"})), "secret_expires_on"),
        (with(json!({"certificate": "x", "private_key": "y"})), "client_secret"),
        (with(json!({"client_secret": null, "certificate": "x"})), "private_key"),
        (with(json!({"client_secret": null, "service_account": "{}"})), "service_account"),
        (json!({"name": "G", "provider": "google", "client_id": "id"}), "client_secret"),
        (json!({"name": "G", "provider": "google", "service_account": "no JSON"}), "service_account"),
        (json!({"name": "C", "provider": "custom", "client_id": "id", "mail_hosts": ["a.example"]}), "token_url"),
        (
            json!({"name": "C", "provider": "custom", "client_id": "id", "mail_hosts": ["a.example"],
                "token_url": "http://127.0.0.1:1/token", "client_secret": "s"}),
            "token_url",
        ),
        (
            json!({"name": "C", "provider": "custom", "client_id": "id", "token_url": "https://login.example/t",
                "client_secret": "s"}),
            "mail_hosts",
        ),
        (
            json!({"name": "C", "provider": "custom", "client_id": "id", "token_url": "https://login.example/t",
                "mail_hosts": ["a.example"]}),
            "authorize_url",
        ),
    ] {
        let problem = create(&lead, &body).problem(422, "invalid");
        let fields: Vec<String> =
            problem["errors"].as_array().expect("a list").iter().map(|error| text(&error["field"])).collect();
        assert!(fields.contains(&field.to_owned()), "{body}: {problem:#}");
    }
    let app = create(&lead, &microsoft).expect(201).json();
    assert_eq!(app["ways"], json!(["authorization_code", "device_code", "client_credentials"]));
    assert_eq!(app["redirect_url"], format!("{}/oauth/callback", server.address));
    assert_eq!(app["mail_hosts"][0], "outlook.office365.com");
    create(&admin, &microsoft).problem(422, "invalid");
    let path = format!("/oauth/apps/{}", app["id"]);
    let day = json!({"secret_expires_on": "2020-01-31"});
    let changed = server.call(&admin, "PATCH", &path, &day).expect(200).json();
    assert_eq!((changed["secret_ends_soon"].as_bool(), changed["proof"].as_str()), (Some(true), Some("secret")));
    server.call(&technician, "PATCH", &path, &json!({"name": "x"})).problem(403, "forbidden");
    assert!(!server.get(&technician, &path).expect(200).text.contains("value\""));
    server.call(&technician, "DELETE", &path, &Value::Null).problem(403, "forbidden");
    server.call(&lead, "DELETE", &path, &Value::Null).expect(204);
    server.get(&lead, &path).problem(404, "not_found");
}

#[test]
fn a_stored_secret_is_not_sent_to_an_address_that_was_changed() {
    let scene = Scene::new(1);
    let path = format!("/oauth/apps/{}", scene.app);
    let change = |body: Value| scene.server().call(&scene.journey.lead, "PATCH", &path, &body);
    for field in ["token_url", "device_url", "revoke_url"] {
        let problem = change(json!({field: "https://evil.example/"})).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], "client_secret", "{field}");
    }
    change(json!({"token_url": scene.auth.endpoint("token"), "name": "Another name"})).expect(200);
    let consent = scene.ask("authorization_code");
    scene.server().call(&scene.journey.lead, "DELETE", &path, &Value::Null).problem(409, "in_use");
    assert_eq!(number(&scene.journey.get(&path)["consents"]), 1);
    scene.give(consent);
    // What was given to an application is not used for more than was known then.
    let hosts = json!([format!("127.0.0.1:{}", scene.old.imap_port()), "imap.example.com"]);
    change(json!({"mail_hosts": hosts})).expect(200);
    assert_eq!(scene.consent(consent)["state"], "expired");
    assert!(scene.fails("preflight").contains("mail servers or id of its application have been changed"));
    scene.give(consent);
}

#[test]
fn the_new_server_can_be_opened_by_a_consent_too() {
    let auth = provider();
    let old = old_server().start().expect("Dovecot starts");
    let new = new_server().oauth2(auth.url()).start().expect("Dovecot starts");
    fill(&old.account(USER), &mail(15)).expect("mail is generated");
    let mailbox = json!({
        "email": USER, "source_type": "imap", "source_host": "127.0.0.1", "source_port": old.imap_port(),
        "source_security": "plain", "source_secret": {"password": OLD_PASSWORD},
    });
    let journey = Journey::with(&[("MIGRATION_ALLOWED_HOSTS", "127.0.0.1")], new.imap_port(), &[mailbox]);
    let app = application(&auth, new.imap_port());
    let app = journey.server.call(&journey.lead, "POST", "/oauth/apps", &app).expect(201).json();
    let mailbox = id(&journey.mailbox());
    let path = format!("/migration/mailboxes/{mailbox}/consents");
    let asked = |side: &str| json!({"app_id": app["id"], "way": "authorization_code", "side": side});
    journey.post(&path, &asked("source")).problem(422, "invalid");
    let consent = id(&journey.post(&path, &asked("dest")).expect(201).json());
    let bearer = format!("Bearer {}", journey.technician);
    let start = format!("/oauth/start/{consent}");
    let (url, cookie) = left(journey.server.send("GET", &start, &[("authorization", &bearer)], ""));
    let back = auth.allow(&url, USER, PASSWORD).expect("the page sends the browser back");
    arrive(&journey.server, &back, &cookie).expect(303);
    journey.to_evidence();
    assert_same(&old.account(USER), &new.account(USER));
}

#[test]
fn a_token_that_has_ended_is_renewed_by_the_run_that_needs_it() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    scene.auth.lifetime(Duration::from_secs(2));
    scene.give(consent);
    scene.auth.lifetime(Duration::from_secs(3600));
    wait_for("a renewal", || {
        scene.journey.succeed("preflight");
        scene.auth.asked().contains(&"refresh_token".to_owned()).then_some(())
    });
    assert_eq!(scene.consent(consent)["state"], "valid");
}

#[test]
fn the_pages_show_the_applications_the_consents_and_their_troubles() {
    let scene = Scene::new(1);
    let consent = scene.ask("authorization_code");
    let (lead, technician) = (scene.server().cookie("ops_lead"), scene.server().cookie("technician"));
    let page = |path: &str, cookie: &str| {
        let headers = [("cookie", cookie), ("accept-language", "en")];
        scene.server().send("GET", path, &headers, "").expect(200).text
    };
    let (mailbox, job) = (format!("/mailboxes/{}", scene.mailbox), scene.journey.job);
    let shown = page(&format!("{mailbox}/consent"), &technician);
    for part in ["Waiting for consent", "Desk at the provider", &format!("/oauth/start/{consent}"), "Make a link"] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(page(&mailbox, &technician).contains("Waiting for consent"));
    scene.give(consent);
    scene.auth.revoke_consent(USER);
    scene.check(consent).problem(409, "consent_refused");
    for path in
        [mailbox.clone(), format!("{mailbox}/consent"), format!("/jobs/{job}/consents"), "/settings/oauth".into()]
    {
        assert!(page(&path, &technician).contains("Expired"), "{path}");
    }
    assert!(page(&format!("/settings/oauth/{}", scene.app), &lead).contains("Change the application"));
    assert!(!page(&format!("/settings/oauth/{}", scene.app), &technician).contains("Change the application"));
    assert!(!page("/settings/oauth", &technician).contains("New application"));
}
