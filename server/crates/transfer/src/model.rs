//! What both sides of a copy talk about.

use gatepost_contract::SpecialUse;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};
use time::{OffsetDateTime, UtcOffset};

/// A folder's path, level by level, decoded. As text, levels are joined by `/`; a `/` or `\` inside a name is
/// written `\/` or `\\`, so that the text can be read back.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct FolderPath(Vec<String>);

impl FolderPath {
    /// A path of these levels.
    pub fn new(levels: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(levels.into_iter().map(Into::into).collect())
    }

    /// The INBOX.
    #[must_use]
    pub fn inbox() -> Self {
        Self::new(["INBOX"])
    }

    /// The levels from the top.
    #[must_use]
    pub fn levels(&self) -> &[String] {
        &self.0
    }

    /// The last level.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.last().map_or("", String::as_str)
    }

    /// Whether this is the INBOX itself, in any case (RFC 3501 section 5.1).
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        matches!(self.0.as_slice(), [one] if one.eq_ignore_ascii_case("INBOX"))
    }

    /// The path with one more level below.
    #[must_use]
    pub fn child(&self, name: &str) -> Self {
        let mut levels = self.0.clone();
        levels.push(name.to_owned());
        Self(levels)
    }
}

impl fmt::Display for FolderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, level) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("/")?;
            }
            f.write_str(&level.replace('\\', "\\\\").replace('/', "\\/"))?;
        }
        Ok(())
    }
}

impl From<String> for FolderPath {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&str> for FolderPath {
    fn from(text: &str) -> Self {
        let mut levels = vec![String::new()];
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            match c {
                '/' => levels.push(String::new()),
                '\\' => levels.last_mut().expect("there is always a level").push(chars.next().unwrap_or('\\')),
                c => levels.last_mut().expect("there is always a level").push(c),
            }
        }
        Self(levels)
    }
}

impl From<FolderPath> for String {
    fn from(path: FolderPath) -> Self {
        path.to_string()
    }
}

/// A folder as a store lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteFolder {
    /// Its path, without the personal namespace's prefix.
    pub path: FolderPath,
    /// Its name as the store itself writes it (IMAP: decoded from modified UTF-7, with prefix and separators).
    pub native: String,
    /// What it is for, where the store says so.
    pub special_use: Option<SpecialUse>,
    /// Whether it can hold messages.
    pub selectable: bool,
}

/// An opened folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FolderState {
    /// How many messages it holds.
    pub messages: u32,
    /// The epoch of its UIDs (RFC 3501 section 2.3.1.1).
    pub uid_validity: u32,
    /// The next UID, where the store says so.
    pub uid_next: Option<u32>,
    /// The highest modification sequence (RFC 7162), where the store keeps one.
    pub highest_modseq: Option<u64>,
    /// The flags that can be stored for good, without `\*`; `None` where the store did not say.
    pub permanent_flags: Option<Flags>,
    /// Whether new keywords can be made (`\*` in PERMANENTFLAGS).
    pub new_keywords: bool,
}

/// Flags and keywords, without `\Recent`, sorted without regard to case. System flags are kept in their usual
/// spelling; keywords keep theirs and are compared without regard to case (RFC 3501 section 2.3.2). One string
/// holds them all, because a ledger holds a set for each message.
#[derive(Clone, Debug, Default)]
pub struct Flags(String);

impl Flags {
    /// Adds one; `\Recent` is left out, since it is the server's own.
    pub fn insert(&mut self, flag: &str) {
        const SYSTEM: [&str; 5] = ["\\Seen", "\\Answered", "\\Flagged", "\\Deleted", "\\Draft"];
        // White space parts flags; one that holds some is no flag (RFC 3501 section 9: an atom).
        let no_flag = flag.is_empty() || flag.contains(|c: char| c.is_ascii_whitespace());
        if no_flag || flag.eq_ignore_ascii_case("\\Recent") || self.contains(flag) {
            return;
        }
        let spelled = SYSTEM.iter().find(|s| s.eq_ignore_ascii_case(flag)).map_or(flag, |s| *s);
        let mut all: Vec<&str> = self.iter().chain([spelled]).collect();
        all.sort_unstable_by_key(|f| f.to_ascii_lowercase());
        self.0 = all.join(" ");
    }

    /// Whether this one is set.
    #[must_use]
    pub fn contains(&self, flag: &str) -> bool {
        self.iter().any(|f| f.eq_ignore_ascii_case(flag))
    }

    /// Each of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split_ascii_whitespace()
    }

    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those that `other` does not have.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        self.iter().filter(|f| !other.contains(f)).collect()
    }

    /// Those of both.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        self.iter().chain(other.iter()).collect()
    }

    /// Those that a folder can keep, and those that it cannot.
    #[must_use]
    pub fn split_by(&self, folder: &FolderState) -> (Self, Self) {
        let Some(permanent) = &folder.permanent_flags else { return (self.clone(), Self::default()) };
        let keeps = |flag: &&str| permanent.contains(flag) || (folder.new_keywords && !flag.starts_with('\\'));
        (self.iter().filter(keeps).collect(), self.iter().filter(|f| !keeps(f)).collect())
    }
}

