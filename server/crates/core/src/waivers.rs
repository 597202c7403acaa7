//! Waivers: messages that are given up on purpose, one by one or a class at once, and taken back.
//!
//! Evidence is never changed: a waiver makes new evidence that replaces the old, and says what it would have said.

use crate::{
    Actor, Error, Gatepost, Result,
    audit::Entry,
    clock,
    jobs::found,
    proof,
    residue::{checked_selection, counted, described},
    users::checked_page,
    validate::Checker,
    worker::counts,
};
use gatepost_contract::{
    CauseKind, Depth, Fidelity, FolderEvidence, JobId, MailboxId, MessageId, MessageState, Page, PageQuery,
    ResidueFilter, Tally, WaiveMany, WaiveRequest, WaiverDecision, WaiverId,
};
use gatepost_store::{
    Conn, evidence, jobs,
    messages::{self, Act, Selection},
    runs,
    waivers::{self, Decision, Moved, Withdrawn},
};
use serde_json::json;
use std::collections::BTreeSet;

impl Gatepost {
    /// Gives a message up on purpose. It stays in the sum as *waived*, with who and why.
    pub async fn waive(&self, actor: &Actor, id: MessageId, request: WaiveRequest) -> Result<()> {
        actor.approve()?;
        let reason = checked_reason(&request.reason)?;
        let mut tx = self.store().begin().await?;
        let message = messages::get(&mut tx, id).await?.ok_or(Error::NotFound("message"))?;
        let state = message.residue.state;
        let selection =
            Selection { job: message.job_id, filter: ResidueFilter::default(), only: vec![id], act: Act::Waive };
        let batch = give_up(&mut tx, actor, &selection, &reason).await?;
        if batch.messages == 0 {
            return Err(Error::conflict(
                "not_missing",
                format!("Only missing, refused or changed messages can be waived; this one is {state}."),
            ));
        }
        Entry::new(actor, "message.waive", format!("message/{id}"))
            .job(message.job_id)
            .before(&state)
            .after(&MessageState::Waived)
            .reason(reason)
            .write(&mut tx)
            .await?;
        proof::close_in(&mut tx, actor, message.job_id).await?;
        self.judge_job(&mut tx, actor, message.job_id).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives up all messages of a class, as long as they are as many as were shown.
    pub async fn waive_many(&self, actor: &Actor, job: JobId, request: WaiveMany) -> Result<WaiverDecision> {
        actor.approve()?;
        let mut checker = Checker::new();
        let reason = checker.text("reason", &request.reason, REASON, true);
        if request.expected_count < 1 {
            checker.error("expected_count", "must say how many messages were shown, at least 1");
        }
        let selection = checked_selection(checker, job, request.filter(), request.message_ids, Act::Waive)?;
        let mut tx = self.store().begin().await?;
        found(jobs::get(&mut tx, job).await?)?;
        counted(&mut tx, &selection, Some(request.expected_count)).await?;
        let given_up = give_up(&mut tx, actor, &selection, &reason).await?;
        let decision = given_up.decision(&mut tx).await?;
        Entry::new(actor, "messages.waive", format!("waiver/{}", decision.id))
            .job(job)
            .after(&json!({
                "messages": given_up.messages,
                "filter": described(&selection),
                "batch": given_up.batch,
                "evidence": given_up.evidence,
            }))
            .reason(reason)
            .write(&mut tx)
            .await?;
        proof::close_in(&mut tx, actor, job).await?;
        self.judge_job(&mut tx, actor, job).await?;
        tx.commit().await?;
        Ok(decision)
    }

    /// The decisions of a job to give messages up, newest first; those that have ended too.
    pub async fn waivers(&self, actor: &Actor, job: JobId, page: PageQuery) -> Result<Page<WaiverDecision>> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        found(jobs::get(&mut conn, job).await?)?;
        Ok(waivers::decisions(&mut conn, job, &checked_page(page)?).await?)
    }

    /// The decision that a waiver belongs to.
    pub async fn waiver(&self, actor: &Actor, id: WaiverId) -> Result<WaiverDecision> {
        actor.staff()?;
        let mut conn = self.store().reader().await?;
        Ok(waivers::get(&mut conn, id).await?.ok_or(Error::NotFound("waiver"))?.1)
    }

