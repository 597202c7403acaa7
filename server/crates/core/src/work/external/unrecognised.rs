//! What a program says that it stored, and nobody recognises at the destination. A server, or a filter on it, may have
//! made another message of it: sent again by itself it would come once more with every run.

use super::{Placed, Scene, pending_uids};
use crate::ledger::StoredLedger;
use gatepost_contract::{CauseKind, Level};
use gatepost_transfer::{
    Destination, Fault, Ledger as _, PlacedFolder, Refusal, UidSet, Watch as _, copy::CopyOutcome,
};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

/// How many messages are quarantined at once.
const PORTION: usize = 1_000;

/// The messages that a program says it stored, by the name of their folder at the source.
#[derive(Default)]
pub(super) struct Claims(Mutex<HashMap<String, Vec<(u32, u32)>>>);

impl Claims {
    /// It says so of these.
    pub fn add(&self, folder: &str, uids: &[(u32, u32)]) {
        if !uids.is_empty() {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(folder.to_owned()).or_default().extend_from_slice(uids);
        }
    }

    fn of(&self, folder: &str) -> UidSet {
        let claimed = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(folder).cloned();
        UidSet::from_ranges(claimed.unwrap_or_default())
    }
}

/// What a technician is told of such a message.
pub(in crate::work) fn cause(program: &str) -> String {
    format!(
        "{program} says that it stored this message, and it is not recognised at the destination. Look for it there before \
         you try it again."
    )
}

/// A folder, and what the program claims there and nobody recognises.
pub(super) type Doubtful<'p> = (&'p Placed, Vec<u32>);

/// What the program claims and is not recognised in folders that hold something new which stands for no message of the
/// ledger. In a folder to which nothing came that is not accounted for, the claim is an empty one: the messages stay
/// pending.
pub(super) async fn doubtful<'p>(
    scene: &Scene,
    ledger: &StoredLedger,
    folders: Vec<&'p Placed>,
    claims: &Claims,
    found: &mut CopyOutcome,
) -> Result<Vec<Doubtful<'p>>, Fault> {
    let mut doubtful = Vec::new();
    for folder in folders {
        let pending = pending_uids(ledger, &folder.own).await?;
        let claimed: Vec<u32> =
            claims.of(&folder.engine.source.native).iter().filter(|u| pending.contains(*u)).collect();
        if !claimed.is_empty() {
            doubtful.push((folder, claimed));
        }
    }
    if doubtful.is_empty() {
        return Ok(doubtful);
    }
    let placed = ledger.placed().await?;
    let _granted = scene.connections().await?;
    let mut dest = scene.dest.destination().await?;
    let mut grown = Vec::new();
    for (folder, claimed) in doubtful {
        let fault = match new_since(&mut *dest, folder).await {
            Ok(new) => {
                if !new.minus(&accounted_for(ledger, &placed, &folder.own).await?).is_empty() {
                    grown.push((folder, claimed));
                }
                continue;
            }
            Err(fault) => fault,
        };
        dest.close().await;
        if !fault.concerns_folder_alone() {
            return Err(fault);
        }
        // Nobody knows what came to it: what is claimed there stays pending.
        found.failed_folders.push((folder.own.source.to_string(), fault.sentence));
        dest = scene.dest.destination().await?;
    }
    dest.close().await;
    Ok(grown)
}

/// The messages that have come to a destination's folder since the program was called.
async fn new_since(dest: &mut dyn Destination, folder: &Placed) -> Result<UidSet, Fault> {
    let state = dest.open(&folder.engine.dest).await?;
    let same_epoch = state.uid_validity == folder.at_dest.uid_validity;
    let from = folder.at_dest.uid_next.filter(|_| same_epoch).unwrap_or(1);
    Ok(dest.uids().await?.iter().filter(|uid| *uid >= from).collect())
}

/// Quarantines it. Gives how many messages were quarantined.
pub(super) async fn quarantine(
    scene: &Scene,
    ledger: &StoredLedger,
    doubtful: Vec<Doubtful<'_>>,
) -> Result<u64, Fault> {
    let tool = scene.mailbox.tool;
    let mut count = 0;
    for (folder, mut claimed) in doubtful {
        // What it named as refused as well is in quarantine by now.
        let pending = pending_uids(ledger, &folder.own).await?;
        claimed.retain(|uid| pending.contains(*uid));
        if claimed.is_empty() {
            continue;
        }
        for portion in claimed.chunks(PORTION) {
            let refusal = |uid: &u32| Refusal { uid: *uid, kind: CauseKind::Refused, cause: cause(tool.as_str()) };
            let refusals: Vec<Refusal> = portion.iter().map(refusal).collect();
            ledger.refused(folder.own.id, &refusals).await?;
        }
        count += claimed.len() as u64;
        let sentence = format!(
            "{}: {tool} says that it stored {} messages that are not recognised at the destination, which holds other new \
             ones. They are in quarantine, so that they are not copied once more.",
            folder.own.source,
            claimed.len()
        );
        scene.watch.note(Level::Warn, tool.as_str(), sentence);
    }
    Ok(count)
}

/// The messages of a destination's folder that stand for one of the ledger: several folders may go to one place.
async fn accounted_for(ledger: &StoredLedger, placed: &[PlacedFolder], folder: &PlacedFolder) -> Result<UidSet, Fault> {
    let mut all = Vec::new();
    for own in placed.iter().filter(|own| own.dest == folder.dest) {
        all.extend_from_slice(ledger.dest_uids(own.id).await?.ranges());
    }
    Ok(UidSet::from_ranges(all))
}
