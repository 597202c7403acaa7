//! Names that a destination cannot carry, and what they become. Knows nothing of the rules that chose the path.

use crate::FolderPath;

/// The longest name of one level, in bytes, both as UTF-8 and in modified UTF-7: what file systems below IMAP
/// servers take.
const LONGEST: usize = 255;

/// A path as the destination can carry it, with a reason for each thing that was changed.
pub(super) fn carry(path: &FolderPath, separator: Option<char>) -> (FolderPath, Vec<String>) {
    let mut reasons: Vec<String> = Vec::new();
    let mut because = |reason: String| {
        if !reasons.contains(&reason) {
            reasons.push(reason);
        }
    };
    let mut levels: Vec<String> = Vec::with_capacity(path.levels().len());
    for (n, level) in path.levels().iter().enumerate() {
        if n == 0 && level.eq_ignore_ascii_case("INBOX") {
            levels.push("INBOX".to_owned()); // one folder whatever its case, RFC 3501 section 5.1
            continue;
        }
        let mut name: String = level
            .chars()
            .map(|c| match c {
                c if c.is_control() => {
                    because("control characters cannot be in a folder's name".to_owned());
                    '_'
                }
                c if Some(c) == separator => {
                    because(format!("the destination separates levels by {c:?}"));
                    '_'
                }
                '/' => {
                    because("few servers take a \"/\" in a folder's name".to_owned());
                    '_'
                }
                c => c,
            })
            .collect();
        if name.is_empty() {
            because("a level has no name".to_owned());
            name.push('_');
        } else if name == "." || name == ".." {
            because("\".\" and \"..\" are no names for a folder".to_owned());
            name = name.replace('.', "_");
        }
        if too_long(&name) {
            because(format!("a name may be at most {LONGEST} bytes long"));
            name = shorten(&name);
        }
        levels.push(name);
    }
    (FolderPath::new(levels), reasons)
}

fn too_long(name: &str) -> bool {
    name.len() > LONGEST || utf7_len(name) > LONGEST
}

/// Cuts a name and ends it with a digest of the whole, so that two long names that begin alike stay apart.
fn shorten(name: &str) -> String {
    let digest = blake3::hash(name.as_bytes()).to_hex();
    let tail = format!("~{}", &digest[..8]);
    let mut kept = name.to_owned();
    while kept.len() + tail.len() > LONGEST || utf7_len(&kept) + tail.len() > LONGEST {
        kept.pop();
    }
    kept + &tail
}

/// How long a name is in modified UTF-7 (RFC 3501 section 5.1.3).
fn utf7_len(name: &str) -> usize {
    let mut len = 0;
    let mut shifted_units = 0;
    let close = |units: &mut usize| {
        let bytes = if *units == 0 { 0 } else { 2 + (*units * 16).div_ceil(6) };
        *units = 0;
        bytes
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            len += close(&mut shifted_units) + if c == '&' { 2 } else { 1 };
        } else {
            shifted_units += c.len_utf16();
        }
    }
    len + close(&mut shifted_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_destination_cannot_carry_is_replaced_and_said() {
        for (path, separator, expect, reasons) in [
            ("Projetos/2019", Some('/'), "Projetos/2019", 0),
            ("v1.2/a.b", Some('.'), "v1_2/a_b", 1),
            ("v1.2", Some('/'), "v1.2", 0),
            ("a\\/b", Some('.'), "a_b", 1),
            ("a\\/b", Some('/'), "a_b", 1),
            ("a\\/b.c", Some('.'), "a_b_c", 2),
            ("a\u{0}b\tc", None, "a_b_c", 1),
            ("a//b", None, "a/_/b", 1),
            ("../x", None, "__/x", 1),
            ("inbox", None, "INBOX", 0),
            ("Inbox/Inbox", None, "INBOX/Inbox", 0),
            (" a ", None, " a ", 0),
        ] {
            let (carried, why) = carry(&FolderPath::from(path), separator);
            assert_eq!(carried.to_string(), expect, "{path:?}");
            assert_eq!(why.len(), reasons, "{path:?}: {why:?}");
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        for unit in ["a", "ã", "日", "😀", "&"] {
            let (one, two) = (unit.repeat(300), format!("{}b", unit.repeat(300)));
            let [a, b] = [one, two].map(|name| carry(&FolderPath::new([name]), None).0.name().to_owned());
            assert!(!too_long(&a) && !too_long(&b), "{unit}");
            assert!(a.len() > 80, "{unit}: {a}");
            assert_ne!(a, b);
            assert_eq!(carry(&FolderPath::new([a.clone()]), None).0.name(), a);
        }
    }

    #[test]
    fn the_length_in_modified_utf_7_is_that_of_the_encoding() {
        // RFC 3501 section 5.1.3's example, and an ampersand.
        assert_eq!(utf7_len("台北"), "&U,BTFw-".len());
        assert_eq!(utf7_len("R&D"), "R&-D".len());
        assert_eq!(utf7_len("Itens Excluídos"), "Itens Exclu&AO0-dos".len());
    }
}
