//! Verification: both servers are read again by witnesses that share no code with the engine, and every source
//! message is given its place: *arrived*, *pending*, *quarantined* or *waived*.
//!
//! The ledger only says where to look. A message counts as arrived when the witness finds it at the destination, in
//! the right folder, with the same size, date and Message-Id; where these leave a doubt, or the depth asks for it,
//! its bytes are read again on both sides ([`mime`] says what is the same mail). What is missing where it belongs is
//! looked for among all messages of the destination that stand for no other, and what lies there twice is told
//! (`strays`). One folder at a time is in memory, at 32 bytes a message and side; what may belong together across
//! folders at 16 a message.

#[cfg(test)]
mod at_work;
mod bodies;
mod compare;
mod count;
mod folder;
mod head;
mod listing;
pub mod mime;
mod sample;
mod search;
mod side;
mod strays;

pub use count::FolderCount;
pub use sample::Sample;

use crate::{
    Driver, Fault, FaultKind, FolderPath, Ledger, PlacedFolder, RemoteFolder, Watch,
    mapping::{self, is_view},
};
use folder::{AllFlags, Progress, Slot};
use gatepost_contract::{CauseKind, Depth, FolderEvidence, Level, SpecialUse, Tally};
use listing::Listing;
use side::Side;
use std::collections::HashSet;
use strays::{Claim, Place, Strays};
use tokio_util::sync::CancellationToken;

/// One mailbox to verify.
pub struct Verify<'a> {
    /// Where the mail came from.
    pub source: &'a dyn Driver,
    /// Where it went.
    pub dest: &'a dyn Driver,
    /// Where to look, and where the findings go.
    pub ledger: &'a dyn Ledger,
    /// Who looks on.
    pub watch: &'a dyn Watch,
    /// How thoroughly.
    pub depth: Depth,
    /// Of which messages the bytes are read at [`Depth::Deep`]; all where left out.
    pub sample: Option<Sample>,
    /// Whether the mailbox's user works at the destination by now: what was proved there and is missing is their doing.
    pub after_cutover: bool,
    /// Ends the verification; nothing it found so far counts as evidence.
    pub cancel: CancellationToken,
}

/// A folder's place among those of the destination; where case does not count there, under another spelling.
fn at_place<'f>(folders: &'f [RemoteFolder], place: &PlacedFolder) -> Option<&'f RemoteFolder> {
    let alike = || folders.iter().find(|f| mapping::folded(&f.path) == mapping::folded(&place.dest));
    folders.iter().find(|f| is_at(f, place)).or_else(alike)
}

fn is_at(folder: &RemoteFolder, place: &PlacedFolder) -> bool {
    folder.path == place.dest || folder.path.is_inbox() && place.dest.is_inbox()
}

/// What a verification has found so far.
#[derive(Default)]
struct Found {
    /// By source folder, in its order.
    evidence: Vec<FolderEvidence>,
    flags: AllFlags,
    strays: Strays,
    once_doubled: Vec<Claim>,
    /// Some folder of the destination could not be looked through: what was not found may lie there.
    blind: bool,
}

/// Source folders that go to one folder of the destination, and which that is.
struct Group<'a> {
    target: Option<&'a RemoteFolder>,
    path: &'a FolderPath,
    /// By their number among the visible folders.
    members: Vec<(usize, &'a PlacedFolder)>,
}

