//! A migration between two real servers, driven through the REST API of a real `gatepost`.

#![allow(dead_code, reason = "each test program uses a part of it")]

#[path = "../api/kit.rs"]
pub mod kit;

pub mod raw;

use gatepost_testkit::{
    Account, Differences, Dovecot, Generated, InternalDate, Profile, Snapshot, SpecialUse, compare, dovecot, put,
};
use kit::{Reply, Server};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The one user of each server, unless a test makes others.
pub const USER: &str = "ana@move.example";
pub const OLD_PASSWORD: &str = "old server's secret";
pub const NEW_PASSWORD: &str = "new server's secret";
/// The domain that moves.
pub const DOMAIN: &str = "move.example";

/// How long a state may take to come. Long enough for a busy machine; a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(240);

/// Looks until there is something.
#[track_caller]
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until no day is about to end, where what is counted by the day has to be of one.
#[track_caller]
pub fn wait_for_one_day() {
    wait_for("the first minutes of a day", || {
        let now = time::OffsetDateTime::now_utc();
        (now.hour() < 23 || now.minute() < 57).then_some(())
    });
}

/// A server as the old ones are: Portuguese names.
pub fn old_server() -> dovecot::Builder {
    Dovecot::builder().special_use(SpecialUse::Portuguese).user(USER, OLD_PASSWORD)
}

/// A server as the new ones are: English names, another separator than the old one.
pub fn new_server() -> dovecot::Builder {
    Dovecot::builder().special_use(SpecialUse::English).user(USER, NEW_PASSWORD)
}

/// How many messages an account has while somebody else writes to it, if its server says so: a folder may grow while it is
/// read, and Dovecot ends the connection of whoever has a folder open that doveadm changes.
pub fn count_meanwhile(account: &Account) -> Option<usize> {
    Snapshot::read(account).ok().map(|read| read.messages.len())
}

/// Where the old server's folders belong on the new one.
pub fn folder_map() -> HashMap<String, String> {
    [
        ("Enviados", "Sent"),
        ("Rascunhos", "Drafts"),
        ("Itens Excluídos", "Trash"),
        ("Lixo Eletrônico", "Junk"),
        ("Arquivo Morto", "Archive"),
        ("Arquivo Morto/*", "Archive/*"),
    ]
    .map(|(from, to)| (from.to_owned(), to.to_owned()))
    .into()
}

/// What an independent reader finds different between two accounts.
pub fn difference(source: &Account, dest: &Account) -> Differences {
    let source = Snapshot::read(source).expect("the source can be read");
    let dest = Snapshot::read(dest).expect("the destination can be read");
    compare(&source, &dest, &folder_map())
}

/// Checks that a copy is whole: content, flags, dates, folders, and nothing twice.
#[track_caller]
pub fn assert_same(source: &Account, dest: &Account) {
    let found = difference(source, dest);
    assert!(found.is_empty(), "{found}");
    assert!(found.same > 0, "nothing was compared");
}

/// Mail in all folders, small enough to be quick.
pub fn mail(messages: usize) -> Profile {
    Profile { seed: 7, messages, average_bytes: 2_000, ..Profile::default() }
}

/// A small message of its own.
pub fn letter(folder: &str, subject: &str, flags: &[&str]) -> Generated {
    sized_letter(folder, subject, flags, 0)
}

/// The same, with so many bytes of text.
pub fn sized_letter(folder: &str, subject: &str, flags: &[&str], bytes: usize) -> Generated {
    let line = "All work and no play makes mail a dull thing to read.\r\n";
    let text = line.repeat(bytes / line.len() + 1);
    let head =
        format!("From: a@b.example\r\nTo: {USER}\r\nSubject: {subject}\r\nMessage-Id: <{subject}@b.example>\r\n");
    Generated {
        folder: folder.to_owned(),
        bytes: format!("{head}\r\n{text}").into_bytes(),
        internal_date: InternalDate { unix_seconds: 1_700_000_000, zone_minutes: 0 },
        flags: flags.iter().map(|&flag| flag.to_owned()).collect(),
    }
}

/// Puts messages into an account.
#[track_caller]
pub fn deliver(account: &Account, messages: impl IntoIterator<Item = Generated>) {
    put(account, messages).expect("the messages are taken");
}

