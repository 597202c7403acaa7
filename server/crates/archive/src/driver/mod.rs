//! The files of a mailbox as a source of mail.
//!
//! The engine reads by the catalogues that are kept of the files; the witness makes catalogues of its own, once for each
//! driver, in a private folder. Messages are generated one at a time for all lines of reading: the destination is the
//! slower side by far. A message leaves only when its digest is that of the scan.

mod account;
mod apart;
mod opened;
mod reader;
mod source;
mod spool;
#[cfg(test)]
mod tests;

pub(crate) use account::overlaps;

use crate::{FileSource, Limits, inspect::Opener};
use apart::apart;
use async_trait::async_trait;
use gatepost_transfer::{Destination, Driver, Fault, FaultKind, Reader, Source};
use opened::{Opened, Trust};
use reader::ArchiveReader;
use source::ArchiveSource;
use std::{fmt, sync::Arc};
use tokio::sync::OnceCell;

/// The files of a mailbox.
#[derive(Clone, Debug)]
pub struct ArchiveAccount {
    /// The account as people know it: `archive.pst of ana@example.com`.
    pub label: String,
    /// What names the account as long as it lives, whichever files it has at the moment: UIDs hold as long as this is the
    /// same, and a slot is given to one file only.
    pub seed: String,
    /// Its files, each with a slot of its own.
    pub files: Vec<FileSource>,
    /// How much of the machine reading them may take.
    pub limits: Limits,
}

/// Reads the files of a mailbox as one account.
pub struct ArchiveDriver {
    account: Arc<ArchiveAccount>,
    open: Opener,
    kept: OnceCell<Arc<Opened>>,
    own: OnceCell<Arc<Opened>>,
}

impl ArchiveDriver {
    /// For these files; nothing is opened yet.
    #[must_use]
    pub fn new(account: ArchiveAccount) -> Self {
        Self::with(account, crate::open)
    }

    /// The same with a way to open them.
    fn with(account: ArchiveAccount, open: Opener) -> Self {
        Self { account: Arc::new(account), open, kept: OnceCell::new(), own: OnceCell::new() }
    }

    async fn opened(&self, trust: Trust) -> Result<Arc<Opened>, Fault> {
        let cell = match trust {
            Trust::Kept => &self.kept,
            Trust::Own => &self.own,
        };
        let make = || {
            let (account, open) = (Arc::clone(&self.account), self.open);
            apart(move |line| Opened::new(&account, open, trust, &line.stop).map(Arc::new))
        };
        cell.get_or_try_init(make).await.cloned()
    }
}

impl fmt::Debug for ArchiveDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArchiveDriver").field("account", &self.account).finish_non_exhaustive()
    }
}

#[async_trait]
impl Driver for ArchiveDriver {
    fn label(&self) -> String {
        self.account.label.clone()
    }

    async fn source(&self) -> Result<Box<dyn Source>, Fault> {
        let opened = self.opened(Trust::Kept).await?;
        opened.check()?;
        Ok(Box::new(ArchiveSource { opened, folder: None }))
    }

    async fn destination(&self) -> Result<Box<dyn Destination>, Fault> {
        Err(Fault::new(FaultKind::Forbidden, "A file can be copied from, and not to."))
    }

    async fn reader(&self) -> Result<Box<dyn Reader>, Fault> {
        let opened = self.opened(Trust::Own).await?;
        opened.check()?;
        Ok(Box::new(ArchiveReader { opened, folder: None }))
    }
}
