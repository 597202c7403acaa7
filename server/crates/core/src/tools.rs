//! External programs as the service needs them: what they are to do, not how they are called. Whatever they say of their
//! success is noted and never believed.

use crate::Access;
use async_trait::async_trait;
use gatepost_contract::Level;
use gatepost_transfer::{Fault, FaultKind};
use std::path::Path;
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
    /// Ends it.
    pub cancel: &'a CancellationToken,
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

/// Runs external programs.
#[async_trait]
pub trait ExternalTools: Send + Sync {
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
