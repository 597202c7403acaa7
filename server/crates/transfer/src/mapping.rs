//! Where each source folder goes: a pure function from both sides' folders and the user's wishes to a plan.
//!
//! The rules, in order; the first that speaks for a folder decides:
//! 1. the user's folder map; a key moves the folders below it along, unless they have a key of their own;
//! 2. INBOX goes to INBOX, in any case;
//! 3. special use by attribute (RFC 6154), then by a known name: at the top, below INBOX or below `[Gmail]`. One
//!    source folder wins each use; folders below it move along (`Enviados/2019` becomes `Sent/2019`);
//! 4. the same path.
//!
//! A special use goes to the destination's folder with that attribute, else to its folder with a known name, else
//! to `Sent`, `Drafts`, `Trash`, `Junk` or `Archive`. What an earlier run placed stays there, unless the user's map
//! says otherwise. Every selectable source folder is in the plan or among what is left out, with a reason.
//!
//! Knows no connection and no message.

mod fold;
mod glob;
mod names;
mod rename;
mod special;
#[cfg(test)]
mod tests;
mod user;

use crate::{FolderPath, RemoteFolder};
use fold::{composed, fold_path};
use gatepost_contract::SpecialUse;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use user::UserMap;

/// What a plan depends on beside the folders of both sides.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Source path to destination path, both as [`FolderPath`] displays them.
    pub folder_map: BTreeMap<String, String>,
    /// Which folders: `*` matches anything, `?` one character, `!` before a pattern leaves out. None: all.
    pub globs: Vec<String>,
    /// What separates levels at the destination; where it is `None`, the destination's folders tell, if they can.
    pub dest_separator: Option<char>,
    /// Where earlier runs put folders: source path to destination path.
    pub placed: BTreeMap<FolderPath, FolderPath>,
}

/// Which rule decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// The user's folder map.
    User,
    /// INBOX goes to INBOX.
    Inbox,
    /// The source's attribute.
    SpecialUse,
    /// A name that is known.
    KnownName,
    /// The same path on both sides.
    SamePath,
    /// An earlier run put it there, where the rules would now choose another place.
    Earlier,
}

/// A source folder with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// The folder.
    pub source: RemoteFolder,
    /// Where it goes.
    pub dest: FolderPath,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// Which rule decided.
    pub rule: Rule,
    /// Whether the destination has that folder already.
    pub exists: bool,
}

/// A source folder that is not copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// The folder.
    pub source: RemoteFolder,
    /// Why.
    pub reason: String,
}

/// The plan, sorted by source path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What is copied, and where to.
    pub folders: Vec<Mapped>,
    /// What is not.
    pub left: Vec<Left>,
    /// What a person should know: renames, second candidates, idle keys of the folder map.
    pub warnings: Vec<String>,
}

/// Why there can be no plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct MappingProblem {
    /// The source folders that it is about.
    pub sources: Vec<FolderPath>,
    /// Where they would go.
    pub dest: Option<FolderPath>,
    /// What is wrong and what to do.
    pub sentence: String,
}

/// A path in characters that every server takes in a folder's name: Cyrus refuses some of the marks, Courier whatever
/// lies beyond the Basic Multilingual Plane.
#[must_use]
pub fn plain(path: &FolderPath) -> FolderPath {
    const REFUSED: &[char] = &['"', '\\', '%', '*', ';', '|', '<', '>', '^', '&', '~', '`', '?', '#', '$', '{', '}'];
    FolderPath::new(path.levels().iter().map(|level| {
        let refused = |c: char| REFUSED.contains(&c) || c.is_control() || u32::from(c) > 0xFFFF;
        level.chars().map(|c| if refused(c) { '_' } else { c }).collect::<String>()
    }))
}

/// A path's place as servers that ignore case and composition see it: equal for folders that end up in one.
#[must_use]
pub fn folded(path: &FolderPath) -> FolderPath {
    FolderPath::new(fold_path(path))
}

