//! The driver: opens connections to one account, for each of the three uses.

use crate::{
    account::Account,
    destination::ImapDestination,
    login::{self, Purpose},
    mailbox::Mode,
    reader::ImapReader,
    source::ImapSource,
};
use async_trait::async_trait;
use gatepost_transfer::{Destination, Driver, Fault, Reader, Source};

/// Opens connections to an IMAP account.
#[derive(Clone, Debug)]
pub struct ImapDriver {
    account: Account,
    compress: bool,
}

impl ImapDriver {
    /// For this account.
    #[must_use]
    pub fn new(account: Account) -> Self {
        Self { account, compress: false }
    }

    /// Whether connections of the engine are compressed where the server offers COMPRESS=DEFLATE (RFC 4978). It costs
    /// processor time, and pays where the line is slow.
    #[must_use]
    pub fn compressed(self, compress: bool) -> Self {
        Self { compress, ..self }
    }
}

#[async_trait]
impl Driver for ImapDriver {
    fn label(&self) -> String {
        self.account.label()
    }

    async fn source(&self) -> Result<Box<dyn Source>, Fault> {
        let session = Box::pin(login::open(&self.account, Purpose::Read, self.compress)).await?;
        Ok(Box::new(ImapSource::new(session, Mode::ReadOnly).with_labels(self.account.gmail_labels)))
    }

    async fn destination(&self) -> Result<Box<dyn Destination>, Fault> {
        let session = Box::pin(login::open(&self.account, Purpose::Write, self.compress)).await?;
        Ok(Box::new(ImapDestination::new(session)))
    }

    async fn reader(&self) -> Result<Box<dyn Reader>, Fault> {
        Ok(Box::new(Box::pin(ImapReader::connect(&self.account)).await?))
    }
}
