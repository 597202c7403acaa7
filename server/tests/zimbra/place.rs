//! Two Dovecots that look like Zimbras, and a Desk between them.

use crate::common::{Journey, NEW_PASSWORD, OLD_PASSWORD, USER, deliver, kit, number, sized_letter};
use gatepost_testkit::{Account, Dovecot, Snapshot, SpecialUse, Sshd, compare, executable};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{PermissionsExt, symlink},
    path::PathBuf,
    process::{Child, Command, Output, Stdio},
};
use tempfile::TempDir;

const FLAGS: [&[&str]; 4] = [&[], &["\\Seen"], &["\\Seen", "\\Flagged", "projeto"], &["\\Answered", "\\Seen"]];

/// How an end is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Ssh,
    Https,
}

/// A server with what stands in for its zmmailbox and its REST address.
struct End {
    dovecot: Dovecot,
    sshd: Option<Sshd>,
    rest: Option<(Child, u16)>,
    dir: TempDir,
}

impl End {
    fn new(password: &str, way: Way) -> Self {
        let dovecot = Dovecot::builder().special_use(SpecialUse::English).user(USER, password).start();
        let dovecot = dovecot.expect("a server");
        // The user of Zimbra is another one than whoever logs in.
        let dir = tempfile::tempdir().expect("a folder");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).expect("set");
        let script = dir.path().join("zimbra.py");
        executable::install(&script, include_str!("zimbra.py")).expect("copied");
        fs::create_dir(dir.path().join("bin")).expect("made");
        symlink(&script, dir.path().join("bin/zmmailbox")).expect("linked");
        let mut end = Self { dovecot, sshd: None, rest: None, dir };
        end.set(password, &json!({}));
        let settings = end.settings().display().to_string();
        match way {
            Way::Ssh => {
                let path = format!("{}:/usr/sbin:/usr/bin:/bin", end.dir.path().join("bin").display());
                end.sshd = Some(Sshd::start(&[("PATH", &path), ("ZIMBRA_STANDIN", &settings)]).expect("a server"));
            }
            Way::Https => {
                let mut serving = Command::new("/usr/bin/python3")
                    .arg(&script)
                    .arg("serve")
                    .args(["server.pem", "server.key"].map(|file| end.dovecot.dir().join(file)))
                    .env("ZIMBRA_STANDIN", settings)
                    .stdout(Stdio::piped())
                    .spawn()
                    .expect("it starts");
                let mut line = String::new();
                BufReader::new(serving.stdout.take().expect("piped")).read_line(&mut line).expect("a line");
                end.rest = Some((serving, line.trim().parse().expect("a port")));
            }
        }
        end
    }

    fn settings(&self) -> PathBuf {
        self.dir.path().join("settings.json")
    }

    fn set(&self, password: &str, more: &Value) {
        let mut settings = more.clone();
        settings["accounts"] = json!({USER: {"port": self.dovecot.imap_port(), "user": USER, "password": password}});
        // In one step: a stand-in may read it at any time.
        let new = self.dir.path().join("settings.new");
        fs::write(&new, settings.to_string()).expect("written");
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).expect("set");
        fs::rename(&new, self.settings()).expect("replaced");
    }

    fn web(&self) -> Option<String> {
        self.rest.as_ref().map(|(_, port)| format!("https://127.0.0.1:{port}"))
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some((serving, _)) = &mut self.rest {
            let _ = serving.kill();
            let _ = serving.wait();
        }
    }
}

pub struct Place {
    pub journey: Journey,
    old: End,
    new: End,
    settings: Vec<(String, String)>,
    _ca: TempDir,
}

impl Place {
    /// A job with one mailbox, whose host keys were confirmed.
    pub fn new(source: Way, dest: Way) -> Self {
        let (old, new) = (End::new(OLD_PASSWORD, source), End::new(NEW_PASSWORD, dest));
        let ca = tempfile::tempdir().expect("a folder");
        let both: Vec<u8> =
            [&old, &new].iter().flat_map(|end| fs::read(end.dovecot.ca_file()).expect("a certificate")).collect();
        fs::write(ca.path().join("ca.pem"), both).expect("written");
        // One key is for both machines.
        let key = ca.path().join("key");
        let mut settings = vec![("GATEPOST_CA_FILE".to_owned(), ca.path().join("ca.pem").display().to_string())];
        if let Some(first) = [&old, &new].iter().find_map(|end| end.sshd.as_ref()) {
            fs::copy(first.client_key(), &key).expect("copied");
            for end in [&old, &new] {
                if let Some(sshd) = &end.sshd {
                    sshd.let_in(&first.client_key()).expect("allowed");
                }
            }
            settings.push(("GATEPOST_SSH_KEY_FILE".to_owned(), key.display().to_string()));
        }
        if let Some(sshd) = &new.sshd {
            settings.push(("MIGRATION_CARBONIO_SSH".to_owned(), sshd.address()));
            // Root becomes that user; nobody else could.
            if sshd.address().starts_with("root@") {
                settings.push(("MIGRATION_ZMMAILBOX_USER".to_owned(), "nobody".to_owned()));
            }
        }
        settings.push(("MIGRATION_DEST_IMAP_PORT".to_owned(), new.dovecot.imap_port().to_string()));
        if let Some(web) = new.web() {
            settings.push(("GATEPOST_CARBONIO_URL".to_owned(), web));
            settings.push(("MIGRATION_DEST_IMAP_HOST".to_owned(), "127.0.0.1".to_owned()));
        }
        let pairs: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let journey = Journey::with(&pairs, new.dovecot.imap_port(), &[]);
        let mailbox = json!({
            "email": USER, "source_type": "zimbra", "tool": "zmmailbox",
            "source_host": "127.0.0.1", "source_port": old.dovecot.imap_port(), "source_security": "plain",
            "source_secret": {"password": OLD_PASSWORD}, "dest_secret": {"password": NEW_PASSWORD},
            "source_ssh": old.sshd.as_ref().map(Sshd::address), "source_web": old.web(),
        });
        let path = journey.path("/mailboxes");
        journey.server.call(&journey.lead, "POST", &path, &mailbox).expect(201);
        let place = Self { journey, old, new, settings, _ca: ca };
        for sshd in [&place.old, &place.new].iter().filter_map(|end| end.sshd.as_ref()) {
            let fingerprint = sshd.fingerprint().expect("a fingerprint");
            let told = place.gatepost(&["ssh", "trust", &sshd.host(), "--fingerprint", &fingerprint]);
            assert!(told.status.success(), "{told:?}");
        }
        place
    }

