//! Names of foreign folders and items as names of files that every system takes: without what leads out of a directory,
//! without control characters, not too long, and each once.

use gatepost_transfer::FolderPath;
use std::collections::HashMap;

/// How many bytes a name may have; and a path, beyond which folders stand beside each other and not below.
const LONGEST: usize = 120;
const LONGEST_PATH: usize = 1_000;

/// A name that is safe as a file's: never empty, never `.` or `..`, no separators, nothing that Windows reserves.
#[must_use]
pub fn safe(name: &str) -> String {
    const REFUSED: &[char] = &['/', '\\', ':', '*', '?', '"', '<', '>', '|'];
    // What turns the text around it would show another name than the one that is there.
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let mut safe = String::with_capacity(name.len().min(LONGEST));
    for c in name.trim().chars().filter(|c| !turns(*c)) {
        let c = if REFUSED.contains(&c) || c.is_control() { '_' } else { c };
        if safe.len() + c.len_utf8() > LONGEST {
            break;
        }
        safe.push(c);
    }
    // Windows cuts dots and spaces off the end.
    let kept = safe.trim_end_matches(['.', ' ']).len();
    safe.truncate(kept);
    let stem = safe.split('.').next().unwrap_or_default().to_ascii_uppercase();
    let device = matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
        || stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT")).is_some_and(|n| {
            let mut digits = n.chars();
            matches!((digits.next(), digits.next()), (Some('1'..='9'), None))
        });
    if safe.is_empty() || device || safe.starts_with('.') {
        safe.insert(0, '_');
    }
    safe
}

/// Gives each folder a path of its own. Paths that differ only in case are two, also where a file system ignores case.
#[derive(Debug, Default)]
pub struct FolderNames {
    /// The ending of a file that lies beside each folder, under its name.
    beside: Option<&'static str>,
    given: HashMap<Key, String>,
    /// Names that were given, and the number of the last folder that wanted the same.
    taken: HashMap<Key, u32>,
}

/// Stands for a path or a name: a file may have many thousand folders with long paths.
type Key = [u8; 16];

fn key<'a>(levels: impl IntoIterator<Item = &'a str>) -> Key {
    let mut hasher = blake3::Hasher::new();
    for level in levels {
        hasher.update(&(level.len() as u64).to_le_bytes()).update(level.as_bytes());
    }
    let mut key = Key::default();
    hasher.finalize_xof().fill(&mut key);
    key
}

impl FolderNames {
    /// The same for folders that have a file with this ending beside them: neither has the name of another's other.
    pub(crate) fn beside(ending: &'static str) -> Self {
        Self { beside: Some(ending), ..Self::default() }
    }

    /// A path for one more folder of the same path. What is asked for below it lies below the newest.
    pub(crate) fn another(&mut self, path: &FolderPath) -> String {
        let levels = path.levels();
        let above = levels.split_last().filter(|(_, above)| !above.is_empty());
        let above = above.map_or_else(String::new, |(_, above)| self.of(&FolderPath::new(above.iter().cloned())));
        let given = self.give(&above, levels.last().map(AsRef::as_ref).unwrap_or_default());
        self.given.insert(key(levels.iter().map(AsRef::as_ref)), given.clone());
        given
    }

    /// The folder's path, `/` between its levels.
    pub fn of(&mut self, path: &FolderPath) -> String {
        let levels = path.levels();
        let mut above = String::new();
        for len in 1..=levels.len().max(1) {
            let upper = &levels[..len.min(levels.len())];
            let key = key(upper.iter().map(AsRef::as_ref));
            above = match self.given.get(&key) {
                Some(given) => given.clone(),
                None => {
                    let given = self.give(&above, upper.last().map(AsRef::as_ref).unwrap_or_default());
                    self.given.insert(key, given.clone());
                    given
                }
            };
        }
        above
    }

