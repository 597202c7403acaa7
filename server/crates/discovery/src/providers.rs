//! Known providers by their MX: settings that they publish, and what a customer has to do before they work. What this
//! table says is a proposal like any other; it is tried before it is shown as sure.

use crate::candidate::within;
use gatepost_contract::{LoginName, SourceType};

/// Where a provider's IMAP server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// One name for all customers.
    Named(&'static str),
    /// The MX itself serves IMAP, as hosting panels have it.
    TheMx,
    /// No IMAP is offered.
    None,
}

/// A provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provider {
    /// What it is called.
    pub name: &'static str,
    /// Domains that its MX hosts lie in.
    pub mx: &'static [&'static str],
    /// Domains that its customers' SPF records include; empty where they tell nothing.
    pub spf: &'static [&'static str],
    /// Its IMAP server, on port 993 with TLS.
    pub server: Server,
    /// With a password, or by OAuth only.
    pub source_type: SourceType,
    /// What one logs in with.
    pub login: LoginName,
    /// What has to be done before it works; empty where nothing has.
    pub advice: &'static str,
}

const BASE: Provider = Provider {
    name: "",
    mx: &[],
    spf: &[],
    server: Server::None,
    source_type: SourceType::Imap,
    login: LoginName::Address,
    advice: "",
};

const APP_PASSWORD: &str =
    "It takes no ordinary password by IMAP: the owner makes an app password in the account's security settings.";
const SWITCH_ON: &str = "IMAP may have to be switched on for each mailbox in the provider's settings, and accounts with two-step \
     verification need an app password.";

