//! Finished copies, as many as are wanted: each a mailbox of its own between two real servers, with a job of its own for
//! a domain of its own, copied, verified and approved. What is done to one leaves the others as they are.

#![allow(dead_code, reason = "each test program uses a part of it")]

use crate::common::{
    NEW_PASSWORD, OLD_PASSWORD,
    kit::{ROLES, Reply, Server},
    mailbox, number,
    raw::Raw,
    text,
};
use gatepost_testkit::{Account, Dovecot, Generated, InternalDate, Maildir, SpecialUse, Storage, mutf7_encode, put};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection, sqlite::SqliteConnectOptions};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// The largest message that the new server takes.
pub const LIMIT: usize = 60_000;
/// How long a run may take on a busy machine, others before it included. A run that hangs costs a test so long.
const PATIENCE: Duration = Duration::from_secs(240);

/// The servers, the Desk, and who works there.
pub struct Stage {
    pub old: Dovecot,
    pub new: Dovecot,
    pub desk: Server,
    technician: String,
    lead: String,
    admin: String,
    copies: Vec<Copy>,
}

/// One finished copy.
#[derive(Clone)]
struct Copy {
    user: String,
    domain: String,
    job: i64,
}

impl Stage {
    /// So many copies behind open gates.
    pub fn with(copies: usize) -> Self {
        let users: Vec<String> = (0..copies).map(|n| format!("ana@c{n:02}.example")).collect();
        let (mut old, mut new) = (
            Dovecot::builder().special_use(SpecialUse::Portuguese),
            Dovecot::builder()
                .special_use(SpecialUse::English)
                .storage(Storage::Maildir)
                .max_message_bytes(LIMIT as u64),
        );
        for user in &users {
            (old, new) = (old.user(user, OLD_PASSWORD), new.user(user, NEW_PASSWORD));
        }
        let (old, new) = (old.start().expect("a server"), new.start().expect("a server"));
        in_parallel(&users, |user| {
            put(&old.account(user), mail()).expect("the old server takes mail");
        });
        let desk = Server::start_with(&[("GATEPOST_WORKERS", "4")]);
        let [technician, lead, admin] = ROLES.map(|role| desk.token(role));
        let tenant = desk.call(&technician, "POST", "/tenants", &json!({"name": "Move Ltd"})).expect(201).json();
        let copies = users
            .into_iter()
            .map(|user| {
                let domain = user.split_once('@').map(|(_, domain)| domain.to_owned()).expect("an address");
                let job = json!({
                    "domain": domain, "tenant_id": tenant["id"], "dest_imap_host": "127.0.0.1",
                    "dest_imap_port": new.imap_port(), "dest_imap_security": "plain",
                    "mailboxes": [mailbox(&user, old.imap_port())],
                });
                let job = number(&desk.call(&technician, "POST", "/migration/jobs", &job).expect(201).json()["id"]);
                Copy { user, domain, job }
            })
            .collect();
        let stage = Self { old, new, desk, technician, lead, admin, copies };
        let scenes: Vec<Scene<'_>> = stage.scenes().collect();
        for what in ["preflight", "initial", "delta", "standard"] {
            let started: Vec<_> = scenes.iter().map(|scene| (scene, scene.start(what))).collect();
            for (scene, run) in started {
                let run = scene.ended(run);
                assert_eq!(run["status"], "success", "{what}: {run:#}");
            }
        }
        for scene in scenes {
            scene.approve();
        }
        stage
    }

    /// Each copy.
    pub fn scenes(&self) -> impl Iterator<Item = Scene<'_>> {
        self.copies.iter().map(|copy| Scene { stage: self, copy })
    }

    /// Statements on the database, past everything that guards it.
    pub fn sql(&self, statements: &str) {
        let file = self.desk.dir.path().join("data/gatepost.db");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(file).foreign_keys(false);
            let options = options.busy_timeout(Duration::from_secs(60)).disable_statement_logging();
            let mut conn = SqliteConnection::connect_with(&options).await.expect("the database opens");
            let statements = format!("PRAGMA ignore_check_constraints = ON; {statements}");
            sqlx::raw_sql(AssertSqlSafe(statements.clone()))
                .execute(&mut conn)
                .await
                .unwrap_or_else(|error| panic!("{error}: {statements}"));
            conn.close().await.expect("the database closes");
        });
    }
}

