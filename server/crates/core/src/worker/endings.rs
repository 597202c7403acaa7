//! What follows from the ends of runs, on a store of its own and without any mail.

use super::*;
use crate::{
    Actor, Config,
    testing::{self, NoMail},
};
use gatepost_contract::{
    CauseKind, CutoverSettings, Depth, FolderEvidence, FolderId, Gate, Inspection, JobId, JobPatch, MessageState, Role,
    SourceType, Tally, Tool, UploadOrigin, UserId, WaiveRequest,
};
use gatepost_store::{
    cutovers,
    evidence::NewEvidence,
    folders,
    messages::{ArrivedRow, DigestRow, NewMessage, Verdict},
    tenants, uploads, users,
};
use serde_json::{Map, json};
use time::{Duration as Span, OffsetDateTime};

/// A job with one mailbox and one folder of two messages, both arrived.
pub(crate) struct Scene {
    pub gatepost: Gatepost,
    pub job: JobId,
    pub mailbox: MailboxId,
    pub folder: FolderId,
    _dir: tempfile::TempDir,
}

pub(crate) fn ago(hours: i64) -> String {
    clock::text(OffsetDateTime::now_utc() - Span::hours(hours))
}

impl Scene {
    pub async fn set() -> Self {
        Self::from(SourceType::Imap).await
    }

