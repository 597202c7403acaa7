//! A mailbox by HTTPS: `https://HOST/home/USER/?fmt=tgz`, which exports where it is asked for and imports what is sent to it.

use super::end::{Outcome, setting};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatepost_contract::Secret;
use gatepost_core::{Access, Credential, Undelivered, names_host};
use gatepost_courier::{AddressRule, Download, HttpStream};
use gatepost_imap::{
    NetPolicy,
    net::address::{Verdict, judge},
};
use gatepost_transfer::{Fault, FaultKind};
use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};
use tokio::io::DuplexStream;
use url::{Position, Url};

/// What every gzip begins with (RFC 1952 section 2.3.1).
const GZIP: [u8; 2] = [0x1f, 0x8b];

/// A mailbox's address, and who asks for it.
pub(super) struct Web {
    base: Url,
    user: String,
    stream: HttpStream,
    authorization: Secret,
    /// Whether it led to an address of this machine or of an inner network that the settings do not name.
    inside: Arc<AtomicBool>,
}

impl Web {
    /// The mailbox of an account at the old server, where that mailbox says that it is.
    pub fn of_source(access: &Access) -> Result<Self, Fault> {
        let web = Self::of(access, access.web.as_deref())?;
        let host = web.base.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        if web.base.scheme() != "https" && !names_host(&access.allowed_hosts, host) {
            return Err(setting(format!(
                "{} would get the password without TLS. Use https, or name the host in MIGRATION_ALLOWED_HOSTS.",
                web.label()
            )));
        }
        Ok(web)
    }

    /// The mailbox of an account at the new server: at its own name, or where the settings say.
    pub fn of_dest(access: &Access, base: Option<&str>) -> Result<Self, Fault> {
        Self::of(access, base)
    }

    fn of(access: &Access, base: Option<&str>) -> Result<Self, Fault> {
        let Credential::Password(password) = &access.credential else {
            let sentence = format!("{} takes a password by HTTPS, and no OAuth token.", access.host);
            return Err(Fault::new(FaultKind::Login, sentence));
        };
        // RFC 7617 section 2: the user ends at the first colon.
        if access.user.contains(':') {
            let sentence = format!("The log-in name {} has a colon in it and cannot be used by HTTPS.", access.user);
            return Err(Fault::new(FaultKind::Login, sentence));
        }
        let host = if access.host.contains(':') { format!("[{}]", access.host) } else { access.host.clone() };
        let own = format!("https://{host}");
        let text = base.unwrap_or(&own);
        let mut base = Url::parse(text).map_err(|error| setting(format!("{text} is no web address: {error}.")))?;
        base.path_segments_mut().map_err(|()| setting(format!("{text} is no web address.")))?.clear().extend([
            "home",
            access.owner(),
            "",
        ]);
        base.set_query(Some("fmt=tgz"));
        let policy = NetPolicy {
            allow_plaintext_beyond_loopback: access.allow_plaintext,
            allowed_hosts: access.allowed_hosts.clone(),
            ..NetPolicy::default()
        };
        let open = NetPolicy { public_only: true, ..policy.clone() };
        let inside = Arc::new(AtomicBool::new(false));
        let saw = inside.clone();
        let rule: AddressRule = Arc::new(move |host, ip, tls| {
            if judge(&open, host, ip, false) == Verdict::Forbidden {
                saw.store(true, Ordering::Relaxed);
            }
            match judge(&policy, host, ip, !tls) {
                Verdict::Use => Ok(()),
                Verdict::PlainText => Err(format!(
                    "{host} ({ip}) is not on this machine, and without TLS the password could be read on the way. Use https."
                )),
                Verdict::Forbidden => Err(format!(
                    "{host} leads to {ip}, which is a link-local, metadata or otherwise special address. If this is right, \
                     allow it in MIGRATION_ALLOWED_HOSTS."
                )),
            }
        });
        let word = STANDARD.encode(format!("{}:{}", access.user, password.0));
        Ok(Self {
            base,
            user: access.user.clone(),
            stream: HttpStream::new(access.ca_file.clone(), rule),
            authorization: Secret(format!("Basic {word}")),
            inside,
        })
    }

    /// Its server, as people know it.
    pub fn label(&self) -> String {
        self.base[..Position::BeforePath].to_owned()
    }

    /// Exports into a stream. What is imported is closed only by whoever reads this and finds it whole.
    pub async fn export(&self, mut into: DuplexStream) -> Outcome {
        match self.get().await {
            Ok(download) => match download.copy_to(&mut into).await {
                Ok(_) => Outcome::default(),
                Err(error) => unreached(error),
            },
            Err(outcome) => outcome,
        }
    }

    /// Imports what can be read: what is there already stays as it is.
    pub async fn import(&self, from: DuplexStream) -> Outcome {
        let mut url = self.base.clone();
        url.set_query(Some("fmt=tgz&resolve=skip"));
        match self.stream.post(url.as_str(), &self.authorization, Box::new(from)).await {
            Ok(answer) if (200..300).contains(&answer.status) && answer.complete => Outcome::default(),
            Ok(answer) if (200..300).contains(&answer.status) => {
                let sentence = format!("{} answered before it had been sent the whole archive.", self.label());
                Outcome::failed(sentence, true)
            }
            Ok(answer) => self.refused(answer.status, &answer.excerpt),
            Err(error) => unreached(error),
        }
    }