/// One finished copy and all that can be done to it.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    stage: &'a Stage,
    copy: &'a Copy,
}

impl<'a> Scene<'a> {
    /// The source.
    pub fn source(self) -> Side {
        Side(self.stage.old.account(&self.copy.user))
    }

    /// The destination.
    pub fn dest(self) -> Side {
        Side(self.stage.new.account(&self.copy.user))
    }

    /// The destination's files.
    pub fn files(self) -> Maildir {
        self.stage.new.maildir(&self.copy.user)
    }

    /// Puts other bytes in the place of those of a message at the destination.
    pub fn rewrite(self, folder: &str, name: &str, change: impl FnOnce(&str) -> String) {
        let uid = self.dest().uid(folder, name);
        let changed = self.files().rewrite(folder, uid, |bytes| {
            let before = String::from_utf8(bytes).expect("letters are text");
            let after = change(&before);
            assert_ne!(before, after, "the fault changes something");
            after.into_bytes()
        });
        changed.expect("the file can be written");
    }

    /// Moves the date of arrival of a message at the destination.
    pub fn redate(self, folder: &str, name: &str, seconds: i64) {
        self.files().redate(folder, self.dest().uid(folder, name), seconds).expect("the file can be dated");
    }

    /// Statements on the ledger. `{mailbox}` stands for the mailbox, `{job}` for the job, `{row:NAME}` for the row of a
    /// letter, `{folder:PATH}` for that of a source folder.
    pub fn sql(self, statements: &str) {
        let mut text = statements
            .replace("{mailbox}", &format!("(SELECT id FROM migration_mailboxes WHERE job_id = {})", self.copy.job))
            .replace("{job}", &self.copy.job.to_string());
        while let Some((kind, word)) = placeholder(&text) {
            let folder = |path: &str| {
                format!(
                    "(SELECT f.id FROM migration_folders f JOIN migration_mailboxes b ON b.id = f.mailbox_id \
                     WHERE b.job_id = {} AND f.source_path = '{path}')",
                    self.copy.job
                )
            };
            let stands = match kind.as_str() {
                "folder" => folder(&word),
                _ => {
                    let path = home_of(&word);
                    let uid = self.source().uid(path, &word);
                    format!("(SELECT id FROM migration_messages WHERE uid = {uid} AND folder_id = {})", folder(path))
                }
            };
            text = text.replace(&format!("{{{kind}:{word}}}"), &stands);
        }
        self.stage.sql(&text);
    }

    /// The job's address in the API.
    pub fn path(self, rest: &str) -> String {
        format!("/migration/jobs/{}{rest}", self.copy.job)
    }

    /// A request as the technician.
    pub fn call(self, method: &str, path: &str, body: &Value) -> Reply {
        self.stage.desk.call(&self.stage.technician, method, path, body)
    }

    /// A GET as the technician, which has to be answered.
    pub fn get(self, path: &str) -> Value {
        self.call("GET", path, &Value::Null).expect(200).json()
    }

    /// Starts `preflight`, a copy, or a verification by its depth; `sample` is a deep one of a seeded sample.
    pub fn start(self, what: &str) -> i64 {
        let reply = match what {
            "preflight" => self.call("POST", &self.path("/preflight"), &Value::Null),
            "sample" => {
                let sample = json!({"depth": "deep", "sample_percent": 5.0, "seed": 7});
                self.call("POST", &self.path("/verify"), &sample)
            }
            "quick" | "standard" | "deep" => self.call("POST", &self.path("/verify"), &json!({"depth": what})),
            kind => self.call("POST", &self.path("/sync"), &json!({"type": kind})),
        };
        number(&reply.expect(202).json()["run_ids"][0])
    }

