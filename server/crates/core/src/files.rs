//! Files of a mailbox that its proof knows nothing of: still on their way, not read yet, of no use, or read only after
//! the proof was made. A file that somebody attached is never forgotten: it is read and copied, or deleted by a person.

use crate::Result;
use gatepost_contract::{MailboxId, RunId, Upload, UploadState};
use gatepost_store::{Conn, uploads};

/// What a gate has to know of the files of a mailbox; each in a few words.
#[derive(Clone, Debug, Default)]
pub(crate) struct Amiss {
    /// Those that the evidence knows nothing of, with why.
    pub left_out: Vec<String>,
    /// Those that were read only as far as they are whole, with the first of what is wrong with them.
    pub damaged: Vec<String>,
}

/// What is amiss with a mailbox's files beside the evidence of this run; `None` where there is no evidence.
pub(crate) async fn amiss(conn: &mut Conn, mailbox: MailboxId, evidence: Option<RunId>) -> Result<Amiss> {
    let mut amiss = Amiss::default();
    for file in uploads::of_mailbox(conn, mailbox).await?.into_iter().map(|stored| stored.upload) {
        amiss.left_out.extend(why(&file, evidence));
        if file.state == UploadState::Ready
            && let Some(damage) = file.inspection.as_ref().and_then(|found| found.damage.first())
        {
            amiss.damaged.push(format!("{}: {damage}", file.name));
        }
    }
    Ok(amiss)
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
        UploadState::Refused => Some(format!("{name} could not be read")),
        // Runs of one mailbox have their turn in the order of their numbers, and each begins by reading what is there.
        UploadState::Ready => {
            let later = evidence.is_some_and(|proof| file.run_id.is_some_and(|read| read > proof));
            later.then(|| format!("{name} was read after the last verification"))
        }
        UploadState::Deleted => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::{JobId, UploadOrigin};

    #[test]
    fn a_file_is_left_out_until_it_was_read_before_the_proof() {
        use UploadState::*;
        let proof = Some(RunId(7));
        for (state, received, run, evidence, expect) in [
            (Receiving, 40, None, proof, Some("a.pst has not arrived whole (40 %)")),
            (Receiving, 100, None, proof, Some("a.pst is being checked")),
            (Stored, 100, None, None, Some("a.pst was not read yet")),
            (Refused, 100, Some(RunId(3)), proof, Some("a.pst could not be read")),
            (Ready, 100, Some(RunId(3)), proof, None),
            (Ready, 100, Some(RunId(7)), proof, None),
            (Ready, 100, Some(RunId(8)), proof, Some("a.pst was read after the last verification")),
            (Ready, 100, Some(RunId(8)), None, None),
            (Deleted, 40, None, proof, None),
        ] {
            let file = Upload {
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
                run_id: run,
                inspection: None,
                error: None,
                created_by: String::new(),
                created_at: String::new(),
                updated_at: String::new(),
                expires_at: None,
                deleted_at: None,
            };
            assert_eq!(why(&file, evidence).as_deref(), expect, "{state} {run:?} {evidence:?}");
        }
    }
}
