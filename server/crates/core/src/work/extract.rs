//! `pst_extract`: reading the stored files of a mailbox through, before anything is copied from them. What is found
//! stays with each file: its folders, counts and damage, or why it is of no use. Every other run of such a mailbox begins
//! by reading what nobody has read yet.

use super::{Ended, RunWatch, internal, readpst};
use crate::{
    Actor, FileAccess, Gatepost,
    access::{file_access, on_disk, reads_by_readpst},
    audit::Entry,
    clock,
};
use gatepost_contract::{Inspection, Level, Mailbox, RunId, UploadState};
use gatepost_store::uploads::{self, StoredUpload};
use gatepost_transfer::{Fault, FaultKind, Watch, budget::size};
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// How many sentences about a file's damage go into the log; the file's own page has them all.
const DAMAGE_LOGGED: usize = 20;

/// What reads.
pub(super) struct Reading<'a> {
    pub gatepost: &'a Gatepost,
    pub run: RunId,
    pub mailbox: &'a Mailbox,
    pub watch: &'a Arc<RunWatch>,
    pub cancel: &'a CancellationToken,
}

/// What became of one file.
struct Read {
    name: String,
    found: Result<Inspection, String>,
}

impl Reading<'_> {
    /// The run of its own. With `again`, files that were refused before are tried once more.
    pub async fn run(&self, again: bool) -> Result<Ended, Fault> {
        if !self.mailbox.source_type.is_file() {
            let sentence = format!("The mail of {} comes from a server: there is no file to read.", self.mailbox.email);
            return Err(Fault::new(FaultKind::WrongService, sentence));
        }
        Ok(ended(&self.read(again).await?))
    }

    /// Reads what nobody has read yet, before a run of another kind begins.
    pub async fn before_another(&self) -> Result<(), Fault> {
        if !self.read(false).await?.is_empty() {
            self.watch.clear(self.gatepost).await.map_err(internal)?;
        }
        Ok(())
    }

    async fn read(&self, again: bool) -> Result<Vec<Read>, Fault> {
        let mut stored = self.stored().await?;
        let outdated = |u: &StoredUpload| {
            u.upload.state == UploadState::Ready
                && on_disk(self.gatepost, u).is_ok_and(|disk| self.gatepost.drivers().is_outdated(&disk.catalogue))
        };
        if stored.iter().any(outdated) {
            // What an older version found is forgotten first: a run that does not come to its end leaves files that nobody
            // has read, and the gates say so.
            let sentence = "Files were read by another version of Gatepost: they are read through again.";
            self.watch.note(Level::Info, "file", sentence.to_owned());
            let mut tx = self.gatepost.store().begin().await.map_err(internal)?;
            uploads::read_again(&mut tx, self.mailbox.id, &clock::now()).await.map_err(internal)?;
            tx.commit().await.map_err(internal)?;
            stored = self.stored().await?;
        }
        let by_readpst = reads_by_readpst(self.mailbox);
        let wanted = |u: &&StoredUpload| match u.upload.state {
            UploadState::Stored => true,
            // One whose bytes never were all there has nothing to read.
            UploadState::Refused => again && u.upload.sha256.is_some(),
            // Somebody tidied up: what readpst wrote is needed for copies and proofs.
            // One without a digest is not forgotten, and read all the same.
            UploadState::Ready => {
                outdated(u) || by_readpst && on_disk(self.gatepost, u).is_ok_and(|disk| !disk.readpst.exists())
            }
            _ => false,
        };
        let unread: Vec<&StoredUpload> = stored.iter().filter(wanted).collect();
        let weigh = |u: &&StoredUpload| (u.upload.name.clone(), u64::try_from(u.upload.bytes).unwrap_or_default());
        let weights: Vec<(String, u64)> = unread.iter().map(weigh).collect();
        if !weights.is_empty() {
            self.watch.files(&weights.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect::<Vec<_>>());
        }
        let mut readable: Vec<&StoredUpload> = stored.iter().filter(|u| u.upload.state == UploadState::Ready).collect();
        let mut all = Vec::with_capacity(unread.len());
        for (step, file) in unread.into_iter().enumerate() {
            let found = self.file(step, file, &readable).await?;
            if found.is_ok() {
                readable.push(file);
                readable.sort_unstable_by_key(|u| u.upload.slot);
            }
            all.push(Read { name: file.upload.name.clone(), found });
        }
        Ok(all)
    }

    async fn stored(&self) -> Result<Vec<StoredUpload>, Fault> {
        let mut conn = self.gatepost.store().reader().await.map_err(internal)?;
        uploads::stored_of_mailbox(&mut conn, self.mailbox.id).await.map_err(internal)
    }

    /// Reads one file and keeps what was found, or why it is of no use. A fault that says nothing of the file ends the
    /// run and leaves the file as it was.
    async fn file(
        &self,
        step: usize,
        file: &StoredUpload,
        others: &[&StoredUpload],
    ) -> Result<Result<Inspection, String>, Fault> {
        let name = &file.upload.name;
        let weight = u64::try_from(file.upload.bytes).unwrap_or_default();
        self.watch.begin(step, 0, weight);
        self.watch.note(Level::Info, "file", format!("Reading {name} through, {}.", size(weight)));
        let mut files: Vec<&StoredUpload> = others
            .iter()
            .copied()
            .filter(|u| u.upload.id != file.upload.id && on_disk(self.gatepost, u).is_ok())
            .collect();
        files.push(file);
        files.sort_unstable_by_key(|u| u.upload.slot);
        let found = match file_access(self.gatepost, self.mailbox, &files) {
            Ok(access) => self.inspect(step, file, access).await,
            Err(fault) => Err(fault),
        };
        let found = match found {
            Ok(found) if is_a_wreck(&found) => Err(wreck(&found)),
            Ok(found) => Ok(found),
            Err(fault) if is_of_the_file(fault.kind) => Err(fault.sentence),
            Err(fault) => {
                self.watch.end(step, Err(fault.sentence.clone()));
                return Err(fault);
            }
        };
        self.keep(file, &found).await?;
        match &found {
            Ok(found) => {
                let sentence = describe(found);
                for damage in found.losses.iter().chain(&found.damage).take(DAMAGE_LOGGED) {
                    self.watch.note(Level::Warn, "file", format!("{name}: {damage}"));
                }
                self.watch.note(Level::Info, "file", format!("{name}: {sentence}"));
                self.watch.end(step, Ok(Some(sentence)));
            }
            Err(why) => {
                self.watch.note(Level::Error, "file", format!("{name}: {why}"));
                self.watch.end(step, Err(why.clone()));
            }
        }
        Ok(found)
    }

    async fn inspect(&self, step: usize, file: &StoredUpload, access: FileAccess) -> Result<Inspection, Fault> {
        let slot = u8::try_from(file.upload.slot).map_err(internal)?;
        if let Some(own) = access.files.iter().find(|f| f.slot == slot)
            && let Some(written) = &own.extracted
        {
            readpst::write(self, file, &own.path, written).await?;
        }
        let items = on_disk(self.gatepost, file)?.items;
        let (gatepost, watch, cancel) = (self.gatepost.clone(), self.watch.clone(), self.cancel.clone());
        let reading = tokio::task::spawn_blocking(move || {
            let mut told = 0;
            let mut progress = |done: u64, _total: u64| {
                watch.done(step, 0, done.saturating_sub(told));
                told = told.max(done);
            };
            gatepost.drivers().inspect(&access, slot, Some(&items), &mut progress, &cancel)
        });
        reading.await.map_err(internal)?.map_err(|fault| match fault.kind {
            FaultKind::Cancelled => Fault::new(
                FaultKind::Cancelled,
                format!("Cancelled. {} was not read to its end; the next run begins with it.", file.upload.name),
            ),
            _ => fault,
        })
    }

    async fn keep(&self, file: &StoredUpload, found: &Result<Inspection, String>) -> Result<(), Fault> {
        let (id, now) = (file.upload.id.as_str(), clock::now());
        let mut tx = self.gatepost.store().begin().await.map_err(internal)?;
        uploads::set_run(&mut tx, id, Some(self.run), &now).await.map_err(internal)?;
        let action = match found {
            Ok(found) => {
                uploads::set_ready(&mut tx, id, found, &now).await.map_err(internal)?;
                "upload.read"
            }
            Err(why) => {
                uploads::set_refused(&mut tx, id, why, &now).await.map_err(internal)?;
                "upload.refuse"
            }
        };
        let after = uploads::get(&mut tx, id).await.map_err(internal)?;
        let after = after.map(|stored| {
            let upload = stored.upload;
            let found = upload.inspection.map(|i| json!({"messages": i.messages, "bytes": i.bytes, "format": i.format}));
            json!({"name": upload.name, "state": upload.state, "sha256": upload.sha256, "error": upload.error, "found": found})
        });
        Entry::new(&Actor::Worker, action, format!("upload/{id}"))
            .job(file.upload.job_id)
            .before(&json!({"name": file.upload.name, "state": file.upload.state}))
            .after(&after)
            .write(&mut tx)
            .await
            .map_err(internal)?;
        tx.commit().await.map_err(internal)
    }
}

