//! Folders: how a server's names become paths and back. Pure functions; the witness uses them too, so that both
//! readings name folders alike.

use crate::wire::{Response, Value, utf7};
use gatepost_contract::SpecialUse;
use gatepost_transfer::{Fault, FaultKind, FolderPath, RemoteFolder};

/// A server's namespaces (RFC 2342): prefixes with their separators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Namespace {
    pub(crate) personal: Vec<(String, Option<char>)>,
    /// Other users' and shared folders, which are not the account's own.
    pub(crate) foreign: Vec<(String, Option<char>)>,
}

impl Namespace {
    /// From the values of a NAMESPACE response.
    pub(crate) fn read(values: &[Value]) -> Self {
        let class = |n: usize| -> Vec<(String, Option<char>)> {
            let members = values.get(n).and_then(Value::list).unwrap_or_default();
            members
                .iter()
                .filter_map(|member| {
                    let member = member.list()?;
                    let prefix = utf7::decode(member.first()?.bytes()?);
                    Some((prefix, member.get(1).and_then(Value::text).and_then(|d| d.chars().next())))
                })
                .collect()
        };
        let mut foreign = class(1);
        foreign.extend(class(2));
        Self { personal: class(0), foreign }
    }
}

/// A folder as LIST tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Decoded.
    pub(crate) native: String,
    pub(crate) separator: Option<char>,
    /// Lower case, with backslash.
    pub(crate) attributes: Vec<String>,
}

impl Listed {
    fn has(&self, attribute: &str) -> bool {
        self.attributes.iter().any(|a| a == attribute)
    }
}

/// The account's own folders, sorted by path, INBOX among them.
pub(crate) fn arrange(mut listed: Vec<Listed>, namespace: Option<&Namespace>) -> Vec<RemoteFolder> {
    let guessed = namespace.is_none().then(|| guess_prefix(&listed)).flatten();
    let default = Namespace::default();
    let namespace = namespace.unwrap_or(&default);
    listed.retain(|entry| !is_foreign(&entry.native, namespace));
    let mut folders: Vec<RemoteFolder> = listed
        .iter()
        .filter_map(|entry| {
            let separator = entry.separator.or_else(|| namespace.personal.first().and_then(|(_, s)| *s));
            let prefix = guessed.as_deref().or_else(|| prefix_of(&entry.native, namespace)).unwrap_or("");
            let path = path_of(&entry.native, separator, prefix)?;
            let special_use = if path.is_inbox() { Some(SpecialUse::Inbox) } else { special_use(entry) };
            let selectable = !entry.has("\\noselect") && !entry.has("\\nonexistent");
            Some(RemoteFolder { path, native: entry.native.clone(), special_use, selectable })
        })
        .collect();
    if !folders.iter().any(|f| f.path.is_inbox()) {
        folders.push(RemoteFolder {
            path: FolderPath::inbox(),
            native: "INBOX".into(),
            special_use: Some(SpecialUse::Inbox),
            selectable: true,
        });
    }
    // A folder that is listed twice counts once, as the one that can be opened.
    folders.sort_by(|a, b| a.path.cmp(&b.path).then(b.selectable.cmp(&a.selectable)).then(a.native.cmp(&b.native)));
    folders.dedup_by(|later, first| later.native == first.native || (later.path == first.path && !later.selectable));
    folders
}

fn is_foreign(native: &str, namespace: &Namespace) -> bool {
    namespace.foreign.iter().any(|(prefix, separator)| {
        !prefix.is_empty()
            && (native.starts_with(prefix.as_str())
                || separator.is_some_and(|s| prefix.strip_suffix(s) == Some(native)))
            && !namespace.personal.iter().any(|(own, _)| own.len() > prefix.len() && native.starts_with(own.as_str()))
    })
}

fn prefix_of<'a>(native: &str, namespace: &'a Namespace) -> Option<&'a str> {
    let prefixes = namespace.personal.iter().map(|(prefix, _)| prefix.as_str());
    prefixes
        .filter(|prefix| native.len() > prefix.len() && native.starts_with(*prefix))
        .max_by_key(|prefix| prefix.len())
}

