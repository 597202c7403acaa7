//! The ways to an old server that programs take beside IMAP: SSH, and HTTPS where the server exports mailboxes.

use crate::{Actor, Result, validate::Checker};
use gatepost_contract::SourceType;

/// What was said of the ways; an empty text is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ways<'a> {
    pub ssh: Option<&'a str>,
    pub web: Option<&'a str>,
}

impl<'a> Ways<'a> {
    pub fn of(ssh: Option<&'a String>, web: Option<&'a String>) -> Self {
        let said = |text: Option<&'a String>| text.map(|text| text.trim()).filter(|text| !text.is_empty());
        Self { ssh: said(ssh), web: said(web) }
    }

    /// By SSH a program reads any mailbox of that machine without its password: who may decide that is who may approve.
    pub fn allowed(&self, actor: &Actor) -> Result<()> {
        if self.ssh.is_some() { actor.approve() } else { Ok(()) }
    }

    pub fn check(&self, source_type: SourceType, checker: &mut Checker) {
        if let Some(ssh) = self.ssh {
            if !matches!(source_type, SourceType::Zimbra | SourceType::Dovecot) {
                checker.error("source_ssh", "is for zimbra and dovecot only; leave it out");
            } else if !is_ssh(ssh) {
                checker.error("source_ssh", "must be USER@HOST or USER@HOST:PORT, e.g. root@mail.example.net");
            }
        }
        if let Some(web) = self.web {
            if source_type != SourceType::Zimbra {
                checker.error("source_web", "is for zimbra only; leave it out");
            } else if !is_web(web) {
                checker.error("source_web", "must be https://HOST or https://HOST:PORT, without a path");
            }
        }
    }
}

/// Whatever reads this has rules of its own; here it must only be well formed.
fn is_ssh(text: &str) -> bool {
    let (user, place) = text.rsplit_once('@').unwrap_or(("root", text));
    let name = |text: &str| {
        !text.is_empty()
            && !text.starts_with('-')
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
    };
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or("none"))),
        None if place.parse::<std::net::Ipv6Addr>().is_ok() => (place, None),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let port = port.is_none_or(|port| port.parse().is_ok_and(|port: u16| port > 0));
    text.len() <= 320 && name(user) && port && (name(host) || host.parse::<std::net::Ipv6Addr>().is_ok())
}

/// Plain HTTP is well formed; it is used only where the settings name the host, which whoever connects judges.
fn is_web(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let nobody = url.username().is_empty() && url.password().is_none();
    text.len() <= 320 && matches!(url.scheme(), "https" | "http") && url.host().is_some() && bare && nobody
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ways_are_well_formed_and_for_servers_that_have_them() {
        let fields = |source_type, ssh: &str, web: &str| {
            let mut checker = Checker::new();
            Ways::of(Some(&ssh.to_owned()), Some(&web.to_owned())).check(source_type, &mut checker);
            checker.take().into_iter().map(|error| error.field).collect::<Vec<_>>().join(" ")
        };
        for (ssh, web, wrong) in [
            ("", "", ""),
            ("root@mail.example.net", "https://mail.example.net", ""),
            ("root@[2001:db8::1]:2222", "https://[2001:db8::1]:8443/", ""),
            ("-oProxyCommand=id", "", "source_ssh"),
            ("a b@host", "", "source_ssh"),
            ("root@host:0", "", "source_ssh"),
            ("root@host;id", "mail.example.net", "source_ssh source_web"),
            ("", "https://user:word@mail.example.net", "source_web"),
            ("", "https://mail.example.net/home/ana", "source_web"),
            ("", "ftp://mail.example.net", "source_web"),
        ] {
            assert_eq!(fields(SourceType::Zimbra, ssh, web), wrong, "{ssh} {web}");
        }
        assert_eq!(fields(SourceType::Imap, "root@host", "https://host"), "source_ssh source_web");
        assert_eq!(fields(SourceType::Dovecot, "root@host", ""), "");
    }
}
