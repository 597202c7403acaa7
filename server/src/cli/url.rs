//! Mailboxes as URLs: `imaps://user@host:port`, `imap+starttls://…`, `imap://…`.

use super::Usage;
use gatepost_contract::Security;
use url::{Host, Url};

/// One side of a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailboxUrl {
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// The log-in name.
    pub user: String,
}

impl MailboxUrl {
    /// Reads a URL. `side` is the option's name. What is refused is never quoted: it may hold a password.
    pub fn parse(text: &str, side: &str) -> Result<Self, Usage> {
        let wrong = |what: &str| Usage(format!("{side}: {what}, e.g. imaps://ana%40example.net@mail.example.net:993"));
        let url = Url::parse(text).map_err(|_| wrong("is no URL"))?;
        let security = match url.scheme() {
            "imaps" => Security::Tls,
            "imap+starttls" => Security::Starttls,
            "imap" => Security::Plain,
            _ => return Err(wrong("must begin with imaps://, imap+starttls:// or imap://")),
        };
        if url.password().is_some() {
            return Err(wrong("a password does not belong into a URL; use a password file, or the prompt"));
        }
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must end after the port"));
        }
        let host = match url.host() {
            Some(Host::Domain(name)) => decode(name).map(|name| name.to_ascii_lowercase()),
            Some(Host::Ipv4(address)) => Some(address.to_string()),
            Some(Host::Ipv6(address)) => Some(address.to_string()),
            None => None,
        };
        let host =
            host.filter(|h| !h.is_empty() && Host::parse(&bracketed(h)).is_ok()).ok_or_else(|| wrong("has no host"))?;
        let user = decode(url.username())
            .filter(|user| !user.is_empty() && !user.contains(char::is_control))
            .ok_or_else(|| wrong("has no user"))?;
        let port = url.port().unwrap_or(security.default_port());
        Ok(Self { host, port, security, user })
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_mailbox() {
        for (text, host, port, security, user) in [
            ("imaps://ana@mail.example.net", "mail.example.net", 993, Security::Tls, "ana"),
            (
                "imaps://ana%40example.net@Mail.Example.net:1993",
                "mail.example.net",
                1993,
                Security::Tls,
                "ana@example.net",
            ),
            ("imaps://ana@example.net@mail.example.net/", "mail.example.net", 993, Security::Tls, "ana@example.net"),
            ("imap+starttls://jo%C3%A3o@[2001:db8::1]", "2001:db8::1", 143, Security::Starttls, "joão"),
            ("imap://a%25b@127.0.0.1:14300", "127.0.0.1", 14300, Security::Plain, "a%b"),
        ] {
            let url = MailboxUrl::parse(text, "--source").expect(text);
            assert_eq!(url, MailboxUrl { host: host.into(), port, security, user: user.into() }, "{text}");
        }
    }

    #[test]
    fn what_is_no_mailbox_is_refused_without_being_quoted() {
        for text in [
            "imaps://ana:hunter2@mail.example.net",
            "imaps://mail.example.net",
            "imaps://ana@",
            "imaps://ana@mail.example.net/hunter2",
            "imaps://ana@mail.example.net?hunter2",
            "imaps://ana@mail.example.net:99999",
            "https://ana@mail.example.net",
            "/home/hunter2/mail.pst",
            "imaps://a%00b@mail.example.net",
            "imaps://a%zz@mail.example.net",
            "imaps://a%@mail.example.net",
            "imaps://ana@ho%20st",
            "",
        ] {
            let error = MailboxUrl::parse(text, "--source").expect_err(text).to_string();
            assert!(error.starts_with("--source: "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