/// Whether nothing at all was found in a file that is damaged. Nobody can tell what it held, so it is not taken for one
/// that is empty.
fn is_a_wreck(found: &Inspection) -> bool {
    found.items == 0 && found.messages == 0 && !(found.losses.is_empty() && found.damage.is_empty())
}

fn wreck(found: &Inspection) -> String {
    let why = found.losses.first().or(found.damage.first()).map_or("", String::as_str);
    format!(
        "Nothing can be found in the file. {why} Bring a whole copy of it, or delete it here if it is known to be empty."
    )
}

/// Whether a fault tells that the file is of no use, and not that the reading was disturbed.
const fn is_of_the_file(kind: FaultKind) -> bool {
    !matches!(kind, FaultKind::Cancelled | FaultKind::Internal)
}

/// What was found, in a sentence.
fn describe(found: &Inspection) -> String {
    let mut parts = vec![format!(
        "{}: {} in {}, {}",
        found.format,
        count(found.messages, "message", "messages"),
        count(found.folders.len() as u64, "folder", "folders"),
        size(found.bytes)
    )];
    let others: u64 = found.others.values().sum();
    if others > 0 {
        let kinds: Vec<String> =
            found.others.iter().map(|(kind, n)| format!("{}: {n}", kind.replace('_', " "))).collect();
        let what = count(others, "item is no mail", "items are no mail");
        parts.push(format!("{what} and can be downloaded ({})", kinds.join(", ")));
    }
    for (n, one, many) in [
        (found.unreadable, "cannot be read and will be in quarantine", "cannot be read and will be in quarantine"),
        (found.salvaged, "was salvaged after damage", "were salvaged after damage"),
        (found.repeated, "is in the same folder more than once", "are in the same folder more than once"),
        (
            found.overlapping,
            "is in an earlier file too and is copied once",
            "are in earlier files too and are copied once",
        ),
    ] {
        if n > 0 {
            parts.push(count(n, one, many));
        }
    }
    format!("{}.", parts.join("; "))
}

