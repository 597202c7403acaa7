//! Mailboxes from a CSV file. Every bad line is reported at once with its number, and nothing is stored unless all
//! lines are good.
//!
//! The first line names the columns, in any order: `email` is needed; `source_type`, `tool`, `source_host`,
//! `source_port`, `source_security`, `source_user`, `source_admin`, `source_password`, `source_oauth_token`,
//! `dest_user`, `dest_admin`, `dest_password`, `dest_oauth_token` may be there. Comma or semicolon, UTF-8 with or without a byte order mark.

use crate::{Actor, Error, Gatepost, Result, mailboxes, validate::Checker};
use gatepost_contract::{FieldError, Imported, JobId, NewMailbox, Secret, SecretInput, Security, SourceType, Tool};
use std::collections::HashSet;

/// More lines than this in one file are refused.
const MAX_LINES: usize = 10_000;
/// The report of bad lines ends after this many.
const MAX_ERRORS: usize = 200;

const COLUMNS: [&str; 14] = [
    "email",
    "source_type",
    "tool",
    "source_host",
    "source_port",
    "source_security",
    "source_user",
    "source_admin",
    "source_password",
    "source_oauth_token",
    "dest_user",
    "dest_admin",
    "dest_password",
    "dest_oauth_token",
];

impl Gatepost {
    /// Adds the mailboxes of a CSV file to a job.
    ///
    /// # Errors
    /// [`Error::Invalid`] with an entry for each wrong cell, its field being `line 12: email`.
    pub async fn import_mailboxes(&self, actor: &Actor, job: JobId, csv: &[u8]) -> Result<Imported> {
        actor.manage()?;
        let mailboxes = parse(csv)?;
        let mailbox_ids = self.store_mailboxes(actor, job, &mailboxes).await?;
        Ok(Imported { mailbox_ids })
    }
}

fn parse(csv: &[u8]) -> Result<Vec<NewMailbox>> {
    let text = std::str::from_utf8(csv)
        .map_err(|e| Error::field("file", format!("is not UTF-8 (byte {}); save it as UTF-8", e.valid_up_to())))?;
    // Forms and Windows end lines with CR LF, after which the reader would count one line too few.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let first = text.lines().next().unwrap_or_default();
    let delimiter = if first.contains(';') && !first.contains(',') { b';' } else { b',' };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).flexible(true).from_reader(text.as_bytes());
    let header: Vec<String> = reader
        .headers()
        .map_err(|e| Error::field("line 1", format!("cannot be read: {e}")))?
        .iter()
        .map(str::to_lowercase)
        .collect();
    let mut errors: Vec<FieldError> = Vec::new();
    check_header(&header, &mut errors);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let (mut mailboxes, mut seen) = (Vec::new(), HashSet::new());
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            Err(e) => {
                let line = e.position().map_or(0, csv::Position::line);
                errors.push(FieldError { field: format!("line {line}"), message: format!("cannot be read: {e}") });
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        if mailboxes.len() >= MAX_LINES {
            errors.push(FieldError {
                field: format!("line {line}"),
                message: format!("is beyond the {MAX_LINES} mailboxes that one file may have; split it"),
            });
            break;
        }
        let mut checker = Checker::prefixed(format!("line {line}: "));
        if record.len() != header.len() {
            checker.error(
                "columns",
                format!("there are {} cells where the first line names {}", record.len(), header.len()),
            );
        }
        let mailbox = read(&header, &record, &mut checker);
        mailboxes::check_new(&mailbox, &mut checker);
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
        mailboxes.push(mailbox);
        if errors.len() >= MAX_ERRORS {
            break;
        }
    }
    if mailboxes.is_empty() && errors.is_empty() {
        errors.push(FieldError { field: "file".into(), message: "has no mailbox below its first line".into() });
    }
    if errors.is_empty() { Ok(mailboxes) } else { Err(Error::Invalid(errors)) }
}

fn check_header(header: &[String], errors: &mut Vec<FieldError>) {
    let mut wrong = |message: String| errors.push(FieldError { field: "line 1".into(), message });
    if !header.iter().any(|h| h == "email") {
        wrong(format!("must name the columns, email among them; known are: {}", COLUMNS.join(", ")));
    }
    for (n, name) in header.iter().enumerate() {
        if !COLUMNS.contains(&name.as_str()) {
            wrong(format!("there is no column {name:?}; known are: {}", COLUMNS.join(", ")));
        } else if header[..n].contains(name) {
            wrong(format!("names {name} twice"));
        }
    }
}

fn read(header: &[String], record: &csv::StringRecord, checker: &mut Checker) -> NewMailbox {
    let cell = |name: &str| {
        let at = header.iter().position(|h| h == name)?;
        record.get(at).filter(|value| !value.is_empty()).map(str::to_owned)
    };
    let secret = |password: &str, token: &str| {
        let secret = SecretInput { password: cell(password).map(Secret), oauth_token: cell(token).map(Secret) };
        (secret != SecretInput::default()).then_some(secret)
    };
    fn parsed<T: std::str::FromStr>(name: &str, cell: Option<String>, checker: &mut Checker) -> Option<T>
    where
        T::Err: std::fmt::Display,
    {
        cell.and_then(|text| text.parse().map_err(|e: T::Err| checker.error(name, e.to_string())).ok())
    }
    NewMailbox {
        email: cell("email").unwrap_or_default(),
        source_type: parsed::<SourceType>("source_type", cell("source_type"), checker).unwrap_or(SourceType::Imap),
        tool: parsed::<Tool>("tool", cell("tool"), checker),
        source_host: cell("source_host"),
        source_port: cell("source_port").and_then(|text| {
            text.parse().map_err(|_| checker.error("source_port", "must be a number between 1 and 65535")).ok()
        }),
        source_security: parsed::<Security>("source_security", cell("source_security"), checker),
        source_insecure_tls: false,
        source_user: cell("source_user"),
        source_admin: cell("source_admin"),
        source_secret: secret("source_password", "source_oauth_token"),
        dest_user: cell("dest_user"),
        dest_admin: cell("dest_admin"),
        dest_secret: secret("dest_password", "dest_oauth_token"),
        folder_map: std::collections::BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(csv: &str) -> Vec<String> {
        match parse(csv.as_bytes()) {
            Err(Error::Invalid(errors)) => errors.into_iter().map(|e| e.field).collect(),
            other => panic!("{other:?} was no list of errors"),
        }
    }

    #[test]
    fn a_good_file_gives_its_mailboxes() {
        let csv = "\u{feff}email;source_host;source_admin;source_password;dest_password\n\
            ana@example.com;old.example.com;root;p;q\n";
        let mailboxes = parse(csv.as_bytes()).unwrap();
        assert_eq!(mailboxes.len(), 1);
        assert_eq!(mailboxes[0].source_host.as_deref(), Some("old.example.com"));
        assert_eq!((mailboxes[0].source_admin.as_deref(), &mailboxes[0].dest_admin), (Some("root"), &None));
        assert_eq!(mailboxes[0].source_secret.as_ref().unwrap().password, Some(Secret("p".into())));
    }

    #[test]
    fn every_bad_line_is_named_at_once() {
        let csv = "email,source_host,source_port\nana,old.example.com,993\nbob@example.com,old.example.com,99999\nbob@example.com,old.example.com\n";
        let found = fields(csv);
        for expect in ["line 2: email", "line 3: source_port", "line 4: columns", "line 4: email"] {
            assert!(found.iter().any(|f| f == expect), "{expect} is not in {found:?}");
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
        assert!(parse(b"email\n\xff\xfe").is_err());
    }
}
