//! `user@host:port`.

use std::{fmt, net::Ipv6Addr, str::FromStr};

/// Where to connect, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Destination {
    /// The unix user there; the one of this program where none is named.
    pub user: Option<String>,
    /// A name or an address, without brackets.
    pub host: String,
    /// 22 where none is named.
    pub port: Option<u16>,
}

/// Text that is no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be USER@HOST or USER@HOST:PORT, as ssh takes it, e.g. root@mail.example.net")]
pub struct NotADestination;

impl FromStr for Destination {
    type Err = NotADestination;

    fn from_str(text: &str) -> Result<Self, NotADestination> {
        let text = text.trim();
        let (user, place) = match text.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, text),
        };
        let (host, port) = if let Some(rest) = place.strip_prefix('[') {
            let (host, port) = rest.split_once(']').ok_or(NotADestination)?;
            host.parse::<Ipv6Addr>().map_err(|_| NotADestination)?;
            (host, if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(NotADestination)?) })
        } else if place.parse::<Ipv6Addr>().is_ok() {
            (place, None)
        } else {
            place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port)))
        };
        let port = match port {
            Some(port) => Some(port.parse().ok().filter(|p: &u16| *p > 0).ok_or(NotADestination)?),
            None => None,
        };
        // What begins with a dash would be taken for an option, here or there.
        let name = |text: &str, also: &[u8]| {
            (1..=253).contains(&text.len())
                && !text.starts_with('-')
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || also.contains(&b))
        };
        let address = host.parse::<Ipv6Addr>().is_ok();
        if !(address || name(host, b".-_")) || user.is_some_and(|user| !name(user, b".-_")) {
            return Err(NotADestination);
        }
        Ok(Self { user: user.map(str::to_owned), host: host.to_ascii_lowercase(), port })
    }
}

impl Destination {
    /// The port, 22 where none is named.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(22)
    }

    /// As files of host keys write it (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
    pub(super) fn known_as(&self) -> String {
        match self.port() {
            22 => self.host.clone(),
            port => format!("[{}]:{port}", self.host),
        }
    }
}

/// Host and port, without the user: it is the machine that is trusted.
impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match self.port {
            Some(port) if port != 22 => write!(f, "{host}:{port}"),
            _ => f.write_str(&host),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_hosts_and_ports_are_read() {
        for (text, user, host, port, shown) in [
            ("root@10.10.10.112", Some("root"), "10.10.10.112", None, "10.10.10.112"),
            ("Mail.Example.net", None, "mail.example.net", None, "mail.example.net"),
            (" zextras@mail:2222 ", Some("zextras"), "mail", Some(2222), "mail:2222"),
            ("a@[2001:db8::1]:22", Some("a"), "2001:db8::1", Some(22), "[2001:db8::1]"),
            ("a@2001:db8::1", Some("a"), "2001:db8::1", None, "[2001:db8::1]"),
        ] {
            let read: Destination = text.parse().expect(text);
            assert_eq!((read.user.as_deref(), read.host.as_str(), read.port), (user, host, port), "{text}");
            assert_eq!(read.to_string(), shown);
        }
    }

    #[test]
    fn what_ssh_could_take_for_something_else_is_refused() {
        for text in [
            "",
            "-oProxyCommand=id",
            "a@-oProxyCommand=id",
            "-l@host",
            "host:0",
            "host:x",
            "ho st",
            "a b@host",
            "host;id",
            "$(id)@host",
            "[host]:22",
            "ssh://host",
            "host:22:33",
            "@host",
        ] {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }
}
