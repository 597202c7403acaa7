//! Which source folder is the account's Sent, Drafts, Trash, Junk and Archive, and where it goes.
//!
//! Where it goes depends only on what the destination held before and on what the plan does not put there itself,
//! so that a plan made after the first copy comes out the same.

use super::{Options, fold::fold_path, names};
use crate::{FolderPath, RemoteFolder};
use gatepost_contract::SpecialUse;
use std::collections::{BTreeMap, BTreeSet};

/// A folder that won its use.
pub(super) struct Winner {
    /// What it is for.
    pub(super) purpose: SpecialUse,
    /// Where it goes.
    pub(super) to: FolderPath,
    /// Whether the source's attribute decided, not the name.
    pub(super) by_attribute: bool,
}

/// The winners by their source path, and a sentence for each folder that lost. `candidates` come with the place that
/// they have unless they win, `taken` is where the user's map sends folders.
pub(super) fn choose(
    candidates: &[(&RemoteFolder, FolderPath)],
    taken: &BTreeSet<Vec<String>>,
    dest: &[RemoteFolder],
    options: &Options,
) -> (BTreeMap<FolderPath, Winner>, Vec<String>) {
    let mut winners = BTreeMap::new();
    let mut warnings = Vec::new();
    for (purpose, standard) in names::STANDARD {
        let standard = FolderPath::new([standard]);
        let mut rivals: Vec<&(&RemoteFolder, FolderPath)> =
            candidates.iter().filter(|(f, _)| purpose_of(f) == Some(purpose)).collect();
        let declared = declared(dest, purpose, &standard);
        // The attribute decides; then what an earlier run placed; then the one that needs no new name; then the path.
        let goal = fold_path(declared.unwrap_or(&standard));
        rivals.sort_by_key(|(f, own)| {
            let renamed = fold_path(own) != goal;
            (f.special_use.is_none(), !options.placed.contains_key(&f.path), renamed, f.path.clone())
        });
        let Some(((winner, own), losers)) = rivals.split_first() else { continue };
        // What the plan makes beside the winner's place, with the levels above, must not be taken for it next time.
        let below = |f: &RemoteFolder| f.path.levels().starts_with(winner.path.levels());
        let mut kept: BTreeSet<Vec<String>> = taken.clone();
        for (_, own) in candidates.iter().filter(|(f, _)| !below(f)) {
            kept.extend(with_levels_above(own));
        }
        let to = options
            .placed
            .get(&winner.path)
            .or(declared)
            .or_else(|| named(dest, purpose, &standard, &kept))
            .unwrap_or(&standard)
            .clone();
        // Gmail's "All Mail" leaves the name "Archive" to a label that is called so.
        let clash = candidates.iter().any(|(f, place)| f.path != winner.path && fold_path(place) == fold_path(&to));
        let to =
            if clash && purpose == SpecialUse::Archive && names::is_of_gmail(&winner.path) { own.clone() } else { to };
        for (loser, _) in losers {
            warnings.push(format!(
                "\"{}\" looks like the {purpose} folder too, but \"{}\" is it; \"{}\" keeps its own name. Say in the \
                 folder map where it shall go if that is wrong.",
                loser.path, winner.path, loser.path
            ));
        }
        let by_attribute = winner.special_use.is_some();
        winners.insert(winner.path.clone(), Winner { purpose, to, by_attribute });
    }
    (winners, warnings)
}

/// What a folder is for: its attribute, or its name where it has none.
pub(super) fn purpose_of(folder: &RemoteFolder) -> Option<SpecialUse> {
    folder.special_use.or_else(|| names::known(&folder.path))
}

/// A path and every level above it, folded.
pub(super) fn with_levels_above(path: &FolderPath) -> impl Iterator<Item = Vec<String>> + use<> {
    let folded = fold_path(path);
    (1..=folded.len()).map(move |len| folded[..len].to_vec())
}

/// The destination's folder with the attribute. One that cannot hold messages yet is made to by creating it.
fn declared<'a>(dest: &'a [RemoteFolder], purpose: SpecialUse, standard: &FolderPath) -> Option<&'a FolderPath> {
    best(dest.iter().filter(|f| f.special_use == Some(purpose) && !names::is_root(&f.path)), standard)
}

/// The destination's folder with a known name, unless the plan itself sends another folder there.
fn named<'a>(
    dest: &'a [RemoteFolder],
    purpose: SpecialUse,
    standard: &FolderPath,
    kept: &BTreeSet<Vec<String>>,
) -> Option<&'a FolderPath> {
    best(
        dest.iter().filter(|f| {
            f.special_use.is_none() && names::known(&f.path) == Some(purpose) && !kept.contains(&fold_path(&f.path))
        }),
        standard,
    )
}

fn best<'a>(folders: impl Iterator<Item = &'a RemoteFolder>, standard: &FolderPath) -> Option<&'a FolderPath> {
    folders.map(|f| &f.path).min_by_key(|p| (fold_path(p) != fold_path(standard), p.levels().len(), (*p).clone()))
}
