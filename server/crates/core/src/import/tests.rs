use super::{
    file::{COLUMNS, parse},
    template::{EXAMPLES, template},
};
use crate::{Actor, Error, schedules::tests::stage::Stage};
use gatepost_contract::{Confidence, JobId, LoginName, Proposal, ProposalOrigin, Secret, Security, SourceType, Tool};
use time::{Duration, OffsetDateTime, macros::datetime};

fn fields(csv: &str) -> Vec<String> {
    parse(csv.as_bytes()).errors.into_iter().map(|e| e.field).collect()
}

#[test]
fn a_good_file_gives_its_mailboxes() {
    let csv = "\u{feff}email;source_host;source_admin;source_password;dest_password\n\
        ana@example.com;old.example.com;root;p;q\n";
    let parsed = parse(csv.as_bytes());
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    let mailbox = &parsed.lines[0].mailbox;
    assert_eq!(mailbox.source_host.as_deref(), Some("old.example.com"));
    assert_eq!((mailbox.source_admin.as_deref(), &mailbox.dest_admin), (Some("root"), &None));
    assert_eq!(mailbox.source_secret.as_ref().unwrap().password, Some(Secret("p".into())));
}

#[test]
fn tools_waves_folders_and_certificates_have_columns_too() {
    let csv = "email,tool,source_host,source_insecure_tls,folder_map,wave\n\
        ana@example.com,imapsync,old.example.com,yes,Enviados = Sent | A/B=Archive/B,First\n\
        rui@example.com,,old.example.com,,\"Enviados = Sent\nA = B\",\n\
        lia@example.com,,old.example.com,no,\"{\"\"a=b\"\": \"\"c|d\"\"}\",\n";
    let parsed = parse(csv.as_bytes());
    assert!(parsed.errors.is_empty(), "{:?}", parsed.errors);
    let [ana, rui, lia] = &parsed.lines[..] else { panic!("three lines") };
    assert_eq!((ana.mailbox.tool, ana.mailbox.source_insecure_tls), (Some(Tool::Imapsync), true));
    assert_eq!(ana.wave.as_deref(), Some("First"));
    let map = |line: &super::Line| line.mailbox.folder_map.clone().into_iter().collect::<Vec<_>>();
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(map(ana), [pair("A/B", "Archive/B"), pair("Enviados", "Sent")]);
    assert_eq!(map(rui), [pair("A", "B"), pair("Enviados", "Sent")]);
    assert_eq!(map(lia), [pair("a=b", "c|d")]);
    assert_eq!((rui.number, lia.number), (3, 5), "a cell may span lines");
}

#[test]
fn lines_are_counted_however_they_end() {
    for end in ["\n", "\r\n", "\r"] {
        let csv =
            ["email,source_host", "ana@example.com,old.example.com", "rui", "lia@example.com,old.example.com", ""];
        let parsed = parse(csv.join(end).as_bytes());
        assert_eq!(parsed.lines.iter().map(|line| line.number).collect::<Vec<_>>(), [2, 3, 4], "{end:?}");
        assert!(parsed.errors.iter().all(|error| error.field.starts_with("line 3: ")), "{:?}", parsed.errors);
    }
}

#[test]
fn every_bad_line_is_named_at_once() {
    let csv = "email,source_host,source_port,folder_map,source_insecure_tls\nana,old.example.com,993,,\n\
        bob@example.com,old.example.com,99999,Sent,maybe\nbob@example.com,old.example.com\n";
    let found = fields(csv);
    for expect in [
        "line 2: email",
        "line 3: source_port",
        "line 3: folder_map",
        "line 3: source_insecure_tls",
        "line 4: columns",
        "line 4: email",
    ] {
        assert!(found.iter().any(|f| f == expect), "{expect} is not in {found:?}");
    }
}

