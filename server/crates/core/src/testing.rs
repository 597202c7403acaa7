//! What unit tests share: an installation without any mail, and rows with usual values.

use crate::{Access, Courier, Drivers, FileAccess, Letter, Outbound, Reply, Undelivered};
use async_trait::async_trait;
use gatepost_contract::{Inspection, JobId, Security, SourceType, TenantId, Tool};
use gatepost_store::{jobs::NewJobRow, mailboxes::NewMailboxRow};
use gatepost_transfer::{Driver, Fault};
use gatepost_web::{Web, WebError, WebReply, WebRequest};
use std::{collections::BTreeMap, path::Path, sync::Arc};
use tokio_util::sync::CancellationToken;

/// No mail, and nobody to tell anything.
pub(crate) struct NoMail;

#[async_trait]
impl Courier for NoMail {
    async fn post(&self, _: &Letter) -> Result<Reply, Undelivered> {
        panic!("nothing is posted in these tests");
    }
}

impl Drivers for NoMail {
    fn imap(&self, _: Access) -> Arc<dyn Driver> {
        panic!("there is no mail in these tests");
    }

    fn files(&self, _: FileAccess) -> Arc<dyn Driver> {
        panic!("there is no mail in these tests");
    }

    fn inspect(
        &self,
        _: &FileAccess,
        _: u8,
        _: Option<&Path>,
        _: &mut dyn FnMut(u64, u64),
        _: &CancellationToken,
    ) -> Result<Inspection, Fault> {
        panic!("there is no mail in these tests");
    }

    fn courier(&self, _: Outbound) -> Arc<dyn Courier> {
        Arc::new(NoMail)
    }

    fn web(&self, _: Outbound) -> Arc<dyn Web> {
        Arc::new(NoMail)
    }
}

#[async_trait]
impl Web for NoMail {
    async fn ask(&self, _: &WebRequest) -> Result<WebReply, WebError> {
        panic!("there is no web in these tests");
    }
}

/// A job that moves example.com to imap.example.
pub(crate) fn job(tenant: TenantId) -> NewJobRow {
    NewJobRow {
        tenant_id: tenant,
        ticket_id: None,
        domain: "example.com".into(),
        source_server_label: String::new(),
        notes: String::new(),
        dest_imap_host: "imap.example".into(),
        dest_imap_port: 993,
        dest_imap_security: Security::Tls,
        dest_insecure_tls: false,
    }
}

/// A mailbox of it, which lies at old.example.
pub(crate) fn mailbox(job: JobId) -> NewMailboxRow {
    NewMailboxRow {
        job_id: job,
        email: "ana@example.com".into(),
        source_type: SourceType::Imap,
        tool: Tool::Native,
        source_host: Some("old.example".into()),
        source_port: Some(993),
        source_security: Some(Security::Tls),
        source_insecure_tls: false,
        source_user: None,
        source_admin: None,
        dest_user: None,
        dest_admin: None,
        path: None,
        folder_map: BTreeMap::new(),
    }
}