impl PartialEq for Flags {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Flags {}

impl<S: AsRef<str>> FromIterator<S> for Flags {
    fn from_iter<I: IntoIterator<Item = S>>(flags: I) -> Self {
        let mut all = Self::default();
        for flag in flags {
            all.insert(flag.as_ref());
        }
        all
    }
}

/// The flags, separated by spaces; the ledger stores them so.
impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Flags {
    fn from(text: &str) -> Self {
        text.split_ascii_whitespace().collect()
    }
}

/// INTERNALDATE: when a message was received, to the second, with its zone (RFC 3501 section 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InternalDate {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// The zone, in minutes east of UTC.
    pub zone_minutes: i16,
}

impl InternalDate {
    /// As a point in time; `None` outside of the years -9999 to 9999.
    #[must_use]
    pub fn to_time(self) -> Option<OffsetDateTime> {
        let zone = UtcOffset::from_whole_seconds(i32::from(self.zone_minutes) * 60).ok()?;
        OffsetDateTime::from_unix_timestamp(self.seconds).ok()?.checked_to_offset(zone)
    }

    /// From a point in time.
    #[must_use]
    pub fn from_time(at: OffsetDateTime) -> Self {
        Self { seconds: at.unix_timestamp(), zone_minutes: at.offset().whole_minutes() }
    }
}

/// RFC 3339 with the zone; the ledger stores it so.
impl fmt::Display for InternalDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = self.to_time() else { return write!(f, "@{}", self.seconds) };
        let (sign, zone) = if self.zone_minutes < 0 { ('-', -self.zone_minutes) } else { ('+', self.zone_minutes) };
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{sign}{:02}:{:02}",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            zone / 60,
            zone % 60
        )
    }
}

impl FromStr for InternalDate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
            .map(Self::from_time)
            .map_err(|e| format!("{text:?} is no RFC 3339 time: {e}"))
    }
}

/// What a listing tells of a message, without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageMeta {
    /// Its UID.
    pub uid: u32,
    /// RFC822.SIZE, in bytes, as the store states it.
    pub size: u64,
    /// When it was received.
    pub internal_date: InternalDate,
    /// Its flags.
    pub flags: Flags,
}

/// UIDs in ascending order, as a store wants them asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet(Vec<(u32, u32)>);

impl UidSet {
    /// The ranges, inclusive, ascending, not touching.
    #[must_use]
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Whether it names none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// From inclusive ranges in any order, which may touch or overlap; a range may be written either way round
    /// (RFC 3501 section 9: `5:1` is `1:5`).
    #[must_use]
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> Self {
        let mut all: Vec<(u32, u32)> = ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
        all.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(all.len());
        for (from, to) in all {
            match merged.last_mut() {
                Some((_, last)) if from <= last.saturating_add(1) => *last = to.max(*last),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    /// Each UID, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().flat_map(|(from, to)| *from..=*to)
    }

    /// Whether it names this one.
    #[must_use]
    pub fn contains(&self, uid: u32) -> bool {
        let after = self.0.partition_point(|(from, _)| *from <= uid);
        after > 0 && self.0[after - 1].1 >= uid
    }

    /// The UIDs that `other` does not name.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut left = Vec::new();
        let mut others = other.0.iter().copied().peekable();
        for (mut from, to) in self.0.iter().copied() {
            let mut spent = false;
            while let Some((a, b)) = others.peek().copied() {
                if b < from {
                    others.next();
                    continue;
                }
                if a > to {
                    break;
                }
                if a > from {
                    left.push((from, a - 1));
                }
                if b >= to {
                    spent = true;
                    break;
                }
                from = b + 1;
            }
            if !spent {
                left.push((from, to));
            }
        }
        Self(left)
    }

    /// The highest.
    #[must_use]
    pub fn last(&self) -> Option<u32> {
        self.0.last().map(|(_, to)| *to)
    }

    /// How many it names.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.0.iter().map(|(from, to)| u64::from(to - from) + 1).sum()
    }
}

impl FromIterator<u32> for UidSet {
    fn from_iter<I: IntoIterator<Item = u32>>(uids: I) -> Self {
        Self::from_ranges(uids.into_iter().map(|uid| (uid, uid)))
    }
}

/// As an IMAP sequence set (RFC 3501 section 9): `1:5,7`.
impl fmt::Display for UidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (from, to)) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(",")?;
            }
            if from == to { write!(f, "{from}")? } else { write!(f, "{from}:{to}")? }
        }
        Ok(())
    }
}

/// How full an account is (RFC 9208); both in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// In use.
    pub used: u64,
    /// At most.
    pub limit: u64,
}