    /// A run when it has ended, or as it stands when that takes too long.
    pub fn ended(self, run: i64) -> Value {
        let began = Instant::now();
        loop {
            let run = self.get(&format!("/migration/runs/{run}"))["run"].clone();
            let ended = ["success", "partial", "failed"].iter().any(|status| run["status"] == *status);
            if ended || began.elapsed() > PATIENCE {
                return run;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Starts a run and waits for its end, whatever that is.
    pub fn run(self, what: &str) -> Value {
        self.ended(self.start(what))
    }

    /// Approves the newest evidence; the gate opens.
    pub fn approve(self) {
        let seen = self.get(&self.path("/verify"))["evidence_id"].clone();
        let body = json!({"evidence_id": seen, "note": "read and compared"});
        self.stage.desk.call(&self.stage.lead, "POST", &self.path("/approve-gate"), &body).expect(200);
        assert_eq!(self.gate()["gate"], "ready_for_dns", "{:#}", self.gate());
    }

    /// Opens the gate in spite of what fails.
    pub fn approve_anyway(self) {
        let body = json!({"override": true, "reason": "The owner knows of it and agrees."});
        self.stage.desk.call(&self.stage.admin, "POST", &self.path("/approve-gate"), &body).expect(200);
        assert_eq!(self.gate()["gate"], "ready_for_dns", "{:#}", self.gate());
    }

    /// What a set-up wizard is told.
    pub fn gate(self) -> Value {
        self.get(&format!("/migration/gate?domain={}", self.copy.domain))
    }

    /// How often the approval was taken away.
    pub fn revocations(self) -> i64 {
        let path = format!("/audit?job_id={}&action=gate.revoke", self.copy.job);
        number(&self.stage.desk.get(&self.stage.lead, &path).expect(200).json()["total"])
    }

    /// The mailbox's id.
    pub fn mailbox(self) -> i64 {
        number(&self.get(&self.path("/mailboxes"))[0]["id"])
    }

    /// A run's log as text.
    pub fn log(self, run: &Value) -> String {
        let lines = self.get(&format!("/migration/runs/{}/log?limit=1000", run["id"]));
        let lines = lines.as_array().expect("a list").iter();
        lines.map(|line| format!("{} {}\n", text(&line["level"]), text(&line["message"]))).collect()
    }
}

/// Whether a test looks at this one: all of them, or those whose names hold the text in `GATEPOST_FAULT`.
pub fn wanted(name: &str) -> bool {
    std::env::var("GATEPOST_FAULT").map_or(true, |part| name.contains(&part))
}

/// The first `{kind:word}` of a text.
fn placeholder(text: &str) -> Option<(String, String)> {
    let (_, rest) = text.split_once('{')?;
    let (inner, _) = rest.split_once('}')?;
    inner.split_once(':').map(|(kind, word)| (kind.to_owned(), word.to_owned()))
}

/// One side of a copy, and what its owner or a careless program does there.
pub struct Side(pub Account);

impl Side {
    /// Commands in a folder. `#NAME` stands for the UID of a letter.
    pub fn within(&self, folder: &str, commands: &[&str]) -> String {
        let commands: Vec<String> = commands
            .iter()
            .map(|command| {
                let mut words: Vec<String> = command.split(' ').map(str::to_owned).collect();
                for word in &mut words {
                    if let Some(name) = word.strip_prefix('#') {
                        *word = self.uid(folder, name).to_string();
                    }
                }
                words.join(" ")
            })
            .collect();
        let commands: Vec<&str> = commands.iter().map(String::as_str).collect();
        Raw::within(&self.0, &mutf7_encode(folder), &commands)
    }

    /// A command outside any folder.
    pub fn command(&self, command: &str) {
        let mut raw = Raw::log_in(&self.0);
        raw.command(&mutf7_encode(command));
        raw.command("LOGOUT");
    }

    /// The UID of a letter, which is there.
    pub fn uid(&self, folder: &str, name: &str) -> u32 {
        let search = format!("UID SEARCH HEADER Message-Id \"<{name}@b.example>\"");
        let found = Raw::within(&self.0, &mutf7_encode(folder), &[&search]);
        let line = found.lines().find_map(|line| line.strip_prefix("* SEARCH ")).map(str::to_owned);
        let first = line.as_deref().and_then(|line| line.split_whitespace().next()).and_then(|uid| uid.parse().ok());
        first.unwrap_or_else(|| panic!("no {name} in {folder}: {found}"))
    }

    /// Every UID of a folder.
    pub fn uids(&self, folder: &str) -> Vec<u32> {
        let found = Raw::within(&self.0, &mutf7_encode(folder), &["UID SEARCH ALL"]);
        let line = found.lines().find_map(|line| line.strip_prefix("* SEARCH")).unwrap_or_default();
        line.split_whitespace().filter_map(|uid| uid.parse().ok()).collect()
    }

    /// Deletes a letter for good.
    pub fn remove(&self, folder: &str, name: &str) {
        self.within(folder, &[&format!("UID STORE #{name} +FLAGS (\\Deleted)"), "EXPUNGE"]);
    }

    /// Delivers letters.
    pub fn deliver(&self, letters: impl IntoIterator<Item = Generated>) {
        put(&self.0, letters).expect("the letters are taken");
    }
}

/// Where a letter lies at the source, by its name.
fn home_of(name: &str) -> &'static str {
    let family = name.split_once('-').map_or(name, |(family, _)| family);
    FOLDERS.iter().find(|(of, ..)| *of == family).map_or("INBOX", |(_, path, _)| path)
}

/// The letters' families: their folders at the source, and how many there are. One message of a hundred is less than
/// the required ratio lets pass, so that a single one must be seen for what it is.
const FOLDERS: [(&str, &str, usize); 6] = [
    ("inbox", "INBOX", 70),
    ("sent", "Enviados", 20),
    ("archive", "Arquivo Morto", 20),
    ("draft", "Rascunhos", 2),
    ("water", "Projetos/Água", 20),
    ("project", "Projetos", 4),
];

/// What each mailbox holds. Beside the families: the same message twice, and one without a Message-Id, which are no
/// faults.
fn mail() -> Vec<Generated> {
    let mut all: Vec<Generated> = FOLDERS
        .iter()
        .flat_map(|(family, path, count)| (0..*count).map(move |n| letter(path, &format!("{family}-{n:02}"), n)))
        .collect();
    let twin = letter("Projetos", "twin-00", 3);
    let nameless = letter("Projetos", "nameless-00", 5);
    let bare = String::from_utf8(nameless.bytes.clone()).expect("letters are text");
    let bare = bare.replace("Message-Id: <nameless-00@b.example>\r\n", "");
    all.extend([twin.clone(), twin, Generated { bytes: bare.into_bytes(), ..nameless }]);
    all
}

/// A letter of its own. Those whose number ends in 0 carry every mark; those whose number ends in 9 an attachment.
pub fn letter(folder: &str, name: &str, number: usize) -> Generated {
    let internal_date =
        InternalDate { unix_seconds: 1_600_000_000 + 86_461 * number as i64 + name.len() as i64, zone_minutes: 0 };
    let date = internal_date.rfc5322();
    let text = "All work and no play makes mail a dull thing to read.\r\n".repeat(2 + number % 7);
    let head = format!(
        "From: Bo <bo@b.example>\r\nTo: ana@example.org\r\nSubject: About {name}\r\nDate: {date}\r\n\
         Message-Id: <{name}@b.example>\r\nMIME-Version: 1.0\r\n"
    );
    let bytes = if number % 10 == 9 {
        let attached = "R0FURVBPU1QgR0FURVBPU1QgR0FURVBPU1QgR0FURVBPU1Q=\r\n".repeat(4);
        format!(
            "{head}Content-Type: multipart/mixed; boundary=\"part\"\r\n\r\n--part\r\nContent-Type: text/plain\r\n\r\n\
             {name}: {text}\r\n--part\r\nContent-Type: application/pdf; name=\"offer.pdf\"\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n{attached}\r\n--part--\r\n"
        )
    } else {
        format!("{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{name}: {text}")
    };
    let marks = [("\\Seen", 2), ("\\Flagged", 5), ("Urgente", 10)];
    let flags = marks.iter().filter(|(_, each)| number.is_multiple_of(*each)).map(|(flag, _)| (*flag).to_owned());
    Generated { folder: folder.to_owned(), bytes: bytes.into_bytes(), internal_date, flags: flags.collect() }
}

/// Does something for each, a few at a time.
fn in_parallel<T: Sync>(all: &[T], work: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while let Some(item) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    work(item);
                }
            });
        }
    });
}
