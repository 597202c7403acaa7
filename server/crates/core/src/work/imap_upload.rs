//! Copying by imap_upload.py: our ledger says what is to be copied, the program appends it, and we look at what arrived.
//!
//! The program sends no flags and no zones, and makes the MIME of a message anew; flags are set afterwards, and what the
//! rewriting did is for the proof to say. Because the bytes differ, a message is recognised at the destination by its date
//! and its Message-Id: before it is sent, so that a run that was killed sends nothing twice, and after, so that the
//! ledger knows where it lies.

mod mbox;
mod pairs;

use super::{Scene, external::unrecognised::cause, internal};
use crate::{Access, MboxUpload, MboxUploaded, ToolRun, access::dest_access, ledger::StoredLedger};
use gatepost_contract::{CauseKind, Level};
use gatepost_transfer::{
    Arrival, Destination, Fault, FaultKind, Flags, Ledger as _, LedgerRow, PlacedFolder, ReadMessage, Reader, Refusal,
    RemoteFolder, Source, UidSet, Watch as _, Way, copy::CopyOutcome,
};
use mbox::Mbox;
use pairs::pair;
use std::{
    fs,
    path::{Path, PathBuf},
};
use tokio::sync::mpsc;

/// How many messages go into one mbox, and about how many bytes.
const MESSAGES: u32 = 2_000;
const BYTES: u64 = 256 << 20;

/// Copies what is pending. The folders are there and the ledger is up to date.
pub(super) async fn run(scene: &Scene, ledger: &StoredLedger, outcome: &mut CopyOutcome) -> Result<(), Fault> {
    let work = scene.gatepost.config().data_path.join("work").join(format!("run-{}", scene.run));
    let quarantine = scene.gatepost.config().data_path.join("quarantine");
    for folder in [&work, &quarantine] {
        make_private(folder)?;
    }
    let account = {
        let mut conn = scene.gatepost.store().reader().await.map_err(internal)?;
        dest_access(&scene.gatepost, &mut conn, &scene.job, &scene.mailbox).await?
    };
    let _granted = scene.connections().await?;
    let mut sides = Sides {
        source: scene.source.source().await?,
        witness: scene.source.reader().await?,
        dest: scene.dest.destination().await?,
        there: scene.dest.reader().await?,
    };
    let errors = quarantine.join(format!("{}_errors.mbox", scene.run));
    let upload = Uploading { scene, ledger, account, work: work.clone(), errors: errors.clone() };
    let result = upload.folders(&mut sides, outcome).await;
    sides.close().await;
    let _ = fs::remove_dir_all(&work);
    match fs::metadata(&errors) {
        Ok(kept) if kept.len() == 0 => drop(fs::remove_file(&errors)),
        Ok(_) => {
            let sentence =
                format!("What imap_upload.py could not append is kept in quarantine/{}_errors.mbox.", scene.run);
            scene.watch.note(Level::Info, "imap-upload", sentence);
        }
        Err(_) => {}
    }
    result
}

fn make_private(folder: &Path) -> Result<(), Fault> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(internal)
}

/// Connections to both sides, to look and to write.
struct Sides {
    source: Box<dyn Source>,
    witness: Box<dyn Reader>,
    dest: Box<dyn Destination>,
    there: Box<dyn Reader>,
}

impl Sides {
    async fn close(mut self) {
        self.source.close().await;
        self.witness.close().await;
        self.dest.close().await;
        self.there.close().await;
    }
}

struct Uploading<'a> {
    scene: &'a Scene,
    ledger: &'a StoredLedger,
    account: Access,
    work: PathBuf,
    errors: PathBuf,
}

/// A folder on both sides.
struct Place {
    own: PlacedFolder,
    source: RemoteFolder,
    dest: RemoteFolder,
}