impl Verify<'_> {
    /// Reads both sides and judges every message.
    ///
    /// # Errors
    /// Any fault: evidence is whole or it is none.
    pub async fn run(&self) -> Result<Vec<FolderEvidence>, Fault> {
        let (mut source, mut dest) = tokio::try_join!(Side::connect(self.source), Side::connect(self.dest))?;
        for flaw in self.ledger.flaws().await? {
            self.watch.note(Level::Error, "ledger", flaw);
        }
        let placed = self.ledger.placed().await?;
        let (at_source, at_dest) = tokio::try_join!(source.reader.folders(), dest.reader.folders())?;
        let visible: Vec<&RemoteFolder> = at_source.iter().filter(|f| f.selectable).collect();
        self.watch.steps(&visible.iter().map(|f| f.path.to_string()).collect::<Vec<_>>());
        let place_of = |folder: &RemoteFolder| placed.iter().find(|p| p.source == folder.path);
        let share = self.share().await?;

        let mut found = Found::default();
        for folder in &visible {
            found.evidence.push(blank(&folder.path, folder.special_use, place_of(folder)));
        }
        for (number, folder) in visible.iter().enumerate().filter(|(_, folder)| place_of(folder).is_none()) {
            self.unmapped(&mut source, number, folder, &mut found.evidence[number]).await?;
        }
        let groups = groups(&visible, &placed, &at_dest);
        for (place, group) in (0_u32..).zip(&groups) {
            self.group((&mut source, &mut dest), (place, group), &visible, share, &mut found).await?;
        }
        // Folders to which nothing goes may hold what was moved there.
        let mut places: Vec<Option<&RemoteFolder>> = groups.iter().map(|group| group.target).collect();
        let known: HashSet<&FolderPath> = places.iter().flatten().map(|folder| &folder.path).collect();
        let others = at_dest.iter().filter(|f| f.selectable && !is_view(f) && !known.contains(&f.path));
        for folder in others.collect::<Vec<_>>() {
            if self.cancel.is_cancelled() {
                return Err(Fault::cancelled());
            }
            let (_, messages) = match dest.open(folder).await {
                Err(fault) if is_of_a_folder(&fault) => {
                    self.watch.note(Level::Warn, "folder", format!("{} was not looked into. {fault}", folder.path));
                    found.blind = true;
                    continue;
                }
                opened => opened?,
            };
            let listing = Listing::read(&mut *dest.reader, messages, &mut found.flags.dest).await?;
            found.strays.take(places.len() as u32, &Place::new(listing), self.depth == Depth::Deep);
            places.push(Some(folder));
        }
        let slots: Vec<Option<&PlacedFolder>> = visible.iter().map(|folder| place_of(folder)).collect();
        self.search((&mut source, &mut dest), (&visible, &slots, &places), &mut found).await?;
        for (place, group) in (0_u32..).zip(&groups) {
            for (number, _) in &group.members {
                found.evidence[*number].extra = found.strays.count(place);
            }
        }

        // A server that leaves a folder out of one answer has not deleted it: only the next copy, which places the
        // folders anew, takes it for gone. Until then nothing of it is proved.
        let mut missing = Vec::new();
        for own in placed.iter().filter(|p| !visible.iter().any(|folder| folder.path == p.source)) {
            let note = "The source does not list this folder any more. Run a delta sync, which takes it for deleted if it \
                        is, then verify again.";
            self.watch.note(Level::Warn, "folder", format!("{}: {note}", own.source));
            let mut evidence = blank(&own.source, own.special_use, Some(own));
            evidence.tally = self.unproved(own).await?;
            evidence.note = Some(note.to_owned());
            missing.push(evidence);
        }
        source.reader.close().await;
        dest.reader.close().await;
        let mut evidence = Vec::with_capacity(visible.len());
        for (step, (folder, one)) in visible.iter().zip(found.evidence).enumerate() {
            if is_view(folder) && one.folder_id.is_none() {
                let note = "a view of messages in other folders; not copied";
                self.watch.end(step, Ok(Some(note.to_owned())));
                continue;
            }
            self.watch.end(step, told(&one));
            evidence.push(one);
        }
        evidence.extend(missing);
        Ok(evidence)
    }

    /// Which share of each folder a deep verification reads.
    async fn share(&self) -> Result<f64, Fault> {
        let Some(sample) = &self.sample else { return Ok(1.0) };
        let standing = self.ledger.standing(None).await?;
        Ok(sample.share(standing.iter().map(|(_, s)| s.messages).sum()))
    }

    /// A source folder that no run has placed: its messages are all missing, unless it is a mere view of others.
    async fn unmapped(
        &self,
        source: &mut Side<'_>,
        step: usize,
        folder: &RemoteFolder,
        evidence: &mut FolderEvidence,
    ) -> Result<(), Fault> {
        if is_view(folder) {
            return Ok(());
        }
        let (_, messages) = match source.open(folder).await {
            Err(fault) if is_of_a_folder(&fault) => {
                self.watch.begin(step, 0, 0);
                evidence.note = Some(unopened(&folder.path, &fault));
                return Ok(());
            }
            opened => opened?,
        };
        self.watch.begin(step, u64::from(messages), 0);
        let messages = i64::from(messages);
        evidence.tally = Tally { source: messages, pending: messages, ..Tally::default() };
        evidence.note = Some("The folder has not been copied by any run yet. Run a delta sync.".to_owned());
        Ok(())
    }

    /// A source folder that cannot be opened: nothing in it can be proved.
    async fn unreadable(
        &self,
        step: usize,
        own: &PlacedFolder,
        fault: &Fault,
        evidence: &mut FolderEvidence,
    ) -> Result<(), Fault> {
        self.watch.begin(step, 0, 0);
        evidence.tally = self.unproved(own).await?;
        evidence.note = Some(unopened(&own.source, fault));
        Ok(())
    }

    /// What the ledger holds of a folder that cannot be read, nothing of it proved.
    async fn unproved(&self, own: &PlacedFolder) -> Result<Tally, Fault> {
        let known = self.ledger.standing(Some(own.id)).await?;
        let messages = known.iter().map(|(_, s)| i64::try_from(s.messages).unwrap_or(i64::MAX)).sum();
        Ok(Tally { source: messages, pending: messages, ..Tally::default() })
    }

    /// Source folders with the same place at the destination.
    async fn group(
        &self,
        (source, dest): (&mut Side<'_>, &mut Side<'_>),
        (place_number, group): (u32, &Group<'_>),
        visible: &[&RemoteFolder],
        share: f64,
        found: &mut Found,
    ) -> Result<(), Fault> {
        let mut place: Option<Place> = None;
        let mut dest_epoch = None;
        // Where the ledger knows nothing of a folder's copies, each of them would look like a stray.
        let mut all_linked = true;
        let mut no_place = group.target.is_none().then(|| {
            format!("The folder {} is not at the destination. Run a delta sync, which makes it again.", group.path)
        });
        for (number, own) in &group.members {
            if self.cancel.is_cancelled() {
                return Err(Fault::cancelled());
            }
            let folder = visible[*number];
            let (epoch, messages) = match source.open(folder).await {
                Err(fault) if is_of_a_folder(&fault) => {
                    self.unreadable(*number, own, &fault, &mut found.evidence[*number]).await?;
                    all_linked = false;
                    continue;
                }
                opened => opened?,
            };
            self.watch.begin(*number, u64::from(messages), 0);
            let Found { evidence, flags, strays, once_doubled, .. } = found;
            // Both listings at the same time.
            let first = group.target.filter(|_| place.is_none() && no_place.is_none());
            let at_dest = async {
                let Some(target) = first else { return Ok(None) };
                let (epoch, messages) = match dest.open(target).await {
                    Err(fault) if is_of_a_folder(&fault) => {
                        no_place = Some(format!(
                            "The folder {} cannot be opened at the destination. {} Have it repaired there.",
                            group.path, fault.sentence
                        ));
                        return Ok(None);
                    }
                    opened => opened?,
                };
                let listing = self.whole(dest, target, messages, &mut flags.dest).await?.0;
                Ok(Some((epoch, Place::new(listing))))
            };
            let at_source = self.whole(source, folder, messages, &mut flags.source);
            let ((listing, unlisted), at_dest) = tokio::try_join!(at_source, at_dest)?;
            if let Some((epoch, listed)) = at_dest {
                dest_epoch = Some(epoch);
                place = Some(listed);
            }
            let evidence = &mut evidence[*number];
            evidence.visited = place.is_some();
            let same_epoch = own.cursor.is_none_or(|cursor| cursor.epoch == epoch);
            if !same_epoch || dest_epoch.is_some() && own.dest_epoch.is_some() && own.dest_epoch != dest_epoch {
                // The ledger's UIDs mean nothing now; the next delta recognises by content what has arrived.
                let side = if same_epoch { "destination" } else { "source" };
                let note = format!(
                    "The {side} has numbered the messages of this folder anew (UIDVALIDITY). Run a delta sync, which \
                     recognises what has arrived."
                );
                self.ledger.unproved(own.id, CauseKind::Renumbered, &note).await?;
                let messages = i64::from(messages);
                evidence.tally = Tally { source: messages, pending: messages, ..Tally::default() };
                evidence.note = Some(note);
                self.watch.done(*number, messages as u64, 0);
                all_linked = false;
                continue;
            }
            if place.is_none() {
                evidence.note.clone_from(&no_place);
            }
            let slot = Slot {
                number: *number as u32,
                step: *number,
                own,
                place: place.as_ref().map(|_| place_number),
                no_place: no_place.clone().unwrap_or_default(),
                chosen: match (self.depth, &self.sample) {
                    (Depth::Deep, None) => None,
                    (Depth::Deep, Some(sample)) => Some(sample.choose(own.id, listing.entries(), share)),
                    _ => Some(Vec::new()),
                },
            };
            let mut progress = Progress::new(evidence, flags, strays, once_doubled);
            let sides = (&mut *source, &mut *dest);
            all_linked &= self.folder(sides, &slot, &listing, place.as_mut(), &mut progress).await?;
            if unlisted > 0 {
                // What a server counts and does not list cannot have been proved.
                evidence.tally.source += unlisted;
                evidence.tally.pending += unlisted;
                evidence.note = Some(format!(
                    "The source counts {messages} messages in this folder and lists {unlisted} fewer. Have the folder \
                     repaired there, then verify again."
                ));
            }
        }
        match place.as_ref().filter(|_| all_linked) {
            Some(place) => found.strays.take(place_number, place, self.depth == Depth::Deep),
            None => found.blind |= group.target.is_some(),
        }
        Ok(())
    }

    /// Lists the open folder, and says how many messages the server counted and did not list. It is asked again before
    /// that is believed: messages may have gone meanwhile.
    async fn whole(
        &self,
        side: &mut Side<'_>,
        folder: &RemoteFolder,
        messages: u32,
        sets: &mut listing::FlagSets,
    ) -> Result<(Listing, i64), Fault> {
        let listing = Listing::read(&mut *side.reader, messages, sets).await?;
        if listing.len() as u64 >= u64::from(messages) {
            return Ok((listing, 0));
        }
        let (_, messages) = side.open(folder).await?;
        let listing = Listing::read(&mut *side.reader, messages, sets).await?;
        let unlisted = i64::from(messages) - listing.len() as i64;
        Ok((listing, unlisted.max(0)))
    }
}

