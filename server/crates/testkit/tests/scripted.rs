//! The scripted server: a real client can work with it, rules change single answers, and everything is recorded.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use gatepost_testkit::scripted::Mailbox;
use gatepost_testkit::{
    Error, Generated, InternalDate, Profile, RawClient, ScriptedImap, Snapshot, compare, fill, on, put,
};

const DATE: InternalDate = InternalDate { unix_seconds: 1_000_000_000, zone_minutes: -210 };

fn message(folder: &str, text: &str) -> Generated {
    let bytes = format!("Subject: {text}\r\n\r\n{text}\r\n").into_bytes();
    Generated { folder: folder.to_owned(), bytes, internal_date: DATE, flags: vec!["\\Seen".to_owned()] }
}

/// A conversation by hand: sends lines, collects all that comes up to the tagged answer or the end.
struct Talk(BufReader<TcpStream>);

impl Talk {
    fn with(server: &ScriptedImap) -> Talk {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let mut talk = Talk(BufReader::new(stream));
        assert!(talk.line().starts_with("* OK"));
        talk
    }

    fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).unwrap();
        String::from_utf8_lossy(&line).into_owned()
    }

    fn say(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("a {command}\r\n").as_bytes()).unwrap();
        let mut answer = String::new();
        loop {
            let line = self.line();
            answer += &line;
            if line.is_empty() || line.starts_with("a ") || line.starts_with('+') {
                return answer;
            }
        }
    }
}

#[test]
fn generated_mail_comes_back_with_its_zones() {
    let server = ScriptedImap::builder().user("ana", "secret").separator('.').start().unwrap();
    let profile = Profile { average_bytes: 2000, future_dates: true, ..Profile::default() };
    let report = fill(&server.account(), &profile).unwrap();
    let found =
        compare(&Snapshot::of_generated(&report.profile), &Snapshot::read(&server.account()).unwrap(), &HashMap::new());
    assert!(found.is_empty(), "{found}");
    assert_eq!((found.same, found.zones_differ), (300, 0));
}