#[test]
fn no_message_repeats_a_cell_that_may_be_a_secret() {
    let secret = "hunter2-of-ana";
    for csv in [
        format!("email,tool\nana@example.com,{secret}\n"),
        format!("email,source_type\nana@example.com,{secret}\n"),
        format!("email,source_port,source_host\nana@example.com,{secret},old.example.com\n"),
        format!("email,source_insecure_tls,source_host\nana@example.com,{secret},old.example.com\n"),
        format!("email,folder_map,source_host\nana@example.com,{secret},old.example.com\n"),
        format!("email,source_host\nana@example.com,{secret}:x\n"),
        format!("ana@example.com,old.example.com,{secret}\n"),
    ] {
        let parsed = parse(csv.as_bytes());
        assert!(!parsed.errors.is_empty(), "{csv}");
        assert!(!format!("{:?}", parsed.errors).contains(secret), "{csv}: {:?}", parsed.errors);
    }
}

#[test]
fn lines_are_counted_alike_whatever_ends_them() {
    for end in ["\n", "\r\n"] {
        let csv = ["email", "ana@example.com", "bob", ""].join(end);
        assert!(fields(&csv).contains(&"line 3: email".to_owned()), "{end:?}");
    }
}

#[test]
fn an_unknown_column_an_empty_file_and_another_encoding_are_refused() {
    assert_eq!(fields("email,passwort\nana@example.com,x\n"), ["line 1"]);
    assert_eq!(fields("email\n"), ["file"]);
    assert_eq!(fields(""), ["line 1"]);
    assert_eq!(parse(b"email\n\xff\xfe").errors[0].field, "file");
}

#[test]
fn the_template_names_every_column_and_is_right_but_for_its_examples() {
    let text = template(None);
    assert_eq!(text.lines().next().unwrap().split(',').collect::<Vec<_>>(), COLUMNS);
    let parsed = parse(text.as_bytes());
    let emails: Vec<&str> = parsed.lines.iter().map(|line| line.mailbox.email.as_str()).collect();
    assert_eq!(emails, EXAMPLES);
    let wrong: Vec<String> = parsed.errors.iter().map(|e| e.field.clone()).collect();
    assert_eq!(wrong, ["line 2: email", "line 3: email", "line 4: email", "line 5: email"], "{:?}", parsed.errors);
}

#[test]
fn a_proposal_stands_in_the_templates_lines() {
    let proposal = Proposal {
        host: "imap.provider.example".into(),
        port: 143,
        security: Security::Starttls,
        source_type: SourceType::Imap,
        login: LoginName::Local,
        origins: vec![ProposalOrigin::Srv],
        confidence: Confidence::Sure,
        why: String::new(),
        advice: None,
        greeting: None,
        capabilities: Vec::new(),
    };
    let parsed = parse(template(Some(&proposal)).as_bytes());
    let first = &parsed.lines[0].mailbox;
    assert_eq!(first.source_host.as_deref(), Some("imap.provider.example"));
    assert_eq!((first.source_port, first.source_security), (Some(143), Some(Security::Starttls)));
    assert_eq!(first.source_user.as_deref(), Some("ana"));
}

#[tokio::test]
async fn what_is_sealed_for_a_while_goes_when_it_has_expired() {
    let stage = Stage::set(datetime!(2027-06-01 0:00 UTC)).await;
    let (job, _) = stage.job("d.example", &["a"], datetime!(2027-06-01 0:00 UTC)).await;
    let preview = stage.gatepost.preview_import(&Actor::Cli, job, b"email\n").await.unwrap();
    let kept = async || stage.gatepost.import_preview(&Actor::Cli, job, &preview.id).await.is_ok();
    stage.gatepost.forget_expired(OffsetDateTime::now_utc()).await.unwrap();
    assert!(kept().await);
    stage.gatepost.forget_expired(OffsetDateTime::now_utc() + Duration::hours(2)).await.unwrap();
    assert!(!kept().await, "it is removed although its time, by this clock, has not ended");
}

#[tokio::test]
async fn a_file_is_read_while_others_write() {
    let stage = Stage::set(datetime!(2027-06-01 0:00 UTC)).await;
    let writing = stage.gatepost.store().begin().await.unwrap();
    let refused = stage.gatepost.preview_import(&Actor::Cli, JobId(99), b"email\n").await;
    assert!(matches!(refused, Err(Error::NotFound(_))), "{refused:?}");
    drop(writing);
}