fn count(n: u64, one: &str, many: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { many })
}

fn ended(all: &[Read]) -> Ended {
    let found: Vec<&Inspection> = all.iter().filter_map(|r| r.found.as_ref().ok()).collect();
    let sum = |f: fn(&Inspection) -> u64| found.iter().map(|i| f(i)).sum::<u64>();
    let refused: Vec<String> =
        all.iter().filter_map(|r| r.found.as_ref().err().map(|why| format!("{}: {why}", r.name))).collect();
    let mut stats = match json!({
        "files": all.len(),
        "files_refused": refused.len(),
        "folders": sum(|i| i.folders.len() as u64),
        "messages": sum(|i| i.messages),
        "bytes": sum(|i| i.bytes),
        "items": sum(|i| i.items),
        "unreadable": sum(|i| i.unreadable),
        "salvaged": sum(|i| i.salvaged),
        "repeated": sum(|i| i.repeated),
        "overlapping": sum(|i| i.overlapping),
        "losses": sum(|i| i.losses.len() as u64),
        "damage": sum(|i| i.damage.len() as u64),
        "errors": refused.len() as u64 + sum(|i| i.unreadable),
    }) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let mut others: Map<String, Value> = Map::new();
    for (kind, n) in found.iter().flat_map(|i| &i.others) {
        let before = others.get(kind).and_then(Value::as_u64).unwrap_or_default();
        others.insert(kind.clone(), (before + n).into());
    }
    stats.insert("others".into(), Value::Object(others));
    let mut sentences: Vec<String> =
        all.iter().filter_map(|r| r.found.as_ref().ok().map(|i| format!("{}: {}", r.name, describe(i)))).collect();
    if all.is_empty() {
        sentences.push("Every file was read before.".to_owned());
    }
    sentences.extend(refused.iter().cloned());
    let (summary, error) = (sentences.join(" "), refused.join(" "));
    if refused.is_empty() {
        Ended::success(summary, stats)
    } else if found.is_empty() {
        Ended { stats, ..Ended::failed(&Fault::new(FaultKind::Damaged, error)) }
    } else {
        Ended::partial(summary, stats, Some(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::{InspectedFolder, RunStatus};

    fn found() -> Inspection {
        Inspection {
            format: "PST, Unicode".into(),
            folders: vec![InspectedFolder::default(), InspectedFolder::default()],
            messages: 3,
            bytes: 2_500,
            others: [("appointment".to_owned(), 2), ("contact".to_owned(), 1)].into(),
            unreadable: 1,
            overlapping: 2,
            ..Inspection::default()
        }
    }

    #[test]
    fn what_was_found_reads_as_a_sentence() {
        assert_eq!(
            describe(&found()),
            "PST, Unicode: 3 messages in 2 folders, 2.5 kB; 3 items are no mail and can be downloaded (appointment: 2, \
             contact: 1); 1 cannot be read and will be in quarantine; 2 are in earlier files too and are copied once."
        );
    }

    #[test]
    fn a_damaged_file_without_anything_in_it_is_not_taken_for_an_empty_one() {
        let damage = vec!["The file is cut short.".to_owned()];
        let empty = Inspection::default();
        for (found, wreck) in [
            (empty.clone(), false),
            (Inspection { damage: damage.clone(), ..empty.clone() }, true),
            (Inspection { losses: damage.clone(), ..empty.clone() }, true),
            (Inspection { damage: damage.clone(), messages: 1, items: 1, ..empty.clone() }, false),
            (Inspection { damage, items: 3, ..empty }, false),
        ] {
            assert_eq!(is_a_wreck(&found), wreck, "{found:?}");
        }
    }

    #[test]
    fn a_run_is_as_good_as_its_files() {
        let good = || Read { name: "a.pst".into(), found: Ok(found()) };
        let bad = || Read { name: "b.pst".into(), found: Err("It is empty.".into()) };
        for (files, status, error) in [
            (vec![], RunStatus::Success, None),
            (vec![good(), good()], RunStatus::Success, None),
            (vec![good(), bad()], RunStatus::Partial, Some("b.pst: It is empty.")),
            (vec![bad()], RunStatus::Failed, Some("b.pst: It is empty.")),
        ] {
            let ended = ended(&files);
            assert_eq!((ended.status, ended.error.as_deref()), (status, error), "{}", ended.summary);
            assert_eq!(ended.stats["files"], files.len());
        }
    }
}