/// Without NAMESPACE, a server on which every folder lies below INBOX keeps them there by itself (Courier, Cyrus).
pub(crate) fn guess_prefix(listed: &[Listed]) -> Option<String> {
    let separator = listed.iter().find_map(|entry| entry.separator).filter(|s| *s == '.')?;
    let prefix = format!("INBOX{separator}");
    let mut below = 0;
    for entry in listed.iter().filter(|entry| !entry.native.eq_ignore_ascii_case("INBOX")) {
        entry.native.strip_prefix(&prefix)?;
        below += 1;
    }
    (below > 0).then_some(prefix)
}

fn path_of(native: &str, separator: Option<char>, prefix: &str) -> Option<FolderPath> {
    if native.eq_ignore_ascii_case("INBOX") {
        return Some(FolderPath::inbox());
    }
    let stripped = native.strip_prefix(prefix).unwrap_or(native);
    // `INBOX.INBOX` is a folder below the INBOX, not the INBOX.
    let rest = if stripped.eq_ignore_ascii_case("INBOX") { native } else { stripped };
    let mut levels: Vec<&str> = match separator {
        Some(separator) => rest.split(separator).filter(|level| !level.is_empty()).collect(),
        None => vec![rest],
    };
    if let Some(first) = levels.first_mut()
        && first.eq_ignore_ascii_case("INBOX")
    {
        *first = "INBOX";
    }
    (!levels.is_empty()).then(|| FolderPath::new(levels))
}

fn special_use(entry: &Listed) -> Option<SpecialUse> {
    // RFC 6154; \Starred and \Spam are what Gmail's XLIST called them.
    // \Important (RFC 8457) is a view by a mark too, and is treated as the other one.
    const NAMES: [(&str, SpecialUse); 11] = [
        ("\\all", SpecialUse::All),
        ("\\allmail", SpecialUse::All),
        ("\\archive", SpecialUse::Archive),
        ("\\drafts", SpecialUse::Drafts),
        ("\\flagged", SpecialUse::Flagged),
        ("\\important", SpecialUse::Flagged),
        ("\\starred", SpecialUse::Flagged),
        ("\\junk", SpecialUse::Junk),
        ("\\spam", SpecialUse::Junk),
        ("\\sent", SpecialUse::Sent),
        ("\\trash", SpecialUse::Trash),
    ];
    NAMES.iter().find_map(|(name, special_use)| entry.has(name).then_some(*special_use))
}

/// Where a path goes on this server.
pub(crate) fn native_of(
    path: &FolderPath,
    separator: Option<char>,
    prefix: &str,
    server: &str,
) -> Result<String, Fault> {
    if path.is_inbox() {
        return Ok("INBOX".into());
    }
    let refuse = |why: String| {
        Err(Fault::new(
            FaultKind::Refused,
            format!(
                "The folder \"{path}\" cannot be made at {server}: {why}. Give it another name in the folder mapping."
            ),
        ))
    };
    for level in path.levels() {
        if level.is_empty() {
            return refuse("a part of its name is empty".into());
        }
        if let Some(c) = level.chars().find(|c| c.is_control()) {
            return refuse(format!("its name holds the control character U+{:04X}", u32::from(c)));
        }
        if let Some(separator) = separator
            && level.contains(separator)
        {
            return refuse(format!("\"{level}\" holds {separator:?}, with which this server parts folder levels"));
        }
    }
    let separator = match separator {
        Some(separator) => separator.to_string(),
        None if path.levels().len() > 1 => return refuse("this server has no folders below folders".into()),
        None => String::new(),
    };
    let name = path.levels().join(&separator);
    let below_inbox = path.levels().first().is_some_and(|level| level == "INBOX");
    // With the prefix `INBOX.`, what lies below the INBOX has it already.
    Ok(if below_inbox && prefix.eq_ignore_ascii_case(&format!("INBOX{separator}")) {
        name
    } else {
        format!("{prefix}{name}")
    })
}

