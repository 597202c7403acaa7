//! Input is checked here, once, for every way in. All wrong fields are reported together.

use crate::{Error, Result};
use gatepost_contract::{FieldError, Secret};

/// Collects what is wrong.
#[derive(Default)]
pub(crate) struct Checker {
    errors: Vec<FieldError>,
    prefix: String,
}

impl Checker {
    pub fn new() -> Self {
        Self::default()
    }

    /// Names of fields get this in front: `line 12: `.
    pub fn prefixed(prefix: String) -> Self {
        Self { errors: Vec::new(), prefix }
    }

    pub fn error(&mut self, field: &str, message: impl Into<String>) {
        self.errors.push(FieldError { field: format!("{}{field}", self.prefix), message: message.into() });
    }

    pub fn take(self) -> Vec<FieldError> {
        self.errors
    }

    pub fn finish(self) -> Result<()> {
        if self.errors.is_empty() { Ok(()) } else { Err(Error::Invalid(self.errors)) }
    }

    /// Text of a length, trimmed, without control characters but line breaks where `lines` allows them.
    pub fn text(&mut self, field: &str, value: &str, length: std::ops::RangeInclusive<usize>, lines: bool) -> String {
        let value = value.trim();
        let count = value.chars().count();
        if !length.contains(&count) {
            let (least, most) = (length.start(), length.end());
            self.error(
                field,
                match (count, least) {
                    (0, 1..) => "must not be empty".to_owned(),
                    _ if count < *least => format!("must have at least {least} characters; it has {count}"),
                    _ => format!("must have at most {most} characters; it has {count}"),
                },
            );
        }
        if value.chars().any(|c| c.is_control() && !(lines && matches!(c, '\n' | '\r' | '\t'))) {
            self.error(field, "must not contain control characters");
        }
        value.to_owned()
    }

    /// An address `local@domain`.
    pub fn email(&mut self, field: &str, value: &str) -> String {
        let value = self.text(field, value, 3..=320, false);
        match value.rsplit_once('@').map(|(local, domain)| (local, self::domain(domain))) {
            Some((local, Ok(domain)))
                if !local.is_empty()
                    && local.len() <= 64
                    && !value.contains(char::is_whitespace)
                    && !value.contains(['<', '>', '"', ',', ';']) =>
            {
                format!("{local}@{domain}")
            }
            _ if value.is_empty() => value,
            _ => {
                self.error(field, "is no address; write it as name@example.com");
                value
            }
        }
    }

    /// A domain, as [`domain`] reads it.
    pub fn domain(&mut self, field: &str, value: &str) -> String {
        domain(value).unwrap_or_else(|why| {
            self.error(field, why);
            value.to_owned()
        })
    }

    /// A host name or an IP address.
    pub fn host(&mut self, field: &str, value: &str) -> String {
        let value = value.trim().trim_end_matches('.').to_lowercase();
        let bare = value.trim_start_matches('[').trim_end_matches(']');
        if bare.parse::<std::net::IpAddr>().is_ok() {
            return bare.to_owned();
        }
        let fine = !value.is_empty()
            && value.len() <= 253
            && value.split('.').all(|label| {
                (1..=63).contains(&label.len())
                    && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                    && !label.starts_with('-')
                    && !label.ends_with('-')
            });
        if !fine {
            self.error(field, "is no host name; write it as mail.example.com or an IP address, without a port");
        }
        value
    }

    /// A password for the Desk.
    pub fn password(&mut self, field: &str, value: &Secret) {
        let count = value.0.chars().count();
        if count < 12 {
            self.error(field, "must have at least 12 characters");
        } else if count > 200 {
            self.error(field, "must have at most 200 characters");
        }
    }

    /// A secret for a server.
    pub fn secret(&mut self, field: &str, value: &Secret) {
        if value.0.is_empty() {
            self.error(field, "must not be empty");
        } else if value.0.len() > 16_384 {
            self.error(field, "must have at most 16,384 bytes");
        } else if value.0.contains(['\0', '\r', '\n']) {
            self.error(field, "must be one line without NUL characters");
        }
    }