    /// Asks for the export and lets go of it at its first bytes: it changes nothing, at either end.
    pub async fn look(&self) -> Outcome {
        let download = match self.get().await {
            Ok(download) => download,
            Err(outcome) => return outcome,
        };
        match download.beginning(GZIP.len()).await {
            Ok(bytes) if bytes == GZIP => Outcome::default(),
            Ok(_) => {
                let sentence = format!("{} does not answer with an export as Zimbra and Carbonio do.", self.label());
                Outcome::failed(sentence, false)
            }
            Err(error) => unreached(error),
        }
    }

    async fn get(&self) -> Result<Download, Outcome> {
        let download = self.stream.get(self.base.as_str(), &self.authorization).await.map_err(unreached)?;
        match download.status {
            200 => Ok(download),
            204 => Err(Outcome { nothing: true, ..Outcome::default() }),
            status => Err(self.refused(status, &download.excerpt().await)),
        }
    }

    fn refused(&self, status: u16, said: &str) -> Outcome {
        let (label, user) = (self.label(), &self.user);
        let said: String = said.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(300).collect();
        // What a server within says to whoever names its address is not for everybody.
        let untold = said.is_empty() || said.starts_with('<') || self.inside.load(Ordering::Relaxed);
        let words = if untold { String::new() } else { format!(" It said: {said:?}.") };
        let (sentence, again) = match status {
            401 => (format!("{label} does not take the password of {user}, or not for this mailbox."), false),
            403 => (format!("{label} does not let {user} export or import this mailbox.{words}"), false),
            404 => {
                (format!("{label} has no such mailbox, or is no Zimbra or Carbonio. Check the address.{words}"), false)
            }
            301 | 302 | 307 | 308 => (
                format!("{label} sends elsewhere, which is not followed with a password. Set its right web address."),
                false,
            ),
            413 => (format!("{label} takes no archive of this size (status 413). Use zmmailbox over SSH."), false),
            status => (format!("{label} answered with status {status}.{words}"), status >= 500),
        };
        Outcome::failed(sentence, again)
    }
}

fn unreached(Undelivered(sentence): Undelivered) -> Outcome {
    Outcome::failed(sentence, true)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use gatepost_contract::Security;

    pub fn access(user: &str, authz: Option<&str>) -> Access {
        Access {
            host: "mail.example.net".to_owned(),
            port: 993,
            security: Security::Tls,
            insecure_tls: false,
            user: user.to_owned(),
            authz: authz.map(str::to_owned),
            credential: Credential::Password(Secret("open sesame".to_owned())),
            ssh: None,
            web: None,
            gmail_labels: None,
            ca_file: None,
            allow_plaintext: false,
            allowed_hosts: Vec::new(),
        }
    }

    #[test]
    fn every_name_of_a_mailbox_is_one_level_of_the_address() {
        for (user, url) in [
            ("ana@example.com", "https://mail.example.net/home/ana@example.com/?fmt=tgz"),
            ("a/../b?x#y %", "https://mail.example.net/home/a%2F..%2Fb%3Fx%23y%20%25/?fmt=tgz"),
            ("José", "https://mail.example.net/home/Jos%C3%A9/?fmt=tgz"),
        ] {
            let web = Web::of(&access(user, None), None).expect("an address");
            assert_eq!(web.base.as_str(), url);
            assert_eq!(web.label(), "https://mail.example.net");
        }
        let web = Web::of(&access("root", Some("ana")), Some("https://other:8443")).expect("an address");
        assert_eq!(web.base.as_str(), "https://other:8443/home/ana/?fmt=tgz");
        assert_eq!(web.authorization.0, format!("Basic {}", STANDARD.encode("root:open sesame")));
    }

    #[test]
    fn an_old_server_gets_the_password_by_https_only_unless_the_settings_name_it() {
        let of = |web: &str, allowed: &[&str]| {
            let web = Some(web.to_owned());
            let allowed_hosts = allowed.iter().map(|host| (*host).to_owned()).collect();
            Web::of_source(&Access { web, allowed_hosts, ..access("ana", None) }).is_ok()
        };
        assert!(of("https://mail.example.net", &[]));
        assert!(!of("http://mail.example.net", &[]) && !of("http://127.0.0.1:8080", &["127.0.0.2"]));
        assert!(of("http://127.0.0.1:8080", &["127.0.0.1"]) && of("http://[::1]:8080", &["::1"]));
    }

    #[test]
    fn the_words_of_a_server_within_are_not_told() {
        let web = Web::of_source(&access("ana", None)).expect("an address");
        assert!(web.refused(500, "broken").failure.expect("one").0.contains("broken"));
        web.inside.store(true, Ordering::Relaxed);
        assert!(!web.refused(500, "broken").failure.expect("one").0.contains("broken"));
    }

    #[test]
    fn what_cannot_log_in_by_https_is_told() {
        assert!(Web::of(&access("a:b", None), None).is_err());
        let token = Access { credential: Credential::token(Secret("t".to_owned())), ..access("ana", None) };
        assert!(Web::of(&token, None).is_err());
    }
}
