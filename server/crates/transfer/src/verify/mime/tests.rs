use super::{super::at_work::at_work, *};

const PLAIN: &str = "Received: from a by b; Mon, 2 Jan 2006 15:04:05 -0300\r\nFrom: ana@example.org\r\nSubject: Hello\r\n\
                     Message-ID: <1@example.org>\r\n\r\nFirst line\r\nSecond line\r\n";

const MIXED: &str = "From: ana@example.org\r\nSubject: =?utf-8?q?Ol=C3=A1?=\r\nMIME-Version: 1.0\r\n\
                     Content-Type: multipart/mixed; boundary=one\r\n\r\npreamble\r\n--one\r\n\
                     Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
                     Ol=C3=A1 mundo\r\n--one\r\nContent-Type: application/octet-stream; name=a.bin\r\n\
                     Content-Transfer-Encoding: base64\r\n\r\nAAECAwQF\r\n--one--\r\n";

/// As a server rebuilds it: another boundary, other encodings, other folding, no preamble.
const REBUILT: &str = "MIME-Version: 1.0\r\nFrom: ana@example.org\r\nSubject:\r\n =?iso-8859-1?b?T2zh?=\r\n\
                       Content-Type: multipart/mixed;\r\n\tboundary=\"two\"\r\n\r\n--two\r\n\
                       Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                       T2zDoSBtdW5kbw0K\r\n--two\r\nContent-Type: application/octet-stream; name=a.bin\r\n\
                       Content-Transfer-Encoding: base64\r\n\r\nAAEC\r\nAwQF\r\n--two--\r\n";

fn changed(difference: Difference) -> Likeness {
    Likeness::Changed(difference)
}

fn check(source: &str, cases: &[(String, Likeness)]) {
    for (copy, expected) in cases {
        assert_eq!(compare(source.as_bytes(), copy.as_bytes()), *expected, "{copy}");
    }
}

#[test]
fn line_ends_nuls_and_what_servers_add_leave_a_message_equivalent() {
    check(
        PLAIN,
        &[
            (PLAIN.replace("\r\n", "\n"), Likeness::Equivalent),
            (PLAIN.replace("First", "Fi\0rst"), Likeness::Equivalent),
            (PLAIN.trim_end().to_owned(), Likeness::Equivalent),
            (format!("Return-Path: <ana@example.org>\r\n{PLAIN}"), Likeness::Equivalent),
            (
                format!("Delivered-To: b@x\r\nReceived: from b by c\r\n\tfor <d>; today\r\n{PLAIN}"),
                Likeness::Equivalent,
            ),
            (format!("X-Dovecot-DeliveredTo: b\r\nX-UID: 7\r\nStatus: RO\r\n{PLAIN}"), Likeness::Equivalent),
        ],
    );
}

#[test]
fn a_message_that_a_server_rebuilt_is_rewritten() {
    check(MIXED, &[(REBUILT.into(), Likeness::Rewritten), (MIXED.replace("preamble\r\n", ""), Likeness::Rewritten)]);
    check(PLAIN, &[(PLAIN.replace("Subject: Hello", "Subject:\r\n Hello"), Likeness::Rewritten)]);
    let eight_bit = "From: a@b\r\nSubject: Ol\u{e1} é\r\n\r\nx\r\n";
    let munged = "From: a@b\r\nSubject: OlXX XX\r\n\r\nx\r\n";
    check(eight_bit, &[(munged.into(), Likeness::Rewritten)]);
}

#[test]
fn whatever_else_differs_is_named() {
    let field = |name: &str| changed(Difference::Field(name.into()));
    check(
        PLAIN,
        &[
            (String::new(), changed(Difference::Empty)),
            ("\r\n\r\n".into(), changed(Difference::Empty)),
            (PLAIN[..PLAIN.len() - 8].into(), changed(Difference::Truncated)),
            (PLAIN[..60].into(), changed(Difference::Truncated)),
            (PLAIN.replace("Hello", "Jello"), field("Subject")),
            (PLAIN.replace("<1@", "<2@"), field("Message-ID")),
            (PLAIN.replace("Subject: Hello\r\n", ""), field("Subject")),
            (PLAIN.replace("Subject:", "X-Extra: 1\r\nSubject:"), field("X-Extra")),
            (PLAIN.replace("from a by b", "from a by c"), field("Received")),
            (PLAIN.replace("First", "Thirst"), changed(Difference::Text)),
            (PLAIN.replace("Second", "second"), changed(Difference::Text)),
            (format!("{PLAIN}Third line\r\n"), changed(Difference::Text)),
        ],
    );
    let attachment = changed(Difference::Attachment(Some("a.bin".into())));
    check(
        MIXED,
        &[
            (MIXED.replace("AwQF", "AwQG"), attachment.clone()),
            (REBUILT.replace("AwQF", "AwQG"), attachment.clone()),
            (MIXED.replace("name=a.bin", "name=b.bin"), attachment),
            (MIXED.replace("=C3=A1 mundo", "=C3=A0 mundo"), changed(Difference::Text)),
            (MIXED.replace("application/octet-stream", "application/pdf"), changed(Difference::Structure)),
        ],
    );
}

