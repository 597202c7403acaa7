//! What was entrusted is seen by nobody: secrets planted on every side are searched for wherever anything is written.

mod common;

use common::{
    DOMAIN, Journey, USER, assert_same, deliver, id, kit,
    kit::{PASSWORD, Server},
    letter, mailbox, number, text, wait_for,
};
use gatepost_testkit::{Dovecot, Proxy, ScriptedImap};
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::Path,
    process::Stdio,
    time::Duration,
};

const SOURCE: &str = "planted-source-Zx81Qk";
const DEST: &str = "planted-dest-Wm42Rt";
const WRONG: &str = "planted-wrong-Hy37Lc";
const OAUTH: &str = "planted-oauth-Bn65Vd";

/// Texts that would give a secret away: as it is, and as SASL and HTTP write it.
fn disguises(secret: &str) -> Vec<String> {
    let plain = base64(format!("\0{USER}\0{secret}").as_bytes());
    let bearer = base64(format!("user={USER}\x01auth=Bearer {secret}\x01\x01").as_bytes());
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![secret.to_owned(), base64(secret.as_bytes()), plain, bearer, hex]
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let letter = |six: u32| char::from(LETTERS[(six & 63) as usize]);
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        let whole: String = [letter(bits >> 18), letter(bits >> 12), letter(bits >> 6), letter(bits)].iter().collect();
        text.push_str(&whole[..=three.len()]);
        text.push_str(&"="[..usize::from(three.len() < 3)].repeat(3 - three.len()));
    }
    text
}

/// Looks for secrets, and counts where it has looked.
struct Search {
    secrets: Vec<(String, Vec<String>)>,
    looked: BTreeSet<String>,
}

impl Search {
    fn for_secrets(secrets: &[&str]) -> Self {
        let secrets = secrets.iter().map(|secret| ((*secret).to_owned(), disguises(secret))).collect();
        Self { secrets, looked: BTreeSet::new() }
    }

    #[track_caller]
    fn bytes(&mut self, place: &str, bytes: &[u8]) {
        self.looked.insert(place.to_owned());
        for (secret, disguises) in &self.secrets {
            for disguise in disguises {
                let at = bytes.windows(disguise.len()).position(|window| window == disguise.as_bytes());
                let around = at.map(|at| {
                    String::from_utf8_lossy(&bytes[at.saturating_sub(200)..(at + 200).min(bytes.len())]).into_owned()
                });
                assert!(around.is_none(), "{place} shows {secret}: {around:?}");
            }
        }
    }

    #[track_caller]
    fn files(&mut self, below: &Path) {
        for entry in fs::read_dir(below).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                self.files(&path);
            } else if path.file_name().is_none_or(|name| name != "password" && name != "old" && name != "new") {
                match fs::read(&path) {
                    Ok(bytes) => self.bytes(&path.display().to_string(), &bytes),
                    // What is needed for a moment may be gone since the folder was listed.
                    Err(error) => assert_eq!(error.kind(), io::ErrorKind::NotFound, "{}: {error}", path.display()),
                }
            }
        }
    }

    /// The arguments of every process of this machine.
    #[track_caller]
    fn processes(&mut self) {
        for entry in fs::read_dir("/proc").expect("a folder").flatten() {
            if let Ok(arguments) = fs::read(entry.path().join("cmdline")) {
                self.bytes("/proc/*/cmdline", &arguments);
            }
        }
    }
}

#[test]
fn base64_is_base64() {
    for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}

