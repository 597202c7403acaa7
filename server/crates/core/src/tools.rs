//! External programs as the service needs them: what they are to do, not how they are called. Whatever they say of their
//! success is noted and never believed.

use crate::Access;
use async_trait::async_trait;
use gatepost_contract::{CauseKind, Level, Tool};
use gatepost_transfer::{Fault, FaultKind, RemoteFolder, Throttle, UidSet};
use serde_json::{Map, Value};
use std::{path::Path, sync::Arc};
use tokio_util::sync::CancellationToken;

/// Where a program works, and who listens.
#[derive(Clone, Copy)]
pub struct ToolRun<'a> {
    /// A folder of its own.
    pub work: &'a Path,
    /// Where its whole log is kept, compressed.
    pub log: &'a Path,
    /// Takes what is worth a line in the run's log.
    pub note: &'a (dyn Fn(Level, String) + Send + Sync),
    /// Takes what the program says it has moved, as it says so: shown as progress, and not believed.
    pub moved: &'a (dyn Fn(EngineMoved<'_>) + Send + Sync),
    /// Ends it.
    pub cancel: &'a CancellationToken,
}

/// Messages that a program says it has moved just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EngineMoved<'a> {
    /// The source's folder, as the server writes its name; `None` where the program does not say.
    pub folder: Option<&'a str>,
    /// How many.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their UIDs at the source, as ranges; none where the program does not say which they are.
    pub uids: &'a [(u32, u32)],
}

/// An mbox that is to be appended to a folder.
#[derive(Clone, Copy, Debug)]
pub struct MboxUpload<'a> {
    /// The folder, as the server writes its name.
    pub folder: &'a str,
    /// The mbox.
    pub mbox: &'a Path,
    /// The mbox that gets what is refused.
    pub errors: &'a Path,
}

/// What a program says of an mbox that it appended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MboxUploaded {
    /// Messages that it says were stored.
    pub stored: u64,
    /// Messages that were refused: their number in the mbox, from 1, and the words.
    pub refused: Vec<(u64, String)>,
    /// Why it did not come to its end, where it did not.
    pub failure: Option<String>,
}

/// What a program that moves a whole account by itself is to do. The folders are at the destination by then, and what had
/// arrived before is in the ledger.
#[derive(Clone, Copy, Debug)]
pub struct EngineJob<'a> {
    /// Which program.
    pub tool: Tool,
    /// Whether others write to the account by now, its user and those who send mail to it.
    pub is_live: bool,
    /// The account that is read.
    pub source: &'a Access,
    /// The account that is written to.
    pub dest: &'a Access,
    /// Where each folder goes.
    pub folders: &'a [EngineFolder],
    /// What every byte waits for: the whole wave's pace, whatever changes.
    pub throttle: &'a Arc<Throttle>,
    /// Messages in a second that both hosts grant, where they grant no more.
    pub messages_per_second: Option<f64>,
}

/// A folder on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineFolder {
    /// At the source, with the name as the server writes it.
    pub source: RemoteFolder,
    /// At the destination.
    pub dest: RemoteFolder,
    /// How many of its messages have not arrived yet.
    pub pending: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their UIDs at the source: what has arrived, was refused or was given up is not to be copied again.
    pub uids: UidSet,
    /// The epoch of these UIDs: where the source has another by now, they are other messages'.
    pub uid_validity: u32,
}

/// A message that a program could not copy, by its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EngineRefusal {
    /// The source's folder, as the server writes its name.
    pub folder: String,
    /// The message's UID there.
    pub uid: u32,
    /// What kind of cause it is.
    pub kind: CauseKind,
    /// The program's words.
    pub cause: String,
}

/// What a program says of a run. Noted, and not believed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineSaid {
    /// Its exit code, where it ended by itself.
    pub exit_code: Option<i32>,
    /// Its figures by name, as they are shown beside our own.
    pub stats: Map<String, Value>,
    /// What it could not copy.
    pub refused: Vec<EngineRefusal>,
    /// Why it did not come to a good end, and what to do, where it did not.
    pub failure: Option<String>,
    /// Whether the same run once more may end well, without anybody doing anything.
    pub again: bool,
}

/// Runs external programs.
#[async_trait]
pub trait ExternalTools: Send + Sync {
    /// Ends programs below this folder that a process which is gone has left running: they would go on storing. What a
    /// living one runs there stays. Gives how many there were.
    async fn end_leftovers(&self, below: &Path) -> Result<u32, Fault>;

    /// Lets a program move an account.
    async fn engine(&self, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault>;

    /// Lets a program try whether it could move an account, without changing anything: what it says, line by line.
    async fn try_engine(&self, job: EngineJob<'_>, run: ToolRun<'_>) -> Result<EngineSaid, Fault>;

    /// Lets readpst write every item of a PST below a folder.
    async fn readpst(&self, pst: &Path, into: &Path, run: ToolRun<'_>) -> Result<(), Fault>;

    /// Lets imap_upload.py append mboxes to an account, one after another, and say what became of each. It ends
    /// with the first that did not come to its end.
    async fn imap_upload(
        &self,
        account: Access,
        uploads: &[MboxUpload<'_>],
        run: ToolRun<'_>,
    ) -> Result<Vec<MboxUploaded>, Fault>;
}

/// None of them: a service that only reads, or a test.
#[derive(Clone, Copy, Debug)]
pub struct NoTools;

#[async_trait]
impl ExternalTools for NoTools {
    async fn end_leftovers(&self, _: &Path) -> Result<u32, Fault> {
        Ok(0)
    }

    async fn engine(&self, job: EngineJob<'_>, _: ToolRun<'_>) -> Result<EngineSaid, Fault> {
        Err(missing(job.tool.as_str()))
    }

    async fn try_engine(&self, job: EngineJob<'_>, _: ToolRun<'_>) -> Result<EngineSaid, Fault> {
        Err(missing(job.tool.as_str()))
    }

    async fn readpst(&self, _: &Path, _: &Path, _: ToolRun<'_>) -> Result<(), Fault> {
        Err(missing("readpst"))
    }

    async fn imap_upload(&self, _: Access, _: &[MboxUpload<'_>], _: ToolRun<'_>) -> Result<Vec<MboxUploaded>, Fault> {
        Err(missing("imap_upload.py"))
    }
}

fn missing(program: &str) -> Fault {
    Fault::new(FaultKind::WrongService, format!("{program} is not part of this service. Choose the tool native."))
}