/// A LIST response's name, separator and attributes.
pub(crate) fn listed(response: &Response) -> Option<(Vec<u8>, Option<char>, Vec<String>)> {
    let Response::Data { name, values, .. } = response else { return None };
    if name != "LIST" {
        return None;
    }
    let attributes = values.first()?.list()?.iter().filter_map(Value::text).map(|a| a.to_ascii_lowercase()).collect();
    let separator = values.get(1)?.text().and_then(|s| s.chars().next());
    // A folder called NIL, unquoted.
    let name = match values.get(2)? {
        Value::Nil => b"NIL".to_vec(),
        value => value.bytes()?.to_vec(),
    };
    Some((name, separator, attributes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(native: &str, separator: char) -> Listed {
        Listed { native: native.into(), separator: Some(separator), attributes: vec![] }
    }

    fn paths(folders: &[RemoteFolder]) -> Vec<String> {
        folders.iter().map(|f| f.path.to_string()).collect()
    }

    #[test]
    fn prefixes_are_stripped_and_other_peoples_folders_left_out() {
        let namespace = Namespace {
            personal: vec![("INBOX.".into(), Some('.'))],
            foreign: vec![("user.".into(), Some('.')), ("#shared.".into(), Some('.'))],
        };
        let listed = ["inbox", "INBOX.Sent", "INBOX.a.b", "INBOX.INBOX", "user.rui", "user", "#shared.x"];
        let folders = arrange(listed.iter().map(|n| entry(n, '.')).collect(), Some(&namespace));
        assert_eq!(paths(&folders), ["INBOX", "INBOX/INBOX", "Sent", "a/b"]);
        assert_eq!(folders[0].special_use, Some(SpecialUse::Inbox));
        assert_eq!(folders[0].native, "inbox");
    }

    #[test]
    fn a_prefix_is_guessed_where_everything_lies_below_the_inbox() {
        let below = |names: &[&str], s| paths(&arrange(names.iter().map(|n| entry(n, s)).collect(), None));
        assert_eq!(below(&["INBOX", "INBOX.Sent", "INBOX.a.b"], '.'), ["INBOX", "Sent", "a/b"]);
        assert_eq!(below(&["INBOX", "INBOX.Sent", "Other"], '.'), ["INBOX", "INBOX/Sent", "Other"]);
        assert_eq!(below(&["INBOX", "INBOX/Sent"], '/'), ["INBOX", "INBOX/Sent"]);
        assert_eq!(below(&["INBOX"], '.'), ["INBOX"]);
    }

    #[test]
    fn names_are_parted_by_the_folders_own_separator() {
        let mut flat = entry("a/b.c", '/');
        flat.separator = None;
        let folders = arrange(vec![entry("x/", '/'), entry("x/y.z", '/'), entry("Inbox/k", '/'), flat], None);
        assert_eq!(paths(&folders), ["INBOX", "INBOX/k", "a\\/b.c", "x", "x/y.z"]);
    }

    #[test]
    fn attributes_tell_the_use_and_what_cannot_be_opened() {
        let with = |name: &str, attribute: &str| Listed { attributes: vec![attribute.into()], ..entry(name, '/') };
        let folders = arrange(vec![with("S", "\\sent"), with("N", "\\noselect"), with("A", "\\all")], None);
        let told: Vec<_> = folders.iter().map(|f| (f.path.name(), f.special_use, f.selectable)).collect();
        assert_eq!(
            told,
            [
                ("A", Some(SpecialUse::All), true),
                ("INBOX", Some(SpecialUse::Inbox), true),
                ("N", None, false),
                ("S", Some(SpecialUse::Sent), true)
            ]
        );
    }

    #[test]
    fn a_path_becomes_the_servers_name() {
        let native = |path: &str, separator, prefix: &str| native_of(&path.into(), separator, prefix, "h:1").ok();
        assert_eq!(native("a/b", Some('.'), "INBOX.").as_deref(), Some("INBOX.a.b"));
        assert_eq!(native("INBOX/a", Some('.'), "INBOX.").as_deref(), Some("INBOX.a"));
        assert_eq!(native("INBOX/a", Some('/'), "").as_deref(), Some("INBOX/a"));
        assert_eq!(native("inbox", Some('/'), "x/").as_deref(), Some("INBOX"));
        assert_eq!(native("a", None, "").as_deref(), Some("a"));
        assert_eq!(native("a/b", None, ""), None);
        assert_eq!(native("a.b", Some('.'), ""), None);
        assert_eq!(native("a\r\nb", Some('/'), ""), None);
        assert_eq!(native("a//b", Some('/'), ""), None);
    }
}
