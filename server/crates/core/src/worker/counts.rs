//! A mailbox's counts while it is copied: lists, waves and forecasts show them, and read no ledger.

use crate::{Gatepost, Result, clock};
use gatepost_contract::{MailboxId, RunType};
use gatepost_store::{
    Conn,
    mailboxes::{self, Counts},
    messages,
    runs::ClaimedRun,
};
use serde_json::{Map, Value};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// They are brought up to date at most so often.
const OFTEN: Duration = Duration::from_secs(5);
/// And so that counting, which reads the whole ledger of the mailbox, takes at most so small a part of the time.
const SHARE: u32 = 50;

/// What a run that only looked knows of the counts.
pub(super) fn looked_at(stats: &Map<String, Value>) -> Option<Counts> {
    let figure = |name| stats.get(name).and_then(Value::as_i64);
    Some(Counts {
        messages_source: figure("messages")?,
        messages_dest: 0,
        bytes_source: figure("bytes")?,
        bytes_dest: 0,
    })
}

/// Sets the counts from the ledger, or, as long as nothing is written there, to what a run has seen; leaves them as they are
/// where it has seen nothing.
pub(crate) async fn settle(conn: &mut Conn, mailbox: MailboxId, seen: Option<Counts>, now: &str) -> Result<()> {
    let known = messages::sums(conn, mailbox).await?;
    let counts = if known.messages_source > 0 { Some(known) } else { seen };
    let Some(counts) = counts else { return Ok(()) };
    Ok(mailboxes::set_counts(conn, mailbox, &counts, now).await?)
}

impl Gatepost {
    /// Brings the counts of a run's mailbox up to date until the run is through.
    pub(super) async fn keep_counts(&self, run: &ClaimedRun, through: &CancellationToken) {
        let copies = matches!(run.run_type, RunType::Initial | RunType::Delta | RunType::Final);
        let Some(mailbox) = run.mailbox_id.filter(|_| copies) else { return };
        let mut pause = OFTEN;
        while through.run_until_cancelled(tokio::time::sleep(pause)).await.is_some() {
            let began = Instant::now();
            if let Err(error) = self.recount(mailbox).await {
                tracing::warn!(%mailbox, %error, "the counts of a mailbox could not be brought up to date");
            }
            pause = OFTEN.max(began.elapsed() * SHARE);
        }
    }

    /// Sets the counts from the ledger. What is there is summed up before anybody has to wait for the write.
    pub(super) async fn recount(&self, mailbox: MailboxId) -> Result<()> {
        let counts = messages::sums(&mut *self.store().reader().await?, mailbox).await?;
        if counts.messages_source == 0 {
            // Nothing is listed yet: what the preflight saw is nearer to the truth.
            return Ok(());
        }
        let mut tx = self.store().begin().await?;
        mailboxes::set_counts(&mut tx, mailbox, &counts, &clock::now()).await?;
        Ok(tx.commit().await?)
    }
}