    fn give(&mut self, above: &str, name: &str) -> String {
        let above = match above.rsplit_once('/') {
            Some((upper, _)) if above.len() > LONGEST_PATH => format!("{upper}/"),
            _ if above.is_empty() => String::new(),
            _ => format!("{above}/"),
        };
        let name = safe(name);
        let first = format!("{above}{name}");
        let first_key = key([first.to_lowercase().as_str()]);
        let mut number = match self.taken.get(&first_key).copied() {
            None if self.take(&first) => return first,
            None => 1,
            Some(number) => number,
        };
        loop {
            number += 1;
            let given = format!("{above}{name} ({number})");
            // A folder may be called so by itself.
            if self.take(&given) {
                self.taken.insert(first_key, number);
                return given;
            }
        }
    }

    /// Takes a name and that of the file beside it, where both are free.
    fn take(&mut self, given: &str) -> bool {
        let given = given.to_lowercase();
        let keys = [Some(key([given.as_str()])), self.beside.map(|ending| key([format!("{given}.{ending}").as_str()]))];
        let free = keys.iter().flatten().all(|key| !self.taken.contains_key(key));
        if free {
            self.taken.extend(keys.into_iter().flatten().map(|key| (key, 1)));
        }
        free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leads_out_of_its_directory_or_is_refused_by_a_system() {
        let long = "é".repeat(4_000);
        let cases = [
            ("Caixa de Entrada", "Caixa de Entrada"),
            ("..", "_"),
            (".", "_"),
            ("", "_"),
            ("../../etc/passwd", "_.._.._etc_passwd"),
            ("a/b\\c:d", "a_b_c_d"),
            ("a\0b\nc", "a_b_c"),
            ("CON", "_CON"),
            ("com1.txt", "_com1.txt"),
            ("comrade", "comrade"),
            ("safe\u{202e}exe", "safeexe"),
            ("end. . ", "end"),
            (".hidden", "_.hidden"),
            (&long, &"é".repeat(60)),
        ];
        for (name, expected) in cases {
            assert_eq!(safe(name), expected, "{name:?}");
        }
    }

    #[test]
    fn folders_that_would_share_a_name_get_one_each() {
        let mut names = FolderNames::default();
        let cases = [
            (FolderPath::new(["a:b"]), "a_b"),
            (FolderPath::new(["a/b"]), "a_b (2)"),
            (FolderPath::new(["A?b"]), "A_b (3)"),
            (FolderPath::new(["a/b", "x"]), "a_b (2)/x"),
            (FolderPath::new(["a:b"]), "a_b"),
            (FolderPath::new(["", ""]), "_/_"),
            (FolderPath::new(["a_b (4)"]), "a_b (4)"),
            (FolderPath::new(["a|b"]), "a_b (5)"),
            (FolderPath::new(["a_b (4) "]), "a_b (4) (2)"),
        ];
        for (path, expected) in cases {
            assert_eq!(names.of(&path), expected);
        }
        let another =
            |names: &mut FolderNames, levels: &[&str]| names.another(&FolderPath::new(levels.iter().copied()));
        assert_eq!(another(&mut names, &["a:b"]), "a_b (6)");
        assert_eq!(names.of(&FolderPath::new(["a:b", "x"])), "a_b (6)/x");
        assert_eq!(another(&mut names, &["a:b", "x"]), "a_b (6)/x (2)");
        let mut beside = FolderNames::beside("mbox");
        for (level, expected) in [("a", "a"), ("A.mbox", "A.mbox (2)"), ("a.mbox (2)", "a.mbox (2) (2)"), ("b", "b")] {
            assert_eq!(beside.of(&FolderPath::new([level])), expected);
        }
        let deep = |last: &str| FolderPath::new((0..500).map(|n| format!("level {n}")).chain([last.to_owned()]));
        let (one, other) = (names.of(&deep("one")), names.of(&deep("other")));
        assert!(one != other && one.len() < LONGEST_PATH + 2 * LONGEST, "{one}");
    }
}
