//! The scene of these tests: a provider, two mail servers and a Desk with one mailbox to move between them.

use crate::common::{
    Journey, NEW_PASSWORD, OLD_PASSWORD, USER, id, ids,
    kit::{Reply, Server},
    mail, new_server, old_server, text,
};
use gatepost_testkit::{AuthServer, Dovecot, fill};
use serde_json::{Value, json};
use std::cell::Cell;

pub const CLIENT: &str = "gatepost-desk";
pub const CLIENT_SECRET: &str = "planted client secret";
pub const OTHER: &str = "rui@move.example";
/// What a person may log in with at the authorization server.
pub const PASSWORD: &str = "owner's password";

/// The provider is on this machine.
const SETTINGS: [(&str, &str); 1] = [("MIGRATION_ALLOWED_HOSTS", "127.0.0.1")];

/// Two mail servers, the provider that the old one belongs to, and a Desk with one mailbox to move.
pub struct Scene {
    pub auth: AuthServer,
    pub old: Dovecot,
    pub new: Dovecot,
    pub journey: Journey,
    pub app: i64,
    pub mailbox: i64,
    /// The run that failed last: only it can be started again.
    failed: Cell<Option<i64>>,
}

pub fn provider() -> AuthServer {
    AuthServer::builder()
        .user(USER, PASSWORD)
        .user(OTHER, PASSWORD)
        .client(CLIENT, CLIENT_SECRET)
        .start()
        .expect("an authorization server")
}

pub fn oauth_mailbox(user: &str, port: u16) -> Value {
    json!({
        "email": user, "source_type": "imap_oauth",
        "source_host": "127.0.0.1", "source_port": port, "source_security": "plain",
        "dest_secret": {"password": NEW_PASSWORD},
    })
}

/// An application of the test's provider.
pub fn application(auth: &AuthServer, port: u16) -> Value {
    json!({
        "name": "Desk at the provider", "provider": "custom", "client_id": CLIENT, "client_secret": CLIENT_SECRET,
        "authorize_url": auth.endpoint("authorize"), "token_url": auth.endpoint("token"),
        "device_url": auth.endpoint("device/code"), "revoke_url": auth.endpoint("revoke"),
        "scopes": "mail offline_access", "mail_hosts": [format!("127.0.0.1:{port}")],
    })
}

impl Scene {
    pub fn new(messages: usize) -> Self {
        let auth = provider();
        let old = old_server().user(OTHER, OLD_PASSWORD).oauth2(auth.url()).start().expect("Dovecot starts");
        let port = old.imap_port();
        Self::with(auth, old, port, messages)
    }

    /// The same where the Desk reaches the old server by another port.
    pub fn with(auth: AuthServer, old: Dovecot, port: u16, messages: usize) -> Self {
        fill(&old.account(USER), &mail(messages)).expect("mail is generated");
        Self::with_settings(auth, old, port, &[])
    }

    /// The same with the mail that is there, and with more settings.
    pub fn with_settings(auth: AuthServer, old: Dovecot, port: u16, more: &[(&str, &str)]) -> Self {
        let new = new_server().user(OTHER, NEW_PASSWORD).start().expect("Dovecot starts");
        let settings = [&SETTINGS[..], more].concat();
        let journey = Journey::with(&settings, new.imap_port(), &[oauth_mailbox(USER, port)]);
        let app = application(&auth, port);
        let app = journey.server.call(&journey.lead, "POST", "/oauth/apps", &app).expect(201).json();
        let (app, mailbox) = (id(&app), id(&journey.mailbox()));
        Self { auth, old, new, journey, app, mailbox, failed: Cell::new(None) }
    }

    /// Kills the server and starts another on its directory.
    #[must_use]
    pub fn killed_and_restarted(self) -> Self {
        Self { journey: self.journey.killed_and_restarted_with(&SETTINGS), ..self }
    }

    pub fn server(&self) -> &Server {
        &self.journey.server
    }

    /// Asks for the consent of the mailbox's owner.
    #[track_caller]
    pub fn ask(&self, way: &str) -> i64 {
        let asked = json!({"app_id": self.app, "way": way});
        id(&self.journey.post(&format!("/migration/mailboxes/{}/consents", self.mailbox), &asked).expect(201).json())
    }

    #[track_caller]
    pub fn consent(&self, consent: i64) -> Value {
        self.journey.get(&format!("/migration/consents/{consent}"))
    }

    #[track_caller]
    pub fn check(&self, consent: i64) -> Reply {
        self.server().call(&self.journey.lead, "POST", &format!("/migration/consents/{consent}/check"), &Value::Null)
    }

    /// Goes to the provider as the technician: the provider's address, and the cookie that stays.
    #[track_caller]
    pub fn leave(&self, consent: i64) -> (String, String) {
        let bearer = format!("Bearer {}", self.journey.technician);
        let reply = self.server().send("GET", &format!("/oauth/start/{consent}"), &[("authorization", &bearer)], "");
        left(reply)
    }

    /// Comes back.
    #[track_caller]
    pub fn arrive(&self, back: &str, cookie: &str) -> Reply {
        arrive(self.server(), back, cookie)
    }

    /// The owner consents in the browser of the staff.
    #[track_caller]
    pub fn give(&self, consent: i64) {
        let (url, cookie) = self.leave(consent);
        let back = self.auth.allow(&url, USER, PASSWORD).expect("the page sends the browser back");
        let reply = self.arrive(&back, &cookie).expect(303);
        assert_eq!(reply.header("location"), format!("/mailboxes/{}/consent?notice=consented", self.mailbox));
        assert_eq!(self.consent(consent)["state"], "valid");
    }

    /// A run to its end: another attempt at the one that failed last, or a new one.
    #[track_caller]
    pub fn run(&self, what: &str) -> Value {
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
    pub fn fails(&self, what: &str) -> String {
        let run = self.run(what);
        assert_eq!(run["status"], "failed", "{run:#}\n{}", self.journey.log(&run));
        self.failed.set(Some(id(&run)));
        text(&self.journey.mailbox()["last_error"])
    }

    /// A run that succeeds.
    #[track_caller]
    pub fn succeeds(&self, what: &str) {
        let run = self.run(what);
        assert_eq!(run["status"], "success", "{run:#}\n{}", self.journey.log(&run));
    }
}

#[track_caller]
pub fn left(reply: Reply) -> (String, String) {
    let reply = reply.expect(303);
    assert_eq!(reply.header("referrer-policy"), "no-referrer");
    let cookie = reply.header("set-cookie").to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    (reply.header("location").to_owned(), cookie.split(';').next().expect("a cookie").to_owned())
}

#[track_caller]
pub fn arrive(server: &Server, back: &str, cookie: &str) -> Reply {
    let path = back.strip_prefix(&server.address).unwrap_or_else(|| panic!("another address than ours: {back}"));
    let headers = [("cookie", cookie), ("sec-fetch-site", "cross-site")];
    let headers = if cookie.is_empty() { &headers[1..] } else { &headers[..] };
    server.send("GET", path, headers, "")
}

/// What the audit log has of the job.
#[track_caller]
pub fn audit_actions(journey: &Journey) -> Vec<String> {
    let path = format!("/audit?job_id={}&per_page=200", journey.job);
    let page = journey.server.get(&journey.lead, &path).expect(200).json();
    page["items"].as_array().expect("a list").iter().map(|row| text(&row["action"])).collect()
}
