//! The tables `[[host]]` of the file: what mail hosts may be asked for.

use super::source::Settings;
use gatepost_core::{HostRule, in_force};
use std::fmt::Display;
use time::Time;
use toml::{Table, Value};

const KEYS: &str =
    "name, per, connections, messages_per_second, bytes_per_day, download_per_day, upload_per_day and hours";
/// What lifts a limit.
const UNLIMITED: &str = "unlimited";

/// Reads the tables; every fault is recorded. A host that is known keeps the limits that its table does not name.
pub fn read(settings: &Settings) -> Vec<HostRule> {
    let mut rules: Vec<HostRule> = Vec::new();
    for (n, table) in settings.hosts().iter().enumerate() {
        let nameless = format!("[[host]] number {}", n + 1);
        let Some(name) = table.get("name") else {
            settings.fault(&nameless, "has no name; it must be a host, *.DOMAIN for all below it, or *");
            continue;
        };
        let Some(name) = name.as_str().map(|name| name.trim().to_lowercase()).filter(|name| is_name(name)) else {
            settings.fault(&nameless, format!("name: {name} cannot be used; it may be a host, *.DOMAIN or *"));
            continue;
        };
        let place = Place { settings, at: format!("[[host]] {name}") };
        if rules.iter().any(|rule| rule.name == name) {
            place.fault("name", "stands in the file twice; put everything of a host into one table");
            continue;
        }
        rules.push(rule(&name, table, &place));
    }
    rules
}

fn rule(name: &str, table: &Table, place: &Place<'_>) -> HostRule {
    let known = in_force(&[]).into_iter().find(|rule| rule.name == name);
    let mut rule = known.unwrap_or_else(|| HostRule::unlimited(name));
    let limits = &mut rule.limits;
    for (key, value) in table {
        match key.as_str() {
            "name" => {}
            "per" => match value.as_str() {
                Some("host") => rule.per_account = false,
                Some("account") => rule.per_account = true,
                _ => place.wrong(key, value, "\"host\" or \"account\""),
            },
            "connections" => place.limit(key, value, &mut limits.connections, "a number from 1 to 1000", |value| {
                let number = value.as_integer()?;
                u32::try_from(number).ok().filter(|n| (1..=1_000).contains(n))
            }),
            "messages_per_second" => {
                let what = "a number above 0 and at most 100000, e.g. 20 or 0.5";
                place.limit(key, value, &mut limits.messages_per_second, what, |value| {
                    let number = value.as_float().or_else(|| value.as_integer().map(|n| n as f64))?;
                    (number > 0.0 && number <= 100_000.0).then_some(number)
                });
            }
            "bytes_per_day" => place.limit(key, value, &mut limits.bytes_per_day, SIZE, size),
            "download_per_day" => place.limit(key, value, &mut limits.download_per_day, SIZE, size),
            "upload_per_day" => place.limit(key, value, &mut limits.upload_per_day, SIZE, size),
            "hours" => {
                let what = "hours of the day in UTC that differ, e.g. \"22:00-06:00\"";
                place.limit(key, value, &mut limits.hours, what, |value| hours(value.as_str()?));
            }
            _ => place.fault(key, format!("is no setting of a host; there are {KEYS}")),
        }
    }
    rule
}

/// Where in the file we are.
struct Place<'a> {
    settings: &'a Settings,
    at: String,
}

impl Place<'_> {
    fn fault(&self, key: &str, message: impl Display) {
        self.settings.fault(&self.at, format!("{key}: {message}"));
    }

    fn wrong(&self, key: &str, value: &Value, may_be: &str) {
        self.fault(key, format!("{value} cannot be used; it may be {may_be}"));
    }

    fn limit<T>(
        &self,
        key: &str,
        value: &Value,
        limit: &mut Option<T>,
        what: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) {
        if value.as_str() == Some(UNLIMITED) {
            *limit = None;
            return;
        }
        match read(value) {
            Some(number) => *limit = Some(number),
            None => self.wrong(key, value, &format!("{what}, or \"{UNLIMITED}\"")),
        }
    }
}

fn is_name(name: &str) -> bool {
    let host = name.strip_prefix("*.").unwrap_or(name);
    name == "*" || (!host.contains('*') && super::host(host).is_ok())
}

const SIZE: &str = "a number of bytes, or a size such as \"2500MB\" (kB, MB, GB, TB; KiB, MiB, GiB, TiB)";

/// A number of bytes, with a unit or without. At least one.
fn size(value: &Value) -> Option<u64> {
    if let Some(number) = value.as_integer() {
        return u64::try_from(number).ok().filter(|n| *n > 0);
    }
    let text = value.as_str()?.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        "tb" => 1_000_000_000_000,
        "kib" => 1 << 10,
        "mib" => 1 << 20,
        "gib" => 1 << 30,
        "tib" => 1 << 40,
        _ => return None,
    };
    let bytes = number.parse::<f64>().ok()? * unit as f64;
    (bytes >= 1.0 && bytes <= i64::MAX as f64).then_some(bytes as u64)
}