#[test]
fn every_default_answer_is_that_of_a_small_server() {
    let sent = Mailbox::new("Itens Enviados").attribute("\\Sent").message("A: 1\r\n\r\nx", DATE, &["\\Seen"]);
    let server = ScriptedImap::builder()
        .user("ana", "secret")
        .token("ana", "t0ken")
        .mailbox(sent)
        .mailbox(Mailbox::new("Ação/2024"))
        .quota_kib(10, 100)
        .start()
        .unwrap();
    let mut talk = Talk::with(&server);
    // PLAIN "\0ana\0secret" and XOAUTH2 "user=ana^Aauth=Bearer t0ken^A^A".
    for (say, expected) in [
        ("CAPABILITY", "* CAPABILITY IMAP4rev1"),
        ("SELECT INBOX", "a BAD log in first"),
        ("LOGIN ana wrong", "a NO [AUTHENTICATIONFAILED]"),
        ("AUTHENTICATE PLAIN AGFuYQBzZWNyZXQ=", "a OK"),
        ("AUTHENTICATE XOAUTH2 dXNlcj1hbmEBYXV0aD1CZWFyZXIgdDBrZW4BAQ==", "a OK"),
        ("AUTHENTICATE XOAUTH2 dXNlcj1hbmEBYXV0aD1CZWFyZXIgb3RoZXIBAQ==", "a NO [AUTHENTICATIONFAILED]"),
        ("LOGIN \"ana\" {6+}\r\nsecret", "a OK"),
        ("NAMESPACE", "* NAMESPACE ((\"\" \"/\")) NIL NIL\r\n"),
        ("LIST \"\" \"\"", "* LIST (\\NoSelect) \"/\" \"\"\r\n"),
        (
            "LIST \"\" \"%\"",
            "* LIST (\\HasNoChildren) \"/\" \"INBOX\"\r\n* LIST (\\Sent \\HasNoChildren) \"/\" \"Itens Enviados\"\r\na OK",
        ),
        ("LIST (SPECIAL-USE) \"\" \"*\"", "* LIST (\\Sent \\HasNoChildren) \"/\" \"Itens Enviados\"\r\na OK"),
        (
            "LIST \"\" \"I*s\" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT))",
            "* STATUS \"Itens Enviados\" (MESSAGES 1 UIDNEXT 2)\r\na OK",
        ),
        ("SELECT Nada", "a NO [NONEXISTENT]"),
        ("EXAMINE \"Itens Enviados\"", "* 1 EXISTS\r\n* 0 RECENT\r\n* OK [UIDVALIDITY 1700000001]"),
        (
            "UID FETCH 1:* (FLAGS INTERNALDATE RFC822.SIZE)",
            "* 1 FETCH (UID 1 FLAGS (\\Seen) INTERNALDATE \"08-Sep-2001 22:16:40 -0330\" RFC822.SIZE 9)\r\na OK",
        ),
        ("UID SEARCH HEADER A 1", "* SEARCH 1\r\na OK"),
        ("UID SEARCH HEADER Message-Id x", "* SEARCH\r\na OK"),
        ("UID STORE 1 +FLAGS (\\Deleted)", "a NO [READ-ONLY]"),
        ("CREATE Novo", "a OK"),
        ("CREATE Novo", "a NO [ALREADYEXISTS]"),
        ("SUBSCRIBE Novo", "a OK"),
        ("LSUB \"\" \"*\"", "* LSUB (\\HasNoChildren) \"/\" \"Novo\"\r\na OK"),
        ("APPEND Novo (\\Seen urgente) \"17-Jul-1996 02:44:25 -0700\" {3+}\r\nx\r\n", "a OK [APPENDUID 1700000001 1]"),
        ("APPEND Nada {3+}\r\nx\r\n", "a NO [TRYCREATE]"),
        ("SELECT Novo", "* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft urgente)\r\n"),
        ("UID STORE 1 -FLAGS.SILENT (\\Seen)", "a OK"),
        ("UID FETCH 1 (BODY.PEEK[])", "* 1 FETCH (UID 1 BODY[] {3}\r\nx\r\n)\r\na OK"),
        ("UID FETCH 1 FLAGS", "* 1 FETCH (UID 1 FLAGS (urgente))\r\n"),
        ("UID FETCH 1 (BODY[])", "* 1 FETCH"),
        ("UID FETCH 1 FLAGS", "* 1 FETCH (UID 1 FLAGS (urgente \\Seen))\r\n"),
        (
            "STATUS Novo (MESSAGES UIDVALIDITY UNSEEN)",
            "* STATUS \"Novo\" (MESSAGES 1 UIDVALIDITY 1700000001 UNSEEN 0)\r\n",
        ),
        ("GETQUOTAROOT INBOX", "* QUOTAROOT \"INBOX\" \"User\"\r\n* QUOTA \"User\" (STORAGE 10 100)\r\n"),
        ("NOOP", "a OK"),
        ("XYZZY", "a BAD XYZZY is not known here"),
        ("UID FETCH 1 (FLAGS", "* BAD that is no command"),
    ] {
        let answer = if say.ends_with("(FLAGS") {
            talk.0.get_mut().write_all(format!("a {say}\r\n").as_bytes()).unwrap();
            talk.line()
        } else {
            talk.say(say)
        };
        assert!(answer.contains(expected), "{say}: {answer}");
    }
    assert_eq!(talk.say("AUTHENTICATE PLAIN"), "+ \r\n");
    talk.0.get_mut().write_all(b"AGFuYQBzZWNyZXQ=\r\n").unwrap();
    assert!(talk.line().starts_with("a OK"));
    assert!(talk.say("LOGOUT").starts_with("* BYE"));
    assert_eq!(talk.line(), "", "closed");
    assert!(!server.commands().iter().any(|command| command.contains("secret") || command.contains("c2Vj")));
}

#[test]
fn a_synchronizing_literal_waits_for_the_go_ahead() {
    let server = ScriptedImap::builder().start().unwrap();
    let mut talk = Talk::with(&server);
    talk.say("LOGIN x y");
    assert!(talk.say("APPEND INBOX {3}").starts_with("+ "));
    talk.0.get_mut().write_all(b"abc\r\n").unwrap();
    assert!(talk.line().starts_with("a OK [APPENDUID"));
    assert_eq!(server.mailbox("INBOX").unwrap().messages[0].bytes, b"abc");
}

#[test]
fn rules_change_one_answer_and_the_rest_stays() {
    let server = ScriptedImap::builder()
        .user("ana", "secret")
        .rule(on("CREATE Um").once().no("[LIMIT] too many"))
        .rule(on("create dois").bad("what?"))
        .rule(on("NOOP").before("* 3 EXISTS\r\n"))
        .rule(on("CHECK").reply("* OK odd\r\n{tag} OK {tag}\r\n"))
        .start()
        .unwrap();
    let mut talk = Talk::with(&server);
    talk.say("LOGIN ana secret");
    assert_eq!(talk.say("CREATE Um"), "a NO [LIMIT] too many\r\n");
    assert!(talk.say("CREATE Um").starts_with("a OK"));
    assert_eq!(talk.say("CREATE Dois"), "a BAD what?\r\n");
    assert_eq!(talk.say("NOOP"), "* 3 EXISTS\r\na OK done\r\n");
    assert_eq!(talk.say("CHECK"), "* OK odd\r\na OK a\r\n");
    server.rule(on("SUBSCRIBE").bye("going down"));
    assert_eq!(talk.say("SUBSCRIBE Um"), "* BYE going down\r\n");
    assert_eq!(server.mailbox_names(), ["INBOX", "Um"]);
}

