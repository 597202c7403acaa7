//! The closed sets of names around a domain's DNS.

use crate::names::{UnknownName, names};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

names! {
    /// A type of DNS record.
    "record type" RecordType {
        /// An IPv4 address.
        A = "A",
        /// An IPv6 address.
        Aaaa = "AAAA",
        /// Another name for this one.
        Cname = "CNAME",
        /// Where mail goes.
        Mx = "MX",
        /// Who answers for the zone.
        Ns = "NS",
        /// The zone itself.
        Soa = "SOA",
        /// Where a service is.
        Srv = "SRV",
        /// Text: SPF, DKIM, DMARC and others.
        Txt = "TXT",
    }
}

names! {
    /// When a domain's DNS was read, seen from the cutover.
    "moment" DnsMoment {
        /// Before it. The old values; kept for the way back.
        Before = "before",
        /// As it was recorded.
        Cutover = "cutover",
        /// Later.
        After = "after",
    }
}

names! {
    /// How a question to a resolver ended.
    "answer" LookupStatus {
        /// With records.
        Answered = "answered",
        /// The name exists, but has no such record.
        Empty = "empty",
        /// The name does not exist.
        Nxdomain = "nxdomain",
        /// The resolver could not find out (SERVFAIL).
        Servfail = "servfail",
        /// The resolver does not answer us.
        Refused = "refused",
        /// No answer in time.
        Timeout = "timeout",
        /// No answer that could be understood.
        Failed = "failed",
    }
}

names! {
    /// How grave a finding about a domain's DNS is.
    "severity" Severity {
        /// Worth knowing.
        Info = "info",
        /// Something will be worse than it need be.
        Warning = "warning",
        /// Mail or log-ins will break.
        Problem = "problem",
    }
}

names! {
    /// What was found in a domain's DNS.
    "finding" DnsFindingKind {
        /// No MX record.
        MxMissing = "mx_missing",
        /// The MX is kept in caches for long.
        MxTtl = "mx_ttl",
        /// An MX that is an alias (RFC 2181 section 10.3) or an address.
        MxCname = "mx_cname",
        /// An MX whose name has no address.
        MxNoAddress = "mx_no_address",
        /// The domain takes no mail (RFC 7505).
        MxNull = "mx_null",
        /// The MX was changed although the gate knows nothing of it.
        MxChanged = "mx_changed",
        /// Old and new servers stand side by side in the MX.
        MxMixed = "mx_mixed",
        /// The new server has no address.
        NewHostNoAddress = "new_host_no_address",
        /// The old server's name lies within the domain and may vanish with it.
        OldHostInDomain = "old_host_in_domain",
        /// No SPF record.
        SpfMissing = "spf_missing",
        /// More than one SPF record, which is an error (RFC 7208 section 4.5).
        SpfSeveral = "spf_several",
        /// SPF does not name the new server.
        SpfNewHost = "spf_new_host",
        /// No DKIM key was found.
        DkimMissing = "dkim_missing",
        /// DKIM keys that belong to the old provider.
        DkimOld = "dkim_old",
        /// No DMARC record.
        DmarcMissing = "dmarc_missing",
        /// DMARC tells others to refuse what is not signed.
        DmarcStrict = "dmarc_strict",
        /// MTA-STS is announced: its policy must name the new MX.
        MtaSts = "mta_sts",
        /// Mail programs are led to the old server.
        ClientsOld = "clients_old",
        /// Resolvers see different things.
        Disagreement = "disagreement",
        /// A resolver did not answer.
        ResolverSilent = "resolver_silent",
        /// Nobody could be asked.
        NoAnswer = "no_answer",
    }
}

names! {
    /// Which MX a resolver gives.
    "spread" Spread {
        /// The new one.
        New = "new",
        /// The old one.
        Old = "old",
        /// Both, or neither of the two.
        Other = "other",
        /// It did not say.
        Unknown = "unknown",
    }
}
