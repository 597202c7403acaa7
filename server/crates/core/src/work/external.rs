//! Copying by a program that moves whole accounts by itself: imapsync, doveadm, zmmailbox.
//!
//! Our ledger says what is to be copied and our own reading what has arrived; in between the program does its work. What
//! it says of itself is kept beside our figures and opens nothing: a message that it names as refused, and that is truly
//! not there, is quarantined with its words, and so is one that it says it stored and that nobody recognises.

pub(super) mod unrecognised;

use super::{Ended, Scene, internal, sync::copy};
use crate::{
    Access, EngineFolder, EngineJob, EngineMoved, EngineRefusal, EngineSaid, ToolRun,
    access::{SourceAccess, dest_access, source_access},
    ledger::StoredLedger,
};
use gatepost_contract::{CauseKind, Level, RunStatus, Tool};
use gatepost_transfer::{
    Destination, Fault, FaultKind, FolderState, Ledger as _, PlacedFolder, Refusal, Source, Surveyed, UidSet,
    Watch as _, Way, copy::CopyOutcome,
};
use serde_json::{Map, Value};
use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;
use unrecognised::Claims;

/// How many rows of the ledger are looked at together.
const PAGE: u32 = 5_000;
/// How many refusals get a line each in the run's log; the ledger has them all.
const REFUSALS_NOTED: usize = 100;

/// Lets the mailbox's program copy what is pending, and looks at what has arrived. The folders are there and the ledger
/// is up to date. `None` where nothing was left to do.
pub(super) async fn run(
    scene: &Scene,
    ledger: &StoredLedger,
    outcome: &mut CopyOutcome,
) -> Result<Option<EngineSaid>, Fault> {
    let tool = scene.mailbox.tool;
    let before = standing(ledger).await?;
    outcome.pending = before.pending;
    if before.pending == 0 {
        return Ok(None);
    }
    let (source, dest) = accesses(scene).await?;
    let granted = scene.connections().await?;
    let (folders, withheld) = folders(scene, ledger, outcome).await?;
    if folders.is_empty() {
        return Ok(None);
    }
    scene.watch.clear(&scene.gatepost).await.map_err(internal)?;
    let claims = Claims::default();
    let call = Call { scene, source: &source, dest: &dest, folders: &folders, claims: &claims };
    let said = call.engine().await;
    drop(granted);
    if scene.cancel.is_cancelled() {
        // What has arrived is recognised when the next run begins.
        outcome.cancelled = true;
        return said.map(Some).or_else(|fault| if fault.kind == FaultKind::Cancelled { Ok(None) } else { Err(fault) });
    }
    let said = said?;
    note_words(scene, &said);

    // Nothing of what has ended well is under way any more.
    let mut found = look(scene, ledger, said.failure.is_none()).await?;
    let mut doubtful = Vec::new();
    if !found.cancelled {
        doubtful = unrecognised::doubtful(scene, ledger, looked_at(&folders, &found), &claims, &mut found).await?;
    }
    if !doubtful.is_empty() && said.failure.is_none() {
        // A server may show late what it has stored.
        let again = look(scene, ledger, false).await?;
        found = joined(&found, again);
        if !found.cancelled {
            doubtful = unrecognised::doubtful(scene, ledger, looked_at(&folders, &found), &claims, &mut found).await?;
        }
    }
    let after = standing(ledger).await?;
    outcome.transferred += found.adopted;
    outcome.bytes += arrived_bytes(&before, &after, found.adopted);
    scene.watch.copied(found.adopted, 0);
    outcome.quarantined += found.quarantined;
    outcome.vanished += found.vanished;
    outcome.flags_changed += found.flags_changed;
    outcome.cancelled |= found.cancelled;
    if !outcome.cancelled {
        outcome.quarantined += refuse(scene, ledger, looked_at(&folders, &found), &said.refused).await?;
        outcome.quarantined += unrecognised::quarantine(scene, ledger, doubtful).await?;
        outcome.failed_folders.retain(|(folder, _)| withheld.contains(folder));
    }
    add_failed(&mut outcome.failed_folders, found.failed_folders);
    outcome.pending = standing(ledger).await?.pending;
    if found.adopted > 0 || said.refused.is_empty() {
        let sentence = format!("{} of {} messages that were to be copied have arrived.", found.adopted, before.pending);
        scene.watch.note(Level::Info, tool.as_str(), sentence);
    }
    Ok(Some(said))
}