/// Plans where each source folder goes. The order of the folders does not matter.
pub fn plan(source: &[RemoteFolder], dest: &[RemoteFolder], options: &Options) -> Result<Plan, Vec<MappingProblem>> {
    let options = &Options { dest_separator: options.dest_separator.or_else(|| separator(dest)), ..options.clone() };
    let dest = &with_parents(dest);
    let user = UserMap::read(&options.folder_map)?;
    let globs = glob::Globs::new(&options.globs);
    let mut plan = Plan::default();

    // One entry for each path; where a store lists a path twice, the one that can hold messages.
    let mut sorted: Vec<&RemoteFolder> = source.iter().collect();
    sorted.sort_by_key(|f| {
        let special_use = f.special_use.map(SpecialUse::as_str);
        (&f.path, !f.selectable, special_use.is_none(), &f.native, special_use)
    });
    sorted.dedup_by(|a, b| a.path == b.path);
    let (wanted, left): (Vec<&RemoteFolder>, Vec<&RemoteFolder>) =
        sorted.iter().filter(|f| f.selectable).partition(|f| leave_out(f, &user, &globs).is_none());
    for folder in left {
        let reason = leave_out(folder, &user, &globs).unwrap_or_default();
        if folder.special_use == Some(SpecialUse::All) {
            plan.warnings.push(format!(
                "\"{}\" is a view of all mail and is not copied. Mail that is in no other folder, such as archived \
                 mail of Gmail, stays behind: add it to the folder map (\"{}\" = \"Archive\") to copy it.",
                folder.path, folder.path
            ));
        }
        plan.left.push(Left { source: folder.clone(), reason });
    }

    let mapped_by_user: BTreeSet<Vec<String>> = wanted
        .iter()
        .filter_map(|f| Some(rename::carry(&user.wish(&f.path)?.to, options.dest_separator).0))
        .flat_map(|to| special::with_levels_above(&to))
        .collect();
    let candidates: Vec<(&RemoteFolder, FolderPath)> = wanted
        .iter()
        .filter(|f| user.wish(&f.path).is_none() && !is_inbox(f))
        .map(|f| {
            let (own, ..) = place(f, &user, &BTreeMap::new(), &sorted);
            (*f, rename::carry(&composed(&own), options.dest_separator).0)
        })
        .collect();
    let (winners, second) = special::choose(&candidates, &mapped_by_user, dest, options);
    plan.warnings.extend(second);

    let spelling = Spelling::of(dest);
    let mut keys: Vec<Option<String>> = Vec::with_capacity(wanted.len());
    for folder in &wanted {
        let (place, special_use, mut rule, key) = place(folder, &user, &winners, &sorted);
        let (mut to, reasons) = rename::carry(&composed(&place), options.dest_separator);
        if rule != Rule::User
            && let Some(earlier) = options.placed.get(&folder.path)
        {
            if fold_path(earlier) != fold_path(&to) {
                rule = Rule::Earlier;
                plan.warnings.push(format!(
                    "\"{}\" stays at \"{earlier}\", where an earlier run put it; otherwise it would go to \"{to}\".",
                    folder.path
                ));
            }
            to = earlier.clone();
        } else if !reasons.is_empty() {
            plan.warnings.push(format!("\"{}\" is renamed to \"{to}\": {}.", folder.path, reasons.join("; ")));
        }
        let (to, exists) = spelling.of_path(&to);
        if let Some(other) = spelling.differs_in_case(&to) {
            plan.warnings.push(format!(
                "The destination has \"{other}\", which differs from \"{to}\" only in case. Where the destination \
                 ignores case both are one folder."
            ));
        }
        plan.warnings.extend(remarks(folder));
        if special_use == Some(SpecialUse::Archive) && names::is_of_gmail(&folder.path) {
            plan.warnings.push(format!("\"{}\" holds mail without a label; it goes to \"{to}\".", folder.path));
        }
        plan.folders.push(Mapped { source: (*folder).clone(), dest: to, special_use, rule, exists });
        keys.push(key);
    }
    mark_user_mapped(&mut plan.folders);
    for key in user.idle(source) {
        plan.warnings.push(format!("The folder map names \"{key}\", which the source does not have."));
    }

    let problems = collisions(&plan.folders, &keys);
    if problems.is_empty() { Ok(plan) } else { Err(problems) }
}

