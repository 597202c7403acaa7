//! Handing out runs: what a pause holds back, what a wave has a place for, and whose turn it is.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod common;

use common::{LATER, NOW, folder, job, mailbox, message, new_mailbox, store, sync, tried};
use gatepost_contract::{
    JobId, MailboxId, MailboxStatus, MessageState, PauseScope, ResidueFilter, RunId, RunStatus, WaveId, WaveProgress,
};
use gatepost_store::{
    Conn, Error, figures, jobs, mailboxes,
    messages::{self, Act, ArrivedRow, DigestRow, Selection},
    pauses::{self, NewPauseRow},
    runs::{self, Finish},
    waivers::{self, Decision, Withdrawn},
    waves::{self, WaveRow, progress},
};

const DONE: Finish<'static> =
    Finish { status: RunStatus::Success, exit_code: Some(0), stats_json: "{}", summary: "All copied.", idle: false };

async fn claim(conn: &mut Conn) -> Option<RunId> {
    runs::claim(conn, "w", NOW, 100, 30, &[]).await.unwrap().map(|run| run.id)
}

async fn all_claimed(conn: &mut Conn) -> Vec<RunId> {
    let mut found = Vec::new();
    while let Some(id) = claim(conn).await {
        found.push(id);
    }
    found
}

fn wave(name: &str, position: i64, mailboxes_at_once: Option<i64>) -> WaveRow {
    WaveRow { name: name.into(), notes: String::new(), position, mailboxes_at_once, bytes_per_second: None }
}

async fn pause(conn: &mut Conn, scope: PauseScope, job: Option<JobId>, wave: Option<WaveId>, host: Option<&str>) {
    let row = NewPauseRow { scope, job_id: job, wave_id: wave, host, reason: "a storm", paused_by: "ana@desk.example" };
    pauses::insert(conn, &row, NOW).await.unwrap();
}

/// A job with mailboxes, each on a host of its own and with a queued run.
async fn queued(conn: &mut Conn, domain: &str, hosts: &[&str]) -> (JobId, Vec<(MailboxId, RunId)>) {
    let job = job(conn, domain).await;
    let mut found = Vec::new();
    for (n, host) in hosts.iter().enumerate() {
        let mut new = new_mailbox(job, &format!("m{n}@{domain}"));
        new.source_host = Some((*host).to_owned());
        let mailbox = mailboxes::insert(conn, &new, NOW).await.unwrap();
        found.push((mailbox, runs::enqueue(conn, &sync(job, mailbox), NOW).await.unwrap()));
    }
    (job, found)
}

#[tokio::test]
async fn a_pause_holds_back_what_it_names_and_nothing_else() {
    for (what, scope, expect) in [
        ("everything", PauseScope::Everything, vec![]),
        ("a source host", PauseScope::Host, vec![1, 2]),
        ("a wave", PauseScope::Wave, vec![0, 2]),
        ("a job", PauseScope::Job, vec![2]),
    ] {
        let store = store().await;
        let mut tx = store.begin().await.unwrap();
        let (first, mut all) = queued(&mut tx, "first.example", &["old.example", "other.example"]).await;
        all.extend(queued(&mut tx, "second.example", &["other.example"]).await.1);
        let w = waves::insert(&mut tx, &wave("one", 1, None), "cli", NOW).await.unwrap();
        waves::put_mailboxes(&mut tx, Some(w), &[all[1].0], NOW).await.unwrap();
        waves::refresh_runs(&mut tx).await.unwrap();
        let is = |wanted| scope == wanted;
        let host = is(PauseScope::Host).then_some("old.example");
        pause(&mut tx, scope, is(PauseScope::Job).then_some(first), is(PauseScope::Wave).then_some(w), host).await;

        let listed = pauses::list(&mut tx).await.unwrap();
        assert_eq!(listed[0].runs, 3 - i64::try_from(expect.len()).unwrap(), "{what}: {listed:?}");
        let ids: Vec<RunId> = all.iter().map(|(_, run)| *run).collect();
        let held = pauses::held(&mut tx, &ids).await.unwrap();
        let mut claimed = all_claimed(&mut tx).await;
        claimed.sort_unstable();
        assert_eq!(claimed, expect.iter().map(|n: &usize| ids[*n]).collect::<Vec<_>>(), "{what}");
        let mut rest: Vec<RunId> = held.iter().map(|(run, _)| *run).chain(claimed).collect();
        rest.sort_unstable();
        assert_eq!(rest, ids, "{what}: what is not handed out is held");
        assert!(pauses::delete(&mut tx, listed[0].id).await.unwrap());
        assert_eq!(all_claimed(&mut tx).await.len(), 3 - expect.len(), "{what}: it goes on");
    }
}

