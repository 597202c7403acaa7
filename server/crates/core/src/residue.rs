//! The residue: what has not arrived as it should, in pages, in classes, and whole.

use crate::{Actor, Error, Gatepost, Result, jobs::found, users::checked_page, validate::Checker};
use futures::{Stream, stream};
use gatepost_contract::{
    Fidelity, JobId, MessageId, MessageState, Page, PageQuery, Residue, ResidueClass, ResidueFilter,
};
use gatepost_store::{
    Conn, Store, jobs,
    messages::{self, Act, Selection},
};
use serde_json::{Value, json};

/// How many messages may be named one by one.
const MOST_NAMED: usize = 500;
/// How many classes are told apart.
const MOST_CLASSES: u32 = 500;
/// How many rows of a download are read at once.
const PORTION: u32 = 200;

impl Gatepost {
    /// The messages of a job that have not arrived as they should.
    pub async fn residue(
        &self,
        actor: &Actor,
        job: JobId,
        filter: ResidueFilter,
        page: PageQuery,
    ) -> Result<Page<Residue>> {
        actor.staff()?;
        let filter = checked_filter(filter)?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(messages::residue(&mut conn, job, &filter, &checked_page(page)?).await?)
    }

    /// One message of a job's residue.
    pub async fn residue_message(&self, actor: &Actor, job: JobId, id: MessageId) -> Result<Residue> {
        actor.staff()?;
        let message = messages::get(&mut *self.store().reader().await?, id).await?;
        message
            .filter(|message| message.job_id == job && is_residue(&message.residue))
            .map(|message| message.residue)
            .ok_or(Error::NotFound("message"))
    }

    /// The same in classes: what stands in one folder, in one state, for one reason; the largest first.
    pub async fn residue_classes(&self, actor: &Actor, job: JobId, filter: ResidueFilter) -> Result<Vec<ResidueClass>> {
        actor.staff()?;
        let filter = checked_filter(filter)?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(messages::classes(&mut conn, job, &filter, MOST_CLASSES).await?)
    }

    /// How many messages a waiver of this class would cover now: those that are waived already are none of them.
    pub async fn waivable(&self, actor: &Actor, job: JobId, filter: ResidueFilter) -> Result<i64> {
        self.selected(actor, job, filter, Act::Waive).await
    }

    /// How many messages a retry of this class would try again now.
    pub async fn retryable(&self, actor: &Actor, job: JobId, filter: ResidueFilter) -> Result<i64> {
        self.selected(actor, job, filter, Act::Retry).await
    }

    async fn selected(&self, actor: &Actor, job: JobId, filter: ResidueFilter, act: Act) -> Result<i64> {
        actor.staff()?;
        let selection = checked_selection(Checker::new(), job, filter, Vec::new(), act)?;
        let counts = messages::selected(&mut *self.store().reader().await?, &selection).await?;
        Ok(counts.iter().map(|(_, count)| count).sum())
    }

    /// The whole residue of a job, in portions, in the order in which it was listed. Nothing is held between two
    /// portions, so a slow reader holds up nobody.
    pub async fn whole_residue(
        &self,
        actor: &Actor,
        job: JobId,
        filter: ResidueFilter,
    ) -> Result<impl Stream<Item = Result<Vec<Residue>>> + Send + use<>> {
        actor.staff()?;
        let filter = checked_filter(filter)?;
        found(jobs::get(&mut *self.store().reader().await?, job).await?)?;
        let store = self.store().clone();
        Ok(stream::try_unfold(Some(MessageId(0)), move |after| {
            let (store, filter) = (store.clone(), filter.clone());
            async move {
                let Some(after) = after else { return Ok(None) };
                let rows = portion(&store, job, &filter, after).await?;
                // A portion that is not full is the last one.
                let next = rows.last().filter(|_| rows.len() == PORTION as usize).map(|row| row.message_id);
                Ok((!rows.is_empty()).then_some((rows, next)))
            }
        }))
    }
}

async fn portion(store: &Store, job: JobId, filter: &ResidueFilter, after: MessageId) -> Result<Vec<Residue>> {
    Ok(messages::residue_after(&mut *store.reader().await?, job, filter, after, PORTION).await?)
}

/// Whether a message has not arrived as it should.
pub(crate) fn is_residue(one: &Residue) -> bool {
    one.state != MessageState::Arrived || one.fidelity == Some(Fidelity::Changed) || one.cause_kind.is_some()
}

/// A filter within its bounds.
pub(crate) fn checked_filter(mut filter: ResidueFilter) -> Result<ResidueFilter> {
    let mut checker = Checker::new();
    filter.q = filter.q.map(|q| checker.text("q", &q, 0..=200, false)).filter(|q| !q.is_empty());
    checker.finish()?;
    Ok(filter)
}

/// Messages that are to be handled at once, checked together with the rest of a form.
pub(crate) fn checked_selection(
    mut checker: Checker,
    job: JobId,
    mut filter: ResidueFilter,
    mut only: Vec<MessageId>,
    act: Act,
) -> Result<Selection> {
    filter.q = filter.q.map(|q| checker.text("q", &q, 0..=200, false)).filter(|q| !q.is_empty());
    only.sort_unstable();
    only.dedup();
    if only.len() > MOST_NAMED {
        checker.error("message_ids", format!("may name at most {MOST_NAMED} messages; use the filter for more"));
    }
    checker.finish()?;
    Ok(Selection { job, filter, only, act })
}

/// The messages that are meant, by mailbox; refused when they are not as many as were shown.
pub(crate) async fn counted(
    tx: &mut Conn,
    selection: &Selection,
    expected: Option<i64>,
) -> Result<Vec<gatepost_contract::MailboxId>> {
    let counts = messages::selected(tx, selection).await?;
    let now: i64 = counts.iter().map(|(_, count)| count).sum();
    if let Some(seen) = expected.filter(|seen| *seen != now) {
        return Err(Error::Recounted { seen, now });
    }
    if now == 0 {
        return Err(Error::conflict("nothing_selected", "No message matches any more. Nothing was done."));
    }
    Ok(counts.into_iter().map(|(mailbox, _)| mailbox).collect())
}

/// A selection for the audit log.
pub(crate) fn described(selection: &Selection) -> Value {
    let mut filter = json!(selection.filter);
    if let Value::Object(map) = &mut filter {
        map.retain(|_, value| !value.is_null());
        if !selection.only.is_empty() {
            map.insert("message_ids".into(), json!(selection.only));
        }
    }
    filter
}