    /// Puts mail into the old account, in folders that both servers call the same. No two are alike: an import takes a
    /// message that is in its folder twice for one that is there already.
    pub fn fill(&self, messages: usize) {
        let (folders, flags) = (["INBOX", "Sent", "Clientes/Ação & Cia", "Aspas \"duplas\" e \\ barra"], FLAGS);
        let letter = |n: usize| {
            let length = 500 + n * 131 % 5_000;
            sized_letter(folders[n % folders.len()], &format!("letter-{n}"), flags[n % flags.len()], length)
        };
        let noise = |n: usize| {
            // Text that cannot be packed to nothing.
            let mut letter = letter(n);
            let mut seed = n as u64 + 1;
            for _ in 0..40 {
                let line: String = (0..60)
                    .map(|_| {
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        char::from(b'a' + u8::try_from(seed >> 60).expect("four bits"))
                    })
                    .collect();
                letter.bytes.extend_from_slice(line.as_bytes());
                letter.bytes.extend_from_slice(b"\r\n");
            }
            letter
        };
        deliver(&self.old_account(), (0..messages).map(noise));
    }

    /// Does a run again that did not end well.
    #[track_caller]
    pub fn retry(&self, run: &Value) -> Value {
        let path = format!("/migration/runs/{}/retry", run["id"]);
        let started = self.journey.post(&path, &Value::Null).expect(202).json();
        self.journey.ended(number(&started["run_ids"][0]))
    }

    /// How many messages the new account holds.
    pub fn arrived(&self) -> usize {
        Snapshot::read(&self.new_account()).expect("it reads").messages.len()
    }

    /// Tells both stand-ins how to behave.
    pub fn set_mode(&self, mode: Value) {
        self.old.set(OLD_PASSWORD, &mode);
        self.new.set(NEW_PASSWORD, &mode);
    }

    pub fn old_account(&self) -> Account {
        self.old.dovecot.account(USER)
    }

    pub fn new_account(&self) -> Account {
        self.new.dovecot.account(USER)
    }

    pub fn old_sshd(&self) -> &Sshd {
        self.old.sshd.as_ref().expect("it is reached by SSH")
    }

    /// Puts another program into the place of the old server's zmmailbox, or none.
    pub fn set_old_zmmailbox(&self, script: Option<&str>) {
        let path = self.old.dir.path().join("bin/zmmailbox");
        // A link to the stand-in, or what another call has put there.
        fs::remove_file(&path).expect("removed");
        if let Some(script) = script {
            executable::install(&path, script).expect("written");
        }
    }

    pub fn change_old_host_key(&mut self) {
        let key = self.settings.iter().find(|(name, _)| name == "GATEPOST_SSH_KEY_FILE").expect("a key");
        let key = PathBuf::from(&key.1);
        let sshd = self.old.sshd.as_mut().expect("it is reached by SSH");
        sshd.change_host_key().expect("it starts again");
        sshd.let_in(&key).expect("allowed");
    }

    /// Content, flags, dates and folders are the same, and nothing is there twice.
    #[track_caller]
    pub fn assert_same(&self) {
        let read = |account: &Account| Snapshot::read(account).expect("it reads");
        let found = compare(&read(&self.old_account()), &read(&self.new_account()), &HashMap::new());
        assert!(found.is_empty() && found.same > 0, "{found}");
    }

    /// Source, arrived, pending, quarantined.
    #[track_caller]
    pub fn totals(&self) -> [i64; 4] {
        let totals = self.journey.evidence()["totals"].clone();
        ["source", "arrived", "pending", "quarantined"].map(|part| number(&totals[part]))
    }

    /// Runs the program beside the server, on the same data and settings.
    pub fn gatepost(&self, arguments: &[&str]) -> Output {
        let mut command = kit::gatepost(self.journey.server.dir.path());
        command.envs(self.settings.iter().cloned()).args(arguments).output().expect("it starts")
    }

    /// The command lines of what ssh runs for this place at the moment, on this machine.
    pub fn sessions(&self) -> Vec<String> {
        let key = self.settings.iter().find(|(name, _)| name == "GATEPOST_SSH_KEY_FILE").expect("a key").1.clone();
        let processes = fs::read_dir("/proc").expect("processes").flatten();
        processes
            .filter_map(|entry| fs::read(entry.path().join("cmdline")).ok())
            .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
            .filter(|line| line.contains(&key))
            .collect()
    }

    /// Kills the Desk and starts it again on its data.
    pub fn killed_and_restarted(self) -> Self {
        let pairs: Vec<(&str, &str)> =
            self.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let Journey { server, technician, lead, admin, tenant, job } = self.journey;
        let server = kit::Server::start_in(server.kill(), &pairs);
        let journey = Journey { server, technician, lead, admin, tenant, job };
        Self { journey, ..self }
    }
}
