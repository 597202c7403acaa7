//! Files of a mailbox that its proof knows nothing of: still on their way, not read yet, of no use, or read only after
//! the proof was made. A file that somebody attached is never forgotten: it is read and copied, or deleted by a person.

use crate::Result;
use gatepost_contract::{JobEvidence, MailboxId, RunId, Upload, UploadOrigin, UploadState};
use gatepost_store::{
    Conn,
    uploads::{self, StoredUpload},
};
use std::collections::HashMap;

/// What a gate has to know of the files of a mailbox; each in a few words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Amiss {
    /// Those that the evidence knows nothing of, with why.
    pub left_out: Vec<String>,
    /// Content that files have lost, each with its file.
    pub damaged: Vec<String>,
    /// Those that somebody removed, with a reason, before their mail was proved to have arrived.
    pub removed: Vec<String>,
}

/// What is amiss with a mailbox's files beside the evidence of this run; `None` where there is no evidence.
pub(crate) async fn amiss(conn: &mut Conn, mailbox: MailboxId, evidence: Option<RunId>) -> Result<Amiss> {
    Ok(judge(&uploads::of_mailbox(conn, mailbox).await?, evidence))
}

/// The same of every mailbox of a job that has or had a file, beside the evidence of each.
pub(crate) async fn amiss_of_job(conn: &mut Conn, read: &JobEvidence) -> Result<HashMap<MailboxId, Amiss>> {
    let mut all = HashMap::new();
    for mailbox in uploads::mailboxes_of_job(conn, read.job_id).await? {
        let proof = read.mailboxes.iter().find(|m| m.mailbox_id == mailbox).and_then(|m| m.run_id);
        all.insert(mailbox, amiss(conn, mailbox, proof).await?);
    }
    Ok(all)
}

fn judge(all: &[StoredUpload], evidence: Option<RunId>) -> Amiss {
    let mut amiss = Amiss::default();
    for stored in all {
        let file = &stored.upload;
        amiss.left_out.extend(why(file, evidence));
        if file.state == UploadState::Ready {
            let losses = file.inspection.iter().flat_map(|found| &found.losses);
            amiss.damaged.extend(losses.map(|loss| format!("{}: {loss}", file.name)));
        }
        if let Some(early) = &stored.removed_early
            && !has_come_again(file, all)
        {
            let told = format!("{} was removed before it was proved", file.name);
            match &early.reason {
                Some(reason) => amiss.removed.push(format!("{told}, by {}: {reason}", early.by)),
                None => amiss.left_out.push(told),
            }
        }
    }
    amiss
}

/// Whether the mailbox has the bytes of a removed file once more.
fn has_come_again(gone: &Upload, all: &[StoredUpload]) -> bool {
    let there = |file: &Upload| matches!(file.state, UploadState::Stored | UploadState::Ready);
    gone.sha256.is_some() && all.iter().any(|other| there(&other.upload) && other.upload.sha256 == gone.sha256)
}

/// Whether a file was read through only after the proof was made.
pub(crate) fn is_later(file: &Upload, evidence: Option<RunId>) -> bool {
    // Runs of one mailbox have their turn in the order of their numbers, and each begins by reading what is there.
    evidence.is_some_and(|proof| file.run_id.is_some_and(|read| read > proof))
}