#[test]
fn planted_secrets_are_in_no_log_no_answer_no_process_list_and_no_file() {
    let old = Dovecot::builder().user(USER, SOURCE).start().expect("a server");
    let (wrong_user, token_user) = ("wrong@move.example", "token@move.example");
    let new = Dovecot::builder().user(USER, DEST).user(wrong_user, DEST).user(token_user, DEST);
    let new = new.start().expect("a server");
    let oauth = ScriptedImap::builder().user("nobody", "x").start().expect("a server");
    deliver(&old.account(USER), (0..60).map(|n| letter("INBOX", &format!("letter-{n}"), &[])));
    let line = Proxy::start(new.imap_port()).expect("a proxy");

    let dir = kit::directory();
    for role in kit::ROLES {
        let email = format!("{role}@desk.example");
        let add = ["admin", "user", "add", "--email", &email, "--role", role, "--password-file", "password"];
        assert!(kit::run(dir.path(), &add).status.success());
    }
    let log = dir.path().join("stderr.log");
    let mut command = kit::gatepost(dir.path());
    command.env("GATEPOST_LOG", "trace").stderr(File::create(&log).expect("a file"));
    let server = Server::start_command(dir, command);

    let planted = |source: Value, port: u16| {
        let mut mailbox = mailbox(USER, port);
        mailbox["source_secret"] = source;
        mailbox["dest_secret"] = json!({"password": DEST});
        mailbox
    };
    let fine = planted(json!({"password": SOURCE}), old.imap_port());
    let mut wrong = planted(json!({"password": WRONG}), old.imap_port());
    let mut token = planted(json!({"oauth_token": OAUTH}), oauth.port());
    wrong["email"] = json!(wrong_user);
    wrong["source_user"] = json!(USER);
    token["email"] = json!(token_user);
    token["source_user"] = json!(USER);
    token["source_type"] = json!("imap_oauth");
    let journey = Journey::on(server, line.port(), &[fine, wrong, token]);
    let wizard = json!({"scopes": ["gate:read"], "name": "wizard"});
    let wizard = journey.server.call(&journey.admin, "POST", "/tokens", &wizard).expect(201).json();
    let wizard = text(&wizard["secret"]);
    journey.server.get(&wizard, &format!("/migration/gate?domain={DOMAIN}")).expect(200);
    let mut search = Search::for_secrets(&[SOURCE, DEST, WRONG, OAUTH, PASSWORD, &wizard, &journey.admin]);

    journey.run("preflight");
    line.delay(Duration::from_millis(200));
    let runs = journey.start("initial");
    let path = format!("/migration/runs/{}", runs[0]);
    wait_for("the run's begin", || (journey.get(&path)["run"]["status"] != "queued").then_some(()));
    search.processes();
    line.delay(Duration::ZERO);
    let ended: Vec<Value> = runs.into_iter().map(|run| journey.ended(run)).collect();
    let status: Vec<&Value> = ended.iter().map(|run| &run["status"]).collect();
    assert_eq!(status, ["success", "failed", "failed"], "{ended:#?}");
    assert_same(&old.account(USER), &new.account(USER));
    journey.run("delta");
    journey.run("verify");

    // Refusals, too, repeat nothing that was sent.
    for body in [
        json!({"email": "no address", "source_type": "imap", "source_secret": {"password": SOURCE}}),
        json!({"email": USER, "source_type": "imap", "source_secret": {"password": SOURCE, "oauth_token": OAUTH}}),
        json!({"email": USER, "source_type": "imap", "source_secret": SOURCE}),
        json!({"email": USER, "source_type": "imap", "dest_secret": [DEST]}),
    ] {
        let reply = journey.post(&journey.path("/mailboxes"), &body);
        assert!(reply.status >= 400, "{reply:?}");
        search.bytes("a refusal", reply.text.as_bytes());
    }
    let csv =
        format!("email,source_type,source_host,source_password,dest_password\nbad,imap,h.example,{SOURCE},{DEST}\n");
    let bearer = format!("Bearer {}", journey.technician);
    let headers = [("authorization", bearer.as_str()), ("content-type", "text/csv")];
    let import = format!("/api/v1{}", journey.path("/mailboxes/import"));
    let refused = journey.server.send("POST", &import, &headers, csv);
    assert_eq!(refused.status, 422, "{refused:?}");
    search.bytes("a refused import", refused.text.as_bytes());

    every_answer(&journey, &mut search);
    search.processes();
    search.bytes("standard output", journey.server.stdout().as_bytes());
    let shown = fs::read_to_string(&log).expect("the log");
    assert!(shown.len() > 100_000 && shown.contains("TRACE"), "a loud log was searched: {} bytes", shown.len());
    let data = journey.server.dir.path().to_owned();
    search.files(&data);
    for file in ["data/gatepost.db", "data/gatepost.db-wal", "stderr.log", "data/logs/run-4.log"] {
        assert!(search.looked.contains(&data.join(file).display().to_string()), "{file}: {:#?}", search.looked);
    }
    // What a killed server leaves behind is no different.
    search.files(journey.server.kill().path());
}