/// What separates the levels of these folders' native names, where any of them shows it.
#[must_use]
pub fn separator(folders: &[RemoteFolder]) -> Option<char> {
    folders.iter().filter(|f| f.path.levels().len() > 1).find_map(|f| {
        let separator = f.native.strip_suffix(f.path.name())?.chars().next_back()?;
        (!separator.is_alphanumeric()).then_some(separator)
    })
}

/// The folders and the levels above them that a store does not list: they are there, or come to be listed once
/// something is made below them.
fn with_parents(folders: &[RemoteFolder]) -> Vec<RemoteFolder> {
    let mut paths: BTreeSet<FolderPath> = folders.iter().map(|f| f.path.clone()).collect();
    let mut all = folders.to_vec();
    for folder in folders {
        for len in 1..folder.path.levels().len() {
            let path = FolderPath::new(&folder.path.levels()[..len]);
            if paths.insert(path.clone()) {
                all.push(RemoteFolder { native: path.to_string(), path, special_use: None, selectable: false });
            }
        }
    }
    all
}

/// Why a folder is not copied; `None` where it is.
fn leave_out(folder: &RemoteFolder, user: &UserMap, globs: &glob::Globs) -> Option<String> {
    if let Some(reason) = globs.refuses(&folder.path) {
        return Some(format!("Left out: {reason}."));
    }
    let asked_for = user.wish(&folder.path).is_some_and(|wish| wish.own);
    (is_view(folder) && !asked_for).then(|| {
        "Left out: a view of messages that are in other folders. Name it in the folder map to copy it.".to_owned()
    })
}

/// Whether a folder shows messages that lie in other folders (RFC 6154), and is no place by itself.
pub(crate) fn is_view(folder: &RemoteFolder) -> bool {
    let named = folder.special_use.is_none() && names::is_view(&folder.path);
    named || matches!(folder.special_use, Some(SpecialUse::All | SpecialUse::Flagged))
}

fn is_inbox(folder: &RemoteFolder) -> bool {
    folder.path.is_inbox() || folder.special_use == Some(SpecialUse::Inbox)
}

/// The place that the rules give a folder, what it is for, the rule, and the user's key.
fn place(
    folder: &RemoteFolder,
    user: &UserMap,
    winners: &BTreeMap<FolderPath, special::Winner>,
    all: &[&RemoteFolder],
) -> (FolderPath, Option<SpecialUse>, Rule, Option<String>) {
    if let Some(wish) = user.wish(&folder.path) {
        let special_use = if is_inbox(folder) { Some(SpecialUse::Inbox) } else { folder.special_use };
        return (wish.to, special_use, Rule::User, Some(wish.key.to_owned()));
    }
    if is_inbox(folder) {
        return (FolderPath::inbox(), Some(SpecialUse::Inbox), Rule::Inbox, None);
    }
    let levels = folder.path.levels();
    for len in (1..=levels.len()).rev() {
        let above = FolderPath::new(&levels[..len]);
        let rest = &levels[len..];
        if let Some(winner) = winners.get(&above) {
            let rule = if winner.by_attribute { Rule::SpecialUse } else { Rule::KnownName };
            let to = FolderPath::new(winner.to.levels().iter().chain(rest));
            return (to, rest.is_empty().then_some(winner.purpose), rule, None);
        }
        // An inbox under another name (an archive's "Caixa de Entrada") takes its folders along too.
        if !above.is_inbox() && all.iter().any(|f| f.path == above && f.special_use == Some(SpecialUse::Inbox)) {
            let to = FolderPath::new(FolderPath::inbox().levels().iter().chain(rest));
            return (to, None, Rule::Inbox, None);
        }
    }
    (folder.path.clone(), None, Rule::SamePath, None)
}

/// A folder that the user moved is still what its name says, where no other folder is: the gate asks for \Sent.
fn mark_user_mapped(folders: &mut [Mapped]) {
    for (purpose, _) in names::STANDARD {
        if folders.iter().any(|f| f.special_use == Some(purpose)) {
            continue;
        }
        let named = |f: &&mut Mapped| f.rule == Rule::User && special::purpose_of(&f.source) == Some(purpose);
        if let Some(first) = folders.iter_mut().find(named) {
            first.special_use = Some(purpose);
        }
    }
}

