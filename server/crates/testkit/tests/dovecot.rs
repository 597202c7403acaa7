//! The real server: it starts, keeps mail as generated, and leaves nothing behind.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gatepost_testkit::{
    Account, Certificate, Dovecot, Error, Generated, InternalDate, Profile, RawClient, Snapshot, SpecialUse, Storage,
    compare, fill, put,
};

const ANA: &str = "ana@example.test";

fn eventually(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while !holds() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Processes whose parent is `pid`, and theirs.
fn family(pid: u32) -> Vec<u32> {
    let mut found = vec![pid];
    let mut at = 0;
    while at < found.len() {
        let children = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| {
            let child: u32 = entry.file_name().to_str()?.parse().ok()?;
            let stat = fs::read_to_string(format!("/proc/{child}/stat")).ok()?;
            let parent: u32 = stat.rsplit_once(')')?.1.split_ascii_whitespace().nth(1)?.parse().ok()?;
            (parent == found[at]).then_some(child)
        });
        let children: Vec<u32> = children.collect();
        found.extend(children);
        at += 1;
    }
    found
}

fn is_dovecot(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let zombie = stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'));
    !stat.is_empty() && !zombie
}

/// Waits until nobody listens there. A process that another test starts may have a copy of a listener for a moment.
fn is_closed_soon(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(120);
    while TcpStream::connect(("127.0.0.1", port)).is_ok() {
        assert!(Instant::now() < deadline, "somebody still listens on {port}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_dropped_server_leaves_no_process_and_no_files() {
    let server = Dovecot::builder().user(ANA, "secret").start().unwrap();
    let client = RawClient::log_in(&server.account(ANA)).unwrap();
    let (port, dir, processes) = (server.imap_port(), server.dir().to_owned(), family(server.pid().unwrap()));
    assert!(processes.len() > 3, "master, anvil, log and a session: {processes:?}");
    assert!(server.ca_file().is_file());
    // The log is written by a process of its own.
    eventually("a line in the log about who logged in", || server.log().contains(ANA));
    drop(server);
    let left: Vec<u32> = processes.into_iter().filter(|&pid| is_dovecot(pid)).collect();
    assert_eq!(left, Vec::<u32>::new());
    assert!(!dir.exists());
    is_closed_soon(port);
    drop(client);
}

#[test]
fn generated_mail_comes_back_exactly_as_it_was_made() {
    let none = HashMap::new();
    for (storage, separator, prefixed, special_use) in [
        (Storage::Sdbox, '/', false, SpecialUse::Portuguese),
        (Storage::Mdbox, '.', true, SpecialUse::English),
        (Storage::Maildir, '/', false, SpecialUse::None),
    ] {
        let mut builder =
            Dovecot::builder().user(ANA, "s:e \"c\\ret").special_use(special_use).separator(separator).storage(storage);
        if prefixed {
            builder = builder.inbox_prefix();
        }
        let server = builder.start().unwrap();
        let account = server.account(ANA);
        let profile = Profile { special_use, average_bytes: 4000, large_bytes: Some(3_000_000), ..Profile::default() };
        let report = fill(&account, &profile).unwrap();
        assert_eq!(report.messages, 300);
        let found = Snapshot::read(&account).unwrap();
        let differences = compare(&Snapshot::of_generated(&report.profile), &found, &none);
        assert!(differences.is_empty(), "{storage:?}: {differences}");
        assert_eq!(differences.same, 300);
        assert!(differences.zones_differ > 0, "Dovecot keeps the instant, not the zone");
        assert!(!found.selectable("Pai sem caixa"), "{storage:?}");
        assert!(found.selectable("Vazia") && found.folder("Vazia").next().is_none());
        for (attribute, name) in special_use.folders() {
            assert!(found.folders[*name].iter().any(|known| known == attribute), "{name}: {:?}", found.folders[*name]);
        }
        if prefixed {
            let mut client = RawClient::log_in(&account).unwrap();
            assert!(client.list().unwrap().iter().any(|folder| folder.name == "INBOX.Clientes.Ação & Cia"));
        }
    }
}

#[test]
fn mail_survives_a_restart_on_the_same_ports() {
    let mut server = Dovecot::builder().user(ANA, "secret").time_zone("Asia/Kathmandu").start().unwrap();
    let account = server.account(ANA);
    fill(&account, &Profile { messages: 40, inbox_only: true, average_bytes: 2000, ..Profile::default() }).unwrap();
    let before = Snapshot::read(&account).unwrap();
    server.stop();
    assert!(RawClient::log_in(&account).is_err());
    server.restart().unwrap();
    let after = Snapshot::read(&account).unwrap();
    assert_eq!((before.messages.len(), &before.messages), (40, &after.messages));
    assert!(
        after.messages.iter().any(|message| message.date.zone_minutes == 345),
        "dates are told in the server's zone"
    );
}

#[test]
fn limits_and_missing_extensions_are_as_ordered() {
    let server = Dovecot::builder()
        .user(ANA, "secret")
        .user("full@example.test", "secret")
        .user_quota_bytes(20_000)
        .master_user("master", "key")
        .max_message_bytes(50_000)
        .without(&["LITERAL+", "MULTIAPPEND", "SPECIAL-USE"])
        .start()
        .unwrap();
    let client = RawClient::log_in(&server.account(ANA)).unwrap();
    assert!(client.has("APPENDLIMIT=50000") && client.has("QUOTA") && client.has("UIDPLUS"));
    assert!(!client.has("LITERAL+") && !client.has("MULTIAPPEND"));

    let message = |size: usize| Generated {
        folder: "INBOX".to_owned(),
        bytes: [b"Subject: x\r\n\r\n".to_vec(), vec![b'x'; size]].concat(),
        internal_date: InternalDate { unix_seconds: 1_000_000_000, zone_minutes: 0 },
        flags: Vec::new(),
    };
    assert_eq!(put(&server.account(ANA), [message(30_000), message(10_000)]).unwrap(), 2);
    for (user, size) in [(ANA, 60_000), ("full@example.test", 30_000)] {
        match put(&server.account(user), [message(size)]) {
            Err(Error::Refused { reply, .. }) => assert!(reply.starts_with("NO"), "{reply}"),
            other => panic!("{user}: {other:?}"),
        }
    }
    let as_master = Account::new(server.imap_port(), format!("{ANA}*master"), "key");
    assert_eq!(Snapshot::read(&as_master).unwrap().messages.len(), 2);
    let wrong = RawClient::log_in(&Account::new(server.imap_port(), ANA, "wrong"));
    assert!(matches!(wrong, Err(Error::Refused { reply, .. }) if reply.contains("AUTHENTICATIONFAILED")));
}

/// What openssl says of the server's certificate.
fn verify(server: &Dovecot, arguments: &[&str]) -> String {
    let output = Command::new("openssl")
        .args([
            "s_client",
            "-connect",
            &format!("127.0.0.1:{}", server.imaps_port()),
            "-verify_return_error",
            "-CAfile",
        ])
        .arg(server.ca_file())
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn certificates_verify_or_fail_as_ordered() {
    for (certificate, expected) in [
        (Certificate::Valid, "Verification: OK"),
        (Certificate::Expired, "certificate has expired"),
        (Certificate::WrongName, "hostname mismatch"),
    ] {
        let server = Dovecot::builder().user(ANA, "secret").certificate(certificate).start().unwrap();
        let said = verify(&server, &["-verify_hostname", "localhost"]).to_lowercase();
        assert!(said.contains(&expected.to_lowercase()), "{certificate:?}: {said}");
        if certificate == Certificate::Valid {
            let said = verify(&server, &["-verify_ip", "127.0.0.1"]);
            assert!(said.contains("Verification: OK"), "{said}");
        }
    }
}

#[test]
fn the_program_serves_fills_compares_and_ends_with_its_input() {
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, "s3cret\n").unwrap();
    let program = env!("CARGO_BIN_EXE_gatepost-testkit");
    let mut serving = Command::new(program)
        .args(["serve-dovecot", "--until-stdin-closes", "--special-use", "portuguese"])
        .args(["--user", "a@example.test:s3cret", "--user", "b@example.test:s3cret"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(serving.stdout.take().unwrap()), &mut line).unwrap();
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = said["imap_port"].to_string();
    let dovecot = u32::try_from(said["dovecot_pid"].as_u64().unwrap()).unwrap();
    assert!(is_dovecot(dovecot));

    let run = |arguments: &[&str]| Command::new(program).args(arguments).output().unwrap();
    let secret = secret.to_str().unwrap();
    let fill = |user: &str, seed: &str| {
        let output = run(&[
            "fill",
            "--port",
            &port,
            "--user",
            user,
            "--password-file",
            secret,
            "--messages",
            "40",
            "--seed",
            seed,
        ]);
        assert!(output.status.success(), "{output:?}");
    };
    let compared = || {
        run(&[
            "compare",
            "--json",
            "--source-port",
            &port,
            "--source-user",
            "a@example.test",
            "--source-password-file",
            secret,
            "--dest-port",
            &port,
            "--dest-user",
            "b@example.test",
            "--dest-password-file",
            secret,
        ])
    };
    fill("a@example.test", "5");
    fill("b@example.test", "5");
    let same = compared();
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    fill("b@example.test", "6");
    let different = compared();
    assert_eq!(different.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&different.stdout).unwrap();
    assert_eq!((&told["same"], &told["extra"], &told["missing"]), (&40.into(), &40.into(), &0.into()));

    drop(serving.stdin.take());
    assert!(serving.wait().unwrap().success());
    assert!(!is_dovecot(dovecot));
}

#[test]
fn a_killed_program_takes_its_server_along() {
    let mut serving = Command::new(env!("CARGO_BIN_EXE_gatepost-testkit"))
        .args(["serve-dovecot", "--user", "a@example.test:s3cret"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(serving.stdout.take().unwrap()), &mut line).unwrap();
    let said: serde_json::Value = serde_json::from_str(&line).unwrap();
    let dovecot = u32::try_from(said["dovecot_pid"].as_u64().unwrap()).unwrap();
    let dir = std::path::PathBuf::from(said["dir"].as_str().unwrap());
    serving.kill().unwrap();
    serving.wait().unwrap();
    eventually("the end of Dovecot", || !is_dovecot(dovecot));
    eventually("the removal of its directory", || !dir.exists());
}