    /// Takes a waiver back, or with `whole` all that were given with it. The messages stand again where they stood
    /// before.
    pub async fn withdraw_waiver(
        &self,
        actor: &Actor,
        id: WaiverId,
        whole: bool,
        reason: Option<String>,
    ) -> Result<()> {
        actor.approve()?;
        let mut checker = Checker::new();
        let reason = reason.map(|r| checker.text("reason", &r, 0..=2000, true)).filter(|r| !r.is_empty());
        checker.finish()?;
        let now = clock::now();
        let mut tx = self.store().begin().await?;
        let (job, decision) = waivers::get(&mut tx, id).await?.ok_or(Error::NotFound("waiver"))?;
        let which = match &decision.batch {
            Some(batch) if whole => Withdrawn::Batch(batch),
            _ => Withdrawn::One(id),
        };
        let why = match &reason {
            Some(reason) => format!("Taken back by {}: {reason}", actor.label()),
            None => format!("Taken back by {}.", actor.label()),
        };
        let moved = waivers::withdraw(&mut tx, &which, &why, &now).await?;
        if moved.is_empty() {
            return Err(Error::conflict("not_standing", "This waiver has ended already; it covers no message now."));
        }
        idle(&mut tx, job, &moved).await?;
        recount(&mut tx, &moved, &now).await?;
        let count: i64 = moved.iter().map(|m| m.messages).sum();
        let evidence = replace_evidence(&mut tx, &moved, Way::Back, &now).await?;
        let entry = Entry::new(actor, "waiver.withdraw", format!("waiver/{id}"))
            .job(job)
            .before(&json!({"waived": count, "reason": decision.reason, "actor": decision.actor}))
            .after(&json!({"waived": 0, "evidence": evidence}));
        let entry = match reason {
            Some(reason) => entry.reason(reason),
            None => entry,
        };
        entry.write(&mut tx).await?;
        self.judge_job(&mut tx, actor, job).await?;
        tx.commit().await?;
        Ok(())
    }
}

const REASON: std::ops::RangeInclusive<usize> = 10..=2000;

fn checked_reason(reason: &str) -> Result<String> {
    let mut checker = Checker::new();
    let reason = checker.text("reason", reason, REASON, true);
    checker.finish()?;
    Ok(reason)
}

/// What was given up at once.
struct GivenUp {
    batch: String,
    messages: i64,
    /// The evidence that the waivers made.
    evidence: Vec<gatepost_contract::EvidenceId>,
}

impl GivenUp {
    async fn decision(&self, tx: &mut Conn) -> Result<WaiverDecision> {
        let id = waivers::first_of(tx, &self.batch).await?.ok_or(Error::NotFound("waiver"))?;
        Ok(waivers::get(tx, id).await?.ok_or(Error::NotFound("waiver"))?.1)
    }
}

async fn give_up(tx: &mut Conn, actor: &Actor, selection: &Selection, reason: &str) -> Result<GivenUp> {
    let now = clock::now();
    let batch = uuid::Uuid::new_v4().to_string();
    let decision = Decision { batch: &batch, actor: &actor.label(), reason, at: &now };
    let moved = waivers::add(tx, selection, &decision).await?;
    idle(tx, selection.job, &moved).await?;
    recount(tx, &moved, &now).await?;
    let evidence = replace_evidence(tx, &moved, Way::Waived, &now).await?;
    Ok(GivenUp { messages: moved.iter().map(|m| m.messages).sum(), batch, evidence })
}

/// Refuses while a run may be moving the same messages.
async fn idle(tx: &mut Conn, job: JobId, moved: &[Moved]) -> Result<()> {
    let active = runs::active_for_job(tx, job).await?;
    match active.iter().find(|run| moved.iter().any(|m| Some(m.mailbox) == run.mailbox_id)) {
        None => Ok(()),
        Some(run) => Err(Error::conflict(
            "already_running",
            format!("Run {} ({}) is at work on this mailbox. Wait for it, or cancel it first.", run.id, run.run_type),
        )),
    }
}

/// What has arrived and was given up counts as given up, not twice.
async fn recount(tx: &mut Conn, moved: &[Moved], now: &str) -> Result<()> {
    for mailbox in moved.iter().map(|one| one.mailbox).collect::<BTreeSet<_>>() {
        counts::settle(tx, mailbox, None, now).await?;
    }
    Ok(())
}

/// Which way messages go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Waived,
    Back,
}

