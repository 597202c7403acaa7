//! Contacts and calendars of real files: whatever readpst writes of them is in ours too.

mod common;

use common::{sample, scan};
use gatepost_contract::SourceType;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use time::{Date, Duration, PrimitiveDateTime, Time, format_description::well_known::Iso8601};

/// How many contacts and how many entries of calendars readpst gives (`readpst -e -D -j 0`).
const STORES: [(&str, usize, usize); 7] = [
    ("pst/aspose-Outlook.pst", 1, 1),
    ("pst/aspose-Test_part1.pst", 19, 9),
    ("pst/aspose-contacts72.pst", 72, 0),
    ("pst/gopst-32bit-ansi.pst", 0, 1),
    ("pst/javalibpst-passworded.pst", 1, 0),
    ("pst/ost-exchange2010.ost", 0, 5),
    ("pst/ost2013-4k-mail.ost.gz", 0, 169),
];

/// What readpst writes that is not of the item, or is not true of it; and why ours need not have it.
const NOT_OF_THE_ITEM: [(&str, Option<&str>, &str); 6] = [
    ("PRODID", None, "it names the program"),
    ("VERSION", None, "readpst writes vCard 3.0, we write 4.0"),
    (
        "UID",
        None,
        "readpst takes the number of the node in the file, which is another in each; ours is the meeting's own",
    ),
    ("DTSTAMP", None, "readpst takes the time at which it runs"),
    ("CATEGORIES", Some("NONE"), "an entry without a label has no category of this name"),
    ("FN", Some("(null)"), "readpst prints what it does not have"),
];

/// A line of a vCard or of a calendar.
#[derive(Debug)]
struct Property {
    /// The components around it, the last of them first: `VALARM`, `VEVENT`.
    within: String,
    name: String,
    parameters: String,
    value: String,
}

impl Property {
    /// Its value as text, each run of white space one blank.
    fn text(&self) -> String {
        plain(&self.value)
    }

    /// The fields of a structured value.
    fn fields(&self) -> Vec<String> {
        let mut fields = vec![String::new()];
        let mut chars = self.value.chars();
        while let Some(c) = chars.next() {
            match c {
                '\\' => {
                    let last = fields.last_mut().expect("there is always a field");
                    last.push('\\');
                    last.extend(chars.next());
                }
                ';' => fields.push(String::new()),
                c => fields.last_mut().expect("there is always a field").push(c),
            }
        }
        fields.iter().map(|field| plain(field)).filter(|field| !field.is_empty()).collect()
    }
}

/// A text without its escapes.
fn plain(value: &str) -> String {
    let mut out = String::new();
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n' | 'N') => out.push(' '),
                other => out.extend(other),
            },
            c => out.push(c),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn properties(text: &str) -> Vec<Property> {
    let text = text.replace("\r\n", "\n").replace("\n ", "").replace("\n\t", "");
    let (mut found, mut within) = (Vec::new(), Vec::new());
    for line in text.lines() {
        // Colons stand in quoted parameters too.
        let mut quoted = false;
        let colon = line.find(|c| {
            quoted ^= c == '"';
            c == ':' && !quoted
        });
        let Some((name, value)) = colon.map(|at| (&line[..at], &line[at + 1..])) else { continue };
        let (name, parameters) = name.split_once(';').unwrap_or((name, ""));
        match name {
            "BEGIN" => within.push(value.to_owned()),
            "END" => drop(within.pop()),
            name => found.push(Property {
                within: within.last().cloned().unwrap_or_default(),
                name: name.to_owned(),
                parameters: parameters.to_owned(),
                value: value.to_owned(),
            }),
        }
    }
    found
}

fn moment(text: &str) -> Option<PrimitiveDateTime> {
    let text = text.trim_end_matches('Z');
    if text.len() == 8 {
        return Some(PrimitiveDateTime::new(Date::parse(text, &Iso8601::DATE).ok()?, Time::MIDNIGHT));
    }
    PrimitiveDateTime::parse(text, &Iso8601::DATE_TIME).ok()
}

/// Whether a time of ours is the one that they have in UTC.
fn same_time(theirs: PrimitiveDateTime, ours: &Property, all: &[Property]) -> bool {
    let Some(at) = moment(&ours.value) else { return false };
    if ours.parameters.contains("VALUE=DATE") {
        // They write a day as the instants of its midnights in some zone.
        return (theirs + Duration::hours(12)).date() == at.date();
    }
    if !ours.parameters.contains("TZID") {
        return at == theirs;
    }
    let offsets = all.iter().filter(|p| p.name == "TZOFFSETTO").filter_map(|p| {
        let (sign, digits) = p.value.split_at_checked(1)?;
        let (hours, minutes) = (digits.get(..2)?.parse::<i64>().ok()?, digits.get(2..4)?.parse::<i64>().ok()?);
        Some(Duration::minutes((hours * 60 + minutes) * if sign == "-" { -1 } else { 1 }))
    });
    offsets.into_iter().any(|offset| at - offset == theirs)
}

fn words(text: &str) -> BTreeSet<String> {
    let parts = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '(' | ')'));
    parts.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

