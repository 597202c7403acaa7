//! Reading a CSV file of mailboxes. Every bad line is reported at once with its number.
//!
//! The first line names the columns, in any order; `email` is needed, all others may be left out. Comma or semicolon,
//! UTF-8 with or without a byte order mark. No message repeats what a cell holds, but for addresses: where the columns
//! have shifted, any cell may hold a secret.

use super::template;
use crate::{mailboxes, validate::Checker};
use gatepost_contract::{FieldError, NewMailbox, Secret, SecretInput, SourceType, UnknownName};
use std::{
    collections::{BTreeMap, HashSet},
    str::FromStr,
};

/// More lines than this in one file are refused.
const MAX_LINES: usize = 10_000;
/// The report of bad lines ends after this many.
const MAX_ERRORS: usize = 1_000;

/// The columns, in the order of the template.
pub const COLUMNS: [&str; 19] = [
    "email",
    "source_type",
    "tool",
    "source_host",
    "source_port",
    "source_security",
    "source_insecure_tls",
    "source_user",
    "source_admin",
    "source_password",
    "source_oauth_token",
    "source_ssh",
    "source_web",
    "dest_user",
    "dest_admin",
    "dest_password",
    "dest_oauth_token",
    "folder_map",
    "wave",
];

/// A line with a mailbox.
#[derive(Debug)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: i64,
    /// The mailbox as it is written, right or wrong.
    pub mailbox: NewMailbox,
    /// The name of the wave that it is to join.
    pub wave: Option<String>,
}

/// What a file holds.
#[derive(Debug, Default)]
pub struct Parsed {
    /// The lines in their order.
    pub lines: Vec<Line>,
    /// What is wrong.
    pub errors: Vec<FieldError>,
}

impl Parsed {
    fn refused(field: &str, message: impl Into<String>) -> Self {
        Self { lines: Vec::new(), errors: vec![FieldError { field: field.to_owned(), message: message.into() }] }
    }

    /// Brings the errors into the order of the lines.
    pub fn sort(&mut self) {
        let number = |error: &FieldError| {
            let text = error.field.strip_prefix("line ").unwrap_or_default();
            text.split(':').next().and_then(|n| n.parse::<i64>().ok()).unwrap_or_default()
        };
        self.errors.sort_by_key(number);
        self.errors.truncate(MAX_ERRORS);
    }
}

/// Why a file that is no text is refused.
pub fn not_utf8(error: &std::str::Utf8Error) -> String {
    format!("is not UTF-8 (byte {}); save it as UTF-8", error.valid_up_to())
}

/// Reads a file.
pub fn parse(csv: &[u8]) -> Parsed {
    let text = match std::str::from_utf8(csv) {
        Ok(text) => text,
        Err(e) => return Parsed::refused("file", not_utf8(&e)),
    };
    // Forms and Windows end lines with CR LF, after which the reader would count one line too few; after a CR alone, as
    // spreadsheets on a Mac may write it, it would count none.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n").replace('\r', "\n");
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let header: Vec<String> = match reader.headers() {
        Ok(header) => header.iter().map(str::to_lowercase).collect(),
        Err(_) => return Parsed::refused("line 1", "cannot be read as CSV"),
    };
    let mut errors = check_header(&header);
    if !errors.is_empty() {
        return Parsed { lines: Vec::new(), errors };
    }
    let (mut lines, mut seen): (Vec<Line>, _) = (Vec::new(), HashSet::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                let line = e.position().map_or(0, csv::Position::line);
                errors.push(FieldError { field: format!("line {line}"), message: "cannot be read as CSV".into() });
                continue;
            }
        };
        let number = record.position().map_or(0, |position| i64::try_from(position.line()).unwrap_or(i64::MAX));
        if lines.len() >= MAX_LINES {
            errors.push(FieldError {
                field: format!("line {number}"),
                message: format!("is beyond the {MAX_LINES} mailboxes that one file may have; split it"),
            });
            break;
        }
        let mut checker = Checker::prefixed(format!("line {number}: "));
        if record.len() != header.len() {
            checker.error(
                "columns",
                format!("there are {} cells where the first line names {}", record.len(), header.len()),
            );
        }
        let (mailbox, wave) = Cells { header: &header, record: &record }.read(&mut checker);
        mailboxes::check_new(&mailbox, &mut checker);
        if template::EXAMPLES.contains(&mailbox.email.as_str()) {
            checker.error("email", "is an example of the template; put the real address there, or remove the line");
        }
        let key = (
            mailbox.email.to_lowercase(),
            mailbox.source_type,
            mailbox.source_host.clone(),
            mailbox.source_user.clone(),
        );
        if !seen.insert(key) {
            checker.error("email", "is in the file twice with the same source");
        }
        errors.extend(checker.take());
        lines.push(Line { number, mailbox, wave });
        if errors.len() >= MAX_ERRORS {
            break;
        }
    }
    if lines.is_empty() && errors.is_empty() {
        errors.push(FieldError { field: "file".into(), message: "has no mailbox below its first line".into() });
    }
    Parsed { lines, errors }
}