/// Whether a fault is that of one folder, and the others can be read all the same.
fn is_of_a_folder(fault: &Fault) -> bool {
    matches!(fault.kind, FaultKind::Refused | FaultKind::FolderGone)
}

/// The source folders that were placed, by their place.
fn groups<'a>(visible: &[&RemoteFolder], placed: &'a [PlacedFolder], at_dest: &'a [RemoteFolder]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for (number, folder) in visible.iter().enumerate() {
        let Some(own) = placed.iter().find(|p| p.source == folder.path) else { continue };
        let target = at_place(at_dest, own);
        let same = |group: &&mut Group<'a>| match (group.target, target) {
            (Some(a), Some(b)) => a.path == b.path,
            (None, None) => *group.path == own.dest,
            _ => false,
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.members.push((number, own)),
            None => groups.push(Group { target, path: &own.dest, members: vec![(number, own)] }),
        }
    }
    groups
}

/// The evidence of a folder of which nothing is known yet.
fn blank(path: &FolderPath, special_use: Option<SpecialUse>, own: Option<&PlacedFolder>) -> FolderEvidence {
    FolderEvidence {
        folder_id: own.map(|own| own.id),
        source_path: path.to_string(),
        dest_path: own.map(|own| own.dest.to_string()),
        special_use: own.and_then(|own| own.special_use).or(special_use),
        visited: false,
        tally: Tally::default(),
        extra: 0,
        changed: 0,
        rewritten: 0,
        flags_lost: 0,
        misplaced: 0,
        doubled: 0,
        bodies_read: 0,
        note: None,
    }
}

/// What is said of a folder that the source refuses to open.
fn unopened(path: &FolderPath, fault: &Fault) -> String {
    format!("The source does not open the folder {path}. {} Have it repaired there, then verify again.", fault.sentence)
}

/// How a folder's step ends.
fn told(evidence: &FolderEvidence) -> Result<Option<String>, String> {
    let FolderEvidence { tally, changed, misplaced, doubled, .. } = evidence;
    let note = evidence.note.as_ref().map(|note| format!(". {note}")).unwrap_or_default();
    if tally.pending + changed + doubled == 0 && (note.is_empty() || evidence.visited) {
        return Ok(Some(format!("{} of {} arrived{note}", tally.arrived, tally.source)));
    }
    let mut parts = vec![format!("{} missing", tally.pending), format!("{changed} changed")];
    if *misplaced > 0 {
        parts.push(format!("{misplaced} in other folders"));
    }
    if *doubled > 0 {
        parts.push(format!("{doubled} there twice"));
    }
    Err(format!("{}{note}", parts.join(", ")))
}
