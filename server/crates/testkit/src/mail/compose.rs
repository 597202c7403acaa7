//! Writes one message. The cases are what copies get wrong; the texts are meaningless.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::pool::Pool;
use crate::date::InternalDate;

/// A kind of message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Plain,
    Html,
    Attachment,
    Latin1,
    Utf8,
    LongHeader,
    NoMessageId,
    EmptyMessageId,
    SharedMessageId,
    /// Twice the same bytes in one folder, at the same instant.
    Duplicate,
    /// Twice the same bytes in one folder, at two instants.
    DuplicateOtherDate,
    HeaderOnly,
    BodyOnly,
    DateMissing,
    DateNonsense,
    NoFinalLineEnd,
    LongLine,
    Minimal,
}

impl Case {
    pub(super) const ALL: [Case; 18] = [
        Case::Plain,
        Case::Html,
        Case::Attachment,
        Case::Latin1,
        Case::Utf8,
        Case::LongHeader,
        Case::NoMessageId,
        Case::EmptyMessageId,
        Case::SharedMessageId,
        Case::Duplicate,
        Case::DuplicateOtherDate,
        Case::HeaderOnly,
        Case::BodyOnly,
        Case::DateMissing,
        Case::DateNonsense,
        Case::NoFinalLineEnd,
        Case::LongLine,
        Case::Minimal,
    ];

    /// As in real mailboxes: 45 % plain, 15 % HTML, 28 % with attachments, the rest odd.
    pub(super) fn pick(rng: &mut ChaCha8Rng) -> Case {
        match rng.random_range(0..100_u32) {
            0..45 => Case::Plain,
            45..60 => Case::Html,
            60..88 => Case::Attachment,
            _ => Case::ALL[rng.random_range(3..Case::ALL.len())],
        }
    }
}

const PEOPLE: [(&str, &str); 6] = [
    ("João Conceição", "joao@cliente.example"),
    ("Maria Aparecida", "maria@acao.example"),
    ("Zoë Müller", "zoe@example.net"),
    ("Suporte", "suporte@example.test"),
    ("山田太郎", "yamada@example.org"),
    ("Inês d'Ávila", "ines@filial.example"),
];
const FILES: [&str; 4] = ["Relatório anual.pdf", "Orçamento nº 7.xlsx", "Foto São João.jpg", "ação & reação.docx"];

/// Writes messages from pools of text that are made once.
#[derive(Debug)]
pub(super) struct Composer {
    seed: u64,
    ascii: Pool,
    utf8: Pool,
    latin1: Pool,
    base64: Pool,
}

impl Composer {
    pub(super) fn new(seed: u64) -> Composer {
        // A stream of its own: the pools must not shift what the generator draws.
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(1);
        Composer {
            seed,
            ascii: Pool::words(&mut rng, |character, out| {
                // The accents are dropped; the words stay different enough.
                out.push(u8::try_from(character).ok().filter(u8::is_ascii).unwrap_or(b'e'));
            }),
            utf8: Pool::words(&mut rng, |character, out| {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }),
            latin1: Pool::words(&mut rng, |character, out| {
                out.push(u8::try_from(u32::from(character)).unwrap_or(b'?'));
            }),
            base64: Pool::base64(&mut rng),
        }
    }

    pub(super) fn compose(
        &self,
        rng: &mut ChaCha8Rng,
        case: Case,
        number: usize,
        size: usize,
        date: InternalDate,
    ) -> Vec<u8> {
        let id = Some(self.id(number));
        let plain = "text/plain; charset=us-ascii";
        let mut out = Vec::with_capacity(size + 2048);
        match case {
            Case::Plain | Case::Duplicate | Case::DuplicateOtherDate | Case::SharedMessageId => {
                self.head(rng, &mut out, number, id, Some(date.rfc5322()));
                text_type(&mut out, plain, "7bit");
                self.ascii.pour(rng, size, &mut out);
            }
            Case::Html => self.html(rng, &mut out, number, size, date),
            Case::Attachment => return self.attachment(rng, number, size, date),
            Case::Latin1 => {
                self.head(rng, &mut out, number, id, Some(date.rfc5322()));
                // A raw 8-bit header as old clients wrote them, too.
                out.extend_from_slice(b"X-Observa\xe7\xe3o: sem codifica\xe7\xe3o\r\n");
                text_type(&mut out, "text/plain; charset=iso-8859-1", "8bit");
                self.latin1.pour(rng, size, &mut out);
            }
            Case::Utf8 => {
                self.head(rng, &mut out, number, id, Some(date.rfc5322()));
                text_type(&mut out, "text/plain; charset=utf-8", "8bit");
                self.utf8.pour(rng, size, &mut out);
            }
            Case::LongHeader => {
                self.head(rng, &mut out, number, id, Some(date.rfc5322()));
                // One line longer than the 998 octets of RFC 5322, and one folded over many lines.
                out.extend_from_slice(b"X-Unfolded: ");
                out.extend(std::iter::repeat_n(b'x', 4000));
                out.extend_from_slice(b"\r\nReferences:");
                for reference in 0..120 {
                    out.extend_from_slice(format!("\r\n\t<{reference}.{number}@longa.example>").as_bytes());
                }
                out.extend_from_slice(b"\r\n");
                text_type(&mut out, plain, "7bit");
                self.ascii.pour(rng, size, &mut out);
            }
            Case::NoMessageId | Case::EmptyMessageId => {
                let id = (case == Case::EmptyMessageId).then(String::new);
                self.head(rng, &mut out, number, id, Some(date.rfc5322()));
                text_type(&mut out, plain, "7bit");
                self.ascii.pour(rng, size, &mut out);
            }
            Case::HeaderOnly => self.head(rng, &mut out, number, id, Some(date.rfc5322())),
            Case::BodyOnly => {
                out.extend_from_slice(format!("\r\nsem cabeçalho, mensagem {number}\r\n").as_bytes());
                self.utf8.pour(rng, size / 4, &mut out);
            }
            Case::DateMissing | Case::DateNonsense => {
                let date = (case == Case::DateNonsense).then(|| "ontem, 31 Fev 2099 25:61:00 +9999".to_owned());
                self.head(rng, &mut out, number, id, date);
                text_type(&mut out, plain, "7bit");
                self.ascii.pour(rng, size, &mut out);
            }
            Case::NoFinalLineEnd => {
                self.head(rng, &mut out, number, id, Some(date.rfc5322()));
                text_type(&mut out, plain, "7bit");
                self.ascii.pour(rng, size, &mut out);
                out.extend_from_slice(b"fim sem quebra de linha");
            }
            Case::LongLine => {
                self.head(rng, &mut out, number, id, Some(date.rfc5322()));
                text_type(&mut out, plain, "7bit");
                out.extend(std::iter::repeat_n(b'y', 12_000));
                out.extend_from_slice(b"\r\n.\r\n..\r\nFrom the start\r\n");
            }
            Case::Minimal => out.extend_from_slice(format!("Subject: {number}\r\n\r\n").as_bytes()),
        }
        out
    }