fn check_header(header: &[String]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let mut wrong = |message: String| errors.push(FieldError { field: "line 1".into(), message });
    if !header.iter().any(|h| h == "email") {
        wrong(format!("must name the columns, email among them; known are: {}", COLUMNS.join(", ")));
    }
    for (n, name) in header.iter().enumerate() {
        if !COLUMNS.contains(&name.as_str()) {
            let known = COLUMNS.join(", ");
            // Without a line of names the first mailbox stands here, with its secrets.
            wrong(format!("the name of column {} is not known; known are: {known}", n + 1));
        } else if header[..n].contains(name) {
            wrong(format!("names {name} twice"));
        }
    }
    errors.truncate(COLUMNS.len());
    errors
}

/// One line and the names of its cells.
struct Cells<'a> {
    header: &'a [String],
    record: &'a csv::StringRecord,
}

impl Cells<'_> {
    fn cell(&self, name: &str) -> Option<String> {
        let at = self.header.iter().position(|h| h == name)?;
        self.record.get(at).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// A name of a closed set.
    fn name<T: FromStr<Err = UnknownName>>(&self, column: &str, checker: &mut Checker) -> Option<T> {
        let text = self.cell(column)?;
        text.parse().map_err(|e: UnknownName| checker.error(column, format!("must be one of: {}", e.allowed))).ok()
    }

    fn truth(&self, column: &str, checker: &mut Checker) -> bool {
        match self.cell(column).map(|text| text.to_lowercase()).as_deref() {
            None | Some("no" | "false" | "0" | "não" | "nao") => false,
            Some("yes" | "true" | "1" | "sim") => true,
            Some(_) => {
                checker.error(column, "must be yes or no");
                false
            }
        }
    }

    fn secret(&self, password: &str, token: &str) -> Option<SecretInput> {
        let secret =
            SecretInput { password: self.cell(password).map(Secret), oauth_token: self.cell(token).map(Secret) };
        (secret != SecretInput::default()).then_some(secret)
    }

    /// `Old = New`, one a line or parted by `|`; or a JSON object, for names that hold one of these signs.
    fn folder_map(&self, checker: &mut Checker) -> BTreeMap<String, String> {
        let Some(text) = self.cell("folder_map") else { return BTreeMap::new() };
        if text.starts_with('{') {
            return serde_json::from_str(&text).unwrap_or_else(|_| {
                checker.error("folder_map", "begins as a JSON object and is none with texts alone");
                BTreeMap::new()
            });
        }
        let mut map = BTreeMap::new();
        for pair in text.split(['\n', '|']).map(str::trim).filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').map(|(from, to)| (from.trim(), to.trim())) {
                Some((from, to)) if !from.is_empty() && !to.is_empty() => {
                    map.insert(from.to_owned(), to.to_owned());
                }
                _ => {
                    checker.error("folder_map", "must be written as Old = New | Old/Sub = New/Sub");
                    break;
                }
            }
        }
        map
    }

    fn read(&self, checker: &mut Checker) -> (NewMailbox, Option<String>) {
        let cell = |name| self.cell(name);
        let port = cell("source_port").and_then(|text| {
            text.parse().map_err(|_| checker.error("source_port", "must be a number between 1 and 65535")).ok()
        });
        let mailbox = NewMailbox {
            email: cell("email").unwrap_or_default(),
            source_type: self.name("source_type", checker).unwrap_or(SourceType::Imap),
            tool: self.name("tool", checker),
            source_host: cell("source_host"),
            source_port: port,
            source_security: self.name("source_security", checker),
            source_insecure_tls: self.truth("source_insecure_tls", checker),
            source_user: cell("source_user"),
            source_admin: cell("source_admin"),
            source_ssh: cell("source_ssh"),
            source_web: cell("source_web"),
            source_secret: self.secret("source_password", "source_oauth_token"),
            dest_user: cell("dest_user"),
            dest_admin: cell("dest_admin"),
            dest_secret: self.secret("dest_password", "dest_oauth_token"),
            folder_map: self.folder_map(checker),
        };
        (mailbox, cell("wave"))
    }
}