#[test]
fn bytes_that_no_charset_explains_are_compared_as_bytes() {
    let message =
        |byte: u8| [b"Content-Type: text/plain; charset=utf-8\r\n\r\na".as_slice(), &[byte], b"\r\n"].concat();
    assert_eq!(compare(&message(0xe1), &message(0xe2)), changed(Difference::Text));
    assert_eq!(compare(&message(0xe1), &message(0xe1)), Likeness::Equivalent);
}

#[test]
fn a_message_within_a_message_is_looked_into() {
    let outer = |inner: &str| {
        format!(
            "From: a@b\r\nContent-Type: multipart/mixed; boundary=o\r\n\r\n--o\r\nContent-Type: message/rfc822\r\n\r\n{inner}--o--\r\n"
        )
    };
    let source = outer(MIXED);
    check(
        &source,
        &[
            (outer(&REBUILT.replace("MIME-Version: 1.0\r\nFrom", "From")), changed(Difference::Attachment(None))),
            (outer(&MIXED.replace("AwQF", "AwQG")), changed(Difference::Attachment(Some("a.bin".into())))),
            (outer(&MIXED.replace("preamble\r\n", "")), Likeness::Rewritten),
        ],
    );
}

#[test]
fn no_header_is_too_odd_to_be_compared() {
    for odd in ["", "\r\n", ":\r\n", " \r\n", "a\r\n b\r\n", "\n\n\n", "x", "From: \u{0}\r\n"] {
        assert_eq!(compare(odd.as_bytes(), odd.as_bytes()), Likeness::Equivalent, "{odd:?}");
        let _ = compare(odd.as_bytes(), PLAIN.as_bytes());
        let _ = compare(PLAIN.as_bytes(), odd.as_bytes());
    }
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Lines of which messages are made, and some that no message should have.
    fn message() -> impl Strategy<Value = Vec<u8>> {
        let line = prop_oneof![
            Just("From: a@b\r\n".to_owned()),
            Just("Subject: =?utf-8?q?=C3?=\r\n".to_owned()),
            Just("Received: x\r\n\ty\r\n".to_owned()),
            Just("Content-Type: multipart/mixed; boundary=x\r\n".to_owned()),
            Just("Content-Type: message/rfc822\r\n".to_owned()),
            Just("Content-Type: text/html; charset=utf-16\r\n".to_owned()),
            Just("Content-Transfer-Encoding: base64\r\n".to_owned()),
            Just("--x\r\n".to_owned()),
            Just("--x--\r\n".to_owned()),
            Just("\r\n".to_owned()),
            Just("T2zDoQ==\r\n".to_owned()),
            "[ -~]{0,20}\r?\n?",
        ];
        let text = proptest::collection::vec(line, 0..24).prop_map(|lines| lines.concat().into_bytes());
        prop_oneof![4 => text, 1 => proptest::collection::vec(any::<u8>(), 0..200)]
    }

    proptest! {
        #[test]
        fn a_message_is_like_itself_however_it_was_carried(message in message()) {
            prop_assert_eq!(compare(&message, &message), Likeness::Equivalent);
            let carried = mended(&message);
            prop_assert_eq!(compare(&message, &carried), Likeness::Equivalent);
            if !carried.first().is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
                let stamped = [b"Return-Path: <a@b>\r\n".as_slice(), &carried].concat();
                prop_assert_eq!(compare(&carried, &stamped), Likeness::Equivalent);
            }
        }

        #[test]
        fn a_cut_message_is_never_taken_for_the_whole(message in message(), share in 0.0..1.0_f64) {
            let carried = mended(&message);
            let whole = carried.trim_ascii_end();
            let cut = &whole[..(whole.len() as f64 * share) as usize];
            if cut.len() < whole.len() {
                let likeness = compare(&carried, cut);
                prop_assert!(matches!(likeness, Likeness::Changed(Difference::Empty | Difference::Truncated)), "{:?}", likeness);
            }
        }

        #[test]
        fn any_two_messages_can_be_compared(one in message(), other in message()) {
            let _ = compare(&one, &other);
        }
    }
}

#[test]
fn a_header_of_endless_fields_is_told_by_its_bytes_in_good_time() {
    let message = |order: &mut dyn Iterator<Item = u32>| {
        let fields: String = order.map(|n| format!("X-{n}: {n}\r\n")).collect();
        format!("{fields}\r\nbody\r\n").into_bytes()
    };
    let (ours, theirs) = (message(&mut (0..100_000)), message(&mut (0..100_000).rev()));
    let began = at_work();
    assert_eq!(compare(&ours, &theirs), Likeness::Changed(Difference::Bytes));
    assert_eq!(compare(&ours, &ours), Likeness::Equivalent);
    let took = at_work() - began;
    assert!(took.as_secs() < 10, "{took:?}");
}