/// What of a property of theirs is not in an item of ours.
fn lacks(theirs: &Property, ours: &[Property]) -> Option<String> {
    let text = theirs.text();
    let is_known =
        |(name, value, _): &(&str, Option<&str>, &str)| *name == theirs.name && value.is_none_or(|value| value == text);
    if text.is_empty() || NOT_OF_THE_ITEM.iter().any(is_known) {
        return None;
    }
    let named = |name: &'static str| ours.iter().filter(move |p| p.name == name && p.within == theirs.within);
    let has = match theirs.name.as_str() {
        // The name by which it is filed, family name first: ours is the one that is shown, of the same words.
        "FN" => named("FN")
            .chain(named("N"))
            .flat_map(|p| words(&p.text()))
            .collect::<BTreeSet<_>>()
            .is_superset(&words(&text)),
        // vCard 4.0 has no such property: what an address says in one piece is in its ADR.
        "LABEL" => named("ADR").flat_map(|p| words(&p.text())).collect::<BTreeSet<_>>().is_superset(&words(&text)),
        "N" | "ADR" | "ORG" => {
            let name = theirs.name.clone();
            let fields: BTreeSet<String> = ours.iter().filter(|p| p.name == name).flat_map(Property::fields).collect();
            theirs.fields().iter().all(|field| fields.contains(field))
        }
        // Of an item with attachments readpst gives the dates of the last of these (its log shows both).
        "CREATED" | "LAST-MOD" if ours.iter().any(|p| p.name == "ATTACH") => true,
        // They call it so; RFC 5545 calls it LAST-MODIFIED.
        "LAST-MOD" => named("LAST-MODIFIED").any(|p| p.text() == text),
        "DTSTART" | "DTEND" | "DUE" => {
            let same = |p: &&Property| moment(&text).is_some_and(|at| same_time(at, p, ours));
            ours.iter().filter(|p| p.name == theirs.name && p.within == theirs.within).any(|p| same(&p))
        }
        // The order of its parts is free; the last day of a month is one of several by its number.
        "RRULE" => named("RRULE").any(|p| {
            text.split(';').all(|part| {
                let Some((name, value)) = part.split_once('=') else { return false };
                let of_ours = p.value.split(';').filter_map(|part| part.split_once('=')).find(|(n, _)| *n == name);
                of_ours.is_some_and(|(_, all)| value.split(',').all(|one| all.split(',').any(|other| other == one)))
            })
        }),
        name => ours.iter().any(|p| p.name == name && p.within == theirs.within && p.text() == text),
    };
    (!has).then(|| format!("{} {text:?}", theirs.name))
}

/// What an item of theirs has and the nearest of ours has not.
fn missing(theirs: &[Property], ours: &[Vec<Property>]) -> String {
    let lacking = |one: &Vec<Property>| theirs.iter().filter_map(|p| lacks(p, one)).collect::<Vec<_>>();
    ours.iter().map(lacking).min_by_key(Vec::len).map_or_else(|| "all of it".to_owned(), |lacks| lacks.join(", "))
}

fn below(folder: &Path, ending: &str) -> Vec<PathBuf> {
    let (mut found, mut left) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = left.pop() {
        for entry in std::fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn our_contacts_and_calendars_carry_at_least_what_those_of_readpst_carry() {
    let Some(samples) = gatepost_testkit::samples() else { return };
    if Command::new("readpst").arg("-V").output().is_err() {
        assert!(std::env::var_os("CI").is_none(), "readpst is not installed");
        eprintln!("left out: no readpst");
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let mut wrong = Vec::new();
    for (name, contacts, entries) in STORES {
        let path = sample(&samples, name, dir.path());
        let found = scan(&path, SourceType::Pst).expect(name);
        let ours: Vec<Vec<Property>> =
            found.items.iter().map(|item| properties(&String::from_utf8_lossy(&item.bytes))).collect();
        let out = tempfile::tempdir().expect("a folder");
        let status = Command::new("readpst")
            .args(["-q", "-e", "-D", "-j", "0", "-o"])
            .arg(out.path())
            .arg(&path)
            .status()
            .expect("readpst runs");
        assert!(status.success(), "{name}");
        for (ending, count) in [("vcf", contacts), ("ics", entries)] {
            let files = below(out.path(), ending);
            assert_eq!(files.len(), count, "{name}: readpst's {ending}");
            for file in files {
                let theirs = properties(&String::from_utf8_lossy(&std::fs::read(&file).expect("readable")));
                assert!(theirs.len() > 2, "{}", file.display());
                let lacks = missing(&theirs, &ours);
                if !lacks.is_empty() {
                    wrong.push(format!("{name} {}: {lacks}", file.file_name().expect("a name").to_string_lossy()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of readpst's items carry more:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn what_an_item_lacks_is_noticed() {
    let ours = properties(
        "BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nBEGIN:STANDARD\r\nTZOFFSETTO:-0300\r\nEND:STANDARD\r\nEND:VTIMEZONE\r\n\
         BEGIN:VEVENT\r\nSUMMARY:One\\, two\r\nDTSTART;TZID=\"A:b\":20240229T120000\r\nDTEND;VALUE=DATE:20240301\r\n\
         RRULE:FREQ=YEARLY;BYMONTHDAY=30,31\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
    );
    for (line, is_there) in [
        ("SUMMARY:One\\, two\\n", true),
        ("SUMMARY:One", false),
        ("DTSTART:20240229T150000Z", true),
        ("DTSTART:20240229T120000Z", false),
        ("DTEND:20240301T030000Z", true),
        ("DTEND:20240302T030000Z", false),
        ("RRULE:BYMONTHDAY=31;FREQ=YEARLY", true),
        ("RRULE:FREQ=YEARLY;COUNT=3", false),
        ("CATEGORIES:NONE", true),
        ("CATEGORIES:BUSINESS", false),
        ("LOCATION:Here", false),
        ("LOCATION:", true),
    ] {
        let theirs = properties(&format!("BEGIN:VEVENT\n{line}\nEND:VEVENT\n"));
        assert_eq!(missing(&theirs, std::slice::from_ref(&ours)).is_empty(), is_there, "{line}");
    }
    assert_eq!(missing(&properties("FN:x\n"), &[]), "all of it");
}