/// A mailbox that moves between two ports of this machine.
pub fn mailbox(user: &str, source_port: u16) -> Value {
    json!({
        "email": user, "source_type": "imap",
        "source_host": "127.0.0.1", "source_port": source_port, "source_security": "plain",
        "source_secret": {"password": OLD_PASSWORD}, "dest_secret": {"password": NEW_PASSWORD},
    })
}

/// A job on a server, and who works on it.
pub struct Journey {
    pub server: Server,
    pub technician: String,
    pub lead: String,
    pub admin: String,
    pub tenant: i64,
    pub job: i64,
}

impl Journey {
    /// A server with a job that moves [`USER`] between two ports.
    #[track_caller]
    pub fn between(source_port: u16, dest_port: u16) -> Self {
        Self::with(&[], dest_port, &[mailbox(USER, source_port)])
    }

    /// The same with settings, and with mailboxes of the test's choice.
    #[track_caller]
    pub fn with(settings: &[(&str, &str)], dest_port: u16, mailboxes: &[Value]) -> Self {
        Self::on(Server::start_with(settings), dest_port, mailboxes)
    }

    /// The same on a running server.
    #[track_caller]
    pub fn on(server: Server, dest_port: u16, mailboxes: &[Value]) -> Self {
        let [technician, lead, admin] = kit::ROLES.map(|role| server.token(role));
        let tenant = server.call(&technician, "POST", "/tenants", &json!({"name": "Move Ltd"})).expect(201).json();
        let mut journey = Self { server, technician, lead, admin, tenant: id(&tenant), job: 0 };
        journey.job = journey.open_job(dest_port, mailboxes);
        journey
    }

    /// A job for [`DOMAIN`].
    #[track_caller]
    pub fn open_job(&self, dest_port: u16, mailboxes: &[Value]) -> i64 {
        let job = json!({
            "domain": DOMAIN, "tenant_id": self.tenant, "dest_imap_host": "127.0.0.1", "dest_imap_port": dest_port,
            "dest_imap_security": "plain", "mailboxes": mailboxes,
        });
        id(&self.post("/migration/jobs", &job).expect(201).json())
    }

    /// Kills the server and starts another on its directory.
    #[must_use]
    pub fn killed_and_restarted(self) -> Self {
        self.killed_and_restarted_after(|| {})
    }

    /// The same where the server needs settings.
    #[must_use]
    pub fn killed_and_restarted_with(self, settings: &[(&str, &str)]) -> Self {
        Self { server: Server::start_in(self.server.kill(), settings), ..self }
    }

    /// The same with something that happens while no server runs.
    #[must_use]
    pub fn killed_and_restarted_after(self, meanwhile: impl FnOnce()) -> Self {
        let dir = self.server.kill();
        meanwhile();
        Self { server: Server::start_in(dir, &[]), ..self }
    }

    /// A GET, which has to be answered.
    #[track_caller]
    pub fn get(&self, path: &str) -> Value {
        self.server.get(&self.technician, path).expect(200).json()
    }

