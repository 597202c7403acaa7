//! Which consent opens an account, and whether its tokens may be shown to the account's server.

use super::{ConsentTokens, apps, consents::lies_in};
use crate::{Error, Gatepost, clock, work::internal};
use gatepost_contract::{Consent, Mailbox, MailboxSide, SourceType};
use gatepost_store::{Conn, oauth_consents};
use gatepost_transfer::{AccessTokens, Fault, FaultKind};
use std::sync::Arc;

/// The consents that may open an account of a mailbox.
#[derive(Default)]
pub(crate) struct Serving {
    /// Its owner's.
    pub own: Option<Consent>,
    /// The one for all mailboxes of the job.
    pub for_all: Option<Consent>,
}

impl Serving {
    /// Those for one side of a mailbox.
    pub async fn of(conn: &mut Conn, mailbox: &Mailbox, side: MailboxSide) -> Result<Self, Fault> {
        if side == MailboxSide::Source && mailbox.source_type != SourceType::ImapOauth {
            return Ok(Self::default());
        }
        let all =
            oauth_consents::of_mailbox(conn, mailbox.job_id, mailbox.id, &clock::now()).await.map_err(internal)?;
        let (own, for_all): (Vec<_>, Vec<_>) =
            all.into_iter().filter(|consent| consent.side == side).partition(|consent| consent.mailbox_id.is_some());
        Ok(Self { own: own.into_iter().next(), for_all: for_all.into_iter().next() })
    }
}

/// The server that an account's tokens would be shown to.
pub(crate) struct ShownTo<'a> {
    /// Its name.
    pub host: &'a str,
    /// Whether its certificate goes unverified.
    pub insecure_tls: bool,
    /// The account.
    pub account: &'a str,
}

/// The tokens of a consent for an account at a server. Nothing is asked of the provider yet.
pub(crate) async fn tokens(
    gatepost: &Gatepost,
    conn: &mut Conn,
    consent: &Consent,
    server: &ShownTo<'_>,
) -> Result<Arc<dyn AccessTokens>, Fault> {
    let app = apps::stored(conn, consent.app_id).await.map_err(|error| match error {
        told @ Error::NotFound(_) => Fault::new(FaultKind::Login, told.to_string()),
        other => internal(other),
    })?;
    let forbidden = |why: String| Err(Fault::new(FaultKind::Forbidden, why));
    if !app.row.mail_hosts.iter().any(|host| host.eq_ignore_ascii_case(server.host)) {
        return forbidden(format!(
            "The tokens of the application {} are for {} and are not shown to {}. Correct the server's name, or let the \
             application name it.",
            app.row.name,
            app.row.mail_hosts.join(", "),
            server.host
        ));
    }
    if server.insecure_tls {
        return forbidden(format!(
            "An access token is not shown to {} while its certificate is not verified. Switch the verification on.",
            server.host
        ));
    }
    if let Some(domain) = &consent.domain
        && !lies_in(server.account, domain)
    {
        return forbidden(format!(
            "The consent for all mailboxes of the job is for accounts of {domain}, and {} is none. Ask for a consent of \
             this mailbox.",
            server.account
        ));
    }
    Ok(Arc::new(ConsentTokens::new(gatepost.clone(), consent, server.account)))
}