/// Looks at what has arrived; at once, where nothing can be under way any more.
async fn look(scene: &Scene, ledger: &StoredLedger, at_once: bool) -> Result<CopyOutcome, Fault> {
    scene.watch.clear(&scene.gatepost).await.map_err(internal)?;
    let mut look = copy(scene, ledger);
    if at_once {
        look.options.settle = Duration::ZERO;
    }
    look.run().await
}

/// What two looks have found: the later one tells which folders failed.
fn joined(first: &CopyOutcome, second: CopyOutcome) -> CopyOutcome {
    CopyOutcome {
        adopted: first.adopted + second.adopted,
        quarantined: first.quarantined + second.quarantined,
        vanished: first.vanished + second.vanished,
        flags_changed: first.flags_changed + second.flags_changed,
        ..second
    }
}

/// The folders that were looked at to their end: only there what is not recognised has not arrived.
fn looked_at<'p>(folders: &'p [Placed], found: &CopyOutcome) -> Vec<&'p Placed> {
    let failed = |folder: &&Placed| found.failed_folders.iter().any(|(name, _)| *name == folder.own.source.to_string());
    folders.iter().filter(|folder| !failed(folder)).collect()
}

/// Adds folders that failed; one that is named already keeps its first cause.
fn add_failed(failed: &mut Vec<(String, String)>, more: Vec<(String, String)>) {
    for (folder, why) in more {
        if !failed.iter().any(|(known, _)| *known == folder) {
            failed.push((folder, why));
        }
    }
}