    /// A POST as the technician.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Reply {
        self.server.call(&self.technician, "POST", path, body)
    }

    /// Uploads a file for a mailbox in one request.
    #[track_caller]
    pub fn upload(&self, mailbox: i64, name: &str, bytes: &[u8]) -> Reply {
        let mut body = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"mailbox_id\"\r\n\r\n{mailbox}\r\n--edge\r\n\
             Content-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
        .into_bytes();
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n--edge--\r\n");
        let bearer = format!("Bearer {}", self.technician);
        let headers = [("authorization", bearer.as_str()), ("content-type", "multipart/form-data; boundary=edge")];
        self.server.send("POST", &format!("/api/v1{}", self.path("/upload-pst")), &headers, body)
    }

    /// A file once it was read through, or refused.
    #[track_caller]
    pub fn settled(&self, file: &Value) -> Value {
        let path = format!("/uploads/{}", text(&file["id"]));
        let file = wait_for("the reading of a file", || {
            let file = self.get(&path);
            matches!(file["state"].as_str(), Some("ready" | "refused")).then_some(file)
        });
        self.ended(number(&file["run_id"]));
        file
    }

    /// A path below the job.
    pub fn path(&self, rest: &str) -> String {
        format!("/migration/jobs/{}{rest}", self.job)
    }

    /// The job.
    #[track_caller]
    pub fn job(&self) -> Value {
        self.get(&self.path(""))
    }

    /// The mailboxes.
    #[track_caller]
    pub fn mailboxes(&self) -> Vec<Value> {
        self.get(&self.path("/mailboxes")).as_array().expect("a list").clone()
    }

    /// The first mailbox.
    #[track_caller]
    pub fn mailbox(&self) -> Value {
        self.mailboxes().remove(0)
    }

    /// Starts runs: `preflight`, `initial`, `delta`, `final`, `verify`.
    #[track_caller]
    pub fn start(&self, what: &str) -> Vec<i64> {
        let reply = match what {
            "preflight" | "verify" => self.post(&self.path(&format!("/{what}")), &Value::Null),
            kind => self.post(&self.path("/sync"), &json!({"type": kind})),
        };
        ids(&reply.expect(202).json())
    }

    /// A run when it has ended.
    #[track_caller]
    pub fn ended(&self, run: i64) -> Value {
        wait_for("the end of a run", || {
            let run = self.get(&format!("/migration/runs/{run}"))["run"].clone();
            ["success", "partial", "failed"].iter().any(|status| run["status"] == *status).then_some(run)
        })
    }

    /// Starts runs and waits for their ends.
    #[track_caller]
    pub fn run(&self, what: &str) -> Vec<Value> {
        self.start(what).into_iter().map(|run| self.ended(run)).collect()
    }

    /// Starts a run of the only mailbox, which has to succeed.
    #[track_caller]
    pub fn succeed(&self, what: &str) -> Value {
        let run = self.run(what).remove(0);
        assert_eq!(run["status"], "success", "{run:#}\n{}", self.log(&run));
        run
    }

    /// From nothing to evidence: every run succeeds.
    #[track_caller]
    pub fn to_evidence(&self) {
        for what in ["preflight", "initial", "delta", "verify"] {
            self.succeed(what);
        }
    }

    /// Approves as the ops lead.
    #[track_caller]
    pub fn approve(&self) -> Reply {
        self.server.call(&self.lead, "POST", &self.path("/approve-gate"), &json!({"note": "read and compared"}))
    }

    /// What a set-up wizard is told.
    #[track_caller]
    pub fn gate(&self) -> Value {
        self.get(&format!("/migration/gate?domain={DOMAIN}"))
    }

    /// The evidence; its sums have to add up, in every folder.
    #[track_caller]
    pub fn evidence(&self) -> Value {
        let evidence = self.get(&self.path("/verify"));
        for mailbox in evidence["mailboxes"].as_array().expect("a list") {
            let tallies = mailbox["folders"].as_array().expect("a list").iter().map(|folder| &folder["tally"]);
            for tally in tallies.chain([&mailbox["tally"], &evidence["totals"]]) {
                let sum: i64 =
                    ["arrived", "pending", "quarantined", "waived"].iter().map(|&of| number(&tally[of])).sum();
                assert_eq!(sum, number(&tally["source"]), "{mailbox:#}");
            }
        }
        evidence
    }

    /// What the audit log has of an action, newest first.
    #[track_caller]
    pub fn audit(&self, action: &str) -> Vec<Value> {
        let path = format!("/audit?job_id={}&action={action}", self.job);
        let page = self.server.get(&self.lead, &path).expect(200).json();
        page["items"].as_array().expect("a list").clone()
    }

    /// A run's log as text.
    #[track_caller]
    pub fn log(&self, run: &Value) -> String {
        let lines = self.get(&format!("/migration/runs/{}/log?limit=1000", run["id"]));
        let lines = lines.as_array().expect("a list").iter();
        lines.map(|line| format!("{} {}\n", line["level"], line["message"])).collect()
    }
}

/// A check of a gate.
#[track_caller]
pub fn check(gate: &Value, id: &str) -> (String, String) {
    let checks = gate["checks"].as_array().expect("a list");
    let found = checks.iter().find(|check| check["check_id"] == id).unwrap_or_else(|| panic!("no {id}: {gate:#}"));
    (text(&found["status"]), text(&found["message"]))
}

#[track_caller]
pub fn id(object: &Value) -> i64 {
    number(&object["id"])
}

#[track_caller]
pub fn ids(started: &Value) -> Vec<i64> {
    started["run_ids"].as_array().expect("a list").iter().map(number).collect()
}

#[track_caller]
pub fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or_else(|| panic!("no number: {value}"))
}

#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// A figure of a run.
#[track_caller]
pub fn stat(run: &Value, name: &str) -> i64 {
    number(&run["stats"][name])
}
