//! When an archive of a whole mailbox may be imported, and when the built-in engine copies instead.
//!
//! An archive holds everything that the old server has, and its import knows only what lies in the same folder already.
//! What a user has moved or deleted at the new server since would come back, and what was moved would be there twice. So
//! zmmailbox moves a mailbox only while nothing of it has arrived; what is left over then is copied message by message.

use super::{Scene, internal};
use crate::ledger::StoredLedger;
use gatepost_contract::{Level, PageQuery, RunStatus, RunType, Tool};
use gatepost_store::runs::{self, RunFilter};
use gatepost_transfer::{Fault, FaultKind, Ledger as _, Surveyed, Watch as _};
use std::{collections::BTreeMap, time::Duration};

/// How long nothing may change at the destination until an import counts as ended that was broken off, and how often that
/// is tried.
const QUIET: Duration = Duration::from_secs(10);
const LOOKS: u32 = 30;
/// How many of a mailbox's latest runs may have been imports that broke off.
const LATEST: u32 = 200;

/// How a run ends that was cancelled.
const CANCELLED: i64 = 130;

/// Whether the mailbox's program moves it as a whole.
pub(super) const fn is_whole(tool: Tool) -> bool {
    matches!(tool, Tool::Zmmailbox)
}

/// Whether an import of a whole mailbox has been begun since a copy last ended well, or since another program's came to
/// its end, which had waited for it: what it sent may still be stored, whichever program copies now.
pub(super) async fn broke_off(scene: &Scene) -> Result<bool, Fault> {
    let mut conn = scene.gatepost.store().reader().await.map_err(internal)?;
    let filter = RunFilter { mailbox_id: Some(scene.mailbox.id), ..RunFilter::default() };
    let page = PageQuery { page: 1, per_page: LATEST, sort: None };
    let runs = runs::list(&mut conn, &filter, &page).await.map_err(internal)?.items;
    let copies = runs.iter().filter(|run| matches!(run.run_type, RunType::Initial | RunType::Delta | RunType::Final));
    let started = copies.filter(|run| run.started_at.is_some());
    Ok(whole_since(started.map(|run| (run.tool, run.status, run.exit_code))))
}

/// The same of copies, the latest first: with what, and how each ended.
fn whole_since(copies: impl IntoIterator<Item = (Tool, RunStatus, Option<i64>)>) -> bool {
    let settles = |(tool, status, exit_code): &(Tool, RunStatus, Option<i64>)| match status {
        RunStatus::Success => true,
        RunStatus::Partial => !is_whole(*tool) && *exit_code != Some(CANCELLED),
        _ => false,
    };
    copies.into_iter().take_while(|copy| !settles(copy)).any(|(tool, ..)| is_whole(tool))
}

/// Why the built-in engine copies what is pending, where it does.
pub(super) async fn not_any_more(scene: &Scene, ledger: &StoredLedger) -> Result<Option<String>, Fault> {
    let arrived: u64 = ledger.standing(None).await?.iter().map(|(_, standing)| standing.arrived).sum();
    let because = if scene.job.dns_cutover_at.is_some() {
        "Mail is delivered to the new server already".to_owned()
    } else if arrived > 0 {
        format!("{arrived} messages have arrived already")
    } else {
        return Ok(None);
    };
    Ok(Some(format!(
        "{because}: the built-in engine copies what is left. {} moves a mailbox as a whole, and would bring back what was \
         moved or deleted at the new server.",
        scene.mailbox.tool
    )))
}

/// An archive says by itself where its messages lie: a folder that shall go elsewhere cannot.
pub(super) async fn same_folders(scene: &Scene, ledger: &StoredLedger) -> Result<(), Fault> {
    let placed = ledger.placed().await?;
    let moved = placed.iter().find(|f| f.source != f.dest && !(f.source.is_inbox() && f.dest.is_inbox()));
    let Some(moved) = moved else { return Ok(()) };
    let sentence = format!(
        "{} leaves every folder where it was, and {} is to go to {}. Take it out of the folder map, or choose the tool \
         native.",
        scene.mailbox.tool, moved.source, moved.dest
    );
    Err(Fault::new(FaultKind::WrongService, sentence))
}

/// Where an earlier run has left something over: waits until nothing changes at the destination any more. A server may go
/// on with what an import has sent it when that was broken off, one folder after the other; what it stores after we have
/// looked would be there twice.
pub(super) async fn quiet(scene: &Scene, ledger: &StoredLedger) -> Result<(), Fault> {
    let pending: u64 = ledger.standing(None).await?.iter().map(|(_, standing)| standing.pending).sum();
    // After the cutover users work there, and something always changes.
    if pending == 0 || scene.job.dns_cutover_at.is_some() {
        return Ok(());
    }
    let sentence = "An earlier run has left messages over. Waiting until nothing changes at the new server.";
    scene.watch.note(Level::Info, scene.mailbox.tool.as_str(), sentence.to_owned());
    let mut seen = state(scene).await?;
    for _ in 0..LOOKS {
        tokio::select! {
            () = tokio::time::sleep(QUIET) => {}
            () = scene.cancel.cancelled() => return Err(Fault::cancelled()),
        }
        let now = state(scene).await?;
        if now == seen {
            return Ok(());
        }
        seen = now;
    }
    let sentence = format!(
        "The new server goes on storing what an interrupted import of {} has sent it. Start the run again when it has ended.",
        scene.mailbox.email
    );
    Err(Fault::new(FaultKind::Timeout, sentence))
}

/// The destination's folders, and how many messages each holds and has held.
async fn state(scene: &Scene) -> Result<BTreeMap<String, Option<(u32, u32, Option<u32>)>>, Fault> {
    let _granted = scene.connections().await?;
    let mut dest = scene.dest.destination().await?;
    let looked = dest.survey().await;
    dest.close().await;
    let one = |found: Surveyed| {
        let status = found.status.map(|state| (state.uid_validity, state.messages, state.uid_next));
        (found.folder.native, status)
    };
    Ok(looked?.into_iter().map(one).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_waited_for_until_another_programs_copy_has_come_to_its_end() {
        use RunStatus::{Failed, Partial, Running, Success};
        let whole = (Tool::Zmmailbox, Partial, Some(3));
        for (latest_first, expect) in [
            (&[][..], false),
            (&[whole], true),
            (&[(Tool::Zmmailbox, Success, Some(0)), whole], false),
            (&[(Tool::Native, Running, None), whole], true),
            (&[(Tool::Native, Partial, Some(3)), whole], false),
            (&[(Tool::Imapsync, Partial, Some(3)), whole], false),
            (&[(Tool::Native, Partial, Some(130)), whole], true),
            (&[(Tool::Native, Failed, Some(1)), whole], true),
            (&[whole, (Tool::Native, Partial, Some(3))], true),
        ] {
            assert_eq!(whole_since(latest_first.iter().copied()), expect, "{latest_first:?}");
        }
    }
}
