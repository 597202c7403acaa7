//! Records as text in the form of zone files (RFC 1035 section 5.1), and back where that is needed.

use gatepost_contract::{DnsRecord, RecordType};
use hickory_resolver::proto::rr::{self, Name, RData};
use std::fmt::Write as _;

/// The longest data of a record that is kept, in bytes of text; a DKIM key of 4096 bits has about 800.
pub const LONGEST: usize = 4_096;

/// A record as the contract has it; none for a type that nobody asked for.
pub fn record(record: &rr::Record) -> Option<DnsRecord> {
    let (record_type, data) = match &record.data {
        RData::A(a) => (RecordType::A, a.0.to_string()),
        RData::AAAA(aaaa) => (RecordType::Aaaa, aaaa.0.to_string()),
        RData::CNAME(target) => (RecordType::Cname, absolute(&target.0)),
        RData::MX(mx) => (RecordType::Mx, format!("{} {}", mx.preference, absolute(&mx.exchange))),
        RData::NS(ns) => (RecordType::Ns, absolute(&ns.0)),
        RData::SOA(soa) => {
            let (mname, rname) = (absolute(&soa.mname), absolute(&soa.rname));
            let numbers = format!("{} {} {} {} {}", soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum);
            (RecordType::Soa, format!("{mname} {rname} {numbers}"))
        }
        RData::SRV(srv) => {
            (RecordType::Srv, format!("{} {} {} {}", srv.priority, srv.weight, srv.port, absolute(&srv.target)))
        }
        RData::TXT(txt) => {
            (RecordType::Txt, txt.txt_data.iter().map(|part| quoted(part)).collect::<Vec<_>>().join(" "))
        }
        _ => return None,
    };
    Some(DnsRecord { name: relative(&record.name), record_type, ttl: record.ttl, data })
}

/// Whether a record is left out for its length. It is never cut: half a character-string has no closing quote, and would
/// take in whatever follows it in a zone file.
pub fn is_too_long(record: &DnsRecord) -> bool {
    record.data.len() > LONGEST
}

/// The type as the resolver's library has it.
pub const fn kind(record_type: RecordType) -> rr::RecordType {
    match record_type {
        RecordType::A => rr::RecordType::A,
        RecordType::Aaaa => rr::RecordType::AAAA,
        RecordType::Cname => rr::RecordType::CNAME,
        RecordType::Mx => rr::RecordType::MX,
        RecordType::Ns => rr::RecordType::NS,
        RecordType::Soa => rr::RecordType::SOA,
        RecordType::Srv => rr::RecordType::SRV,
        RecordType::Txt => rr::RecordType::TXT,
    }
}

fn absolute(name: &Name) -> String {
    let text = name.to_lowercase().to_ascii();
    if text.ends_with('.') { text } else { format!("{text}.") }
}

/// A name in lower case without its last dot.
pub fn relative(name: &Name) -> String {
    bare(&absolute(name)).to_owned()
}

/// The same of a text.
pub fn bare(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

/// A character-string: printable ASCII as it is, everything else as `\DDD`.
fn quoted(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() + 2);
    text.push('"');
    for byte in bytes {
        match byte {
            b'"' | b'\\' => {
                text.push('\\');
                text.push(char::from(*byte));
            }
            b' '..=b'~' => text.push(char::from(*byte)),
            other => {
                // Writing to a String cannot fail.
                let _ = write!(text, "\\{other:03}");
            }
        }
    }
    text.push('"');
    text
}

/// What the character-strings of a TXT record say together, bytes beyond ASCII replaced.
pub fn joined(data: &str) -> String {
    let mut text = String::with_capacity(data.len());
    let mut within = false;
    let mut rest = data.chars();
    while let Some(c) = rest.next() {
        match c {
            '"' => within = !within,
            '\\' if within => {
                let Some(next) = rest.next() else { break };
                if next.is_ascii_digit() {
                    rest.next();
                    rest.next();
                    text.push('\u{fffd}');
                } else {
                    text.push(next);
                }
            }
            c if within => text.push(c),
            _ => {}
        }
    }
    text
}

/// The name in a record's data: the target of CNAME, MX, NS and SRV. Lower case, without the last dot; empty for the
/// root.
pub fn target(record: &DnsRecord) -> Option<&str> {
    let place = match record.record_type {
        RecordType::Cname | RecordType::Ns => 0,
        RecordType::Mx => 1,
        RecordType::Srv => 3,
        _ => return None,
    };
    record.data.split(' ').nth(place).map(bare)
}

/// The first number in a record's data: the preference of an MX, the priority of an SRV.
pub fn preference(record: &DnsRecord) -> u16 {
    record.data.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_resolver::proto::rr::{Record, rdata::TXT};
    use std::str::FromStr;

    fn made(kind: rr::RecordType, data: &str) -> DnsRecord {
        let data = RData::try_from_str(kind, data).unwrap();
        record(&Record::from_rdata(Name::from_str("Moved.Example.").unwrap(), 300, data)).unwrap()
    }

    #[test]
    fn records_read_as_in_a_zone_file() {
        for (kind, given, expect) in [
            (rr::RecordType::A, "192.0.2.1", "192.0.2.1"),
            (rr::RecordType::AAAA, "2001:DB8::1", "2001:db8::1"),
            (rr::RecordType::MX, "10 MX.Old.Example.", "10 mx.old.example."),
            (rr::RecordType::MX, "0 .", "0 ."),
            (rr::RecordType::CNAME, "Other.Example.", "other.example."),
            (rr::RecordType::SRV, "0 1 993 imap.old.example.", "0 1 993 imap.old.example."),
            (rr::RecordType::TXT, "\"v=spf1 -all\"", "\"v=spf1 -all\""),
        ] {
            let made = made(kind, given);
            assert_eq!((made.name.as_str(), made.ttl, made.data.as_str()), ("moved.example", 300, expect));
        }
    }

    #[test]
    fn a_record_is_kept_whole_or_left_out() {
        for (parts, too_long) in [(1, false), (15, false), (16, true), (200, true)] {
            let txt = TXT::from_bytes(vec![&[b'x'; 255][..]; parts]);
            let record = record(&Record::from_rdata(Name::root(), 1, RData::TXT(txt))).unwrap();
            assert_eq!(is_too_long(&record), too_long, "{parts}");
            assert!(record.data.ends_with('"') && joined(&record.data).len() == parts * 255);
        }
    }

    #[test]
    fn the_target_of_a_record_is_a_bare_name() {
        assert_eq!(target(&made(rr::RecordType::MX, "10 mx.old.example.")), Some("mx.old.example"));
        assert_eq!(target(&made(rr::RecordType::MX, "0 .")), Some(""));
        assert_eq!(target(&made(rr::RecordType::SRV, "0 1 993 imap.old.example.")), Some("imap.old.example"));
        assert_eq!(target(&made(rr::RecordType::A, "192.0.2.1")), None);
    }

    #[test]
    fn text_with_quotes_control_characters_and_parts_keeps_to_one_line_and_is_read_back() {
        let parts: [&[u8]; 2] = [b"v=DKIM1; n=\"a\\b\"\n", b"; p=AB\xff"];
        let txt = TXT::from_bytes(parts.to_vec());
        let record = record(&Record::from_rdata(Name::root(), 1, RData::TXT(txt))).unwrap();
        assert_eq!(record.data, r#""v=DKIM1; n=\"a\\b\"\010" "; p=AB\255""#);
        assert_eq!(joined(&record.data), "v=DKIM1; n=\"a\\b\"\u{fffd}; p=AB\u{fffd}");
        assert_eq!(joined("\"open \\"), "open ");
    }
}