    /// The same with another kind of source.
    async fn from(source_type: SourceType) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let gatepost = Gatepost::open(Config::below(dir.path().to_owned()), Arc::new(NoMail)).await.unwrap();
        let mut tx = gatepost.store().begin().await.unwrap();
        let tenant = tenants::insert(&mut tx, "Example Ltd", &ago(20)).await.unwrap();
        let job = jobs::insert(&mut tx, &testing::job(tenant), &ago(20)).await.unwrap();
        let new = mailboxes::NewMailboxRow { source_type, ..testing::mailbox(job) };
        let mailbox = mailboxes::insert(&mut tx, &new, &ago(20)).await.unwrap();
        let inbox =
            folders::PlannedFolder { source_path: "INBOX".into(), dest_path: "INBOX".into(), special_use: None };
        let folder = folders::place(&mut tx, mailbox, &[inbox], &ago(20)).await.unwrap()[0].id;
        let message = |uid| NewMessage {
            uid,
            size: 100,
            internal_date: "2020-02-29T23:59:58-03:00".into(),
            flags: String::new(),
        };
        messages::add(&mut tx, folder, &[message(1), message(2)], &ago(20)).await.unwrap();
        let arrived = |uid| ArrivedRow {
            uid,
            dest_uid: Some(uid + 10),
            digests: DigestRow { exact: [1; 32], canonical: [2; 32], bytes: 100 },
            dropped_flags: String::new(),
            adopted: false,
        };
        messages::arrived(&mut tx, folder, &[arrived(1), arrived(2)], &ago(20)).await.unwrap();
        tx.commit().await.unwrap();
        Self { gatepost, job, mailbox, folder, _dir: dir }
    }

    pub async fn phase(&self) -> Phase {
        jobs::get(&mut self.gatepost.store().reader().await.unwrap(), self.job).await.unwrap().unwrap().phase
    }

    pub async fn put(&self, phase: Phase) {
        let from = self.phase().await;
        let mut tx = self.gatepost.store().begin().await.unwrap();
        assert!(jobs::set_phase(&mut tx, self.job, from, phase, None, &ago(0)).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// An ops lead approves, in spite of everything where a reason is given, and the gate opens.
    async fn approve(&self, overriding: Option<&str>) {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let by = users::insert(&mut tx, "lead@example.com", "Lead", Role::OpsLead, "", &ago(1)).await.unwrap();
        let approval = jobs::ApprovalRow {
            approved_by: by,
            approved_at: ago(1),
            evidence_id: None,
            signed: None,
            note: None,
            override_reason: overriding.map(str::to_owned),
        };
        assert!(jobs::approve(&mut tx, self.job, &approval, None, &ago(1)).await.unwrap());
        jobs::set_gate(&mut tx, self.job, Gate::ReadyForDns, &ago(1)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// The word of the cutover came so many hours ago; stragglers are fetched, and one quiet hour is enough.
    async fn cut_over(&self, hours: i64) {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        jobs::set_dns_cutover(&mut tx, self.job, &ago(hours), &ago(hours)).await.unwrap();
        let settings = CutoverSettings { straggler_minutes: Some(15), quiet_hours: 1, ..CutoverSettings::default() };
        cutovers::put_settings(&mut tx, self.job, &settings, &ago(hours)).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Messages and bytes at the source, and at the destination, of its mailbox.
    async fn counts(&self) -> (i64, i64, i64, i64) {
        let mut conn = self.gatepost.store().reader().await.unwrap();
        let mailbox = mailboxes::get(&mut conn, self.mailbox).await.unwrap().unwrap();
        (mailbox.messages_source, mailbox.messages_dest, mailbox.bytes_source, mailbox.bytes_dest)
    }

    pub async fn claimed(&self, run_type: RunType, worker: &str) -> ClaimedRun {
        self.claimed_with("{}", run_type, worker).await
    }

    async fn claimed_with(&self, params_json: &str, run_type: RunType, worker: &str) -> ClaimedRun {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let new = runs::NewRun {
            job_id: self.job,
            mailbox_id: Some(self.mailbox),
            run_type,
            tool: Tool::Native,
            triggered_by: "worker",
            params_json,
        };
        runs::enqueue(&mut tx, &new, &ago(0)).await.unwrap();
        let run = runs::claim(&mut tx, worker, &ago(0), clock::seconds(), 3600, &[]).await.unwrap().unwrap();
        tx.commit().await.unwrap();
        run
    }

    /// One of our own, and how it ended.
    pub async fn end(&self, run_type: RunType, ending: impl FnOnce(&ClaimedRun) -> Ended) -> RunId {
        let run = self.claimed(run_type, self.gatepost.crew().name()).await;
        self.gatepost.conclude(&run, &ending(&run)).await.unwrap();
        run.id
    }

    pub fn evidence(&self, run: &ClaimedRun, read_at: String, arrived: i64) -> Box<NewEvidence> {
        let tally = Tally { source: 2, arrived, pending: 2 - arrived, quarantined: 0, waived: 0 };
        let inbox = FolderEvidence {
            folder_id: Some(self.folder),
            source_path: "INBOX".into(),
            dest_path: Some("INBOX".into()),
            special_use: None,
            visited: true,
            tally,
            extra: 0,
            changed: 0,
            rewritten: 0,
            flags_lost: 0,
            misplaced: 0,
            doubled: 0,
            bodies_read: 0,
            note: None,
        };
        Box::new(NewEvidence {
            job_id: self.job,
            mailbox_id: self.mailbox,
            run_id: run.id,
            replaces: None,
            depth: Depth::Standard,
            read_at,
            tally,
            folders: vec![inbox],
        })
    }

    /// A file comes and is read through by a run of its own.
    async fn read_a_file(&self, readable: bool) {
        let run = self.claimed(RunType::PstExtract, self.gatepost.crew().name()).await;
        let new = uploads::NewUploadRow {
            id: "2f6f5d1e-6f2a-4a53-8f0e-1b7f6f2f9b11",
            mailbox_id: self.mailbox,
            job_id: self.job,
            name: "late.pst",
            origin: UploadOrigin::Tus,
            path: "uploads/late",
            bytes: 1,
            received: 1,
            sha256_expected: None,
            metadata: None,
            created_by: "cli",
            expires_at: None,
        };
        let mut tx = self.gatepost.store().begin().await.unwrap();
        uploads::insert(&mut tx, &new, &ago(0)).await.unwrap();
        uploads::set_stored(&mut tx, new.id, "00", &ago(0)).await.unwrap();
        uploads::set_run(&mut tx, new.id, Some(run.id), &ago(0)).await.unwrap();
        match readable {
            true => uploads::set_ready(&mut tx, new.id, &Inspection::default(), &ago(0)).await.unwrap(),
            false => uploads::set_refused(&mut tx, new.id, "It is empty.", &ago(0)).await.unwrap(),
        }
        tx.commit().await.unwrap();
        self.gatepost.conclude(&run, &ended(RunStatus::Success, 0, json!({}), None)).await.unwrap();
    }

    pub async fn lose(&self, uid: usize) {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let row = messages::rows(&mut tx, self.folder).await.unwrap()[uid - 1].id;
        let gone = Verdict {
            id: row,
            state: MessageState::Pending,
            cause: Some("gone".into()),
            kind: Some(CauseKind::Gone),
            fidelity: None,
            dest_uid: None,
            waiver_over: false,
            listed: None,
        };
        messages::verified(&mut tx, self.folder, &[gone], &ago(0)).await.unwrap();
        tx.commit().await.unwrap();
    }
}

pub(crate) fn ended(status: RunStatus, exit_code: i64, stats: Value, evidence: Option<Box<NewEvidence>>) -> Ended {
    let Value::Object(stats) = stats else { panic!("stats are an object") };
    Ended { status, exit_code, stats, summary: "It ended.".into(), error: None, evidence }
}

fn proof() -> Value {
    json!({"proof": {}})
}

#[tokio::test]
async fn only_a_whole_proof_of_the_last_run_lets_a_job_be_verified() {
    use {RunStatus::*, RunType::*};
    // What the last run was, how it ended, and of how many messages its evidence says that they arrived.
    for (what, run_type, status, exit_code, stats, arrived, expect) in [
        ("a quick look", Verify, Success, 0, json!({"depth": "quick"}), None, Phase::FinalSync),
        ("a failed verification", Verify, Failed, 1, json!({}), None, Phase::FinalSync),
        ("a cancelled verification", Verify, Partial, 130, json!({}), None, Phase::FinalSync),
        ("a failed final", Final, Failed, 1, json!({}), None, Phase::FinalSync),
        ("something missing", Final, Partial, 3, proof(), Some(1), Phase::FinalSync),
        ("a final without its own proof", Final, Failed, 1, json!({}), Some(2), Phase::FinalSync),
        ("a whole verification", Verify, Success, 0, json!({}), Some(2), Phase::Verified),
        ("a whole final", Final, Success, 0, proof(), Some(2), Phase::Verified),
    ] {
        let scene = Scene::set().await;
        scene.cut_over(10).await;
        scene.put(Phase::DnsCutover).await;
        let now = || ago(0);
        scene.end(Final, |run| ended(Success, 0, proof(), Some(scene.evidence(run, now(), 2)))).await;
        scene.put(Phase::FinalSync).await;
        let evidence = |run: &ClaimedRun| arrived.map(|arrived| scene.evidence(run, now(), arrived));
        scene.end(run_type, |run| ended(status, exit_code, stats, evidence(run))).await;
        assert_eq!(scene.phase().await, expect, "{what}");
    }
}

#[tokio::test]
async fn a_mailbox_without_folders_proves_nothing_and_its_sum_must_be_theirs() {
    for (what, break_it) in [
        ("no folder", (|e: &mut NewEvidence| e.folders.clear()) as fn(&mut NewEvidence)),
        ("another sum", |e| e.tally = Tally { source: 3, arrived: 3, ..e.tally }),
        ("a folder that was not visited", |e| e.folders[0].visited = false),
    ] {
        let scene = Scene::set().await;
        scene.cut_over(10).await;
        scene.put(Phase::FinalSync).await;
        let broken = |run: &ClaimedRun| {
            let mut evidence = scene.evidence(run, ago(0), 2);
            break_it(&mut evidence);
            ended(RunStatus::Success, 0, proof(), Some(evidence))
        };
        scene.end(RunType::Final, broken).await;
        assert_eq!(scene.phase().await, Phase::FinalSync, "{what}");
    }
}

#[tokio::test]
async fn the_old_server_is_quiet_only_for_who_has_looked_since() {
    let scene = Scene::set().await;
    scene.cut_over(10).await;
    scene.put(Phase::FinalSync).await;
    // What was read at a time that is still to come was read nobody knows when.
    for (hours, expect) in [(10, Phase::FinalSync), (-2, Phase::FinalSync), (8, Phase::Verified)] {
        let whole = |run: &ClaimedRun| ended(RunStatus::Success, 0, proof(), Some(scene.evidence(run, ago(hours), 2)));
        scene.end(RunType::Final, whole).await;
        assert_eq!(scene.phase().await, expect, "read {hours} hours ago, quiet since 10, which is one hour");
    }
}

#[tokio::test]
async fn neither_a_message_seen_by_a_clock_ahead_nor_such_a_clock_itself_moves_the_quiet_hours() {
    let scene = Scene::set().await;
    scene.cut_over(0).await;
    scene.put(Phase::FinalSync).await;
    let whole = |run: &ClaimedRun| ended(RunStatus::Success, 0, proof(), Some(scene.evidence(run, ago(-5), 2)));
    scene.end(RunType::Final, whole).await;
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    let job = jobs::get(&mut tx, scene.job).await.unwrap().unwrap();
    let ahead = OffsetDateTime::now_utc() + Span::hours(5);
    assert!(!stragglers::is_quiet(&mut tx, &job, ahead).await.unwrap(), "by the database's clock no hour is over");

    let new = NewMessage { uid: 3, size: 100, internal_date: "2020-02-29T23:59:58-03:00".into(), flags: String::new() };
    messages::add(&mut tx, scene.folder, &[new], &ago(-10_000)).await.unwrap();
    let settings = cutovers::settings(&mut tx, scene.job).await.unwrap().unwrap();
    let shown = stragglers::view(&mut tx, &job, &settings).await.unwrap();
    assert!(shown.quiet_since.is_some_and(|since| since <= ago(0)), "it was seen now at the latest");
    tx.commit().await.unwrap();
    scene.end(RunType::Delta, |_| ended(RunStatus::Success, 0, json!({}), None)).await;
    let mut conn = scene.gatepost.store().reader().await.unwrap();
    let newest = cutovers::newest_seen(&mut conn, scene.job).await.unwrap().unwrap();
    assert!(newest <= ago(0), "{newest}");
}

#[tokio::test]
async fn nobody_waits_for_quiet_hours_of_a_file_but_every_file_must_be_in_the_proof() {
    for (what, file, expect) in [
        ("no file beside those that were copied", None, Phase::Verified),
        ("one that is of no use", Some(false), Phase::FinalSync),
        ("one that was read after the proof", Some(true), Phase::FinalSync),
    ] {
        let scene = Scene::from(SourceType::Pst).await;
        scene.cut_over(0).await;
        scene.put(Phase::DnsCutover).await;
        let whole = |run: &ClaimedRun| ended(RunStatus::Success, 0, proof(), Some(scene.evidence(run, ago(0), 2)));
        scene.end(RunType::Final, whole).await;
        scene.put(Phase::FinalSync).await;
        if let Some(readable) = file {
            scene.read_a_file(readable).await;
        }
        let mut tx = scene.gatepost.store().begin().await.unwrap();
        proof::close_in(&mut tx, &Actor::Worker, scene.job).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(scene.phase().await, expect, "{what}");
    }
}

#[tokio::test]
async fn however_many_quick_looks_come_after_a_proof_it_stands_unless_one_finds_something() {
    for (contradicted, expect) in [(json!([]), Phase::Verified), (json!(["INBOX"]), Phase::FinalSync)] {
        let scene = Scene::set().await;
        scene.cut_over(10).await;
        scene.put(Phase::DnsCutover).await;
        let whole = |run: &ClaimedRun| ended(RunStatus::Success, 0, proof(), Some(scene.evidence(run, ago(0), 2)));
        scene.end(RunType::Final, whole).await;
        let quick = json!({"depth": "quick", "contradicted": contradicted.clone()});
        scene.end(RunType::Verify, |_| ended(RunStatus::Success, 0, quick, None)).await;
        let nothing = || json!({"depth": "quick", "contradicted": []});
        for _ in 0..60 {
            scene.end(RunType::Verify, |_| ended(RunStatus::Success, 0, nothing(), None)).await;
        }
        scene.put(Phase::FinalSync).await;
        let mut tx = scene.gatepost.store().begin().await.unwrap();
        proof::close_in(&mut tx, &Actor::Worker, scene.job).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(scene.phase().await, expect, "{contradicted}");
    }
}

#[tokio::test]
async fn a_run_that_another_worker_holds_leaves_no_evidence() {
    let scene = Scene::set().await;
    let run = scene.claimed(RunType::Verify, "another-host:1:2").await;
    let whole = ended(RunStatus::Success, 0, json!({}), Some(scene.evidence(&run, ago(0), 2)));
    scene.gatepost.conclude(&run, &whole).await.unwrap();
    let mut conn = scene.gatepost.store().reader().await.unwrap();
    assert_eq!(evidence::latest(&mut conn, scene.mailbox).await.unwrap(), None);
}

#[tokio::test]
async fn who_works_on_a_run_does_it_and_what_comes_before_it_and_waits_for_whoever_has_it() {
    let scene = Scene::set().await;
    let gatepost = &scene.gatepost;
    let mut tx = gatepost.store().begin().await.unwrap();
    let [mut older, mut before, mut ours, mut taken] = [RunId(0); 4];
    for (email, run_type, id) in [
        ("b@x.example", RunType::Verify, &mut older),
        ("c@x.example", RunType::PstExtract, &mut before),
        ("c@x.example", RunType::Verify, &mut ours),
        ("d@x.example", RunType::Verify, &mut taken),
    ] {
        let known = mailboxes::list(&mut tx, scene.job).await.unwrap().into_iter().find(|one| one.email == email);
        let new = mailboxes::NewMailboxRow { email: email.into(), ..testing::mailbox(scene.job) };
        let mailbox = match known {
            Some(mailbox) => mailbox.id,
            None => mailboxes::insert(&mut tx, &new, &ago(1)).await.unwrap(),
        };
        let new = runs::NewRun {
            job_id: scene.job,
            mailbox_id: Some(mailbox),
            run_type,
            tool: Tool::Native,
            triggered_by: "cli",
            params_json: "{}",
        };
        *id = runs::enqueue(&mut tx, &new, &ago(0)).await.unwrap();
    }
    let now = gatepost_store::clock::seconds(&mut tx).await.unwrap();
    let other = "another-host:1:2";
    runs::claim_named(&mut tx, &[taken], other, &ago(0), now, 600, &[]).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let status = async |run| gatepost.get_run(&Actor::Cli, run).await.unwrap().run.status;

    let both = [ours, taken];
    let working = Box::pin(gatepost.work_on(&Actor::Cli, &both));
    let other_ends = Box::pin(async {
        while !status(ours).await.is_final() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(status(taken).await, RunStatus::Running, "it is another's");
        let mut tx = gatepost.store().begin().await.unwrap();
        let end = Finish { status: RunStatus::Success, exit_code: Some(0), stats_json: "{}", summary: "", idle: false };
        assert!(runs::finish(&mut tx, taken, other, &end, &ago(0)).await.unwrap());
        tx.commit().await.unwrap();
    });
    let (worked, ()) = tokio::time::timeout(Duration::from_secs(120), async { tokio::join!(working, other_ends) })
        .await
        .expect("both of its runs have ended");
    worked.unwrap();
    assert_eq!(status(taken).await, RunStatus::Success);
    assert!(status(before).await.is_final(), "it had its turn before");
    assert_eq!(status(older).await, RunStatus::Queued, "nobody asked for it here");
}

#[tokio::test]
async fn a_worker_whose_run_another_one_has_taken_up_drops_it_at_once() {
    let scene = Scene::set().await;
    let run = scene.claimed(RunType::Delta, scene.gatepost.crew().name()).await;
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    assert!(runs::hand_back(&mut tx, run.id, scene.gatepost.crew().name()).await.unwrap());
    let taken = runs::claim(&mut tx, "another-host:1:2", &ago(0), clock::seconds(), 3600, &[]).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    assert_eq!(taken.id, run.id);
    let (cancel, held) = (CancellationToken::new(), OnceLock::new());
    let log = scene.gatepost.config().data_path.join("log");
    let watch = RunWatch::new(run.id, scene.gatepost.crew().name().to_owned(), log);
    let keeping = scene.gatepost.keep_lease(run.id, &cancel, &watch, &held);
    let Lost = tokio::time::timeout(Duration::from_secs(60), keeping).await.expect("it does not go on");
}

#[tokio::test]
async fn a_verification_that_broke_off_after_it_found_something_contradicts_the_evidence_before() {
    let scene = Scene::set().await;
    scene
        .end(RunType::Verify, |run| ended(RunStatus::Success, 0, json!({}), Some(scene.evidence(run, ago(0), 2))))
        .await;
    let broken = || Ended { stats: Map::new(), ..ended(RunStatus::Failed, 1, json!({}), None) };
    for (lost, expect) in [(false, None), (true, Some(json!(["INBOX"])))] {
        if lost {
            scene.lose(1).await;
        }
        let run = scene.end(RunType::Verify, |_| broken()).await;
        let run = runs::get(&mut scene.gatepost.store().reader().await.unwrap(), run).await.unwrap().unwrap();
        assert_eq!(run.stats.get("contradicted"), expect.as_ref(), "lost: {lost}");
    }
}

#[tokio::test]
async fn the_counts_of_a_mailbox_are_those_of_its_preflight_until_something_is_listed_and_follow_the_copy() {
    let looked = || json!({"messages": 7, "bytes": 700});
    let scene = Scene::set().await;
    scene.end(RunType::Preflight, |_| ended(RunStatus::Success, 0, looked(), None)).await;
    assert_eq!(scene.counts().await, (2, 2, 200, 200), "the ledger knows better");
    scene.lose(1).await;
    scene.gatepost.recount(scene.mailbox).await.unwrap();
    assert_eq!(scene.counts().await, (2, 1, 200, 100));

    let mut tx = scene.gatepost.store().begin().await.unwrap();
    let new = mailboxes::NewMailboxRow { email: "bia@example.com".into(), ..testing::mailbox(scene.job) };
    let mailbox = mailboxes::insert(&mut tx, &new, &ago(1)).await.unwrap();
    tx.commit().await.unwrap();
    let scene = Scene { mailbox, ..scene };
    scene.end(RunType::Preflight, |_| ended(RunStatus::Success, 0, looked(), None)).await;
    scene.gatepost.recount(mailbox).await.unwrap();
    assert_eq!(scene.counts().await, (7, 0, 700, 0), "nothing is listed yet");
    for run_type in [RunType::Preflight, RunType::Initial] {
        scene.end(run_type, |_| ended(RunStatus::Failed, 1, json!({}), None)).await;
        assert_eq!(scene.counts().await, (7, 0, 700, 0), "a {run_type} that failed has seen nothing");
    }
    scene.end(RunType::Initial, |_| ended(RunStatus::Success, 0, json!({}), None)).await;
    assert_eq!(scene.counts().await, (0, 0, 0, 0), "the source is empty by now");
}

#[tokio::test]
async fn a_delta_that_a_schedule_started_may_fail_and_the_next_moment_tries_again() {
    for (params, expect) in [("{}", Phase::Failed), (r#"{"schedule": 1}"#, Phase::DeltaSync)] {
        let scene = Scene::set().await;
        scene.put(Phase::DeltaSync).await;
        let run = scene.claimed_with(params, RunType::Delta, scene.gatepost.crew().name()).await;
        scene.gatepost.conclude(&run, &ended(RunStatus::Failed, 1, json!({}), None)).await.unwrap();
        assert_eq!(scene.phase().await, expect, "{params}");
    }
}

#[tokio::test]
async fn an_approval_ends_when_its_job_fails() {
    let scene = Scene::set().await;
    scene.put(Phase::DeltaSync).await;
    scene.approve(None).await;
    let failed = scene.end(RunType::Delta, |_| ended(RunStatus::Failed, 1, json!({}), None)).await;
    assert_eq!(scene.phase().await, Phase::Failed);
    let by = Actor::User { id: UserId(1), email: "lead@example.com".into(), name: "Lead".into(), role: Role::OpsLead };
    scene.gatepost.retry_run(&by, failed).await.unwrap();
    let mut conn = scene.gatepost.store().reader().await.unwrap();
    let job = jobs::get(&mut conn, scene.job).await.unwrap().unwrap();
    assert_eq!((job.approved_at, job.migration_gate, job.phase), (None, Gate::Blocked, Phase::DeltaSync));
    let revoked = jobs::revocation(&mut conn, scene.job).await.unwrap().unwrap();
    assert!(revoked.why.contains("failed"), "{}", revoked.why);
}

#[tokio::test]
async fn an_approval_ends_when_a_scheduled_delta_fails_for_every_mailbox_but_no_override_and_the_schedule_goes_on() {
    for (overriding, expect) in
        [(None, Some("the scheduled delta failed for every mailbox")), (Some("It is gone."), None)]
    {
        let scene = Scene::set().await;
        scene.put(Phase::DeltaSync).await;
        scene.put(Phase::CutoverReady).await;
        let run = scene.claimed_with(r#"{"schedule": 1}"#, RunType::Delta, scene.gatepost.crew().name()).await;
        scene.approve(overriding).await;
        scene.gatepost.conclude(&run, &ended(RunStatus::Failed, 1, json!({}), None)).await.unwrap();
        let mut conn = scene.gatepost.store().reader().await.unwrap();
        let job = jobs::get(&mut conn, scene.job).await.unwrap().unwrap();
        let revoked = jobs::revocation(&mut conn, scene.job).await.unwrap();
        assert_eq!(revoked.map(|revoked| revoked.why).as_deref(), expect);
        assert_eq!(job.migration_gate == Gate::ReadyForDns, overriding.is_some());
        assert_ne!(job.phase, Phase::Failed, "the next moment tries again");
    }
}

#[tokio::test]
async fn a_job_is_not_closed_while_a_run_of_it_waits() {
    let scene = Scene::set().await;
    scene.put(Phase::Verified).await;
    let worker = scene.gatepost.crew().name();
    let waiting = scene.claimed(RunType::Final, worker).await;
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    assert!(runs::hand_back(&mut tx, waiting.id, worker).await.unwrap());
    tx.commit().await.unwrap();
    let by = Actor::User { id: UserId(1), email: "lead@example.com".into(), name: "Lead".into(), role: Role::OpsLead };
    let close = || JobPatch { phase: Some(Phase::Closed), ..JobPatch::default() };
    let refused = scene.gatepost.update_job(&by, scene.job, close()).await;
    assert!(matches!(refused, Err(Error::Conflict { code: "already_running", .. })), "{refused:?}");
    assert_eq!(scene.phase().await, Phase::Verified);
    scene.gatepost.cancel_run(&by, waiting.id).await.unwrap();
    scene.gatepost.update_job(&by, scene.job, close()).await.unwrap();
    assert_eq!(scene.phase().await, Phase::Closed);
}

#[tokio::test]
async fn an_open_gate_is_judged_again_without_anybody_asking() {
    let scene = Scene::set().await;
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    jobs::set_gate(&mut tx, scene.job, Gate::ReadyForDns, &ago(1)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(scene.gatepost.judge_open_gates(JobId(0)).await, scene.job);
    let job = jobs::get(&mut scene.gatepost.store().reader().await.unwrap(), scene.job).await.unwrap().unwrap();
    assert_eq!(job.migration_gate, Gate::Blocked);
    assert_eq!(scene.gatepost.judge_open_gates(scene.job).await, JobId(0), "from the beginning again");
}

#[tokio::test]
async fn a_run_ends_although_what_follows_from_it_cannot_be_told() {
    let scene = Scene::set().await;
    let damaged = scene.claimed(RunType::Delta, "here").await;
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    let end =
        Finish { status: RunStatus::Success, exit_code: Some(0), stats_json: "no JSON", summary: "", idle: false };
    assert!(runs::finish(&mut tx, damaged.id, "here", &end, &ago(0)).await.unwrap());
    tx.commit().await.unwrap();
    let run = scene.claimed(RunType::Initial, scene.gatepost.crew().name()).await;
    let error = scene.gatepost.conclude(&run, &ended(RunStatus::Success, 0, json!({}), None)).await.unwrap_err();
    scene.gatepost.end_unsettled(&run, error).await.unwrap();
    let run = runs::get(&mut scene.gatepost.store().reader().await.unwrap(), run.id).await.unwrap().unwrap();
    assert_eq!(run.status, RunStatus::Failed);
    assert!(run.summary.unwrap().contains("damaged"));
}

#[tokio::test]
async fn who_gives_up_the_last_missing_message_lets_the_job_be_verified() {
    let scene = Scene::set().await;
    scene.cut_over(10).await;
    scene.put(Phase::FinalSync).await;
    scene.lose(1).await;
    scene.end(RunType::Final, |run| ended(RunStatus::Partial, 3, proof(), Some(scene.evidence(run, ago(0), 1)))).await;
    assert_eq!(scene.phase().await, Phase::FinalSync);
    let row = messages::rows(&mut scene.gatepost.store().reader().await.unwrap(), scene.folder).await.unwrap()[0].id;
    let by = Actor::User { id: UserId(1), email: "lead@example.com".into(), name: "Lead".into(), role: Role::OpsLead };
    scene.gatepost.waive(&by, row, WaiveRequest { reason: "agreed with the customer".into() }).await.unwrap();
    assert_eq!(scene.phase().await, Phase::Verified);
}