/// What a person should know of a name that is kept as it is.
fn remarks(folder: &RemoteFolder) -> Vec<String> {
    let path = &folder.path;
    let mut said = Vec::new();
    if path.levels().iter().any(|level| level.trim() != level) {
        said.push(format!("\"{path}\" has a name that begins or ends with a space; some servers cut it off."));
    }
    if path.levels().iter().skip(1).any(|level| level.eq_ignore_ascii_case("INBOX")) {
        said.push(format!("\"{path}\" has INBOX as a lower level; some servers take that for the INBOX itself."));
    }
    said
}

/// Source folders that would share a place, unless the user's map sent each of them there by a key of its own.
fn collisions(folders: &[Mapped], keys: &[Option<String>]) -> Vec<MappingProblem> {
    let mut places: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for (n, folder) in folders.iter().enumerate() {
        places.entry(fold_path(&folder.dest)).or_default().push(n);
    }
    let on_purpose = |members: &[usize]| {
        let own: BTreeSet<&String> = members.iter().filter_map(|n| keys[*n].as_ref()).collect();
        own.len() == members.len()
    };
    places
        .into_values()
        .filter(|members| members.len() > 1 && !on_purpose(members))
        .map(|members| {
            let sources: Vec<FolderPath> = members.iter().map(|n| folders[*n].source.path.clone()).collect();
            let named: Vec<String> = sources.iter().map(|s| format!("\"{s}\"")).collect();
            let dests: BTreeSet<String> = members.iter().map(|n| format!("\"{}\"", folders[*n].dest)).collect();
            let same = if dests.len() > 1 { " (one folder wherever case does not count)" } else { "" };
            let last = &sources[sources.len() - 1];
            MappingProblem {
                dest: Some(folders[members[0]].dest.clone()),
                sentence: format!(
                    "The source folders {} would all go to {}{same}. Give one of them another place in the folder \
                     map, for example \"{last}\" = \"{last} 2\"; or name each of them there with \
                     the same place to merge them.",
                    named.join(" and "),
                    dests.into_iter().collect::<Vec<_>>().join(" and "),
                ),
                sources,
            }
        })
        .collect()
}

/// How the destination spells what it has: two folders that look alike (NFC and NFD) shall not come to be.
struct Spelling<'a> {
    composed: BTreeMap<FolderPath, Vec<&'a RemoteFolder>>,
    folded: BTreeMap<Vec<String>, &'a FolderPath>,
}

impl<'a> Spelling<'a> {
    fn of(dest: &'a [RemoteFolder]) -> Self {
        let mut sorted: Vec<&RemoteFolder> = dest.iter().collect();
        sorted.sort_by_key(|f| (&f.path, !f.selectable));
        let mut spelling = Self { composed: BTreeMap::new(), folded: BTreeMap::new() };
        for folder in sorted {
            spelling.composed.entry(composed(&folder.path)).or_default().push(folder);
            spelling.folded.entry(fold_path(&folder.path)).or_insert(&folder.path);
        }
        spelling
    }

    /// The path with as many levels as possible in the destination's spelling, and whether it is all there.
    fn of_path(&self, path: &FolderPath) -> (FolderPath, bool) {
        if path.is_inbox() {
            return (FolderPath::inbox(), true);
        }
        for len in (1..=path.levels().len()).rev() {
            let (upper, rest) = path.levels().split_at(len);
            let upper = FolderPath::new(upper);
            let Some(alike) = self.composed.get(&composed(&upper)) else { continue };
            let Some(found) = alike.iter().find(|f| f.path == upper).or_else(|| alike.first()) else { continue };
            let to = FolderPath::new(found.path.levels().iter().chain(rest));
            return (to, rest.is_empty() && found.selectable);
        }
        (path.clone(), false)
    }

    fn differs_in_case(&self, path: &FolderPath) -> Option<&FolderPath> {
        if self.composed.contains_key(&composed(path)) {
            return None;
        }
        self.folded.get(&fold_path(path)).copied().filter(|_| !path.is_inbox())
    }
}
