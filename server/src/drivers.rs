//! The protocols and formats that this program brings: core asks here for a driver and knows none of them itself.

use crate::{config::Tools, prober::ImapProber};
use gatepost_archive::{ArchiveAccount, ArchiveDriver, FileSource, Limits};
use gatepost_contract::Inspection;
use gatepost_core::{Access, Courier, Credential, Drivers, ExternalTools, FileAccess, GmailLabels, MailFile, Outbound};
use gatepost_courier::{HttpCourier, HttpWeb};
use gatepost_discovery::Prober;
use gatepost_imap::{Account, ImapDriver, NetPolicy, Timeouts};
use gatepost_transfer::{Driver, Fault, FaultKind};
use gatepost_web::Web;
use std::{path::Path, sync::Arc};
use tokio_util::sync::CancellationToken;

/// The built-in engines: IMAP, and files of mail.
#[derive(Clone, Debug, Default)]
pub struct BuiltIn {
    /// External programs beside them.
    pub tools: Tools,
}

impl Drivers for BuiltIn {
    fn imap(&self, access: Access) -> Arc<dyn Driver> {
        Arc::new(ImapDriver::new(account(access)))
    }

    fn files(&self, access: FileAccess) -> Arc<dyn Driver> {
        let limits = limits(&access);
        Arc::new(ArchiveDriver::new(ArchiveAccount {
            label: access.label,
            seed: access.seed,
            files: access.files.into_iter().map(file_source).collect(),
            limits,
        }))
    }

    fn inspect(
        &self,
        access: &FileAccess,
        slot: u8,
        items: Option<&Path>,
        progress: &mut dyn FnMut(u64, u64),
        cancel: &CancellationToken,
    ) -> Result<Inspection, Fault> {
        let files: Vec<FileSource> = access.files.iter().cloned().map(file_source).collect();
        let at = files.iter().position(|file| file.slot == slot);
        let at = at.ok_or_else(|| Fault::new(FaultKind::Internal, format!("There is no file {slot} to read.")))?;
        let file = &files[at];
        let mut found = gatepost_archive::inspect(file, &file.catalogue, items, &limits(access), progress, cancel)?;
        // Only shown; the driver finds out anew what it copies once. A catalogue that is gone is made again by then.
        match gatepost_archive::overlaps(&files[..=at]) {
            Ok(overlaps) => found.overlapping = overlaps.last().copied().unwrap_or_default(),
            Err(error) => tracing::warn!(%error, file = file.name, "a file was not compared with those before it"),
        }
        Ok(found)
    }

    fn is_outdated(&self, catalogue: &Path) -> bool {
        gatepost_archive::Catalogue::is_outdated(catalogue)
    }

    fn tools(&self) -> &dyn ExternalTools {
        &self.tools
    }

    fn courier(&self, outbound: Outbound) -> Arc<dyn Courier> {
        Arc::new(HttpCourier::new(outbound))
    }

    fn web(&self, outbound: Outbound) -> Arc<dyn Web> {
        Arc::new(HttpWeb::new(outbound))
    }

    fn prober(&self, outbound: Outbound) -> Arc<dyn Prober> {
        Arc::new(ImapProber(outbound))
    }
}

/// The account as the IMAP engine knows it.
pub(crate) fn account(access: Access) -> Account {
    let secret = match access.credential {
        Credential::Password(password) => gatepost_imap::Credential::Password(password),
        Credential::Oauth(tokens) => gatepost_imap::Credential::Oauth(tokens),
    };
    Account {
        host: access.host,
        port: access.port,
        security: access.security,
        insecure_tls: access.insecure_tls,
        ca_file: access.ca_file,
        user: access.user,
        authz: access.authz,
        secret,
        gmail_labels: access.gmail_labels.map(|rule| match rule {
            GmailLabels::Each => gatepost_imap::GmailLabels::Each,
            GmailLabels::Once => gatepost_imap::GmailLabels::Once,
        }),
        policy: NetPolicy {
            allow_plaintext_beyond_loopback: access.allow_plaintext,
            allowed_hosts: access.allowed_hosts,
            public_only: false,
            timeouts: Timeouts::default(),
        },
    }
}

/// The file as its reader knows it.
pub(crate) fn file_source(file: MailFile) -> FileSource {
    FileSource {
        slot: file.slot,
        path: file.path,
        name: file.name,
        kind: file.kind,
        sha256: file.sha256,
        in_place: file.in_place,
        catalogue: file.catalogue,
        extracted: file.extracted,
    }
}

/// How much of the machine reading files may take.
pub(crate) fn limits(access: &FileAccess) -> Limits {
    Limits { unpacked: access.most_unpacked, reserve: access.reserve, ..Limits::new(access.work.clone()) }
}
