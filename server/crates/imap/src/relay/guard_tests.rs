use super::*;

/// A conversation: what the program says (`C:`) and the server tells (`S:`), and what comes out at the other side.
struct Talk {
    guard: Guard,
    server: String,
    program: String,
}

impl Talk {
    fn with(rights: Rights) -> Self {
        Self { guard: Guard::new(rights), server: String::new(), program: String::new() }
    }

    fn reading() -> Self {
        Self::with(Rights::Read(None))
    }

    fn seeing(view: &[(&str, &[(u32, u32)])]) -> Self {
        let view = view
            .iter()
            .map(|(name, ranges)| ((*name).to_owned(), UidSet::from_ranges(ranges.iter().copied())))
            .collect();
        Self::with(Rights::Read(Some(Arc::new(view))))
    }

    /// Everything byte by byte: however the pieces are cut, the same must come out.
    fn go(&mut self, lines: &[&str]) -> &mut Self {
        for line in lines {
            let (who, text) = line.split_at(3);
            for byte in text.bytes() {
                if who == "C: " { self.guard.said(&[byte]) } else { self.guard.told(&[byte]) }.expect("short enough");
            }
            self.server += &String::from_utf8(self.guard.for_server()).expect("text");
            self.program += &String::from_utf8(self.guard.for_program()).expect("text");
        }
        self
    }
}

#[test]
fn a_reader_opens_to_read_and_changes_nothing() {
    for (said, passed) in [
        ("a SELECT INBOX\r\n", "a EXAMINE INBOX\r\n"),
        ("a select \"Notas \"\r\n", "a EXAMINE \"Notas \"\r\n"),
        ("a EXAMINE INBOX\r\n", "a EXAMINE INBOX\r\n"),
        ("a UID FETCH 1:* (BODY.PEEK[])\r\n", "a UID FETCH 1:* (BODY.PEEK[])\r\n"),
        ("a UID SEARCH ALL\r\n", "a UID SEARCH ALL\r\n"),
        ("a CLOSE\r\n", "a NOOP\r\n"),
        ("a LOGOUT\r\n", "a LOGOUT\r\n"),
        ("a UID STORE 1 +FLAGS (\\Seen)\r\n", ""),
        ("a STORE 1 FLAGS ()\r\n", ""),
        ("a EXPUNGE\r\n", ""),
        ("a uid expunge 1\r\n", ""),
        ("a UID MOVE 1 Trash\r\n", ""),
        ("a UID COPY 1 Trash\r\n", ""),
        ("a CREATE x\r\n", ""),
        ("a DELETE x\r\n", ""),
        ("a RENAME x y\r\n", ""),
        ("a SUBSCRIBE x\r\n", ""),
        ("a SETMETADATA x (/private/comment \"x\")\r\n", ""),
        ("a COMPRESS DEFLATE\r\n", ""),
        ("a XUNKNOWN\r\n", ""),
        ("\r\n", ""),
    ] {
        let mut talk = Talk::reading();
        talk.go(&[&format!("C: {said}"), "C: b NOOP\r\n"]);
        assert_eq!(talk.server, format!("{passed}b NOOP\r\n"), "{said}");
        assert_eq!(talk.program.contains("NO [CANNOT]"), passed.is_empty(), "{said}: {}", talk.program);
    }
}

#[test]
fn a_writer_appends_and_deletes_nothing() {
    for (said, passes) in [
        ("SELECT INBOX", true),
        ("CREATE x", true),
        ("UID STORE 1 +FLAGS (\\Seen)", true),
        ("UID STORE 1 +FLAGS (\\Seen \\dELETED)", false),
        ("STORE 1 FLAGS (\\Deleted)", false),
        ("EXPUNGE", false),
        ("UID EXPUNGE 1", false),
        ("MOVE 1 x", false),
        ("UID MOVE 1 x", false),
        ("DELETE x", false),
        ("RENAME x y", false),
        ("SETACL x y z", false),
    ] {
        let mut talk = Talk::with(Rights::Write);
        talk.go(&[&format!("C: a {said}\r\n")]);
        assert_eq!(talk.server.is_empty(), !passes, "{said}");
    }
}

