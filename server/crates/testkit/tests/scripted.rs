//! The scripted server: a real client can work with it, rules change single answers, and everything is recorded.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;
use std::time::Duration;

use gatepost_testkit::scripted::{FULL_CAPABILITY, FaultKind, Faults, Mailbox};
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
        stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
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
    assert!(server.wait_for("noop", Duration::from_secs(120)));
    talk.0.get_mut().set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let mut line = String::new();
    assert!(talk.0.read_line(&mut line).is_err(), "{line}");
    talk.0.get_mut().set_read_timeout(Some(Duration::from_secs(120))).unwrap();
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

#[test]
fn extensions_are_answered_where_they_are_offered() {
    let inbox = Mailbox::new("INBOX").message("A: 1\r\n\r\nx", DATE, &["\\Seen"]).message("A: 2\r\n\r\ny", DATE, &[]);
    let server = ScriptedImap::builder().capability(FULL_CAPABILITY).mailbox(inbox).start().unwrap();
    let mut talk = Talk::with(&server);
    for (say, expected) in [
        ("LOGIN x y", "a OK"),
        ("ENABLE CONDSTORE QRESYNC XYZZY", "* ENABLED CONDSTORE QRESYNC\r\n"),
        (
            "LIST \"\" \"*\" RETURN (STATUS (MESSAGES HIGHESTMODSEQ))",
            "* STATUS \"INBOX\" (MESSAGES 2 HIGHESTMODSEQ 2)\r\n",
        ),
        ("SELECT INBOX (CONDSTORE)", "* OK [HIGHESTMODSEQ 2]"),
        ("UID SEARCH RETURN (ALL) ALL", "* ESEARCH (TAG \"a\") UID ALL 1:2\r\n"),
        ("UID SEARCH RETURN (MIN MAX COUNT) ALL", "* ESEARCH (TAG \"a\") UID MIN 1 MAX 2 COUNT 2\r\n"),
        ("UID SEARCH ALL", "* SEARCH 1 2\r\n"),
        ("UID STORE 1 FLAGS.SILENT (\\Flagged)", "* 1 FETCH (UID 1 MODSEQ (3))\r\na OK"),
        ("APPEND INBOX {1+}\r\nz (\\Seen) {2+}\r\nzz", "* 4 EXISTS\r\na OK [APPENDUID 1700000001 3:4]"),
        (
            "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3)",
            "* 3 FETCH (UID 3 FLAGS () MODSEQ (4))\r\n* 4 FETCH (UID 4 FLAGS (\\Seen) MODSEQ (4))\r\na OK",
        ),
        ("UID STORE 2 +FLAGS (\\Deleted)", "* 2 FETCH (UID 2 FLAGS (\\Deleted) MODSEQ (5))\r\n"),
        ("UID EXPUNGE 2", "* VANISHED 2\r\na OK"),
        ("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 5 VANISHED)", "* VANISHED (EARLIER) 2\r\na OK"),
        ("SELECT INBOX (QRESYNC (1700000001 3))", "* VANISHED (EARLIER) 2\r\n* 2 FETCH (UID 3 "),
        ("SELECT INBOX (QRESYNC (7 3))", "OK [HIGHESTMODSEQ 6] kept\r\na OK"),
    ] {
        let answer = talk.say(say);
        assert!(answer.contains(expected), "{say}: {answer}");
    }
}

#[test]
fn extensions_that_are_not_offered_are_not_known() {
    let server = ScriptedImap::builder().capability("IMAP4rev1").start().unwrap();
    let mut talk = Talk::with(&server);
    talk.say("LOGIN x y");
    for say in [
        "SELECT INBOX (CONDSTORE)",
        "LIST \"\" \"*\" RETURN (STATUS (MESSAGES))",
        "NAMESPACE",
        "ENABLE CONDSTORE",
        "GETQUOTAROOT INBOX",
    ] {
        assert!(talk.say(say).starts_with("a BAD"), "{say}");
    }
    talk.say("SELECT INBOX");
    for say in ["UID SEARCH RETURN (ALL) ALL", "UID FETCH 1:* (FLAGS) (CHANGEDSINCE 1)", "UID FETCH 1 (MODSEQ)"] {
        assert!(talk.say(say).starts_with("a BAD"), "{say}");
    }
    assert!(talk.say("APPEND INBOX {4}").starts_with('+'));
    assert_eq!(talk.say("xx"), "* 1 EXISTS\r\na OK appended\r\n", "no UIDPLUS, no APPENDUID");
    assert!(talk.say("APPEND INBOX {3+}").starts_with("* BYE"));
}

#[test]
fn a_refused_message_refuses_its_whole_multiappend() {
    let server = ScriptedImap::builder()
        .capability("IMAP4rev1 LITERAL- MULTIAPPEND APPENDLIMIT=20 QUOTA")
        .refuses_bare_lf()
        .refuses_nul()
        .quota_kib(9, 10)
        .start()
        .unwrap();
    let mut talk = Talk::with(&server);
    talk.say("LOGIN x y");
    for (say, expected) in [
        ("APPEND INBOX {1+}\r\na {2+}\r\nb\n", "a NO the message contains bare newlines"),
        ("APPEND INBOX {2+}\r\na\0 {2+}\r\nbb", "a NO the message contains NUL characters"),
        ("APPEND INBOX {21}", "a NO [TOOBIG]"),
        ("APPEND INBOX {21+}\r\n0123456789012345678\r\n", "a NO [TOOBIG]"),
        ("APPEND Nada {2}", "a NO [TRYCREATE]"),
        ("APPEND INBOX {2+}\r\nab {2+}\r\ncd", "a OK"),
        ("STATUS INBOX (APPENDLIMIT MESSAGES)", "(APPENDLIMIT 20 MESSAGES 2)"),
    ] {
        let answer = talk.say(say);
        assert!(answer.contains(expected), "{say}: {answer}");
    }
    server.set_quota_kib(Some((10, 10)));
    assert!(talk.say("APPEND INBOX {2}").starts_with("a NO [OVERQUOTA]"));
    assert!(talk.say("APPEND INBOX {2+}\r\nab").starts_with("a NO [OVERQUOTA]"));
    server.set_quota_kib(None);
    assert!(talk.say("APPEND INBOX {2+}\r\nab").starts_with("a OK"));
    assert!(talk.say(&format!("APPEND INBOX {{{}+}}", 4097)).starts_with("* BYE"), "more than LITERAL- allows");
}