#[tokio::test]
async fn the_destination_is_a_host_too_in_any_case_of_letters_and_nothing_rests_twice() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let (job, all) = queued(&mut tx, "first.example", &["OLD.example"]).await;
    pause(&mut tx, PauseScope::Host, None, None, Some("imap.example")).await;
    assert_eq!(claim(&mut tx).await, None);
    assert_eq!(pauses::holding(&mut tx, all[0].1).await.unwrap(), Some(pauses::list(&mut tx).await.unwrap()[0].id));
    let listed = pauses::of_job(&mut tx, job).await.unwrap();
    assert!(pauses::delete(&mut tx, listed[0].id).await.unwrap());
    pause(&mut tx, PauseScope::Host, None, None, Some("old.example")).await;
    assert_eq!(claim(&mut tx).await, None);
    assert_eq!(pauses::of_job(&mut tx, job).await.unwrap()[0].subject, "old.example");
    let again = NewPauseRow {
        scope: PauseScope::Host,
        job_id: None,
        wave_id: None,
        host: Some("old.example"),
        reason: "",
        paused_by: "cli",
    };
    assert!(matches!(pauses::insert(&mut tx, &again, NOW).await, Err(Error::Exists { .. })));
}

#[tokio::test]
async fn a_wave_works_on_so_many_mailboxes_at_once_and_a_place_is_free_when_one_has_ended() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let (job, all) = queued(&mut tx, "first.example", &["a", "b", "c", "d"]).await;
    let w = waves::insert(&mut tx, &wave("one", 1, Some(2)), "cli", NOW).await.unwrap();
    waves::put_jobs(&mut tx, Some(w), &[job], NOW).await.unwrap();
    waves::refresh_runs(&mut tx).await.unwrap();
    let runs_of = |n: std::ops::Range<usize>| all[n].iter().map(|(_, run)| *run).collect::<Vec<_>>();
    assert_eq!(all_claimed(&mut tx).await, runs_of(0..2));
    let waiting = runs::waiting_for_a_place(&mut tx, &runs_of(0..4), 100).await.unwrap();
    assert_eq!(
        waiting.iter().map(|(run, limit)| (*run, limit.name.as_str())).collect::<Vec<_>>(),
        [(all[2].1, "one"), (all[3].1, "one")]
    );
    runs::finish(&mut tx, all[0].1, "w", &DONE, LATER).await.unwrap();
    assert_eq!(all_claimed(&mut tx).await, runs_of(2..3));
    // A worker that died holds no place.
    assert_eq!(runs::claim(&mut tx, "other", NOW, 131, 30, &[]).await.unwrap().unwrap().id, all[1].1);
    // Who leaves the wave is bound by it no longer.
    waves::put_mailboxes(&mut tx, None, &[all[3].0], NOW).await.unwrap();
    waves::delete(&mut tx, w).await.unwrap();
    assert_eq!(claim(&mut tx).await, Some(all[3].1));
    assert_eq!(waves::of_job(&mut tx, job).await.unwrap(), None);
}

#[tokio::test]
async fn runs_of_no_wave_come_first_then_those_of_the_waves_in_their_order() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let late = waves::insert(&mut tx, &wave("late", 9, None), "cli", NOW).await.unwrap();
    let soon = waves::insert(&mut tx, &wave("soon", 2, None), "cli", NOW).await.unwrap();
    assert_eq!(waves::next_position(&mut tx).await.unwrap(), 10);
    let mut ids = Vec::new();
    for (n, w) in [Some(late), Some(soon), None, Some(soon)].into_iter().enumerate() {
        let job = job(&mut tx, &format!("d{n}.example")).await;
        waves::put_jobs(&mut tx, w, &[job], NOW).await.unwrap();
        let mailbox = mailbox(&mut tx, job, "ana@example.org").await;
        // The run takes its wave along from the job.
        ids.push(runs::enqueue(&mut tx, &sync(job, mailbox), NOW).await.unwrap());
    }
    assert_eq!(all_claimed(&mut tx).await, [ids[2], ids[1], ids[3], ids[0]]);
}