/// What a store can do and takes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// What it calls itself, where it says so.
    pub server: Option<String>,
    /// Its capabilities, upper case.
    pub capabilities: Vec<String>,
    /// The largest message that it takes, in bytes (APPENDLIMIT, RFC 7889).
    pub append_limit: Option<u64>,
    /// How full the account is.
    pub quota: Option<Quota>,
    /// What separates the levels of a folder's name there; `None` where names have one level only, or any.
    pub separator: Option<char>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn range(text: &str) -> (u32, u32) {
        let (from, to) = text.split_once(':').unwrap_or((text, text));
        (from.parse().expect("a number"), to.parse().expect("a number"))
    }

    fn plain(ranges: &[(u32, u32)]) -> BTreeSet<u32> {
        ranges.iter().flat_map(|(a, b)| *a.min(b)..=*a.max(b)).collect()
    }

    /// Few numbers, so that ranges touch, overlap and repeat; at the low or at the high end of 32 bits.
    type Ranges = Vec<(u32, u32)>;

    fn ranges() -> impl Strategy<Value = (Ranges, Ranges)> {
        let pairs = || proptest::collection::vec((0..40u32, 0..40u32), 0..8);
        (prop_oneof![Just(0), Just(u32::MAX - 39)], pairs(), pairs()).prop_map(|(base, a, b)| {
            let lift = |pairs: Vec<(u32, u32)>| pairs.into_iter().map(|(from, to)| (base + from, base + to)).collect();
            (lift(a), lift(b))
        })
    }

    proptest! {
        #[test]
        fn a_set_holds_what_its_ranges_name_in_as_few_ranges_as_can_be((given, _) in ranges()) {
            let (set, plain) = (UidSet::from_ranges(given.iter().copied()), plain(&given));
            prop_assert!(set.iter().eq(plain.iter().copied()));
            prop_assert_eq!(set.len(), plain.len() as u64);
            prop_assert_eq!(set.is_empty(), plain.is_empty());
            prop_assert_eq!(set.last(), plain.last().copied());
            prop_assert!(set.ranges().iter().all(|(from, to)| from <= to));
            prop_assert!(set.ranges().windows(2).all(|pair| pair[0].1 + 1 < pair[1].0), "{set} has ranges that touch");
            prop_assert_eq!(plain.into_iter().rev().collect::<UidSet>(), set);
        }

        #[test]
        fn a_set_says_what_it_contains((given, others) in ranges()) {
            let (set, plain) = (UidSet::from_ranges(given.iter().copied()), plain(&given));
            for (from, to) in given.into_iter().chain(others).chain([(0, u32::MAX)]) {
                for uid in [from, to, from.saturating_sub(1), to.saturating_add(1)] {
                    prop_assert_eq!(set.contains(uid), plain.contains(&uid), "{} in {}", uid, &set);
                }
            }
        }

        #[test]
        fn what_is_left_of_a_set_is_what_the_other_does_not_hold((given, others) in ranges()) {
            let left = UidSet::from_ranges(given.iter().copied()).minus(&UidSet::from_ranges(others.iter().copied()));
            let expected: UidSet = plain(&given).difference(&plain(&others)).copied().collect();
            prop_assert_eq!(left, expected);
        }

        #[test]
        fn the_text_of_a_set_names_the_same_uids((given, _) in ranges()) {
            let set = UidSet::from_ranges(given);
            let text = set.to_string();
            prop_assert!(text.bytes().all(|b| b.is_ascii_digit() || b == b':' || b == b','), "{text}");
            let read: Vec<(u32, u32)> = text.split(',').filter(|part| !part.is_empty()).map(range).collect();
            prop_assert_eq!(UidSet::from_ranges(read.iter().copied()), set.clone());
            prop_assert_eq!(read, set.ranges());
        }

        #[test]
        fn a_path_is_read_back_from_its_text(levels in proptest::collection::vec(r"[a/\\ é]{0,6}", 1..5)) {
            let path = FolderPath::new(levels);
            prop_assert_eq!(FolderPath::from(path.to_string()), path);
        }
    }

    #[test]
    fn sets_are_written_as_sequence_sets() {
        let cases: [(&[(u32, u32)], &str); 6] = [
            (&[], ""),
            (&[(7, 7)], "7"),
            (&[(7, 7), (1, 3), (4, 5)], "1:5,7"),
            (&[(5, 1), (3, 9)], "1:9"),
            (&[(u32::MAX, u32::MAX), (u32::MAX - 1, u32::MAX), (1, 1)], "1,4294967294:4294967295"),
            (&[(u32::MAX, 1)], "1:4294967295"),
        ];
        for (ranges, expected) in cases {
            assert_eq!(UidSet::from_ranges(ranges.iter().copied()).to_string(), expected);
        }
        let all = UidSet::from_ranges([(1, u32::MAX)]);
        assert_eq!(all.len(), u64::from(u32::MAX));
        assert_eq!(all.minus(&UidSet::from_ranges([(2, u32::MAX - 1)])).to_string(), "1,4294967295");
        assert!(all.minus(&all).is_empty());
    }
}