#[test]
fn connections_end_as_ordered() {
    for (rule, stored) in [
        (on("APPEND").after(1).close(), 1),
        (on("APPEND").after(1).perform_then_close(), 2),
        (on("APPEND").after(1).garbage(b"\xff\xfe SSH-2.0\r\n".to_vec()), 1),
        (on("APPEND").after(1).bye("no more"), 1),
    ] {
        let shown = format!("{rule:?}");
        let server =
            ScriptedImap::builder().user("ana", "secret").capability("IMAP4rev1 LITERAL+").rule(rule).start().unwrap();
        let failed = put(&server.account(), ["um", "dois", "três"].map(|text| message("INBOX", text)));
        assert!(failed.is_err(), "{shown}");
        assert_eq!(server.mailbox("INBOX").unwrap().messages.len(), stored, "{shown}");
        server.clear_rules();
        assert_eq!(put(&server.account(), [message("INBOX", "quatro")]).unwrap(), 1);
    }
}

#[test]
fn a_stalled_command_answers_nothing_until_the_rules_are_cleared() {
    let server = ScriptedImap::builder().rule(on("NOOP").stall()).start().unwrap();
    let mut talk = Talk::with(&server);
    talk.0.get_mut().write_all(b"a NOOP\r\n").unwrap();
    assert!(server.wait_for("noop", Duration::from_secs(20)));
    talk.0.get_mut().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut line = String::new();
    assert!(talk.0.read_line(&mut line).is_err(), "{line}");
    talk.0.get_mut().set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    server.clear_rules();
    assert_eq!(talk.line(), "", "closed");
    assert!(!server.wait_for("CHECK", Duration::from_millis(10)));
}

#[test]
fn a_source_that_was_only_read_shows_no_changing_command() {
    let server = ScriptedImap::builder().user("ana", "secret").start().unwrap();
    server.deliver("INBOX", "A: 1\r\n\r\nx", DATE, &[]);
    Snapshot::read(&server.account()).unwrap();
    assert_eq!(server.commands_matching("examine inbox"), ["EXAMINE INBOX"]);
    assert_eq!(server.changing_commands(), Vec::<String>::new());
    put(&server.account(), [message("Novo", "x")]).unwrap();
    let changing = server.changing_commands();
    assert_eq!(changing.len(), 3, "{changing:?}");
    assert!(changing[2].starts_with("APPEND Novo (\\Seen) 08-Sep-2001 22:16:40 -0330 {"), "{changing:?}");
    server.forget_commands();
    assert!(server.commands().is_empty());
}

#[test]
fn a_mailbox_can_change_behind_the_clients_back() {
    let server = ScriptedImap::builder().user("ana", "secret").start().unwrap();
    server.deliver("INBOX", "A: 1\r\n\r\nx", DATE, &["\\Flagged"]);
    assert_eq!(server.deliver("INBOX", "A: 2\r\n\r\nx", DATE, &[]), 2);
    server.change("INBOX", |inbox| {
        inbox.messages.remove(0);
        inbox.renumber(77);
    });
    let found = Snapshot::read(&server.account()).unwrap();
    assert_eq!(found.messages.iter().map(|message| message.uid).collect::<Vec<_>>(), [1]);
    let inbox = server.mailbox("INBOX").unwrap();
    assert_eq!((inbox.uid_validity, inbox.uid_next), (77, 2));
    server.remove_mailbox("INBOX");
    assert!(Snapshot::read(&server.account()).unwrap().messages.is_empty());
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_server_that_is_no_imap_server_and_a_wrong_password_are_errors() {
    let odd = ScriptedImap::builder().greeting("SSH-2.0-OpenSSH_9.2\r\n").start().unwrap();
    assert!(matches!(RawClient::log_in(&odd.account()), Err(Error::Protocol(_))));
    let server = ScriptedImap::builder().user("ana", "secret").start().unwrap();
    let mut account = server.account();
    account.password = "planted-7788".to_owned();
    let Err(error) = RawClient::log_in(&account) else { panic!("logged in") };
    assert!(!format!("{error} {error:?} {account:?}").contains("planted-7788"));
}