fn why(file: &Upload, evidence: Option<RunId>) -> Option<String> {
    let name = &file.name;
    match file.state {
        UploadState::Receiving if file.received < file.bytes => {
            let percent = i128::from(file.received) * 100 / i128::from(file.bytes.max(1));
            Some(format!("{name} has not arrived whole ({percent} %)"))
        }
        UploadState::Receiving => Some(format!("{name} is being checked")),
        UploadState::Stored => Some(format!("{name} was not read yet")),
        UploadState::Refused if file.received < file.bytes && file.origin != UploadOrigin::Server => {
            Some(format!("{name} did not arrive in time; bring it again or remove it"))
        }
        UploadState::Refused => Some(format!("{name} could not be read")),
        UploadState::Ready => is_later(file, evidence).then(|| format!("{name} was read after the last verification")),
        UploadState::Deleted => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::{Inspection, JobId};
    use gatepost_store::uploads::RemovedEarly;

    fn file(state: UploadState, received: i64, run_id: Option<RunId>) -> StoredUpload {
        let upload = Upload {
            id: "x".into(),
            mailbox_id: MailboxId(1),
            job_id: JobId(1),
            slot: 0,
            name: "a.pst".into(),
            origin: UploadOrigin::Tus,
            state,
            bytes: 100,
            received,
            sha256: None,
            run_id,
            inspection: None,
            error: None,
            created_by: String::new(),
            created_at: String::new(),
            updated_at: String::new(),
            expires_at: None,
            deleted_at: None,
        };
        StoredUpload { upload, path: String::new(), sha256_expected: None, metadata: None, removed_early: None }
    }

    #[test]
    fn a_file_is_left_out_until_it_was_read_before_the_proof() {
        use UploadState::*;
        let proof = Some(RunId(7));
        for (state, received, run, evidence, expect) in [
            (Receiving, 40, None, proof, Some("a.pst has not arrived whole (40 %)")),
            (Receiving, 100, None, proof, Some("a.pst is being checked")),
            (Stored, 100, None, None, Some("a.pst was not read yet")),
            (Refused, 40, None, proof, Some("a.pst did not arrive in time; bring it again or remove it")),
            (Refused, 100, Some(RunId(3)), proof, Some("a.pst could not be read")),
            (Ready, 100, Some(RunId(3)), proof, None),
            (Ready, 100, Some(RunId(7)), proof, None),
            (Ready, 100, Some(RunId(8)), proof, Some("a.pst was read after the last verification")),
            (Ready, 100, Some(RunId(8)), None, None),
            (Deleted, 40, None, proof, None),
        ] {
            let file = file(state, received, run);
            assert_eq!(why(&file.upload, evidence).as_deref(), expect, "{state} {run:?} {evidence:?}");
        }
    }

    #[test]
    fn every_loss_is_told_and_no_note() {
        let mut ready = file(UploadState::Ready, 100, Some(RunId(3)));
        ready.upload.inspection = Some(Inspection {
            losses: vec!["It ends too early.".into(), "Sent holds 5 messages, 3 were found.".into()],
            damage: vec!["The index was out of order.".into()],
            ..Inspection::default()
        });
        let told = judge(&[ready.clone()], Some(RunId(7)));
        assert_eq!(told.damaged, ["a.pst: It ends too early.", "a.pst: Sent holds 5 messages, 3 were found."]);
        assert!(told.left_out.is_empty() && told.removed.is_empty());
        ready.upload.state = UploadState::Deleted;
        assert_eq!(judge(&[ready], Some(RunId(7))), Amiss::default());
    }

    #[test]
    fn a_file_that_was_removed_before_its_proof_is_told_until_its_bytes_come_again() {
        let mut gone = file(UploadState::Deleted, 100, Some(RunId(3)));
        gone.upload.sha256 = Some("ab".into());
        gone.removed_early = Some(RemovedEarly { by: "rui@example.org".into(), reason: None });
        let told = judge(&[gone.clone()], Some(RunId(7)));
        assert_eq!(told.left_out, ["a.pst was removed before it was proved"]);
        gone.removed_early = Some(RemovedEarly { by: "rui@example.org".into(), reason: Some("a wrong export".into()) });
        let told = judge(&[gone.clone()], Some(RunId(7)));
        assert_eq!(told.removed, ["a.pst was removed before it was proved, by rui@example.org: a wrong export"]);
        assert!(told.left_out.is_empty());
        let mut again = file(UploadState::Ready, 100, Some(RunId(4)));
        again.upload.sha256 = Some("cd".into());
        assert_eq!(judge(&[gone.clone(), again.clone()], Some(RunId(7))).removed.len(), 1, "other bytes are no cure");
        again.upload.sha256 = Some("ab".into());
        assert_eq!(judge(&[gone, again], Some(RunId(7))), Amiss::default());
    }
}