    /// A port.
    pub fn port(&mut self, field: &str, value: Option<u16>) {
        if value == Some(0) {
            self.error(field, "must be between 1 and 65535");
        }
    }
}

/// A domain as it is stored and compared: lower case, without a trailing dot, at least two labels of letters, digits and
/// hyphens (RFC 1123 section 2.1), names beyond ASCII in their `xn--` form (UTS 46), so that however a domain is
/// written it is the same domain.
pub(crate) fn domain(value: &str) -> std::result::Result<String, &'static str> {
    const OTHERWISE: &str = "is no domain; write it as example.com";
    let value = value.trim();
    if value.is_empty() || value.len() > 1000 {
        return Err(OTHERWISE);
    }
    let read = idna::uts46::Uts46::new().to_ascii(
        value.as_bytes(),
        idna::AsciiDenyList::STD3,
        idna::uts46::Hyphens::CheckFirstLast,
        idna::uts46::DnsLength::VerifyAllowRootDot,
    );
    let value = read.map_err(|_| OTHERWISE)?;
    let value = value.strip_suffix('.').unwrap_or(&value).to_owned();
    let labels: Vec<&str> = value.split('.').collect();
    let fine = value.len() <= 253
        && labels.len() >= 2
        && labels.iter().all(|label| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
        && !labels.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
    if fine { Ok(value) } else { Err(OTHERWISE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_folded_and_anything_else_is_refused() {
        let fine = [
            ("Example.COM", "example.com"),
            ("example.com.", "example.com"),
            (" a-b.co.uk ", "a-b.co.uk"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.Example.", "xn--bcher-kva.example"),
            ("b\u{fc}cher.example", "xn--bcher-kva.example"),
            ("BU\u{308}CHER.example", "xn--bcher-kva.example"),
            ("B\u{dc}CHER\u{3002}example\u{3002}", "xn--bcher-kva.example"),
            ("a\u{e7}\u{e3}o.com.br", "xn--ao-siap.com.br"),
            ("\u{ff45}xample.com", "example.com"),
            ("\u{a0}example.com\u{3000}", "example.com"),
            ("stra\u{df}e.example", "xn--strae-oqa.example"),
            ("\u{5d0}\u{5d1}.example", "xn--4dbc.example"),
        ];
        for (given, expect) in fine {
            assert_eq!(domain(given).as_deref(), Ok(expect));
        }
        for bad in [
            "",
            "localhost",
            "a..b",
            "-a.com",
            "a-.com",
            "a b.com",
            "example.com..",
            ".example.com",
            ".",
            "a_b.com",
            "xn--zz--zz.com",
            "xn--\u{fc}.com",
            "a\u{200d}b.com",
            "\u{5d0}a.example",
            "\u{202e}example.com",
            "exa mple.com",
            "example.com\0",
            "1.2.3.4",
            "a.com/../b",
            "a'; DROP TABLE x;--.com",
            "<b>.com",
            &format!("{}.com", "a".repeat(64)),
            &format!("{}com", "a.".repeat(130)),
            &"\u{fc}".repeat(100_000),
        ] {
            assert!(domain(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_must_have_a_local_part_and_a_domain() {
        for (given, fine) in [
            ("ana@example.com", true),
            ("ana.maria+x@exemplo.com.br", true),
            ("josé@exemplo.com.br", true),
            ("ana", false),
            ("@example.com", false),
            ("ana@", false),
            ("a b@example.com", false),
            ("ana@example.com, bob@example.com", false),
            ("ana\0@example.com", false),
        ] {
            let mut checker = Checker::new();
            checker.email("email", given);
            assert_eq!(checker.finish().is_ok(), fine, "{given:?}");
        }
    }

    #[test]
    fn hosts_are_names_or_addresses_without_a_port() {
        for (given, fine) in [
            ("mail.example.com", true),
            ("127.0.0.1", true),
            ("[::1]", true),
            ("localhost", true),
            ("mail.example.com:993", false),
            ("http://x", false),
            ("a b", false),
            ("", false),
        ] {
            let mut checker = Checker::new();
            checker.host("host", given);
            assert_eq!(checker.finish().is_ok(), fine, "{given:?}");
        }
    }
}
