//! The generated mail: the same each time, and with everything in it that copies get wrong.

#![allow(clippy::unwrap_used)]

use std::collections::{BTreeSet, HashMap};

use gatepost_testkit::{Generated, Profile, SpecialUse};

fn all(profile: &Profile) -> Vec<Generated> {
    profile.generate().collect()
}

fn header<'a>(message: &'a Generated, name: &str) -> Option<&'a str> {
    let end = message.bytes.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(message.bytes.len());
    let lines = message.bytes[..end].split(|&byte| byte == b'\n');
    lines.filter_map(|line| std::str::from_utf8(line).ok()).find_map(|line| line.trim_end().strip_prefix(name))
}

#[test]
fn one_seed_gives_the_same_mail_and_another_seed_other_mail() {
    let profile = Profile { messages: 200, ..Profile::default() };
    let first = all(&profile);
    assert_eq!(first, all(&profile));
    assert_eq!(first.len(), 200);
    let other = all(&Profile { seed: 2, ..profile });
    assert!(first.iter().zip(&other).filter(|(a, b)| a.bytes == b.bytes).count() < 10);
}

#[test]
fn three_hundred_messages_hold_every_hard_case() {
    let profile = Profile::default();
    let mail = all(&profile);
    let folders: BTreeSet<&str> = mail.iter().map(|message| message.folder.as_str()).collect();
    let created = profile.folders();
    assert_eq!(folders.len() + 1, created.len(), "all but the empty one hold mail");
    for name in ["INBOX", "Itens Excluídos", "日本語", "Notas ", "Aspas \"duplas\" e \\ barra", "Pai sem caixa/Filho"]
    {
        assert!(folders.contains(name), "{name}");
    }
    assert!(!created.iter().any(|folder| folder == "Pai sem caixa"));

    let mut ids: HashMap<&str, BTreeSet<&[u8]>> = HashMap::new();
    let mut copies: HashMap<(&str, &[u8]), Vec<&Generated>> = HashMap::new();
    for message in &mail {
        if let Some(id) = header(message, "Message-ID: ") {
            ids.entry(id).or_default().insert(&message.bytes);
        }
        copies.entry((&message.folder, &message.bytes)).or_default().push(message);
    }
    let twins: Vec<&Vec<&Generated>> = copies.values().filter(|copies| copies.len() == 2).collect();
    let has = |what: &str, holds: &dyn Fn(&Generated) -> bool| assert!(mail.iter().any(holds), "{what}");
    assert!(ids.values().any(|bodies| bodies.len() == 2), "two messages with one Message-Id");
    assert!(twins.iter().any(|pair| pair[0].internal_date == pair[1].internal_date), "true duplicates");
    assert!(twins.iter().any(|pair| pair[0].internal_date != pair[1].internal_date), "duplicates of two dates");
    has("no Message-Id", &|message| header(message, "From: ").is_some() && header(message, "Message-ID:").is_none());
    has("an empty Message-Id", &|message| header(message, "Message-ID:") == Some(""));
    has("no header", &|message| message.bytes.starts_with(b"\r\n"));
    has("no body", &|message| !message.bytes.windows(4).any(|window| window == b"\r\n\r\n"));
    has("no Date", &|message| header(message, "From: ").is_some() && header(message, "Date:").is_none());
    has("a nonsense Date", &|message| header(message, "Date:").is_some_and(|date| date.contains("ontem")));
    has("a raw 8-bit header", &|message| message.bytes.windows(4).any(|window| window == b"va\xe7\xe3"));
    has("a long header line", &|message| header(message, "X-Unfolded:").is_some_and(|value| value.len() > 998));
    has("no final line end", &|message| !message.bytes.ends_with(b"\r\n"));
    has("a RFC 2231 file name", &|message| message.bytes.windows(17).any(|window| window == b"filename*=utf-8''"));
    for flag in
        ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$Forwarded", "$MDNSent", "Urgente", "projeto-x"]
    {
        has(flag, &|message| message.flags.iter().any(|known| known == flag));
    }
    has("no flag", &|message| message.flags.is_empty());
    for zone in ["-0330", "+0545", "+1400"] {
        has(zone, &|message| message.internal_date.zone() == zone);
    }
    for message in &mail {
        let year = message.internal_date.local().unwrap().year();
        assert!((1995..=2024).contains(&year), "{year}");
        assert!(!message.bytes.is_empty() && !message.bytes.contains(&0));
        let bare = message
            .bytes
            .iter()
            .enumerate()
            .any(|(at, &byte)| byte == b'\n' && (at == 0 || message.bytes[at - 1] != b'\r'));
        assert!(!bare, "every line ends with CRLF");
    }
}

#[test]
fn dates_reach_into_the_future_only_when_wanted() {
    let years = |future_dates| {
        let mail = all(&Profile { messages: 500, average_bytes: 1000, future_dates, ..Profile::default() });
        let years = mail.iter().map(|message| message.internal_date.local().unwrap().year());
        years.collect::<BTreeSet<_>>()
    };
    let (past, future) = (years(false), years(true));
    assert_eq!((past.first(), past.last()), (Some(&1995), Some(&2024)));
    assert_eq!((future.first(), future.last()), (Some(&1995), Some(&2037)));
}

#[test]
fn sizes_approach_the_wanted_mean() {
    for average_bytes in [6_000, 19_000] {
        let profile = Profile { messages: 4000, average_bytes, ..Profile::default() };
        let (mut total, mut largest, mut smallest) = (0, 0, usize::MAX);
        for message in profile.generate() {
            total += message.bytes.len();
            largest = largest.max(message.bytes.len());
            smallest = smallest.min(message.bytes.len());
        }
        let mean = total / 4000;
        assert!(mean > average_bytes * 85 / 100 && mean < average_bytes * 125 / 100, "{mean} for {average_bytes}");
        assert!(smallest < 100 && largest > average_bytes * 10 && largest < average_bytes * 15, "{smallest} {largest}");
    }
}

#[test]
fn a_profile_without_special_use_or_with_one_folder_keeps_to_it() {
    let inbox = Profile { messages: 50, inbox_only: true, large_bytes: Some(400_000), ..Profile::default() };
    assert_eq!(inbox.folders(), ["INBOX"]);
    let mail = all(&inbox);
    assert!(mail.iter().all(|message| message.folder == "INBOX"));
    assert!(mail.iter().any(|message| message.bytes.len() >= 400_000));
    let dotted = Profile { special_use: SpecialUse::None, separator: '.', ..Profile::default() }.folders();
    assert!(dotted.contains(&"Contratos v1_2".to_owned()) && !dotted.contains(&"Enviados".to_owned()));
}