/// New evidence for each mailbox, as the last reading would have been with these waivers.
async fn replace_evidence(
    tx: &mut Conn,
    moved: &[Moved],
    way: Way,
    now: &str,
) -> Result<Vec<gatepost_contract::EvidenceId>> {
    let mut mailboxes: Vec<MailboxId> = moved.iter().map(|m| m.mailbox).collect();
    mailboxes.dedup();
    let mut made = Vec::new();
    for mailbox in mailboxes {
        let Some((old, read)) = evidence::latest(tx, mailbox).await? else { continue };
        let Some(run_id) = read.run_id else { continue };
        let mut folders = read.folders;
        for part in moved.iter().filter(|m| m.mailbox == mailbox) {
            if let Some(folder) = folders.iter_mut().find(|f| f.folder_id == Some(part.folder)) {
                shift(folder, part, way);
            }
        }
        let mut tally = Tally::default();
        for folder in &folders {
            tally += folder.tally;
        }
        let row = evidence::NewEvidence {
            job_id: moved.iter().find(|m| m.mailbox == mailbox).map(|m| m.job).ok_or(Error::NotFound("job"))?,
            mailbox_id: mailbox,
            run_id,
            replaces: Some(old),
            depth: read.depth.unwrap_or(Depth::Standard),
            read_at: read.read_at.unwrap_or_else(|| now.to_owned()),
            tally,
            folders,
        };
        made.push(evidence::add(tx, &row).await?);
    }
    Ok(made)
}

/// Moves messages within the sum of a folder. It always adds up: no more are moved than the evidence knows of, since
/// the ledger may have gone on since.
fn shift(folder: &mut FolderEvidence, part: &Moved, way: Way) {
    let tally = &mut folder.tally;
    let other = match part.state {
        MessageState::Pending => &mut tally.pending,
        MessageState::Quarantined => &mut tally.quarantined,
        MessageState::Arrived | MessageState::Waived => &mut tally.arrived,
    };
    let (from, to) = match way {
        Way::Waived => (other, &mut tally.waived),
        Way::Back => (&mut tally.waived, other),
    };
    let moved = part.messages.min(*from).max(0);
    *from -= moved;
    *to += moved;
    let figures = [
        (part.state == MessageState::Arrived && part.fidelity == Some(Fidelity::Changed), &mut folder.changed),
        (part.cause_kind == Some(CauseKind::Misplaced), &mut folder.misplaced),
        (part.state == MessageState::Arrived && part.cause_kind == Some(CauseKind::Doubled), &mut folder.doubled),
    ];
    for (_, figure) in figures.into_iter().filter(|(counts, _)| *counts) {
        *figure = match way {
            Way::Waived => (*figure - moved).max(0),
            Way::Back => *figure + moved,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gatepost_contract::FolderId;

    fn folder() -> FolderEvidence {
        FolderEvidence {
            folder_id: Some(FolderId(1)),
            source_path: "INBOX".into(),
            dest_path: Some("INBOX".into()),
            special_use: None,
            visited: true,
            tally: Tally { source: 20, arrived: 10, pending: 6, quarantined: 3, waived: 1 },
            extra: 0,
            changed: 2,
            rewritten: 0,
            flags_lost: 0,
            misplaced: 1,
            doubled: 1,
            bodies_read: 0,
            note: None,
        }
    }

    fn part(state: MessageState, cause_kind: Option<CauseKind>, fidelity: Option<Fidelity>, messages: i64) -> Moved {
        let (job, mailbox, folder) = (JobId(1), MailboxId(1), FolderId(1));
        Moved { job, mailbox, folder, state, fidelity, cause_kind, messages }
    }

    #[test]
    fn a_waiver_moves_messages_within_the_sum_and_back_again() {
        use {CauseKind::*, MessageState::*};
        for (part, expected) in [
            (part(Pending, None, None, 4), (10, 2, 3, 5, 2, 1, 1)),
            (part(Pending, Some(Misplaced), None, 1), (10, 5, 3, 2, 2, 0, 1)),
            (part(Quarantined, Some(TooLarge), None, 3), (10, 6, 0, 4, 2, 1, 1)),
            (part(Arrived, Some(Content), Some(Fidelity::Changed), 2), (8, 6, 3, 3, 0, 1, 1)),
            (part(Arrived, Some(Doubled), None, 1), (9, 6, 3, 2, 2, 1, 0)),
        ] {
            let mut folder = folder();
            let before = folder.clone();
            shift(&mut folder, &part, Way::Waived);
            let t = folder.tally;
            let figures =
                (t.arrived, t.pending, t.quarantined, t.waived, folder.changed, folder.misplaced, folder.doubled);
            assert_eq!(figures, expected, "{part:?}");
            assert!(t.adds_up());
            shift(&mut folder, &part, Way::Back);
            assert_eq!(folder, before, "{part:?}");
        }
    }

    #[test]
    fn no_more_is_moved_than_the_evidence_knows_of() {
        let mut folder = folder();
        shift(&mut folder, &part(MessageState::Quarantined, None, None, 50), Way::Waived);
        assert_eq!((folder.tally.quarantined, folder.tally.waived), (0, 4));
        assert!(folder.tally.adds_up());
    }
}