#[test]
fn literals_pass_when_they_are_asked_for_and_hide_no_command() {
    let mut talk = Talk::with(Rights::Write);
    talk.go(&["C: a APPEND x {5}\r\n", "S: + go\r\n", "C: b EXP", "C: \r\n", "S: a OK\r\n", "C: c EXPUNGE\r\n"]);
    assert_eq!(talk.server, "a APPEND x {5}\r\nb EXP\r\n");
    assert_eq!(talk.program, "+ go\r\na OK\r\nc NO [CANNOT] Gatepost: nothing is deleted at the destination\r\n");

    // A literal that the server refuses is none: what follows is a command.
    let mut talk = Talk::with(Rights::Write);
    talk.go(&["C: a APPEND x {9}\r\n", "C: b EXPUNGE\r\n", "S: a NO too large\r\n", "C: c NOOP\r\n"]);
    assert_eq!(talk.server, "a APPEND x {9}\r\nc NOOP\r\n");
    assert!(talk.program.contains("b NO [CANNOT]"), "{}", talk.program);

    // One that is not waited for is swallowed with its command.
    let mut talk = Talk::reading();
    talk.go(&["C: a APPEND x {9+}\r\nb NOOP\r\nx\r\nc NOOP\r\n"]);
    assert_eq!(talk.server, "c NOOP\r\n");
    // One that is waited for is never asked for.
    let mut talk = Talk::reading();
    talk.go(&["C: a APPEND x {9}\r\n", "C: c NOOP\r\n"]);
    assert_eq!(talk.server, "c NOOP\r\n");
    assert!(talk.program.starts_with("a NO "), "{}", talk.program);
    // A name may be one.
    let mut talk = Talk::reading();
    talk.go(&["C: a SELECT {3}\r\n", "S: + \r\n", "C: a\"b\r\n"]);
    assert_eq!(talk.server, "a EXAMINE {3}\r\na\"b\r\n");
}

#[test]
fn an_answer_of_ours_comes_between_two_responses() {
    let mut talk = Talk::reading();
    talk.go(&["S: * 1 FETCH (BODY[] {6}\r\na\r\n", "C: b EXPUNGE\r\n", "S: b\r\n", "S: )\r\n", "S: a OK {5}\r\n"]);
    assert_eq!(
        talk.program,
        "* 1 FETCH (BODY[] {6}\r\na\r\nb\r\n)\r\nb NO [CANNOT] Gatepost: the source is never changed\r\na OK {5}\r\n"
    );
}

#[test]
fn what_ends_idling_is_no_command() {
    let mut talk = Talk::reading();
    talk.go(&["C: a IDLE\r\n", "S: + idling\r\n", "C: DONE\r\n", "S: a OK\r\n", "C: b EXPUNGE\r\n"]);
    assert_eq!(talk.server, "a IDLE\r\nDONE\r\n");
}

#[test]
fn nothing_passes_unread_before_the_server_idles_or_instead_of_done() {
    // The server does not know it, or does not want it: what follows is a command.
    for refusal in ["S: a BAD what?\r\n", "S: a NO not now\r\n"] {
        let mut talk = Talk::with(Rights::Write);
        talk.go(&["C: a IDLE\r\n", "C: b DELETE INBOX\r\n", refusal, "C: c EXPUNGE\r\n", "C: d NOOP\r\n"]);
        assert_eq!(talk.server, "a IDLE\r\nd NOOP\r\n");
    }
    // With an argument it is not IDLE.
    let mut talk = Talk::with(Rights::Write);
    talk.go(&["C: a IDLE x\r\n", "C: b DELETE INBOX\r\n", "C: c NOOP\r\n"]);
    assert_eq!(talk.server, "c NOOP\r\n");
    // While it idles, only DONE.
    let mut talk = Talk::with(Rights::Write);
    talk.go(&["C: a IDLE\r\n", "S: + idling\r\n", "C: b DELETE INBOX\r\n", "C: done\r\n", "C: c DELETE x\r\n"]);
    assert_eq!(talk.server, "a IDLE\r\nDONE\r\n");
    assert!(talk.program.contains("b BAD Gatepost"), "{}", talk.program);
    // The server has ended it by itself.
    let mut talk = Talk::with(Rights::Write);
    talk.go(&["C: a IDLE\r\n", "S: + idling\r\n", "S: a OK enough\r\n", "C: b EXPUNGE\r\n", "C: c NOOP\r\n"]);
    assert_eq!(talk.server, "a IDLE\r\nc NOOP\r\n");
}