/// The bytes of what has arrived. What has gone from the source or was refused is pending no longer either.
fn arrived_bytes(before: &Pending, after: &Pending, arrived: u64) -> u64 {
    let (settled, bytes) =
        (before.pending.saturating_sub(after.pending), before.pending_bytes.saturating_sub(after.pending_bytes));
    let part = u128::from(bytes) * u128::from(arrived.min(settled)) / u128::from(settled.max(1));
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Lets the mailbox's program try whether it could do its work. What hinders it, in a sentence, where something does.
pub(super) async fn check(scene: &Scene) -> Result<(EngineSaid, Option<String>), Fault> {
    let (source, dest) = accesses(scene).await?;
    let said = Call { scene, source: &source, dest: &dest, folders: &[], claims: &Claims::default() }.check().await;
    match said {
        Ok(said) => {
            note_words(scene, &said);
            let failure = said.failure.clone();
            Ok((said, failure))
        }
        Err(fault) if fault.kind == FaultKind::Cancelled => Err(fault),
        Err(fault) => Ok((EngineSaid::default(), Some(fault.sentence))),
    }
}

/// What a program said, in a run's figures and in its closing sentence.
pub(super) fn tell(ended: &mut Ended, tool: Tool, said: EngineSaid, outcome: &CopyOutcome) {
    let mut stats: Map<String, Value> = said.stats;
    if let Some(code) = said.exit_code {
        stats.insert("exit_code".into(), code.into());
    }
    if !said.refused.is_empty() {
        stats.insert("refused".into(), said.refused.len().into());
    }
    if said.again {
        stats.insert("again".into(), true.into());
    }
    if let Some(failure) = &said.failure {
        stats.insert("failure".into(), failure.as_str().into());
    }
    ended.stats.insert(tool.as_str().to_owned(), Value::Object(stats));
    if outcome.cancelled {
        return;
    }
    let ill = said.failure.is_some();
    let whole = outcome.pending == 0 && outcome.quarantined == 0 && outcome.failed_folders.is_empty();
    let words = match said.failure {
        Some(failure) if whole => {
            ended.summary.push_str(&format!(" All has arrived by our own reading, although: {failure}"));
            return;
        }
        Some(failure) => failure,
        None if outcome.pending > 0 => format!(
            "{tool} says that it has done its work, and {} messages have not arrived. The run's log and {tool}'s own log say \
             more.",
            outcome.pending
        ),
        None => return,
    };
    let words = if said.again { format!("{words} Start the run again.") } else { words };
    ended.summary = format!("{} {words}", ended.summary);
    // What the next run may mend, and what the program takes for done, does not stop the job.
    if ill && !said.again && outcome.transferred == 0 && outcome.quarantined == 0 {
        (ended.status, ended.exit_code) = (RunStatus::Failed, 1);
    }
    ended.error = Some(match ended.error.take() {
        Some(error) => format!("{words} {error}"),
        None => words,
    });
}

/// How both accounts are reached.
async fn accesses(scene: &Scene) -> Result<(Access, Access), Fault> {
    let mut conn = scene.gatepost.store().reader().await.map_err(internal)?;
    let SourceAccess::Server(source) = source_access(&scene.gatepost, &mut conn, &scene.mailbox).await? else {
        let sentence = format!("{} moves accounts and reads no files. Choose native.", scene.mailbox.tool);
        return Err(Fault::new(FaultKind::WrongService, sentence));
    };
    let dest = dest_access(&scene.gatepost, &mut conn, &scene.job, &scene.mailbox).await?;
    Ok((source, dest))
}

#[derive(Clone, Copy, Default)]
struct Pending {
    pending: u64,
    pending_bytes: u64,
}

async fn standing(ledger: &StoredLedger) -> Result<Pending, Fault> {
    let mut sum = Pending::default();
    for (_, standing) in ledger.standing(None).await? {
        sum.pending += standing.pending;
        sum.pending_bytes += standing.pending_bytes;
    }
    Ok(sum)
}

/// A folder of the ledger with what the program is told of it.
struct Placed {
    own: PlacedFolder,
    engine: EngineFolder,
    /// How the destination's folder stood before.
    at_dest: FolderState,
}

/// The folders in which something is pending, as both servers name them and as they stand; and the names of those that
/// the program must not be given.
async fn folders(
    scene: &Scene,
    ledger: &StoredLedger,
    outcome: &mut CopyOutcome,
) -> Result<(Vec<Placed>, HashSet<String>), Fault> {
    let (mut source, mut dest) = tokio::try_join!(scene.source.source(), scene.dest.destination())?;
    let found = placed(ledger, &mut *source, &mut *dest, outcome).await;
    tokio::join!(source.close(), dest.close());
    found
}

async fn placed(
    ledger: &StoredLedger,
    source: &mut dyn Source,
    dest: &mut dyn Destination,
    outcome: &mut CopyOutcome,
) -> Result<(Vec<Placed>, HashSet<String>), Fault> {
    let (at_source, at_dest) = tokio::try_join!(source.survey(), dest.survey())?;
    let (mut all, mut withheld) = (Vec::new(), HashSet::new());
    for own in ledger.placed().await? {
        let standing = ledger.standing(Some(own.id)).await?.first().map(|(_, s)| *s).unwrap_or_default();
        if standing.pending == 0 {
            continue;
        }
        let name = own.source.to_string();
        if outcome.failed_folders.iter().any(|(failed, _)| *failed == name) {
            // What is pending may be there already: a program sends it without looking.
            withheld.insert(name);
            continue;
        }
        let there = at_source.iter().find(|f| f.folder.path == own.source);
        let same = |f: &&Surveyed| f.folder.path == own.dest || f.folder.path.is_inbox() && own.dest.is_inbox();
        let (Some(there), Some(goes_to)) = (there, at_dest.iter().find(same)) else {
            outcome.failed_folders.push((name.clone(), "The folder is missing on one side.".to_owned()));
            withheld.insert(name);
            continue;
        };
        let uid_validity = state(source, there).await?.uid_validity;
        if own.cursor.is_some_and(|cursor| cursor.epoch != uid_validity) {
            let sentence = "The source has begun to number its messages anew. The next run lists the folder whole.";
            outcome.failed_folders.push((name.clone(), sentence.to_owned()));
            withheld.insert(name);
            continue;
        }
        let at_dest = state(&mut *dest, goes_to).await?;
        let engine = EngineFolder {
            source: there.folder.clone(),
            dest: goes_to.folder.clone(),
            pending: standing.pending,
            bytes: standing.pending_bytes,
            uids: pending_uids(ledger, &own).await?,
            uid_validity,
        };
        all.push(Placed { own, engine, at_dest });
    }
    Ok((all, withheld))
}

/// How a folder stands; one of which a survey does not tell is opened.
async fn state<S: Source + ?Sized>(store: &mut S, found: &Surveyed) -> Result<FolderState, Fault> {
    match &found.status {
        Some(state) => Ok(state.clone()),
        None => store.open(&found.folder).await,
    }
}

async fn pending_uids(ledger: &StoredLedger, folder: &PlacedFolder) -> Result<UidSet, Fault> {
    let (mut uids, mut after) = (Vec::new(), None);
    loop {
        let rows = ledger.pending(folder.id, after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(uids.into_iter().collect()) };
        after = Some(last.id);
        uids.extend(rows.iter().map(|row| row.uid));
    }
}

struct Call<'a> {
    scene: &'a Scene,
    source: &'a Access,
    dest: &'a Access,
    folders: &'a [Placed],
    claims: &'a Claims,
}

