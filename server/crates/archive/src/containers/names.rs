//! Names from archives and disks, made safe to be shown and to name folders. Nothing is refused for its name: a message
//! must not be lost because somebody called it `../../x`. What had to be changed is said once for all.

use crate::ArchiveError;

/// The longest name of a level, in bytes; longer ones end in a number that tells them apart.
const LONGEST: usize = 200;

/// Makes names safe, and counts what it changed.
#[derive(Debug, Default)]
pub(crate) struct Names {
    changed: u64,
    example: String,
    deep: u64,
}

impl Names {
    /// The folders and the name of a path in an archive. `/` parts levels, and `\` where there is no `/`.
    pub(crate) fn path(&mut self, path: &[u8], depth: usize) -> (Vec<String>, String) {
        let windows = !path.contains(&b'/') && path.contains(&b'\\');
        let parts = path.split(|b| if windows { *b == b'\\' } else { *b == b'/' });
        let mut levels: Vec<String> = Vec::new();
        let absolute = path.first().is_some_and(|b| matches!(b, b'/' | b'\\'));
        if absolute {
            self.changed(path);
        }
        for part in parts.filter(|part| !matches!(*part, b"" | b".")) {
            match part {
                b".." => self.changed(path),
                [drive, b':'] if levels.is_empty() && drive.is_ascii_alphabetic() => self.changed(path),
                part => {
                    let level = self.level(part);
                    levels.push(level);
                }
            }
        }
        let name = levels.pop().unwrap_or_default();
        self.cut(&mut levels, depth);
        (levels, name)
    }

    /// Takes levels that lie too deep off a path.
    pub(crate) fn cut(&mut self, levels: &mut Vec<String>, depth: usize) {
        if levels.len() > depth {
            levels.truncate(depth);
            self.deep += 1;
        }
    }

    /// One level: text without control characters, not longer than a bound.
    pub(crate) fn level(&mut self, raw: &[u8]) -> String {
        // What is no UTF-8 is taken for Latin-1, the older zips' and tars' usual other.
        let text = match std::str::from_utf8(raw) {
            Ok(text) => text.to_owned(),
            Err(_) => raw.iter().map(|b| char::from(*b)).collect(),
        };
        let control = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
        let mut safe: String = text.chars().map(|c| if control(c) { '_' } else { c }).collect();
        if safe.len() > LONGEST {
            let mut end = LONGEST - 9;
            while !safe.is_char_boundary(end) {
                end -= 1;
            }
            safe.truncate(end);
            safe.push('~');
            safe.push_str(&blake3::hash(raw).to_hex()[..8]);
        }
        if safe != text {
            self.changed(raw);
        }
        safe
    }

    fn changed(&mut self, raw: &[u8]) {
        if self.changed == 0 {
            self.example = shown(raw);
        }
        self.changed += 1;
    }

    /// Sentences about what was changed; they are said once.
    pub(crate) fn say(
        &mut self,
        depth: usize,
        say: &mut dyn FnMut(String) -> Result<(), ArchiveError>,
    ) -> Result<(), ArchiveError> {
        let Self { changed, example, deep } = std::mem::take(self);
        if changed > 0 {
            let names = count(changed, "name", "names");
            say(format!(
                "{names} had parts that are not safe or too long, and had to be changed: {example}. Nothing was left \
                 out for that."
            ))?;
        }
        if deep > 0 {
            say(format!(
                "{} deeper than {depth} levels; what they hold was filed in the folder of level {depth}.",
                count(deep, "file or folder lies", "files or folders lie")
            ))?;
        }
        Ok(())
    }
}

/// A number of things: `1 file`, `2 files`.
pub(crate) fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

/// A name for people: escaped, and cut where it is long.
pub(crate) fn shown(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let mut short: String = text.chars().take(60).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("\"{}\"", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_made_safe_and_nothing_is_lost() {
        let cases: [(&[u8], &str, u64); 12] = [
            (b"Inbox/a.eml", "Inbox|a.eml", 0),
            (b"./Inbox//a.eml", "Inbox|a.eml", 0),
            (b"../../etc/passwd", "etc|passwd", 2),
            (b"/etc/passwd", "etc|passwd", 1),
            (b"C:\\Mail\\a.eml", "Mail|a.eml", 1),
            (b"C:/Mail/a.eml", "Mail|a.eml", 1),
            (b"a\\b/c.eml", "a\\b|c.eml", 0),
            (b"In\0box/a\nb.eml", "In_box|a_b.eml", 2),
            (b"Sa\xEDda/a.eml", "Saída|a.eml", 0),
            ("Saída/ç.eml".as_bytes(), "Saída|ç.eml", 0),
            (b"1/2/3/4/5/a.eml", "1|2|3|a.eml", 0),
            (b"..", "", 1),
        ];
        for (path, wanted, changed) in cases {
            let mut names = Names::default();
            let (mut levels, name) = names.path(path, 3);
            levels.push(name);
            assert_eq!((levels.join("|").as_str(), names.changed), (wanted, changed), "{}", shown(path));
        }
    }

    #[test]
    fn a_name_of_four_thousand_characters_is_cut_and_stays_its_own() {
        let mut names = Names::default();
        let (one, two) = (format!("{}1", "é".repeat(4000)), format!("{}2", "é".repeat(4000)));
        let (cut_one, cut_two) = (names.level(one.as_bytes()), names.level(two.as_bytes()));
        assert!(cut_one.len() <= LONGEST && cut_one != cut_two, "{cut_one} {cut_two}");
        let mut said = Vec::new();
        let mut say = |sentence| {
            said.push(sentence);
            Ok(())
        };
        names.say(3, &mut say).unwrap();
        assert!(said.len() == 1 && said[0].starts_with("2 names had parts"), "{said:?}");
    }
}