#[test]
fn a_literal_that_nobody_waits_for_is_asked_for_all_the_same() {
    let mut talk = Talk::with(Rights::Write);
    talk.go(&["C: a APPEND x {5+}\r\nhello\r\nb EXPUNGE\r\n"]);
    assert_eq!(talk.server, "a APPEND x {5}\r\n");
    // The program has not asked and is not told.
    talk.go(&["S: + go\r\n", "S: a OK done\r\n"]);
    assert_eq!(talk.server, "a APPEND x {5}\r\nhello\r\n");
    assert_eq!(talk.program, "b NO [CANNOT] Gatepost: nothing is deleted at the destination\r\na OK done\r\n");
    // Where the server does not ask, what was meant as a literal is commands.
    let mut talk = Talk::with(Rights::Write);
    talk.go(&["C: a APPEND x {17+}\r\nb DELETE INBOX\r\nc NOOP\r\n", "S: a BAD what?\r\n", "C: d APPEND x {1}\r\n"]);
    assert_eq!(talk.server, "a APPEND x {17}\r\nc NOOP\r\nd APPEND x {1}\r\n");
    talk.go(&["S: + go\r\n"]);
    assert!(talk.program.ends_with("+ go\r\n"), "{}", talk.program);
    // Several in one command, one of them empty.
    let mut talk = Talk::with(Rights::Write);
    talk.go(&["C: a APPEND {1+}\r\nx {0+}\r\n\r\n", "S: + \r\n", "S: + \r\n", "C: b NOOP\r\n"]);
    assert_eq!((talk.server.as_str(), talk.program.as_str()), ("a APPEND {1}\r\nx {0}\r\n\r\nb NOOP\r\n", ""));
}

#[test]
fn what_a_server_could_read_in_another_way_does_not_pass() {
    for said in [
        "a NOOP {17+}\r\nb DELETE INBOX\r\n",
        "a NOOP {17}\r\n",
        "a STORE 1 +FLAGS {8}\r\n",
        "a SELECT {5-}\r\n",
        "a SELECT {5} \r\n",
        "a SELECT {12345678901234567890}\r\n",
        "a NOOP\rb DELETE INBOX\r\n",
        "a NOOP\0\r\n",
        "a  NOOP\r\n",
        " a NOOP\r\n",
        "+ NOOP\r\n",
        "a UID\tEXPUNGE 1\r\n",
    ] {
        let mut talk = Talk::with(Rights::Write);
        talk.go(&[&format!("C: {said}"), "C: z NOOP\r\n"]);
        assert!(talk.server.is_empty() || talk.server == "z NOOP\r\n", "{said:?}: {:?}", talk.server);
    }
    let mut talk = Talk::with(Rights::Write);
    talk.go(&["C: a NOOP\n", "C: b APPEND x {3}\n"]);
    assert_eq!(talk.server, "a NOOP\r\nb APPEND x {3}\r\n");
    // Within a command that has begun to pass, the connection ends.
    for rest in ["\rb DELETE INBOX\r\n", " {5-}\r\n"] {
        let mut guard = Guard::new(Rights::Write);
        assert_eq!(guard.said(b"a APPEND x {1}\r\n"), Ok(()));
        assert_eq!(guard.told(b"+ go\r\n"), Ok(()));
        assert_eq!(guard.said(format!("x{rest}").as_bytes()), Err(Unfit));
    }
}

#[test]
fn an_answer_belongs_to_one_command_only() {
    let mut talk = Talk::with(Rights::Write);
    // With one tag for both, the end of the first would be taken for that of the second.
    talk.go(&["C: a NOOP\r\n", "C: a IDLE\r\n", "S: a OK\r\n", "C: a IDLE\r\n", "S: x OK\r\n", "C: b NOOP\r\n"]);
    assert_eq!(talk.server, "a NOOP\r\na IDLE\r\n");
    assert!(talk.program.contains("a NO [CANNOT] Gatepost: another command"), "{}", talk.program);
    talk.go(&["S: + idling\r\n", "C: DONE\r\n", "C: c APPEND x {9}\r\n", "C: d DELETE\r\n", "S: a OK\r\n"]);
    assert!(talk.server.ends_with("DONE\r\nc APPEND x {9}\r\n"), "{}", talk.server);
}

