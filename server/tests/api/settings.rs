//! How the server starts and ends.

use crate::kit::{Server, directory, gatepost, run};
use std::process::Stdio;

#[test]
fn a_wrong_setting_stops_the_start_with_its_name_and_what_it_may_be() {
    let dir = directory();
    for (name, value, says) in [
        ("GATEPOST_LISTEN", "nowhere", "ADDRESS:PORT"),
        ("MIGRATION_GATE_MIN_RATIO", "2", "at most 1"),
        ("MIGRATION_CREDENTIALS_KEY", "planted-secret", "Fernet"),
        ("GATEPOST_CONFIG", "/nonexistent.toml", "cannot be read"),
    ] {
        let output = gatepost(dir.path()).arg("serve").env(name, value).output().expect("the program starts");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(text.contains(name) && text.contains(says), "{name}: {text}");
        assert!(!text.contains("planted-secret"), "{text}");
    }
}

#[test]
fn a_missing_site_says_what_to_run() {
    let dir = directory();
    std::fs::remove_dir_all(dir.path().join("site/pkg")).expect("it is there");
    let output = run(dir.path(), &["serve"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("scripts/build"), "{output:?}");
}

#[test]
fn the_first_start_prints_a_set_up_link_and_a_signal_ends_it_cleanly() {
    let dir = directory();
    let mut child = gatepost(dir.path())
        .arg("serve")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let stdout = child.stdout.take().expect("it is piped");
    std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("a line");
    assert!(line.starts_with("Gatepost listens on http://127.0.0.1:"), "{line}");
    let killed = std::process::Command::new("kill").arg(child.id().to_string()).status().expect("kill runs");
    assert!(killed.success());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("/setup?token="), "{output:?}");
}

#[test]
fn with_a_user_there_is_no_set_up_link_any_more() {
    let server = Server::start();
    let page = server.send("GET", "/setup?token=guess", &[("accept", "text/html")], "");
    assert!(page.status < 500, "{page:?}");
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", server.address.as_str())];
    let form = "token=guess&email=evil%40desk.example&password=a+long+enough+password";
    let reply = server.send("POST", "/api/fn/complete_setup", &headers, form);
    assert!((400..500).contains(&reply.status), "{reply:?}");
}