impl Call<'_> {
    async fn engine(&self) -> Result<EngineSaid, Fault> {
        let scene = self.scene;
        let names: Vec<String> = self.folders.iter().map(|f| f.own.source.to_string()).collect();
        scene.watch.steps(&names);
        for (step, folder) in self.folders.iter().enumerate() {
            scene.watch.begin(step, folder.engine.pending, folder.engine.bytes);
        }
        let steps: HashMap<&str, usize> =
            self.folders.iter().enumerate().map(|(n, f)| (f.engine.source.native.as_str(), n)).collect();
        // A budget that is spent ends the program; the run says why.
        let (stop, spent) = (scene.cancel.child_token(), Mutex::new(None));
        let moved = |moved: EngineMoved<'_>| {
            if let Some(step) = moved.folder.and_then(|folder| steps.get(folder)) {
                scene.watch.done(*step, moved.messages, moved.bytes);
            }
            if let Some(folder) = moved.folder {
                self.claims.add(folder, moved.uids);
            }
            // Bytes have passed whatever comes of them; messages are counted where they are found.
            scene.watch.copied(0, moved.bytes);
            for (budget, way) in [(&scene.source_budget, Way::Down), (&scene.dest_budget, Way::Up)] {
                if let Err(why) = budget.budget.moved(way, moved.bytes) {
                    *spent.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
                    stop.cancel();
                }
            }
        };
        let said = self.call(&stop, &moved, Which::Engine).await;
        let spent = spent.into_inner().unwrap_or_else(PoisonError::into_inner);
        let said = match (said, spent) {
            (Err(fault), Some(why)) if fault.kind == FaultKind::Cancelled && !scene.cancel.is_cancelled() => {
                Ok(EngineSaid { failure: Some(why), again: true, ..EngineSaid::default() })
            }
            (said, _) => said,
        };
        let note = match &said {
            Ok(EngineSaid { failure: None, .. }) => Ok(None),
            Ok(EngineSaid { failure: Some(words), .. }) => Err(words.clone()),
            Err(fault) => Err(fault.sentence.clone()),
        };
        for step in 0..self.folders.len() {
            scene.watch.end(step, note.clone());
        }
        said
    }

    async fn check(&self) -> Result<EngineSaid, Fault> {
        self.call(&self.scene.cancel, &|_| {}, Which::Check).await
    }

    async fn call(
        &self,
        cancel: &CancellationToken,
        moved: &(dyn Fn(EngineMoved<'_>) + Send + Sync),
        which: Which,
    ) -> Result<EngineSaid, Fault> {
        let scene = self.scene;
        let tool = scene.mailbox.tool;
        let data = &scene.gatepost.config().data_path;
        let work = data.join("work").join(format!("run-{}", scene.run));
        let log = log_path(data, scene.run, tool);
        for folder in [&work, &data.join("logs")] {
            make_private(folder)?;
        }
        let note = |level, sentence| scene.watch.note(level, tool.as_str(), sentence);
        let rates = [&scene.source_budget, &scene.dest_budget].map(|kept| kept.budget.rate());
        let engine: Vec<EngineFolder> = self.folders.iter().map(|f| f.engine.clone()).collect();
        let job = EngineJob {
            tool,
            is_live: scene.is_live(),
            source: self.source,
            dest: self.dest,
            folders: &engine,
            throttle: &scene.watch.throttle,
            messages_per_second: rates.into_iter().flatten().reduce(f64::min),
        };
        let run = ToolRun { work: &work, log: &log, note: &note, moved, cancel };
        let tools = scene.gatepost.drivers().tools();
        let said = match which {
            Which::Engine => tools.engine(job, run).await,
            Which::Check => tools.try_engine(job, run).await,
        };
        let _ = fs::remove_dir_all(&work);
        said
    }
}

#[derive(Clone, Copy)]
enum Which {
    Engine,
    Check,
}

/// Where the whole log of a run's program is kept, compressed. A program that is called several times adds to the name.
pub(crate) fn log_path(data: &Path, run: gatepost_contract::RunId, tool: Tool) -> PathBuf {
    data.join("logs").join(format!("run-{run}-{tool}.gz"))
}

fn make_private(folder: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(internal)
}

fn note_words(scene: &Scene, said: &EngineSaid) {
    let tool = scene.mailbox.tool;
    if let Some(failure) = &said.failure {
        scene.watch.note(Level::Warn, tool.as_str(), failure.clone());
    }
    for refusal in said.refused.iter().take(REFUSALS_NOTED) {
        let sentence = format!("{}/{}: {}", refusal.folder, refusal.uid, refusal.cause);
        scene.watch.note(Level::Warn, tool.as_str(), sentence);
    }
}

/// Quarantines what the program says was refused and what has truly not arrived. Gives how many.
async fn refuse(
    scene: &Scene,
    ledger: &StoredLedger,
    folders: Vec<&Placed>,
    refused: &[EngineRefusal],
) -> Result<u64, Fault> {
    let mut count = 0;
    for folder in folders {
        // The last word on a message counts.
        let mut words: HashMap<u32, &EngineRefusal> = HashMap::new();
        words.extend(refused.iter().filter(|r| r.folder == folder.engine.source.native).map(|r| (r.uid, r)));
        if words.is_empty() {
            continue;
        }
        let mut after = None;
        loop {
            let rows = ledger.pending(folder.own.id, after, PAGE).await?;
            let Some(last) = rows.last() else { break };
            after = Some(last.id);
            let of_row = |kind: fn(CauseKind) -> bool| -> Vec<Refusal> {
                let of = rows.iter().filter_map(|row| words.get(&row.uid)).filter(|r| kind(r.kind));
                let tool = scene.mailbox.tool;
                of.map(|r| Refusal { uid: r.uid, kind: r.kind, cause: format!("{tool}: {}", r.cause) }).collect()
            };
            // A line that broke off at a message says nothing against it: it is tried again.
            let hindered = of_row(|kind| kind == CauseKind::Disconnects);
            let refusals = of_row(|kind| kind != CauseKind::Disconnects);
            if !hindered.is_empty() {
                ledger.hindered(folder.own.id, &hindered).await?;
            }
            if !refusals.is_empty() {
                count += refusals.len() as u64;
                ledger.refused(folder.own.id, &refusals).await?;
            }
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_failed_twice_is_named_once_with_its_first_cause() {
        let pair = |folder: &str, why: &str| (folder.to_owned(), why.to_owned());
        let mut failed = vec![pair("a", "first"), pair("b", "first")];
        add_failed(&mut failed, vec![pair("b", "second"), pair("c", "second"), pair("c", "third")]);
        assert_eq!(failed, [pair("a", "first"), pair("b", "first"), pair("c", "second")]);
    }
}