#[test]
fn searches_find_what_is_in_the_view_of_the_open_folder() {
    let mut talk = Talk::seeing(&[("INBOX", &[(2, 3), (84, 84)]), ("a\"b", &[(7, 7)])]);
    talk.go(&[
        "S: * SEARCH 1 2\r\n",
        "C: a SELECT INBOX\r\n",
        "S: * 5 EXISTS\r\na OK done\r\n* SEARCH 1 2 3 84 884\r\n",
        "C: b SELECT {3}\r\n",
        "S: + \r\n",
        "C: a\"b\r\n",
        "S: b OK\r\n* search 7 8 (MODSEQ 9)\r\n* SEARCH\r\n",
        "C: c SELECT Vazia\r\n",
        "S: c OK\r\n* SEARCH 7 8\r\n",
        "C: d SELECT \"INBOX\"\r\n",
        "S: d NO gone\r\n* SEARCH 2\r\n",
    ]);
    assert_eq!(
        talk.program,
        "* SEARCH\r\n* 5 EXISTS\r\na OK done\r\n* SEARCH 2 3 84\r\n+ \r\nb OK\r\n* search 7 (MODSEQ 9)\r\n* SEARCH\r\nc OK\r\n* \
         SEARCH\r\nd NO gone\r\n* SEARCH\r\n"
    );
    // What could tell more is refused.
    let mut talk = Talk::seeing(&[]);
    talk.go(&["C: a SEARCH ALL\r\n", "C: b UID SEARCH RETURN (ALL) ALL\r\n", "C: c UID SEARCH ALL\r\n"]);
    talk.go(&["C: d FETCH 1 FLAGS\r\n", "C: e UID FETCH 1:* FLAGS\r\n", "C: f UID FETCH 4,7:9 FLAGS\r\n"]);
    assert_eq!(talk.server, "c UID SEARCH ALL\r\nf UID FETCH 4,7:9 FLAGS\r\n");
    // Nor is anything enabled that lets the server answer in a form which is not narrowed.
    for what in ["IMAP4rev2", "imap4REV2 CONDSTORE", "UTF8=ACCEPT", ""] {
        let mut talk = Talk::seeing(&[("INBOX", &[(2, 3)])]);
        talk.go(&[&format!("C: a ENABLE {what}\r\n"), "C: b UID SEARCH 1:*\r\n"]);
        assert_eq!(talk.server, "b UID SEARCH 1:*\r\n", "{what}");
        let mut talk = Talk::reading();
        talk.go(&[&format!("C: a ENABLE {what}\r\n")]);
        assert!(!talk.server.is_empty(), "without a view nothing is narrowed: {what}");
    }
}

#[test]
fn nothing_that_changes_access_annotations_or_places_passes() {
    for said in [
        "MOVE 1 Trash",
        "UID MOVE 1:* Trash",
        "uid move 1 \"Trash\"",
        "REPLACE 1 Trash {3}",
        "UID REPLACE 1 Trash {3+}",
        "SETACL INBOX eve lrswipkxtecda",
        "DELETEACL INBOX ana",
        "SETQUOTA \"\" (STORAGE 1)",
        "SETMETADATA INBOX (/private/comment {3+}",
        "SETANNOTATION INBOX \"/comment\" (\"value.priv\" \"x\")",
        "NOTIFY SET (SELECTED (MessageNew))",
        "COMPRESS DEFLATE",
        "STARTTLS",
        "AUTHENTICATE PLAIN",
        "UNAUTHENTICATE",
        "LOGIN eve word",
        "UNSUBSCRIBE INBOX",
        "GENURLAUTH \"imap://x/\" INTERNAL",
        "UID STORE 1 +FLAGS.SILENT (\\Seen $x \\Deleted)",
        "STORE 1 +FLAGS \\deleteD",
        "UID STORE 1 (UNCHANGEDSINCE 3) FLAGS (\\DELETED)",
        "UID STORE 1 +FLAGS ({8}",
        "UID STORE 1 +FLAGS ({8+}",
    ] {
        for rights in [Rights::Write, Rights::Read(None)] {
            let mut talk = Talk::with(rights);
            talk.go(&[&format!("C: a {said}\r\n"), "C: xxx\r\nb NOOP\r\nc NOOP\r\n"]);
            let passed = talk.server.replace("b NOOP\r\n", "").replace("c NOOP\r\n", "");
            assert_eq!(passed, "", "{said}");
            assert!(talk.program.contains("a NO [CANNOT]"), "{said}: {}", talk.program);
        }
    }
}

#[test]
fn an_endless_line_ends_the_connection() {
    let mut guard = Guard::new(Rights::Write);
    let piece = [b'x'; 4096];
    assert!((0..LONGEST_LINE / piece.len()).all(|_| guard.said(&piece).is_ok()));
    assert_eq!(guard.said(b"x"), Err(Unfit));
}