    /// The Message-Id of the message `number`, with another text.
    pub(super) fn same_id_other_text(&self, rng: &mut ChaCha8Rng, number: usize, date: InternalDate) -> Vec<u8> {
        let mut out = Vec::with_capacity(2048);
        self.head(rng, &mut out, number, Some(self.id(number)), Some(date.rfc5322()));
        text_type(&mut out, "text/plain; charset=utf-8", "8bit");
        out.extend_from_slice("o mesmo Message-Id, outro conteúdo\r\n".as_bytes());
        self.utf8.pour(rng, 500, &mut out);
        out
    }

    /// multipart/mixed with one attachment that brings the message to about `size`.
    pub(super) fn attachment(&self, rng: &mut ChaCha8Rng, number: usize, size: usize, date: InternalDate) -> Vec<u8> {
        let mut out = Vec::with_capacity(size + 4096);
        self.head(rng, &mut out, number, Some(self.id(number)), Some(date.rfc5322()));
        let boundary = format!("=_mixed_{number}");
        out.extend_from_slice(
            format!(
                "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n\
                 This is a multi-part message in MIME format.\r\n--{boundary}\r\n\
                 Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
            )
            .as_bytes(),
        );
        self.utf8.pour(rng, (size / 20).min(2000), &mut out);
        let file = FILES[rng.random_range(0..FILES.len())];
        out.extend_from_slice(
            format!(
                "--{boundary}\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment;\r\n filename*=utf-8''{}\r\n\r\n",
                percent_encode(file)
            )
            .as_bytes(),
        );
        let left = size.saturating_sub(out.len());
        self.base64.pour(rng, left, &mut out);
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        out
    }

    fn html(&self, rng: &mut ChaCha8Rng, out: &mut Vec<u8>, number: usize, size: usize, date: InternalDate) {
        self.head(rng, out, number, Some(self.id(number)), Some(date.rfc5322()));
        let boundary = format!("=_alternative_{number}");
        out.extend_from_slice(
            format!("MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n")
                .as_bytes(),
        );
        out.extend_from_slice(b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n");
        self.utf8.pour(rng, size / 3, out);
        out.extend_from_slice(
            format!("--{boundary}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n<html><body><p>\r\n")
                .as_bytes(),
        );
        self.utf8.pour(rng, size / 2, out);
        out.extend_from_slice(format!("</p></body></html>\r\n--{boundary}--\r\n").as_bytes());
    }

    fn id(&self, number: usize) -> String {
        format!("<{number}.{:x}@generated.example>", self.seed)
    }

    /// From, To, Subject, and Message-Id and Date where given; no empty line after it.
    fn head(&self, rng: &mut ChaCha8Rng, out: &mut Vec<u8>, number: usize, id: Option<String>, date: Option<String>) {
        let (from, to) = (rng.random_range(0..PEOPLE.len()), rng.random_range(0..PEOPLE.len()));
        for (field, (name, address)) in [("From", PEOPLE[from]), ("To", PEOPLE[to])] {
            out.extend_from_slice(format!("{field}: {} <{address}>\r\n", encoded_word(name)).as_bytes());
        }
        let subject = encoded_word(&format!("Proposta nº {number} – migração"));
        out.extend_from_slice(format!("Subject: {subject}\r\n").as_bytes());
        if let Some(id) = id {
            out.extend_from_slice(format!("Message-ID: {id}\r\n").as_bytes());
        }
        if let Some(date) = date {
            out.extend_from_slice(format!("Date: {date}\r\n").as_bytes());
        }
    }
}

fn text_type(out: &mut Vec<u8>, content_type: &str, encoding: &str) {
    let fields =
        format!("MIME-Version: 1.0\r\nContent-Type: {content_type}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
    out.extend_from_slice(fields.as_bytes());
}

/// RFC 2047.
fn encoded_word(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { format!("=?UTF-8?B?{}?=", STANDARD.encode(text)) }
}

/// RFC 2231 section 4.
fn percent_encode(text: &str) -> String {
    text.bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() || byte == b'.' {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}