/// The providers. The first whose MX fits counts, so that special names stand before general ones.
pub const PROVIDERS: &[Provider] = &[
    Provider {
        name: "Google Workspace",
        mx: &["google.com", "googlemail.com"],
        spf: &["_spf.google.com"],
        server: Server::Named("imap.gmail.com"),
        advice: "Either each owner makes an app password (two-step verification must be on), or the domain's \
                 administrator gives one consent for all mailboxes: a service account with domain-wide delegation, and \
                 imap_oauth as the source type.",
        ..BASE
    },
    Provider {
        name: "Outlook.com",
        mx: &["olc.protection.outlook.com"],
        server: Server::Named("outlook.office365.com"),
        source_type: SourceType::ImapOauth,
        advice: "It takes no passwords by IMAP: the owner has to give a consent (OAuth).",
        ..BASE
    },
    Provider {
        name: "Microsoft 365",
        mx: &["mail.protection.outlook.com", "mx.microsoft", "mail.eo.outlook.com"],
        spf: &["spf.protection.outlook.com"],
        server: Server::Named("outlook.office365.com"),
        source_type: SourceType::ImapOauth,
        advice: "It takes no passwords by IMAP. The tenant's administrator gives one consent for all mailboxes, and IMAP \
                 must be allowed for them.",
        ..BASE
    },
    Provider {
        name: "Zoho Mail (EU)",
        mx: &["zoho.eu"],
        spf: &["zoho.eu", "zohomail.eu"],
        server: Server::Named("imappro.zoho.eu"),
        advice: SWITCH_ON,
        ..BASE
    },
    Provider {
        name: "Zoho Mail (India)",
        mx: &["zoho.in"],
        spf: &["zoho.in"],
        server: Server::Named("imappro.zoho.in"),
        advice: SWITCH_ON,
        ..BASE
    },
    Provider {
        name: "Zoho Mail",
        mx: &["zoho.com", "zohomail.com"],
        spf: &["zoho.com", "zohomail.com", "one.zoho.com"],
        server: Server::Named("imappro.zoho.com"),
        advice: SWITCH_ON,
        ..BASE
    },
    Provider {
        name: "AOL",
        mx: &["mx-aol.mail.gm0.yahoodns.net"],
        server: Server::Named("imap.aol.com"),
        advice: APP_PASSWORD,
        ..BASE
    },
    Provider {
        name: "Yahoo",
        mx: &["yahoodns.net"],
        server: Server::Named("imap.mail.yahoo.com"),
        advice: APP_PASSWORD,
        ..BASE
    },
    Provider {
        name: "iCloud",
        mx: &["mail.icloud.com"],
        spf: &["icloud.com"],
        server: Server::Named("imap.mail.me.com"),
        login: LoginName::Other,
        advice: "The log-in name is that of the owner's iCloud mailbox (the part before @icloud.com), and the password is \
                 an app-specific one from account.apple.com.",
        ..BASE
    },
    Provider {
        name: "Fastmail",
        mx: &["messagingengine.com"],
        spf: &["spf.messagingengine.com"],
        server: Server::Named("imap.fastmail.com"),
        advice: APP_PASSWORD,
        ..BASE
    },
    Provider {
        name: "Titan",
        mx: &["titan.email"],
        spf: &["spf.titan.email"],
        server: Server::Named("imap.titan.email"),
        advice: "Access for other mail programs may have to be switched on in Titan's settings.",
        ..BASE
    },
    Provider {
        name: "Hostinger",
        mx: &["hostinger.com", "hostinger.com.br"],
        spf: &["_spf.mail.hostinger.com"],
        server: Server::Named("imap.hostinger.com"),
        ..BASE
    },
    Provider {
        name: "HostGator",
        mx: &["hostgator.com", "hostgator.com.br", "prodns.com.br", "websitewelcome.com"],
        server: Server::TheMx,
        ..BASE
    },
    Provider {
        name: "Locaweb",
        mx: &["locaweb.com.br", "email-ssl.com.br"],
        spf: &["_spf.locaweb.com.br"],
        server: Server::Named("email-ssl.com.br"),
        ..BASE
    },
    Provider {
        name: "UOL Host",
        mx: &["uhserver.com"],
        spf: &["spf.uhserver.com"],
        server: Server::Named("imap.uhserver.com"),
        ..BASE
    },
    Provider { name: "UOL", mx: &["mx.uol.com.br"], server: Server::Named("imap.uol.com.br"), ..BASE },
    Provider {
        name: "KingHost",
        mx: &["kinghost.net", "kinghost.com.br"],
        server: Server::Named("imap.kinghost.net"),
        ..BASE
    },
    Provider { name: "Terra", mx: &["terra.com.br", "terra.com"], server: Server::Named("imap.terra.com.br"), ..BASE },
    Provider {
        name: "OVH",
        mx: &["mail.ovh.net", "ovh.net", "mail.ovh.ca"],
        spf: &["mx.ovh.com"],
        server: Server::Named("ssl0.ovh.net"),
        advice: "ssl0.ovh.net is the server of MX Plan; Email Pro and Exchange accounts have one of their own, which \
                 OVH's control panel names.",
        ..BASE
    },
    Provider {
        name: "IONOS (Germany)",
        mx: &["ionos.de", "kundenserver.de", "1und1.de"],
        spf: &["_spf.kundenserver.de"],
        server: Server::Named("imap.ionos.de"),
        ..BASE
    },
    Provider {
        name: "IONOS (United Kingdom)",
        mx: &["ionos.co.uk", "1and1.co.uk"],
        server: Server::Named("imap.ionos.co.uk"),
        ..BASE
    },
    Provider { name: "IONOS (Spain)", mx: &["ionos.es", "1and1.es"], server: Server::Named("imap.ionos.es"), ..BASE },
    Provider { name: "IONOS (France)", mx: &["ionos.fr", "1and1.fr"], server: Server::Named("imap.ionos.fr"), ..BASE },
    Provider {
        name: "IONOS",
        mx: &["ionos.com", "1and1.com", "perfora.net"],
        spf: &["_spf.perfora.net"],
        server: Server::Named("imap.ionos.com"),
        ..BASE
    },
    Provider {
        name: "GoDaddy",
        mx: &["secureserver.net"],
        spf: &["secureserver.net"],
        server: Server::Named("imap.secureserver.net"),
        ..BASE
    },
    Provider {
        name: "Namecheap Private Email",
        mx: &["privateemail.com"],
        spf: &["spf.privateemail.com"],
        server: Server::Named("mail.privateemail.com"),
        ..BASE
    },
    Provider {
        name: "Rackspace",
        mx: &["emailsrvr.com"],
        spf: &["emailsrvr.com"],
        server: Server::Named("secure.emailsrvr.com"),
        ..BASE
    },
    Provider {
        name: "Gandi",
        mx: &["mail.gandi.net"],
        spf: &["_mailcust.gandi.net"],
        server: Server::Named("mail.gandi.net"),
        ..BASE
    },
    Provider { name: "Strato", mx: &["rzone.de"], server: Server::Named("imap.strato.de"), ..BASE },
    Provider { name: "mailbox.org", mx: &["mailbox.org"], server: Server::Named("imap.mailbox.org"), ..BASE },
    Provider { name: "Migadu", mx: &["migadu.com"], server: Server::Named("imap.migadu.com"), ..BASE },
    Provider { name: "DreamHost", mx: &["dreamhost.com"], server: Server::Named("imap.dreamhost.com"), ..BASE },
    Provider {
        name: "Yandex",
        mx: &["yandex.net", "yandex.ru"],
        spf: &["_spf.yandex.net"],
        server: Server::Named("imap.yandex.com"),
        advice: APP_PASSWORD,
        ..BASE
    },
    Provider {
        name: "Mail.ru",
        mx: &["mail.ru"],
        spf: &["_spf.mail.ru"],
        server: Server::Named("imap.mail.ru"),
        advice: APP_PASSWORD,
        ..BASE
    },
    Provider {
        name: "Proton",
        mx: &["protonmail.ch"],
        spf: &["_spf.protonmail.ch"],
        server: Server::None,
        advice: "Proton offers no IMAP server. The owner exports the mailbox with Proton's own export tool; the files it \
                 writes can be uploaded here as eml.",
        ..BASE
    },
];

