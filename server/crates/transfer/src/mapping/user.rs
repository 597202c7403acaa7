//! The user's own folder map: which key speaks for a folder. Knows nothing of what happens where none does.

use super::{MappingProblem, fold::composed, fold::fold_path};
use crate::{FolderPath, RemoteFolder};
use std::collections::BTreeMap;

/// The user's folder map, read.
pub(super) struct UserMap {
    entries: Vec<Entry>,
}

struct Entry {
    key: String,
    from: FolderPath,
    folded: Vec<String>,
    to: FolderPath,
}

/// What the user's map says of a folder.
pub(super) struct Wish<'a> {
    /// The entry's key.
    pub(super) key: &'a str,
    /// Where the folder goes.
    pub(super) to: FolderPath,
    /// Whether the key names the folder itself, not one above it.
    pub(super) own: bool,
}

impl UserMap {
    pub(super) fn read(map: &BTreeMap<String, String>) -> Result<Self, Vec<MappingProblem>> {
        let mut entries = Vec::with_capacity(map.len());
        let mut problems = Vec::new();
        for (key, value) in map {
            let mut levels = FolderPath::from(key.as_str()).levels().to_vec();
            while levels.len() > 1 && levels.last().is_some_and(String::is_empty) {
                levels.pop();
            }
            let from = FolderPath::new(levels);
            let to = FolderPath::new(FolderPath::from(value.trim()).levels().iter().filter(|level| !level.is_empty()));
            if to.levels().is_empty() {
                problems.push(MappingProblem {
                    sources: vec![from],
                    dest: None,
                    sentence: format!(
                        "The folder map sends \"{key}\" to a place without a name. Name a folder, or leave the \
                         source folder out with the pattern \"!{key}\"."
                    ),
                });
                continue;
            }
            let folded = fold_path(&from);
            entries.push(Entry { key: key.clone(), from, folded, to: composed(&to) });
        }
        if problems.is_empty() { Ok(Self { entries }) } else { Err(problems) }
    }

    /// What the map says of this folder: the entry of the nearest level, exactly matched before matched by fold.
    pub(super) fn wish(&self, path: &FolderPath) -> Option<Wish<'_>> {
        let folded = fold_path(path);
        (1..=path.levels().len()).rev().find_map(|len| {
            let exact = self.entries.iter().find(|e| e.from.levels() == &path.levels()[..len]);
            let entry = exact.or_else(|| self.entries.iter().find(|e| e.folded == folded[..len]))?;
            let rest = &path.levels()[len..];
            Some(Wish {
                key: &entry.key,
                to: composed(&FolderPath::new(entry.to.levels().iter().chain(rest))),
                own: rest.is_empty(),
            })
        })
    }

    /// Keys that speak for no folder of the source and none above one.
    pub(super) fn idle<'a>(&'a self, source: &'a [RemoteFolder]) -> impl Iterator<Item = &'a str> {
        let folded: Vec<Vec<String>> = source.iter().map(|f| fold_path(&f.path)).collect();
        self.entries
            .iter()
            .filter(move |e| !folded.iter().any(|path| path.starts_with(&e.folded)))
            .map(|e| e.key.as_str())
    }
}