fn hours(text: &str) -> Option<(Time, Time)> {
    let clock = |text: &str| {
        let (hour, minute) = text.trim().split_once(':')?;
        let two = |digits: &str| digits.parse().ok().filter(|_| digits.len() == 2);
        Time::from_hms(two(hour)?, two(minute)?, 0).ok()
    };
    let (from, to) = text.split_once('-')?;
    let (from, to) = (clock(from)?, clock(to)?);
    (from != to).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use time::macros::time;

    fn with(file: &str) -> Result<Vec<HostRule>, String> {
        let settings = Settings::new([], Some((Path::new("gatepost.toml"), file)));
        let rules = read(&settings);
        let faults = settings.into_faults();
        if faults.is_empty() {
            Ok(rules)
        } else {
            Err(faults.iter().map(|fault| format!("{}: {}\n", fault.name, fault.message)).collect())
        }
    }

    #[test]
    fn a_table_gives_the_limits_of_a_host() {
        let rules = with(
            "[[host]]\nname = \"Mail.Example.net\"\nconnections = 10\nmessages_per_second = 20\n\
             bytes_per_day = \"2500MB\"\nhours = \"22:00-06:00\"\n[[host]]\nname = \"*.example.org\"\nper = \"account\"\n\
             upload_per_day = 1000\nmessages_per_second = 0.5\n",
        )
        .expect("valid");
        let [first, second] = &rules[..] else { panic!("{rules:?}") };
        assert_eq!(first.name, "mail.example.net");
        assert_eq!((first.limits.connections, first.limits.messages_per_second), (Some(10), Some(20.0)));
        assert_eq!(first.limits.bytes_per_day, Some(2_500_000_000));
        assert_eq!(first.limits.hours, Some((time!(22:00), time!(6:00))));
        assert_eq!((second.per_account, second.limits.upload_per_day), (true, Some(1_000)));
    }

    #[test]
    fn a_known_host_keeps_what_its_table_does_not_name() {
        let rules = with("[[host]]\nname = \"imap.gmail.com\"\nconnections = 3\nupload_per_day = \"unlimited\"\n");
        let limits = &rules.expect("valid")[0].limits;
        assert_eq!((limits.connections, limits.upload_per_day), (Some(3), None));
        assert_eq!(limits.download_per_day, Some(2_500_000_000));
    }

    #[test]
    fn sizes_have_the_units_that_providers_use() {
        for (text, bytes) in [
            ("\"1\"", Some(1)),
            ("7", Some(7)),
            ("\"2500MB\"", Some(2_500_000_000)),
            ("\"1.5 GiB\"", Some(1_610_612_736)),
            ("\"1tb\"", Some(1_000_000_000_000)),
            ("0", None),
            ("-1", None),
            ("\"0MB\"", None),
            ("\"MB\"", None),
            ("\"1 MB a day\"", None),
            ("\"99999999999TB\"", None),
            ("true", None),
        ] {
            let table: Table = format!("size = {text}").parse().expect("TOML");
            assert_eq!(size(&table["size"]), bytes, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_named_with_its_host_and_what_it_may_be() {
        let host = |setting: &str| format!("[[host]]\nname = \"mail.example\"\n{setting}\n");
        for (file, at, says) in [
            ("[[host]]\nconnections = 3\n".to_owned(), "[[host]] number 1: ", "has no name"),
            ("[[host]]\nname = \"a b\"\n".to_owned(), "[[host]] number 1: ", "*.DOMAIN"),
            ("[[host]]\nname = \"a*.example\"\n".to_owned(), "[[host]] number 1: ", "*.DOMAIN"),
            ("[[host]]\nname = 3\n".to_owned(), "[[host]] number 1: ", "*.DOMAIN"),
            (host("connections = 0"), "[[host]] mail.example: connections: 0 ", "from 1 to 1000"),
            (host("connections = \"ten\""), "[[host]] mail.example: connections: \"ten\" ", "from 1 to 1000"),
            (host("messages_per_second = 0"), "[[host]] mail.example: messages_per_second: 0 ", "above 0"),
            (host("messages_per_second = nan"), "[[host]] mail.example: messages_per_second: nan ", "above 0"),
            (host("bytes_per_day = \"lots\""), "[[host]] mail.example: bytes_per_day: ", "2500MB"),
            (host("hours = \"22-6\""), "[[host]] mail.example: hours: ", "22:00-06:00"),
            (host("hours = \"24:00-06:00\""), "[[host]] mail.example: hours: ", "22:00-06:00"),
            (host("hours = \"06:00-06:00\""), "[[host]] mail.example: hours: ", "that differ"),
            (host("per = \"user\""), "[[host]] mail.example: per: ", "\"host\" or \"account\""),
            (host("conections = 3"), "[[host]] mail.example: conections: ", "there are name, per, connections"),
            (host("") + &host(""), "[[host]] mail.example: name: ", "twice"),
            ("[host]\nname = \"mail.example\"\n".to_owned(), "GATEPOST_CONFIG: ", "[[host]]"),
            ("host = 3\n".to_owned(), "GATEPOST_CONFIG: ", "[[host]]"),
        ] {
            let error = with(&file).expect_err(&file);
            assert!(error.starts_with(at) && error.contains(says) && error.lines().count() == 1, "{file}: {error}");
        }
    }
}
