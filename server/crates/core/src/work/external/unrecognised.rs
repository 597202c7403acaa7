//! What a program says that it stored, and nobody recognises at the destination. A server, or a filter on it, may have
//! made another message of it: sent again by itself it would come once more with every run.

use super::{Placed, Scene, pending_uids};
use crate::ledger::StoredLedger;
use gatepost_contract::{CauseKind, Level};
use gatepost_transfer::{Fault, Ledger as _, PlacedFolder, Refusal, UidSet, Watch as _};
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

    fn take(&self, folder: &str) -> UidSet {
        let claimed = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
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

/// Quarantines what the program claims in folders that hold something new which stands for no message of the ledger. In
/// a folder to which nothing came that is not accounted for, the claim is an empty one: the messages stay pending. Gives
/// how many were quarantined.
pub(super) async fn quarantine(
    scene: &Scene,
    ledger: &StoredLedger,
    folders: &[Placed],
    claims: &Claims,
) -> Result<u64, Fault> {
    let mut doubtful = Vec::new();
    for folder in folders {
        let pending = pending_uids(ledger, &folder.own).await?;
        let claimed: Vec<u32> =
            claims.take(&folder.engine.source.native).iter().filter(|u| pending.contains(*u)).collect();
        if !claimed.is_empty() {
            doubtful.push((folder, claimed));
        }
    }
    if doubtful.is_empty() {
        return Ok(0);
    }
    let placed = ledger.placed().await?;
    let grown = {
        let _granted = scene.connections().await?;
        let mut dest = scene.dest.destination().await?;
        let looked = async {
            let mut grown = Vec::new();
            for (folder, claimed) in doubtful {
                let state = dest.open(&folder.engine.dest).await?;
                let same_epoch = state.uid_validity == folder.at_dest.uid_validity;
                let from = folder.at_dest.uid_next.filter(|_| same_epoch).unwrap_or(1);
                let new: UidSet = dest.uids().await?.iter().filter(|uid| *uid >= from).collect();
                if !new.minus(&accounted_for(ledger, &placed, &folder.own).await?).is_empty() {
                    grown.push((folder, claimed));
                }
            }
            Ok::<_, Fault>(grown)
        }
        .await;
        dest.close().await;
        looked?
    };
    let tool = scene.mailbox.tool;
    let mut count = 0;
    for (folder, claimed) in grown {
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