/// Every GET of the API, with the ids that there are.
fn every_answer(journey: &Journey, search: &mut Search) {
    let document = journey.server.get(&journey.admin, "/openapi.json").expect(200).json();
    let mailbox = id(&journey.mailbox());
    let run = number(&journey.get(&journey.path("/runs"))["items"][0]["id"]);
    let mut answered = 0;
    for (path, item) in document["paths"].as_object().expect("an object") {
        if item.get("get").is_none() {
            continue;
        }
        let id = if path.contains("/mailboxes/{") {
            mailbox
        } else if path.contains("/runs/{") {
            run
        } else if path.contains("/jobs/{") {
            journey.job
        } else {
            1
        };
        let path = path.trim_start_matches("/api/v1").replace("{id}", &id.to_string());
        let asked = if path.ends_with("/gate") && path.starts_with("/migration/gate") {
            format!("{path}?domain={DOMAIN}")
        } else {
            path.clone()
        };
        let reply = journey.server.get(&journey.admin, &asked);
        answered += usize::from(reply.status == 200);
        search.bytes(&format!("GET {path}"), format!("{:?}{}", reply.headers, reply.text).as_bytes());
    }
    assert!(answered >= 20, "only {answered} answers were searched");
    for page in ["/", "/jobs", "/metrics", "/healthz", "/readyz"] {
        let cookie = journey.server.cookie("super_admin");
        let reply = journey.server.send("GET", page, &[("cookie", &cookie)], "");
        search.bytes(&format!("the page {page}"), reply.text.as_bytes());
    }
    let page = format!("/jobs/{}", journey.job);
    let cookie = journey.server.cookie("super_admin");
    let reply = journey.server.send("GET", &page, &[("cookie", &cookie)], "").expect(200);
    assert!(reply.text.contains(USER), "the page shows the job's mailboxes");
    search.bytes("the job's page", reply.text.as_bytes());
}

#[test]
fn a_copy_on_the_command_line_shows_and_keeps_no_password() {
    let old = Dovecot::builder().user(USER, SOURCE).start().expect("a server");
    let new = Dovecot::builder().user(USER, DEST).start().expect("a server");
    deliver(&old.account(USER), (0..40).map(|n| letter("INBOX", &format!("letter-{n}"), &[])));
    let line = Proxy::start(new.imap_port()).expect("a proxy");
    line.delay(Duration::from_millis(200));
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("old"), SOURCE).expect("a file");
    let mut search = Search::for_secrets(&[SOURCE, DEST, WRONG]);
    for (password, code) in [(DEST, Some(0)), (WRONG, Some(1))] {
        fs::write(dir.path().join("new"), password).expect("a file");
        let url = |port: u16| format!("imap://{}@127.0.0.1:{port}", USER.replace('@', "%40"));
        let mut command = kit::gatepost(dir.path());
        command
            .args(["copy", "--source", &url(old.imap_port()), "--dest", &url(line.port()), "--verify"])
            .args(["--source-password-file", "old", "--dest-password-file", "new", "--state", "state.db"])
            .env("GATEPOST_LOG", "trace")
            .stdout(Stdio::piped())
            .stderr(File::create(dir.path().join("stderr.log")).expect("a file"));
        let seen = line.connections();
        let child = command.spawn().expect("the program starts");
        wait_for("the log-in", || (line.connections() > seen).then_some(()));
        search.processes();
        let output = child.wait_with_output().expect("it ends");
        assert_eq!(
            output.status.code(),
            code,
            "{}",
            fs::read_to_string(dir.path().join("stderr.log")).expect("a file")
        );
        search.bytes("standard output", &output.stdout);
        search.files(dir.path());
    }
    assert!(search.looked.contains(&dir.path().join("state.db").display().to_string()));
    assert_same(&old.account(USER), &new.account(USER));
}
