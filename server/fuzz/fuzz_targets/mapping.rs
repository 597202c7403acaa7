//! Folder mapping for any folders on both sides: no panic; every selectable source folder is in the plan or left out,
//! once; nothing shares a place unless the user said so; the order in which servers list does not matter; and a second
//! run, which finds what the first made, puts everything where it is.
//!
//! The input is lines. The first letter says what a line is: `s` a source folder, `d` one at the destination, each
//! followed by a letter for its special use (`-` none, `n` not selectable) and its path; `m` FROM=TO of the folder map;
//! `g` a pattern; `.` and `/` the destination's separator.
#![no_main]

use gatepost_contract::SpecialUse;
use gatepost_transfer::mapping::{Options, Rule, plan};
use gatepost_transfer::{FolderPath, RemoteFolder};
use libfuzzer_sys::fuzz_target;
use std::collections::{BTreeMap, BTreeSet};

fuzz_target!(|text: &str| {
    let (mut source, mut dest, mut options) = (Vec::new(), Vec::new(), Options::default());
    for line in text.lines().take(24) {
        let mut letters = line.chars();
        match letters.next() {
            Some('s') => source.extend(folder(letters.as_str())),
            Some('d') => dest.extend(folder(letters.as_str())),
            Some('g') => options.globs.push(letters.as_str().to_owned()),
            Some(separator @ ('.' | '/')) => options.dest_separator = Some(separator),
            Some('m') => {
                let (from, to) = letters.as_str().split_once('=').unwrap_or((letters.as_str(), ""));
                options.folder_map.insert(from.to_owned(), to.to_owned());
            }
            _ => {}
        }
    }
    let first = plan(&source, &dest, &options);
    source.reverse();
    dest.reverse();
    assert_eq!(plan(&source, &dest, &options), first, "the order of the folders matters");
    let Ok(first) = first else { return };

    let wanted: BTreeSet<&FolderPath> = source.iter().filter(|f| f.selectable).map(|f| &f.path).collect();
    let planned: Vec<&FolderPath> =
        first.folders.iter().map(|f| &f.source.path).chain(first.left.iter().map(|l| &l.source.path)).collect();
    assert_eq!(planned.len(), wanted.len(), "a folder is lost or there twice: {planned:?}");
    assert!(planned.into_iter().collect::<BTreeSet<_>>() == wanted);
    let mut places: BTreeMap<&FolderPath, Vec<Rule>> = BTreeMap::new();
    for folder in &first.folders {
        places.entry(&folder.dest).or_default().push(folder.rule);
    }
    for (place, rules) in places {
        assert!(rules.len() == 1 || rules.iter().all(|rule| *rule == Rule::User), "{place} is shared: {rules:?}");
    }

    // The destination after a run.
    for folder in &first.folders {
        options.placed.insert(folder.source.path.clone(), folder.dest.clone());
        if let Some(there) = dest.iter_mut().find(|there| there.path == folder.dest) {
            there.selectable = true;
        } else {
            let native = folder.dest.levels().join("/");
            dest.push(RemoteFolder { path: folder.dest.clone(), native, special_use: None, selectable: true });
        }
    }
    let again = plan(&source, &dest, &options).expect("what worked once works again");
    let put = |folders: &[gatepost_transfer::mapping::Mapped]| -> Vec<(FolderPath, FolderPath)> {
        folders.iter().map(|folder| (folder.source.path.clone(), folder.dest.clone())).collect()
    };
    assert_eq!(put(&again.folders), put(&first.folders), "a second run goes elsewhere");
});

fn folder(text: &str) -> Option<RemoteFolder> {
    let mut letters = text.chars();
    let special_use = match letters.next()? {
        's' => Some(SpecialUse::Sent),
        't' => Some(SpecialUse::Trash),
        'd' => Some(SpecialUse::Drafts),
        'j' => Some(SpecialUse::Junk),
        'a' => Some(SpecialUse::Archive),
        'l' => Some(SpecialUse::All),
        'i' => Some(SpecialUse::Inbox),
        _ => None,
    };
    let (selectable, path) = (!text.starts_with('n'), FolderPath::from(letters.as_str()));
    Some(RemoteFolder { native: path.levels().join("/"), path, special_use, selectable })
}