/// Filters that stand before the real server: their MX says nothing about where the mailboxes are.
const FILTERS: &[(&str, &str)] = &[
    ("Mimecast", "mimecast.com"),
    ("Mimecast", "mimecast.co.za"),
    ("Proofpoint", "pphosted.com"),
    ("Proofpoint Essentials", "ppe-hosted.com"),
    ("Barracuda", "barracudanetworks.com"),
    ("Symantec Email Security", "messagelabs.com"),
    ("Cisco Secure Email", "iphmx.com"),
    ("Hornetsecurity", "hornetsecurity.com"),
    ("Hornetsecurity", "antispameurope.com"),
    ("SpamExperts", "antispamcloud.com"),
    ("SpamExperts", "spamexperts.com"),
    ("Sophos Email", "sophos.com"),
    ("Trend Micro", "tmes.trendmicro.com"),
    ("Trend Micro", "tmes.trendmicro.eu"),
    ("MailRoute", "mailroute.net"),
    ("Cloudflare Email Routing", "mx.cloudflare.net"),
    ("ImprovMX", "improvmx.com"),
    ("ForwardEmail", "forwardemail.net"),
];

/// The provider that an MX host belongs to.
#[must_use]
pub fn of_mx(host: &str) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| provider.mx.iter().any(|own| within(host, own)))
}

/// The provider whose servers a domain's SPF record includes: a hint where the MX is a filter.
#[must_use]
pub fn of_spf(record: &str) -> Option<&'static Provider> {
    let included: Vec<&str> = record
        .split_ascii_whitespace()
        .filter_map(|term| term.trim_start_matches('+').strip_prefix("include:"))
        .collect();
    PROVIDERS
        .iter()
        .find(|provider| provider.spf.iter().any(|own| included.iter().any(|i| i.eq_ignore_ascii_case(own))))
}

/// What a filter is called, where an MX host is one's.
#[must_use]
pub fn filter_of_mx(host: &str) -> Option<&'static str> {
    FILTERS.iter().find(|(_, own)| within(host, own)).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn providers_are_known_by_their_mx() {
        for (mx, name) in [
            ("aspmx.l.google.com", Some("Google Workspace")),
            ("smtp.google.com", Some("Google Workspace")),
            ("moved-example.mail.protection.outlook.com", Some("Microsoft 365")),
            ("moved-example.o-v1.mx.microsoft", Some("Microsoft 365")),
            ("hotmail-com.olc.protection.outlook.com", Some("Outlook.com")),
            ("mx.zoho.com", Some("Zoho Mail")),
            ("mx2.zoho.eu", Some("Zoho Mail (EU)")),
            ("mta5.am0.yahoodns.net", Some("Yahoo")),
            ("mx-aol.mail.gm0.yahoodns.net", Some("AOL")),
            ("mx01.mail.icloud.com", Some("iCloud")),
            ("in1-smtp.messagingengine.com", Some("Fastmail")),
            ("mx1.titan.email", Some("Titan")),
            ("br123.hostgator.com.br", Some("HostGator")),
            ("mx.core.locaweb.com.br", Some("Locaweb")),
            ("mx1.uhserver.com", Some("UOL Host")),
            ("mx0.mail.ovh.net", Some("OVH")),
            ("mx00.ionos.de", Some("IONOS (Germany)")),
            ("mx00.kundenserver.de", Some("IONOS (Germany)")),
            ("mail.protonmail.ch", Some("Proton")),
            ("mx.moved.example", None),
            ("google.com.evil.example", None),
            ("notgoogle.com", None),
        ] {
            assert_eq!(of_mx(mx).map(|p| p.name), name, "{mx}");
        }
    }

    #[test]
    fn filters_are_no_providers_and_spf_gives_a_hint_behind_them() {
        for (mx, filter) in [
            ("eu-smtp-inbound-1.mimecast.com", Some("Mimecast")),
            ("mxa-00123.gslb.pphosted.com", Some("Proofpoint")),
            ("aspmx.l.google.com", None),
        ] {
            assert_eq!(filter_of_mx(mx), filter, "{mx}");
        }
        for (record, name) in [
            ("v=spf1 include:_spf.google.com ~all", Some("Google Workspace")),
            ("v=spf1 +include:SPF.protection.outlook.com -all", Some("Microsoft 365")),
            ("v=spf1 include:spf.protection.outlook.com.evil.example -all", None),
            ("v=spf1 mx -all", None),
        ] {
            assert_eq!(of_spf(record).map(|p| p.name), name, "{record}");
        }
    }

    #[test]
    fn no_providers_mx_is_shadowed_by_one_before_it_and_all_hosts_are_names() {
        for (n, provider) in PROVIDERS.iter().enumerate() {
            assert!(!provider.name.is_empty() && !provider.mx.is_empty(), "{provider:?}");
            for own in provider.mx {
                let first = of_mx(own).map(|p| p.name);
                assert_eq!(first, Some(provider.name), "{own} of entry {n}");
                assert_eq!(filter_of_mx(own), None);
            }
            if let Server::Named(host) = provider.server {
                assert_eq!(crate::candidate::host(host).as_deref(), Some(host));
            }
            assert!(provider.server != Server::None || !provider.advice.is_empty(), "{}", provider.name);
        }
    }
}
