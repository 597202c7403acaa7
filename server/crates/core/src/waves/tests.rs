//! Waves on a store of their own and without any mail.

use crate::{Actor, Error, clock, schedules::tests::stage::Stage};
use gatepost_contract::{
    JobId, MailboxStatus, NewPause, NewWave, PauseScope, Role, RunType, ScheduleInput, UserId, WaveId, WaveMembers,
    WaveSettings, WaveStart,
};
use gatepost_store::mailboxes;
use time::macros::datetime;

#[tokio::test]
async fn a_wave_of_many_jobs_takes_an_ops_lead() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let user = |role| Actor::User { id: UserId(1), email: "a@b".into(), name: String::new(), role };
    let (technician, lead) = (user(Role::Technician), user(Role::OpsLead));
    let mut all = Vec::new();
    for n in 0..=super::MANY {
        all.push(stage.job(&format!("d{n}.example"), &["a"], from).await);
    }
    let all_jobs: Vec<JobId> = all.iter().map(|(job, _)| *job).collect();
    let new =
        |name: &str, job_ids: &[JobId]| NewWave { name: name.into(), job_ids: job_ids.to_vec(), ..Default::default() };
    let gatepost = &stage.gatepost;
    let pause = |wave: WaveId| NewPause {
        scope: PauseScope::Wave,
        job_id: None,
        wave_id: Some(wave),
        host: None,
        reason: String::new(),
    };
    let forbidden = |error: Error| assert!(matches!(error, Error::Forbidden(_)), "{error:?}");

    forbidden(gatepost.create_wave(&technician, new("all", &all_jobs)).await.unwrap_err());
    // Up to that number it is a technician's; a single mailbox of one job more is too many.
    let wave = gatepost.create_wave(&technician, new("some", &all_jobs[1..])).await.unwrap().id;
    let paused = gatepost.pause(&technician, pause(wave)).await.unwrap();
    let one_more = WaveMembers { add_mailboxes: vec![all[0].1[0]], ..WaveMembers::default() };
    forbidden(gatepost.change_wave_members(&technician, wave, one_more.clone()).await.unwrap_err());
    gatepost.change_wave_members(&lead, wave, one_more).await.unwrap();

    let settings = WaveSettings { name: "some".into(), ..Default::default() };
    let input = ScheduleInput {
        expression: "0 0 1 1 *".into(),
        time_zone: None,
        window: None,
        jitter_minutes: None,
        enabled: true,
    };
    let other = gatepost.create_wave(&technician, new("other", &[])).await.unwrap().id;
    let join = WaveMembers { add_jobs: vec![all_jobs[1]], ..WaveMembers::default() };
    let leave = WaveMembers { remove_jobs: vec![all_jobs[1]], ..WaveMembers::default() };
    forbidden(gatepost.change_wave_members(&technician, other, join).await.unwrap_err());
    forbidden(gatepost.change_wave_members(&technician, wave, leave.clone()).await.unwrap_err());
    forbidden(gatepost.update_wave(&technician, wave, settings).await.unwrap_err());
    forbidden(gatepost.set_wave_schedule(&technician, wave, input).await.unwrap_err());
    // Nor by the way of a file that names it.
    let file = b"email,source_host,wave\nnew@d0.example,imap.example,some\n";
    forbidden(gatepost.import_mailboxes(&technician, all_jobs[0], file).await.unwrap_err());
    assert_eq!(gatepost.list_mailboxes(&technician, all_jobs[0]).await.unwrap().len(), 1, "all or nothing");
    gatepost.import_mailboxes(&lead, all_jobs[0], file).await.unwrap();
    forbidden(gatepost.resume(&technician, paused.id).await.unwrap_err());
    forbidden(gatepost.delete_wave(&technician, wave).await.unwrap_err());
    gatepost.resume(&lead, paused.id).await.unwrap();
    forbidden(gatepost.pause(&technician, pause(wave)).await.unwrap_err());
    gatepost.change_wave_members(&lead, wave, leave).await.unwrap();
    gatepost.pause(&technician, pause(wave)).await.unwrap();
}

#[tokio::test]
async fn a_wave_shows_what_is_stuck_and_why() {
    let from = datetime!(2027-06-01 0:00 UTC);
    let stage = Stage::set(from).await;
    let (job, mailboxes) = stage.job("d.example", &["a", "b"], from).await;
    let new = NewWave { name: "one".into(), job_ids: vec![job], ..Default::default() };
    let wave = stage.gatepost.create_wave(&Actor::Cli, new).await.unwrap();
    let start = WaveStart { run_type: RunType::Delta };
    let started = stage.gatepost.start_wave(&Actor::Cli, wave.id, start.clone()).await.unwrap();
    assert_eq!((started.run_ids.len(), started.busy, started.refused.len()), (2, 0, 0));
    let again = stage.gatepost.start_wave(&Actor::Cli, wave.id, start).await.unwrap();
    assert_eq!((again.run_ids.len(), again.busy), (0, 2));
    let pause =
        NewPause { scope: PauseScope::Wave, job_id: None, wave_id: Some(wave.id), host: None, reason: "lunch".into() };
    stage.gatepost.pause(&Actor::Cli, pause.clone()).await.unwrap();
    let twice = stage.gatepost.pause(&Actor::Cli, pause).await.unwrap_err();
    assert!(matches!(twice, Error::Conflict { code: "already_paused", .. }));
    let mut tx = stage.gatepost.store().begin().await.unwrap();
    let status = MailboxStatus::Error;
    mailboxes::set_status(&mut tx, mailboxes[0], status, Some("The old server is gone."), &clock::now()).await.unwrap();
    tx.commit().await.unwrap();

    let seen = stage.gatepost.wave(&Actor::Cli, wave.id).await.unwrap();
    assert_eq!((seen.progress.queued, seen.stuck_total, seen.jobs[0].whole), (2, 3, true));
    assert_eq!(seen.stuck[0].why, "The old server is gone.");
    assert!(seen.stuck[1].why.starts_with("The wave one is paused by cli since "), "{:?}", seen.stuck);
    assert_eq!(seen.wave.pause.map(|pause| pause.runs), Some(2));
    assert_eq!(seen.progress.eta_seconds, None, "nothing moves");
    let run = stage.gatepost.get_run(&Actor::Cli, started.run_ids[0]).await.unwrap().run;
    assert!(run.progress.waiting.is_some_and(|why| why.ends_with("UTC: lunch.")));

    let members = WaveMembers { remove_jobs: vec![job], ..WaveMembers::default() };
    let wave = stage.gatepost.change_wave_members(&Actor::Cli, wave.id, members.clone()).await.unwrap();
    assert_eq!((wave.jobs, wave.mailboxes), (0, 0));
    assert!(stage.gatepost.change_wave_members(&Actor::Cli, wave.id, members).await.is_err(), "it is in it no longer");
    let overview = stage.gatepost.waves(&Actor::Cli).await.unwrap();
    assert_eq!((overview.waves.len(), overview.without.mailboxes, overview.pauses.len()), (1, 2, 1));
}