#[test]
fn what_others_do_to_an_open_mailbox_is_told_with_the_next_answer() {
    let server = ScriptedImap::builder().start().unwrap();
    for text in ["a", "b", "c"] {
        server.deliver("INBOX", text, DATE, &[]);
    }
    let (mut one, mut other) = (Talk::with(&server), Talk::with(&server));
    for talk in [&mut one, &mut other] {
        talk.say("LOGIN x y");
        talk.say("SELECT INBOX");
    }
    assert!(one.say("UID STORE 1 +FLAGS.SILENT (\\Deleted)").starts_with("a OK"));
    assert!(one.say("UID STORE 3 FLAGS.SILENT (\\Seen)").starts_with("a OK"));
    assert_eq!(one.say("NOOP"), "a OK done\r\n", "its own changes are known");
    assert_eq!(one.say("EXPUNGE"), "* 1 EXPUNGE\r\na OK expunged\r\n");
    server.deliver("INBOX", "d", DATE, &[]);
    let numbered = other.say("FETCH 1:* UID");
    assert_eq!(
        numbered.replace("a OK fetched", ""),
        "* 4 EXISTS\r\n* 3 FETCH (UID 3 FLAGS (\\Seen))\r\n* 2 FETCH (UID 2)\r\n* 3 FETCH (UID 3)\r\n* 4 FETCH (UID 4)\r\n\r\n",
        "numbers hold while they are in use"
    );
    assert_eq!(other.say("NOOP"), "* 1 EXPUNGE\r\na OK done\r\n");
    assert_eq!(other.say("UID FETCH 1:* UID").matches("FETCH").count(), 3);
    server.rename_mailbox("INBOX", "Velha");
    assert!(other.say("UID FETCH 1 UID").starts_with("a NO [NONEXISTENT]"));
    assert!(other.say("CREATE INBOX").starts_with("a OK"));
    assert_eq!(other.say("NOOP"), "* BYE the mailbox has another UIDVALIDITY\r\n");
    assert_eq!(server.mailbox("Velha").unwrap().messages.len(), 3);
    drop((one, other));
    assert!(server.wait_idle(Duration::from_secs(120)));
}

/// How many answers were withheld so far.
fn stalls_of(server: &ScriptedImap) -> u64 {
    let counts = server.fault_counts();
    [FaultKind::Stall, FaultKind::StallAfter].iter().filter_map(|kind| counts.get(kind)).sum()
}

/// Commands until the line breaks, again and again until the faults are over.
fn suffer(server: &ScriptedImap) -> Vec<String> {
    while !server.faults_are_over() {
        let stream = TcpStream::connect(("127.0.0.1", server.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let (mut lines, mut writer) = (BufReader::new(stream.try_clone().unwrap()), stream);
        let mut answer = Vec::new();
        let stalls = stalls_of(server);
        // Whether a line comes. It is given up where the server withholds it, not where the machine is busy.
        let mut hears_a_line = || {
            loop {
                match lines.read_until(b'\n', &mut answer) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock && stalls_of(server) == stalls => {}
                    heard => return heard.is_ok_and(|count| count > 0),
                }
            }
        };
        for command in ["", "a LOGIN x y\r\n", "a SELECT INBOX\r\n", "a APPEND INBOX {2+}\r\nab\r\n"] {
            let sent = writer.write_all(command.as_bytes());
            if sent.is_err() || !hears_a_line() {
                break;
            }
        }
        drop((lines, writer));
        assert!(server.wait_idle(Duration::from_secs(120)));
    }
    server.commands()
}

#[test]
fn a_schedule_of_faults_follows_from_its_seed_and_ends() {
    let run = |seed| {
        let faults = Faults::seeded(seed).at_most(40).one_in(3).at_destination();
        let server = ScriptedImap::builder().mailbox(Mailbox::new("Outra")).faults(faults).start().unwrap();
        (suffer(&server), server.fault_counts(), server.changes())
    };
    let first = run(7);
    assert_eq!(first, run(7));
    assert_ne!(first.0, run(8).0);
    let kinds: Vec<&FaultKind> = first.1.keys().collect();
    assert!(kinds.len() > 8, "{kinds:?}");
    assert!(!first.2.is_empty());
}

#[test]
fn faults_cease_when_told() {
    let server = ScriptedImap::builder().faults(Faults::seeded(1).at_most(u32::MAX).one_in(1)).start().unwrap();
    server.end_faults();
    let mut talk = Talk::with(&server);
    assert!(talk.say("LOGIN x y").starts_with("a OK"));
    assert!(server.faults_are_over() && server.fault_counts().is_empty());
}