impl Uploading<'_> {
    async fn folders(&self, sides: &mut Sides, outcome: &mut CopyOutcome) -> Result<(), Fault> {
        let (at_source, at_dest) = (sides.source.folders().await?, sides.dest.folders().await?);
        for own in self.ledger.placed().await? {
            let pending = self.ledger.standing(Some(own.id)).await?.first().map_or(0, |(_, s)| s.pending);
            let name = own.source.to_string();
            // Where the look before gave up, what is pending may be there already.
            if pending == 0 || outcome.failed_folders.iter().any(|(failed, _)| *failed == name) {
                continue;
            }
            let source = at_source.iter().find(|f| f.path == own.source).cloned();
            let same = |f: &&RemoteFolder| f.path == own.dest || f.path.is_inbox() && own.dest.is_inbox();
            let dest = at_dest.iter().find(same).cloned();
            let (Some(source), Some(dest)) = (source, dest) else {
                let sentence = format!("{}: the folder is missing on one side.", own.source);
                outcome.failed_folders.push((name, sentence));
                continue;
            };
            if let Some(why) = self.folder(sides, Place { own, source, dest }, outcome).await? {
                // What is left is still pending, and the next run sends it.
                self.scene.watch.note(Level::Warn, "imap-upload", why.clone());
                outcome.failed_folders.push((name, why));
                return Ok(());
            }
        }
        Ok(())
    }

    async fn folder(
        &self,
        sides: &mut Sides,
        place: Place,
        outcome: &mut CopyOutcome,
    ) -> Result<Option<String>, Fault> {
        sides.source.open(&place.source).await?;
        sides.witness.open(&place.source).await?;
        let mut after = None;
        loop {
            if self.scene.cancel.is_cancelled() {
                return Err(Fault::cancelled());
            }
            let mut rows = self.ledger.pending(place.own.id, after, MESSAGES).await?;
            let Some(last) = rows.last() else { return Ok(None) };
            after = Some(last.id);
            rows.sort_unstable_by_key(|row| row.uid);
            let there = self.recognise(sides, &place, &rows, outcome).await?;
            rows.retain(|row| !there.contains(row.uid));
            let mut rows = rows.as_slice();
            while !rows.is_empty() {
                let (mut some, mut bytes) = (0, 0);
                while some < rows.len() && (some == 0 || bytes + rows[some].size <= BYTES) {
                    bytes += rows[some].size;
                    some += 1;
                }
                if let Some(why) = self.upload(sides, &place, &rows[..some], outcome).await? {
                    return Ok(Some(why));
                }
                rows = &rows[some..];
            }
        }
    }

    /// Finds messages at the destination that an earlier run has sent, and records them. Gives their UIDs.
    async fn recognise(
        &self,
        sides: &mut Sides,
        place: &Place,
        rows: &[LedgerRow],
        outcome: &mut CopyOutcome,
    ) -> Result<UidSet, Fault> {
        let found = self.found(sides, place, rows).await?;
        let known: Vec<(&LedgerRow, u32)> =
            found.iter().filter_map(|(uid, dest)| row(rows, *uid).zip(Some(*dest))).collect();
        let mut arrivals = Vec::with_capacity(known.len());
        let mut mbox = Mbox::sink();
        for (row, dest_uid) in known {
            let Some(digests) = mbox.add(&mut *sides.source, row).await? else { continue };
            arrivals.push(Arrival {
                uid: row.uid,
                dest_uid: Some(dest_uid),
                digests,
                dropped_flags: Flags::default(),
                adopted: true,
            });
        }
        self.ledger.arrived(place.own.id, &arrivals).await?;
        outcome.adopted += arrivals.len() as u64;
        Ok(arrivals.iter().map(|arrival| arrival.uid).collect())
    }

    /// Which of these lie at the destination: `(uid, uid there)`.
    async fn found(&self, sides: &mut Sides, place: &Place, rows: &[LedgerRow]) -> Result<Vec<(u32, u32)>, Fault> {
        sides.there.open(&place.dest).await?;
        let mut unclaimed = read(&mut *sides.there, None).await?;
        // Several folders may go to one place.
        for folder in self.ledger.placed().await?.iter().filter(|folder| folder.dest == place.own.dest) {
            let claimed = self.ledger.dest_uids(folder.id).await?;
            unclaimed.retain(|m| !claimed.contains(m.uid));
        }
        if unclaimed.is_empty() {
            return Ok(Vec::new());
        }
        let ours = read(&mut *sides.witness, Some(rows.iter().map(|row| row.uid).collect())).await?;
        Ok(pair(&ours, &unclaimed))
    }

    /// Sends one mbox. Why nothing more may be sent now, where that is so.
    async fn upload(
        &self,
        sides: &mut Sides,
        place: &Place,
        rows: &[LedgerRow],
        outcome: &mut CopyOutcome,
    ) -> Result<Option<String>, Fault> {
        let path = self.work.join("messages.mbox");
        let mut mbox = Mbox::create(&path).map_err(internal)?;
        let mut sent = Vec::with_capacity(rows.len());
        for row in rows {
            if let Some(digests) = mbox.add(&mut *sides.source, row).await? {
                sent.push((row, digests));
            } else {
                let why = mbox.why().unwrap_or("The message is not there any more.");
                let refusal = Refusal { uid: row.uid, kind: CauseKind::Unreadable, cause: why.to_owned() };
                self.ledger.refused(place.own.id, &[refusal]).await?;
                outcome.quarantined += 1;
            }
        }
        mbox.finish().map_err(internal)?;
        if sent.is_empty() {
            return Ok(None);
        }
        let bytes = sent.iter().map(|(row, _)| row.size).sum();
        tokio::select! {
            () = self.scene.watch.throttle.pass(bytes) => {}
            () = self.scene.cancel.cancelled() => return Err(Fault::cancelled()),
        }
        let said = self.call(place, &path).await?;
        let spent = self.spend(bytes);
        let refused = self.refused(place, &sent, &said, outcome).await?;
        // Whatever it says, what is there is there.
        sent.retain(|(row, _)| !refused.contains(row.uid));
        let rows: Vec<LedgerRow> = sent.iter().map(|(row, _)| (*row).clone()).collect();
        let found = self.found(sides, place, &rows).await?;
        if said.failure.is_none() {
            self.unrecognised(place, &rows, &found, outcome).await?;
        }
        let mut arrivals = Vec::with_capacity(found.len());
        let (mut flags, mut arrived_bytes) = (Vec::new(), 0);
        for (uid, dest_uid) in &found {
            let Some((row, digests)) = sent.iter().find(|(row, _)| row.uid == *uid) else { continue };
            arrivals.push(Arrival {
                uid: *uid,
                dest_uid: Some(*dest_uid),
                digests: *digests,
                dropped_flags: Flags::default(),
                adopted: false,
            });
            flags.push((*dest_uid, row.flags.clone()));
            arrived_bytes += row.size;
        }
        self.ledger.arrived(place.own.id, &arrivals).await?;
        let arrived = arrivals.len() as u64;
        outcome.transferred += arrived;
        outcome.bytes += arrived_bytes;
        self.scene.watch.copied(arrived, arrived_bytes);
        let state = sides.dest.open(&place.dest).await?;
        let flags: Vec<(u32, Flags)> = flags.into_iter().map(|(uid, flags)| (uid, flags.split_by(&state).0)).collect();
        let set: Vec<(u32, Flags)> = flags.into_iter().filter(|(_, flags)| !flags.is_empty()).collect();
        sides.dest.set_flags(&set).await?;
        match said.failure {
            Some(sentence) => Err(Fault::new(FaultKind::Refused, sentence)),
            None => Ok(spent),
        }
    }

    /// Counts what has passed against the budgets of both hosts. Why nothing more may pass, where that is so.
    fn spend(&self, bytes: u64) -> Option<String> {
        let mut spent = None;
        for (kept, way) in [(&self.scene.source_budget, Way::Down), (&self.scene.dest_budget, Way::Up)] {
            if let Err(why) = kept.budget.moved(way, bytes) {
                spent = Some(why);
            }
        }
        spent
    }

    async fn call(&self, place: &Place, mbox: &Path) -> Result<MboxUploaded, Fault> {
        let log =
            self.scene.gatepost.config().data_path.join("logs").join(format!("run-{}-imap-upload", self.scene.run));
        let watch = &self.scene.watch;
        let note = |level, sentence| watch.note(level, "imap-upload", sentence);
        let run = ToolRun { work: &self.work, log: &log, note: &note, moved: &|_| {}, cancel: &self.scene.cancel };
        let upload = MboxUpload { folder: &place.dest.native, mbox, errors: &self.errors };
        let tools = self.scene.gatepost.drivers().tools();
        let said = tools.imap_upload(self.account.clone(), &[upload], run).await?;
        let said = said.into_iter().next().unwrap_or_default();
        let sentence = format!(
            "{}: imap_upload.py says that it stored {} messages and that {} were refused.",
            place.own.source,
            said.stored,
            said.refused.len()
        );
        note(if said.refused.is_empty() { Level::Info } else { Level::Warn }, sentence);
        Ok(said)
    }

    /// Quarantines what the program says that it stored and nobody finds: sent again by itself it would come twice, if
    /// it has come in another form.
    async fn unrecognised(
        &self,
        place: &Place,
        rows: &[LedgerRow],
        found: &[(u32, u32)],
        outcome: &mut CopyOutcome,
    ) -> Result<(), Fault> {
        let found: UidSet = found.iter().map(|(uid, _)| *uid).collect();
        let cause = cause("imap_upload.py");
        let refusals: Vec<Refusal> = rows
            .iter()
            .filter(|row| !found.contains(row.uid))
            .map(|row| Refusal { uid: row.uid, kind: CauseKind::Refused, cause: cause.clone() })
            .collect();
        outcome.quarantined += refusals.len() as u64;
        self.ledger.refused(place.own.id, &refusals).await
    }

    /// Quarantines what the program says was refused, and gives its UIDs.
    async fn refused(
        &self,
        place: &Place,
        sent: &[(&LedgerRow, gatepost_transfer::Digests)],
        said: &MboxUploaded,
        outcome: &mut CopyOutcome,
    ) -> Result<UidSet, Fault> {
        let number = |number: u64| usize::try_from(number).ok()?.checked_sub(1);
        let refusals: Vec<Refusal> = said
            .refused
            .iter()
            .filter_map(|(at, words)| sent.get(number(*at)?).map(|(row, _)| refusal(row.uid, words)))
            .collect();
        outcome.quarantined += refusals.len() as u64;
        self.ledger.refused(place.own.id, &refusals).await?;
        Ok(refusals.iter().map(|refusal| refusal.uid).collect())
    }
}

fn refusal(uid: u32, words: &str) -> Refusal {
    let upper = words.to_ascii_uppercase();
    let large = ["TOOBIG", "TOO LARGE", "TOO BIG", "MAXIMUM MESSAGE SIZE"].iter().any(|sign| upper.contains(sign));
    let kind = if large { CauseKind::TooLarge } else { CauseKind::Refused };
    Refusal { uid, kind, cause: format!("imap_upload.py could not append it: {words}") }
}

fn row(rows: &[LedgerRow], uid: u32) -> Option<&LedgerRow> {
    rows.binary_search_by_key(&uid, |row| row.uid).ok().and_then(|at| rows.get(at))
}

async fn read(reader: &mut dyn Reader, uids: Option<UidSet>) -> Result<Vec<ReadMessage>, Fault> {
    let (out, mut listed) = mpsc::channel(1_000);
    let mut all = Vec::new();
    let take = async { while listed.recv_many(&mut all, 1_000).await > 0 {} };
    let (read, ()) = tokio::join!(reader.read(uids.as_ref(), out), take);
    read.map(|()| all)
}