#[tokio::test]
async fn a_mailbox_counts_in_its_own_wave_else_in_its_jobs() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let a = waves::insert(&mut tx, &wave("a", 1, None), "cli", NOW).await.unwrap();
    let b = waves::insert(&mut tx, &wave("b", 2, None), "cli", NOW).await.unwrap();
    assert!(matches!(tried!(tx, waves::insert(&mut tx, &wave("A", 3, None), "cli", NOW)), Err(Error::Exists { .. })));
    let job = job(&mut tx, "first.example").await;
    let (one, two) =
        (mailbox(&mut tx, job, "one@first.example").await, mailbox(&mut tx, job, "two@first.example").await);
    let counts = mailboxes::Counts { messages_source: 10, messages_dest: 4, bytes_source: 1_000, bytes_dest: 400 };
    mailboxes::set_counts(&mut tx, one, &counts, NOW).await.unwrap();
    mailboxes::set_counts(&mut tx, two, &counts, NOW).await.unwrap();
    waves::put_jobs(&mut tx, Some(a), &[job], NOW).await.unwrap();
    waves::put_mailboxes(&mut tx, Some(b), &[two], NOW).await.unwrap();
    assert_eq!(waves::mailboxes(&mut tx, a).await.unwrap(), [(job, one)]);
    assert_eq!(waves::mailboxes(&mut tx, b).await.unwrap(), [(job, two)]);
    assert_eq!(waves::members(&mut tx, b).await.unwrap(), (vec![], vec![(job, two)]));
    let list = waves::list(&mut tx).await.unwrap();
    assert_eq!(list.iter().map(|w| (w.jobs, w.mailboxes)).collect::<Vec<_>>(), [(1, 1), (0, 1)]);

    let all = progress::all(&mut tx).await.unwrap();
    for w in [a, b] {
        let found = &all[&Some(w)];
        assert_eq!((found.mailboxes, found.messages_left, found.bytes_left, found.complete), (1, 6, 600, 0));
        assert!((found.percent - 40.0).abs() < 1e-9);
    }
    assert!(!all.contains_key(&None));
    let of_b = progress::jobs(&mut tx, b).await.unwrap();
    assert_eq!((of_b.len(), of_b[0].whole, of_b[0].mailboxes), (1, false, 1));
    assert_eq!(progress::single(&mut tx, b, 10).await.unwrap()[0].mailbox_id, two);

    // A job that is closed and in no wave is nobody's business any more.
    waves::delete(&mut tx, a).await.unwrap();
    assert_eq!(progress::all(&mut tx).await.unwrap()[&None].mailboxes, 1);
    jobs::set_phase(&mut tx, job, gatepost_contract::Phase::Discovered, gatepost_contract::Phase::Closed, None, LATER)
        .await
        .unwrap();
    assert!(!progress::all(&mut tx).await.unwrap().contains_key(&None));
}

#[tokio::test]
async fn what_was_given_up_is_not_waited_for_and_a_wave_with_waivers_ends() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let w = waves::insert(&mut tx, &wave("one", 1, None), "cli", NOW).await.unwrap();
    let job = job(&mut tx, "first.example").await;
    waves::put_jobs(&mut tx, Some(w), &[job], NOW).await.unwrap();
    let ana = mailbox(&mut tx, job, "ana@first.example").await;
    let inbox = folder(&mut tx, ana).await;
    messages::add(&mut tx, inbox, &(1..=6).map(message).collect::<Vec<_>>(), NOW).await.unwrap();
    let digests = DigestRow { exact: [1; 32], canonical: [2; 32], bytes: 100 };
    let arrived = |uid| ArrivedRow { uid, dest_uid: Some(uid), digests, dropped_flags: String::new(), adopted: false };
    messages::arrived(&mut tx, inbox, &[1, 2, 3].map(arrived), NOW).await.unwrap();
    sqlx::query("UPDATE migration_messages SET state = 'quarantined' WHERE uid = 4").execute(&mut *tx).await.unwrap();
    let counts = messages::sums(&mut tx, ana).await.unwrap();
    mailboxes::set_counts(&mut tx, ana, &counts, NOW).await.unwrap();
    mailboxes::set_status(&mut tx, ana, MailboxStatus::Quarantine, None, NOW).await.unwrap();

    let look = async |tx: &mut Conn| -> (WaveProgress, (i64, i64)) {
        let wave = progress::all(tx).await.unwrap().remove(&Some(w)).unwrap();
        let forecast = figures::to_copy(tx).await.unwrap().remove(0).forecast;
        assert_eq!(
            forecast.messages_source,
            forecast.messages_dest + forecast.messages_waived + forecast.messages_left()
        );
        (wave, (forecast.messages_left(), forecast.bytes_left()))
    };
    let figures = |p: &WaveProgress| (p.messages_waived, p.messages_left, p.complete);
    let (wave, job_left) = look(&mut tx).await;
    assert_eq!((figures(&wave), wave.bytes_waived, job_left), ((0, 3, 0), 0, (3, 104 + 105 + 106)));

    let give_up = async |tx: &mut Conn, state, batch| {
        let filter = ResidueFilter { state: Some(state), ..ResidueFilter::default() };
        let selection = Selection { job, filter, only: vec![], act: Act::Waive };
        let decision = Decision { batch, actor: "lead@example.org", reason: "agreed with the customer", at: NOW };
        waivers::add(tx, &selection, &decision).await.unwrap();
    };
    give_up(&mut tx, MessageState::Pending, "pending").await;
    let (wave, job_left) = look(&mut tx).await;
    assert_eq!((figures(&wave), wave.bytes_left, job_left), ((2, 1, 0), 104, (1, 104)));
    give_up(&mut tx, MessageState::Quarantined, "refused").await;
    let (wave, job_left) = look(&mut tx).await;
    assert_eq!((figures(&wave), wave.bytes_left, job_left), ((3, 0, 1), 0, (0, 0)));
    assert!((wave.percent - 50.0).abs() < 1e-9, "what was given up has not arrived: {wave:?}");
    // The next run sees that nothing is refused any more, and counts again.
    let counts = messages::sums(&mut tx, ana).await.unwrap();
    mailboxes::set_counts(&mut tx, ana, &counts, LATER).await.unwrap();
    mailboxes::set_status(&mut tx, ana, MailboxStatus::Ok, None, LATER).await.unwrap();
    assert_eq!(figures(&look(&mut tx).await.0), (3, 0, 1));

    // A waiver that was taken back counts no longer, and neither does one of a folder that has gone.
    waivers::withdraw(&mut tx, &Withdrawn::Batch("pending"), "They want it after all.", LATER).await.unwrap();
    assert_eq!(figures(&look(&mut tx).await.0), (1, 2, 0));
    sqlx::query("UPDATE migration_folders SET gone_at = $1").bind(LATER).execute(&mut *tx).await.unwrap();
    assert_eq!(look(&mut tx).await.0.messages_waived, 0);
}

/// The bound is wide, for a debug build on a busy machine.
#[tokio::test]
async fn handing_out_a_run_is_quick_with_five_thousand_in_the_queue_waves_and_pauses() {
    let store = store().await;
    let mut tx = store.begin().await.unwrap();
    let mut all = Vec::new();
    for n in 0..50 {
        let w = waves::insert(&mut tx, &wave(&format!("w{n}"), n + 1, Some(1)), "cli", NOW).await.unwrap();
        let job = job(&mut tx, &format!("d{n}.example")).await;
        waves::put_jobs(&mut tx, Some(w), &[job], NOW).await.unwrap();
        for m in 0..100 {
            let mailbox = mailbox(&mut tx, job, &format!("m{m}@d{n}.example")).await;
            all.push(runs::enqueue(&mut tx, &sync(job, mailbox), NOW).await.unwrap());
        }
        if n < 10 {
            pause(&mut tx, PauseScope::Job, Some(job), None, None).await;
        }
    }
    pause(&mut tx, PauseScope::Host, None, None, Some("elsewhere.example")).await;
    let began = std::time::Instant::now();
    let claimed = all_claimed(&mut tx).await;
    let took = began.elapsed();
    println!("{} runs of {} handed out in {took:?}", claimed.len(), all.len());
    // One of each wave that does not rest, in the order of the waves.
    assert_eq!(claimed, (10..50).map(|n| all[n * 100]).collect::<Vec<_>>());
    assert!(took < std::time::Duration::from_secs(600), "{took:?}");
}
