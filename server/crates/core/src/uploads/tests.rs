#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod at_once;
mod leaving;
mod of_the_server;

use super::{Checksum, UploadBody, UploadRefusal, file_name, space::Space};
use crate::{
    Actor, Config, Error, Gatepost,
    testing::{self, NoMail},
};
use bytes::Bytes;
use gatepost_contract::{
    AuditFilter, JobId, MailboxId, NewUpload, PageQuery, Phase, Role, RunType, Scope, Security, ServerFile, SourceType,
    TokenId, Upload, UploadOrigin, UploadPiece, UploadState, UserId,
};
use gatepost_store::{
    folders, jobs, mailboxes,
    messages::{self, ArrivedRow, DigestRow, NewMessage},
    runs, tenants,
    uploads::{self as rows, pieces},
};
use sha2::{Digest, Sha256};
use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};
use time::OffsetDateTime;

const NOW: &str = "2026-11-21T04:12:00.000Z";

struct Scene {
    gatepost: Gatepost,
    job: JobId,
    mailbox: MailboxId,
    dir: tempfile::TempDir,
}

fn technician() -> Actor {
    Actor::User { id: UserId(1), email: "ana@desk.example".into(), name: String::new(), role: Role::Technician }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn body(parts: &[&[u8]]) -> UploadBody {
    let parts: Vec<io::Result<Bytes>> = parts.iter().map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    Box::pin(futures::stream::iter(parts))
}

fn cut_body(bytes: &[u8]) -> UploadBody {
    let parts = vec![Ok(Bytes::copy_from_slice(bytes)), Err(io::ErrorKind::ConnectionReset.into())];
    Box::pin(futures::stream::iter(parts))
}

#[track_caller]
fn refusal(error: Error) -> UploadRefusal {
    let Error::Upload(refusal) = error else { panic!("{error:?}") };
    refusal
}

#[track_caller]
fn conflict(error: &Error) -> &'static str {
    let Error::Conflict { code, .. } = error else { panic!("{error:?}") };
    code
}

impl Scene {
    async fn set() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("import")).unwrap();
        let mut config = Config::below(dir.path().join("data"));
        config.upload_reserve_mb = Some(0);
        config.import_path = Some(dir.path().join("import"));
        change(&mut config);
        let gatepost = Gatepost::open(config, Arc::new(NoMail)).await.unwrap();
        let mut tx = gatepost.store().begin().await.unwrap();
        let tenant = tenants::insert(&mut tx, "Example Ltd", NOW).await.unwrap();
        let new = jobs::NewJobRow {
            domain: "example.org".into(),
            dest_imap_host: "127.0.0.1".into(),
            dest_imap_port: 143,
            dest_imap_security: Security::Plain,
            ..testing::job(tenant)
        };
        let job = jobs::insert(&mut tx, &new, NOW).await.unwrap();
        tx.commit().await.unwrap();
        let mut scene = Self { gatepost, job, mailbox: MailboxId(0), dir };
        scene.mailbox = scene.add_mailbox("ana@example.org", SourceType::Pst).await;
        scene
    }

    async fn add_mailbox(&self, email: &str, source_type: SourceType) -> MailboxId {
        let new = mailboxes::NewMailboxRow {
            email: email.into(),
            source_type,
            source_host: None,
            source_port: None,
            source_security: None,
            ..testing::mailbox(self.job)
        };
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let id = mailboxes::insert(&mut tx, &new, NOW).await.unwrap();
        tx.commit().await.unwrap();
        id
    }

    async fn new_upload(&self, bytes: usize, sha256: Option<&str>) -> crate::Result<Upload> {
        let new = NewUpload {
            mailbox_id: self.mailbox,
            name: "C:\\Outlook\\archive.pst".into(),
            bytes: i64::try_from(bytes).unwrap(),
            sha256: sha256.map(str::to_owned),
            metadata: Some("mailbox_id MQ==".into()),
        };
        self.gatepost.create_upload(&technician(), new).await
    }

    async fn append(&self, id: &str, offset: usize, body: UploadBody) -> crate::Result<Upload> {
        let offset = i64::try_from(offset).unwrap();
        self.gatepost.append_upload(&technician(), id, offset, None, body).await
    }

    async fn offset(&self, id: &str) -> i64 {
        self.gatepost.upload_offset(&technician(), id).await.unwrap().0.received
    }

    fn disk(&self, id: &str) -> PathBuf {
        self.dir.path().join("data/uploads").join(id)
    }

    async fn get(&self, id: &str) -> Upload {
        self.gatepost.upload(&technician(), id).await.unwrap()
    }

    /// The file once it is not received any more, or has lost bytes again.
    async fn after_check(&self, id: &str) -> Upload {
        for _ in 0..24_000 {
            let upload = self.get(id).await;
            if upload.state != UploadState::Receiving || upload.error.is_some() {
                return upload;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("waited in vain for the check of {id}");
    }

    async fn whole(&self, bytes: &[u8]) -> Upload {
        let upload = self.new_upload(bytes.len(), None).await.unwrap();
        self.append(&upload.id, 0, body(&[bytes])).await.unwrap();
        self.after_check(&upload.id).await
    }

    async fn actions(&self) -> Vec<String> {
        let page = PageQuery { sort: Some("id".into()), ..PageQuery::default() };
        let log = self.gatepost.audit(&Actor::Cli, AuditFilter::default(), page).await.unwrap();
        log.items.into_iter().map(|row| row.action).filter(|action| action.starts_with("upload.")).collect()
    }

    async fn copy_one_message_of(&self, upload: &Upload) {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let plan =
            [folders::PlannedFolder { source_path: "INBOX".into(), dest_path: "INBOX".into(), special_use: None }];
        let folder = folders::place(&mut tx, self.mailbox, &plan, NOW).await.unwrap()[0].id;
        let uid = (i64::from(upload.slot) << 24) + 1;
        let new = NewMessage { uid, size: 9, internal_date: NOW.into(), flags: String::new() };
        messages::add(&mut tx, folder, &[new], NOW).await.unwrap();
        let digests = DigestRow { exact: [1; 32], canonical: [2; 32], bytes: 9 };
        let arrival = ArrivedRow { uid, dest_uid: Some(1), digests, dropped_flags: String::new(), adopted: false };
        messages::arrived(&mut tx, folder, &[arrival], NOW).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// As a run does that has read the file through.
    async fn read(&self, id: &str, messages: u64, at: &str) {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        let found = gatepost_contract::Inspection { messages, ..Default::default() };
        rows::set_ready(&mut tx, id, &found, at).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn phase(&self, from: Phase, to: Phase) {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        assert!(jobs::set_phase(&mut tx, self.job, from, to, None, NOW).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// Ends the runs that are queued, as a worker would.
    async fn no_runs(&self) {
        let mut tx = self.gatepost.store().begin().await.unwrap();
        for run in runs::active_for_job(&mut tx, self.job).await.unwrap() {
            runs::request_cancel(&mut tx, run.id, NOW).await.unwrap();
        }
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn a_file_arrives_in_pieces_is_read_back_and_a_run_is_queued_that_reads_it_through() {
    let scene = Scene::set().await;
    let upload = scene.new_upload(11, Some(&sha256(b"hello world").to_uppercase())).await.unwrap();
    assert_eq!((upload.name.as_str(), upload.state, upload.slot), ("archive.pst", UploadState::Receiving, 0));
    assert_eq!(scene.append(&upload.id, 0, body(&[b"hel", b"lo"])).await.unwrap().received, 5);
    let wrong = refusal(scene.append(&upload.id, 4, body(&[b"x"])).await.unwrap_err());
    assert_eq!(wrong, UploadRefusal::WrongOffset { right: 5 });
    scene.append(&upload.id, 5, body(&[b" world"])).await.unwrap();
    let stored = scene.after_check(&upload.id).await;
    assert_eq!((stored.state, stored.sha256), (UploadState::Stored, Some(sha256(b"hello world"))));
    assert_eq!(fs::read(scene.disk(&upload.id)).unwrap(), b"hello world");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(fs::metadata(scene.disk(&upload.id)).unwrap().permissions().mode() & 0o777, 0o600);
    let pieces = scene.gatepost.upload_pieces(&technician(), &upload.id, 0, 100).await.unwrap();
    let pieces: Vec<_> = pieces.iter().map(|p| (p.offset, p.bytes, p.sha256.clone())).collect();
    assert_eq!(pieces, [(0, 5, sha256(b"hello")), (5, 6, sha256(b" world"))]);

    let mut runs_of_job = Vec::new();
    for _ in 0..24_000 {
        runs_of_job =
            runs::active_for_job(&mut scene.gatepost.store().reader().await.unwrap(), scene.job).await.unwrap();
        if !runs_of_job.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(runs_of_job.len(), 1);
    assert_eq!((runs_of_job[0].run_type, runs_of_job[0].mailbox_id), (RunType::PstExtract, Some(scene.mailbox)));
    let refs = mailboxes::refs(&mut scene.gatepost.store().reader().await.unwrap(), scene.mailbox).await.unwrap();
    assert_eq!(refs.unwrap().path, Some(format!("uploads/{}", upload.id)));
    assert_eq!(scene.actions().await, ["upload.create", "upload.complete"]);
    let complete = refusal(scene.append(&upload.id, 11, body(&[b""])).await.unwrap_err());
    assert_eq!(complete, UploadRefusal::Complete);
}

#[tokio::test]
async fn what_a_cut_connection_brought_stays_but_not_what_had_a_checksum() {
    let scene = Scene::set().await;
    let id = scene.new_upload(100, None).await.unwrap().id;
    let cut = refusal(scene.append(&id, 0, cut_body(b"first")).await.unwrap_err());
    assert_eq!(cut, UploadRefusal::Cut { received: 5, bytes: 100 });
    assert_eq!(scene.offset(&id).await, 5);
    let told = Checksum::Sha256(Sha256::digest(b"second").into());
    for body in [cut_body(b"seco"), body(&[b"sec0nd"])] {
        let refused = scene.gatepost.append_upload(&technician(), &id, 5, Some(told.clone()), body).await;
        assert!(matches!(
            refusal(refused.unwrap_err()),
            UploadRefusal::Cut { received: 5, .. } | UploadRefusal::Checksum
        ));
        assert_eq!((scene.offset(&id).await, fs::read(scene.disk(&id)).unwrap().len()), (5, 5));
    }
    scene.gatepost.append_upload(&technician(), &id, 5, Some(told), body(&[b"second"])).await.unwrap();
    assert_eq!(scene.offset(&id).await, 11);
    let long = refusal(scene.append(&id, 11, body(&[&[7; 90]])).await.unwrap_err());
    assert_eq!((long, scene.offset(&id).await), (UploadRefusal::TooMuch { announced: 100 }, 11));
}

#[tokio::test]
async fn the_files_own_length_decides_where_an_upload_goes_on() {
    let scene = Scene::set().await;
    let id = scene.new_upload(100, None).await.unwrap().id;
    scene.append(&id, 0, body(&[b"0123456789"])).await.unwrap();
    scene.append(&id, 10, body(&[b"abcdefghij"])).await.unwrap();
    // The process died after bytes were written and before they were noted.
    let longer = [fs::read(scene.disk(&id)).unwrap(), b"more".to_vec()].concat();
    fs::write(scene.disk(&id), &longer).unwrap();
    assert_eq!(scene.offset(&id).await, 24);
    let pieces = scene.gatepost.upload_pieces(&technician(), &id, 20, 9).await.unwrap();
    assert_eq!((pieces.len(), pieces[0].sha256.clone()), (1, sha256(b"more")));
    // The power went before the disk had what was noted: a piece without its end comes once more.
    fs::write(scene.disk(&id), &longer[..15]).unwrap();
    assert_eq!(scene.offset(&id).await, 10);
    assert_eq!(fs::metadata(scene.disk(&id)).unwrap().len(), 10);
    assert_eq!(scene.get(&id).await.received, 10);
    fs::remove_file(scene.disk(&id)).unwrap();
    let gone = scene.gatepost.upload_offset(&technician(), &id).await.unwrap_err();
    assert_eq!(refusal(gone), UploadRefusal::Vanished);
    scene.gatepost.delete_upload(&technician(), &id, None).await.unwrap();
}

#[tokio::test]
async fn bytes_are_added_where_the_file_ends_even_where_the_row_tells_less() {
    let scene = Scene::set().await;
    let id = scene.new_upload(20, None).await.unwrap().id;
    scene.append(&id, 0, body(&[b"0123456789"])).await.unwrap();
    // The process died after bytes were written and before they were noted; nobody has asked for the offset since.
    let mut file = fs::OpenOptions::new().append(true).open(scene.disk(&id)).unwrap();
    io::Write::write_all(&mut file, b"more").unwrap();
    drop(file);
    assert_eq!(scene.get(&id).await.received, 10);
    scene.append(&id, 14, body(&[b"abcdef"])).await.unwrap();
    let stored = scene.after_check(&id).await;
    assert_eq!((stored.state, stored.sha256), (UploadState::Stored, Some(sha256(b"0123456789moreabcdef"))));
    assert_eq!(fs::read(scene.disk(&id)).unwrap(), b"0123456789moreabcdef");
}

#[tokio::test]
async fn a_person_has_100_unfinished_uploads_and_others_have_their_own() {
    let scene = Scene::set().await;
    let mut last = String::new();
    for _ in 0..100 {
        last = scene.new_upload(9, None).await.unwrap().id;
    }
    assert_eq!(conflict(&scene.new_upload(9, None).await.unwrap_err()), "too_many_unfinished");
    let other =
        Actor::User { id: UserId(2), email: "rui@desk.example".into(), name: String::new(), role: Role::Technician };
    let new = NewUpload { mailbox_id: scene.mailbox, name: "a".into(), bytes: 9, sha256: None, metadata: None };
    scene.gatepost.create_upload(&other, new).await.unwrap();
    scene.gatepost.delete_upload(&technician(), &last, None).await.unwrap();
    scene.new_upload(9, None).await.unwrap();
}

#[tokio::test]
async fn a_forms_file_that_was_noted_and_not_put_into_its_place_is_put_there_later() {
    let scene = Scene::set().await;
    let id = "11111111-2222-3333-4444-555555555555";
    let path = format!("uploads/{id}");
    let row = rows::NewUploadRow {
        id,
        mailbox_id: scene.mailbox,
        job_id: scene.job,
        name: "a.pst",
        origin: UploadOrigin::Multipart,
        path: &path,
        bytes: 5,
        received: 5,
        sha256_expected: None,
        metadata: None,
        created_by: "ana@desk.example",
        expires_at: None,
    };
    let piece = UploadPiece { offset: 0, bytes: 5, sha256: sha256(b"whole") };
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    assert!(rows::insert(&mut tx, &row, NOW).await.unwrap());
    pieces::add(&mut tx, id, &[piece]).await.unwrap();
    tx.commit().await.unwrap();
    fs::write(scene.disk(&format!("{id}.part")), b"whole").unwrap();
    scene.gatepost.tidy_uploads().await.unwrap();
    let stored = scene.after_check(id).await;
    assert_eq!((stored.state, stored.sha256), (UploadState::Stored, Some(sha256(b"whole"))));
    assert!(scene.disk(id).exists() && !scene.disk(&format!("{id}.part")).exists());
}

#[tokio::test]
async fn a_file_of_many_small_pieces_is_read_back_to_its_end() {
    let scene = Scene::set().await;
    let bytes: Vec<u8> = (0..2500_u32).map(|n| n.to_le_bytes()[0]).collect();
    let id = scene.new_upload(bytes.len(), None).await.unwrap().id;
    scene.append(&id, 0, body(&[&bytes[..2499]])).await.unwrap();
    let small: Vec<_> = (0..2499)
        .map(|at| UploadPiece { offset: at, bytes: 1, sha256: sha256(&bytes[usize::try_from(at).unwrap()..][..1]) })
        .collect();
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    pieces::add(&mut tx, &id, &small).await.unwrap();
    tx.commit().await.unwrap();
    scene.append(&id, 2499, body(&[&bytes[2499..]])).await.unwrap();
    assert_eq!(scene.after_check(&id).await.sha256, Some(sha256(&bytes)));
}

#[tokio::test]
async fn a_piece_that_the_disk_has_changed_is_found_and_comes_once_more() {
    let scene = Scene::set().await;
    let id = scene.new_upload(9, None).await.unwrap().id;
    for (n, part) in [b"one", b"two"].iter().enumerate() {
        scene.append(&id, n * 3, body(&[&part[..]])).await.unwrap();
    }
    fs::write(scene.disk(&id), b"oneTwo").unwrap();
    scene.append(&id, 6, body(&[b"six"])).await.unwrap();
    let fallen = scene.after_check(&id).await;
    assert_eq!((fallen.state, fallen.received), (UploadState::Receiving, 3));
    assert!(fallen.error.unwrap().contains("From byte 3"));
    assert_eq!(scene.offset(&id).await, 3);
    scene.append(&id, 3, body(&[b"twosix"])).await.unwrap();
    let stored = scene.after_check(&id).await;
    assert_eq!((stored.state, stored.sha256, stored.error), (UploadState::Stored, Some(sha256(b"onetwosix")), None));
}

#[tokio::test]
async fn a_file_that_is_not_the_one_its_sender_meant_is_refused_and_forgotten_when_removed() {
    let scene = Scene::set().await;
    let id = scene.new_upload(3, Some(&sha256(b"abc"))).await.unwrap().id;
    scene.append(&id, 0, body(&[b"xyz"])).await.unwrap();
    let refused = scene.after_check(&id).await;
    assert_eq!(refused.state, UploadState::Refused);
    assert!(refused.error.unwrap().contains(&sha256(b"xyz")));
    assert_eq!(scene.actions().await, ["upload.create", "upload.refuse"]);
    scene.gatepost.delete_upload(&technician(), &id, None).await.unwrap();
    assert!(matches!(scene.gatepost.upload(&technician(), &id).await, Err(Error::NotFound(_))));
    assert!(!scene.disk(&id).exists());
}

#[tokio::test]
async fn the_same_bytes_are_taken_into_a_mailbox_once() {
    let scene = Scene::set().await;
    assert_eq!(scene.whole(b"same").await.state, UploadState::Stored);
    let known = scene.new_upload(4, Some(&sha256(b"same"))).await.unwrap_err();
    assert_eq!(conflict(&known), "already_uploaded");
    let found = scene.whole(b"same").await;
    assert_eq!(found.state, UploadState::Deleted);
    assert!(found.error.unwrap().contains("archive.pst"));
    // The bytes go after the row tells so.
    for _ in 0..24_000 {
        if !scene.disk(&found.id).exists() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!scene.disk(&found.id).exists());
    let mut stream = body(&[b"same"]);
    let received = scene.gatepost.receive_file(&technician(), scene.job, None, &mut stream).await.unwrap();
    let kept = scene.gatepost.keep_file(&technician(), scene.job, scene.mailbox, "b.pst", None, received).await;
    assert_eq!(conflict(&kept.unwrap_err()), "already_uploaded");
    assert_eq!(fs::read_dir(scene.dir.path().join("data/uploads")).unwrap().count(), 1, "one file is left");
}

#[tokio::test]
async fn a_form_that_breaks_off_leaves_nothing_and_a_whole_one_is_stored() {
    let scene = Scene::set().await;
    let folder = scene.dir.path().join("data/uploads");
    let mut cut = cut_body(b"half");
    let broken = scene.gatepost.receive_file(&technician(), scene.job, Some(100), &mut cut).await.unwrap_err();
    assert_eq!(refusal(broken), UploadRefusal::FormCut);
    let mut empty = body(&[]);
    let empty = scene.gatepost.receive_file(&technician(), scene.job, None, &mut empty).await.unwrap_err();
    assert!(matches!(empty, Error::Invalid(_)));
    let mut unwanted = body(&[b"whole"]);
    drop(scene.gatepost.receive_file(&technician(), scene.job, None, &mut unwanted).await.unwrap());
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    let mut stream = body(&[b"who", b"le"]);
    let received = scene.gatepost.receive_file(&technician(), scene.job, Some(5), &mut stream).await.unwrap();
    let kept = scene
        .gatepost
        .keep_file(&technician(), scene.job, scene.mailbox, "../../a.pst", Some(&sha256(b"whole")), received)
        .await
        .unwrap();
    assert_eq!((kept.state, kept.name.as_str(), kept.bytes), (UploadState::Stored, "a.pst", 5));
}

#[tokio::test]
async fn a_full_disk_stops_an_upload_and_room_lets_it_go_on() {
    let scene = Scene::with(|config| config.upload_reserve_mb = Some(20)).await;
    let disk = |free: u64| scene.gatepost.shelf().room.measure_by(move |_| Ok(Space { free, total: 1 << 30 }));
    let reserve = 20 << 20;
    disk(reserve + 9);
    let refused = refusal(scene.new_upload(10, None).await.unwrap_err());
    assert_eq!(refused, UploadRefusal::NoSpace { free: reserve + 9, wanted: Some(10), awaited: 0, reserve });
    let large = vec![1; 10 << 20];
    disk(reserve + (16 << 20));
    let id = scene.new_upload(large.len(), None).await.unwrap().id;
    let promised = refusal(scene.new_upload(large.len(), None).await.unwrap_err());
    assert!(matches!(promised, UploadRefusal::NoSpace { awaited, .. } if awaited == 10 << 20), "{promised:?}");
    // One that nobody goes on with keeps no room.
    let mut tx = scene.gatepost.store().begin().await.unwrap();
    assert!(rows::set_received(&mut tx, &id, 0, None, None, NOW).await.unwrap());
    tx.commit().await.unwrap();
    let second = scene.new_upload(large.len(), None).await.unwrap().id;
    scene.gatepost.delete_upload(&technician(), &second, None).await.unwrap();
    // Somebody else fills the disk meanwhile.
    let looks = std::sync::atomic::AtomicU64::new(0);
    scene.gatepost.shelf().room.measure_by(move |_| {
        let seen = looks.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Ok(Space { free: if seen < 9 { reserve } else { reserve - 1 }, total: 1 << 30 })
    });
    let parts: Vec<&[u8]> = large.chunks(1 << 20).collect();
    let full = refusal(scene.append(&id, 0, body(&parts)).await.unwrap_err());
    assert_eq!(full, UploadRefusal::NoSpace { free: reserve - 1, wanted: None, awaited: 0, reserve });
    let there = usize::try_from(scene.offset(&id).await).unwrap();
    assert_eq!(there, 9 << 20, "what was written is kept");
    disk(reserve + (16 << 20));
    scene.append(&id, there, body(&[&large[there..]])).await.unwrap();
    assert_eq!(scene.after_check(&id).await.sha256, Some(sha256(&large)));
}

#[tokio::test]
async fn one_request_writes_at_a_time_and_the_next_goes_on_after_it() {
    let scene = Scene::set().await;
    let id = scene.new_upload(6, None).await.unwrap().id;
    let (send, receive) = tokio::sync::mpsc::channel::<io::Result<Bytes>>(1);
    let slow: UploadBody = Box::pin(futures::stream::unfold(receive, |mut receive| async {
        receive.recv().await.map(|next| (next, receive))
    }));
    let first = {
        let (gatepost, id) = (scene.gatepost.clone(), id.clone());
        tokio::spawn(async move { gatepost.append_upload(&technician(), &id, 0, None, slow).await })
    };
    send.send(Ok(Bytes::from_static(b"abc"))).await.unwrap();
    while scene.gatepost.shelf().writer(&id).is_none() {
        tokio::task::yield_now().await;
    }
    assert_eq!(refusal(scene.append(&id, 0, body(&[b"xyz"])).await.unwrap_err()), UploadRefusal::Locked);
    drop(send);
    first.await.unwrap().unwrap();
    scene.append(&id, 3, body(&[b"def"])).await.unwrap();
    assert_eq!(scene.after_check(&id).await.sha256, Some(sha256(b"abcdef")));
}

#[tokio::test]
async fn files_come_only_to_open_mailboxes_of_files_and_only_from_staff() {
    let scene = Scene::set().await;
    let server = scene.add_mailbox("rui@example.org", SourceType::Imap).await;
    let new = |mailbox_id, bytes| NewUpload { mailbox_id, name: "a".into(), bytes, sha256: None, metadata: None };
    let create = async |actor: &Actor, mailbox, bytes| scene.gatepost.create_upload(actor, new(mailbox, bytes)).await;
    let token = Actor::Token { id: TokenId(1), name: "t".into(), scopes: vec![Scope::JobsRead] };
    assert!(matches!(create(&token, scene.mailbox, 1).await, Err(Error::Forbidden(_))));
    assert_eq!(conflict(&create(&technician(), server, 1).await.unwrap_err()), "not_a_file_mailbox");
    assert!(matches!(create(&technician(), MailboxId(99), 1).await, Err(Error::Invalid(_))));
    for bytes in [0, -1] {
        assert!(matches!(create(&technician(), scene.mailbox, bytes).await, Err(Error::Invalid(_))), "{bytes}");
    }
    let most = 50_i64 << 30;
    assert_eq!(refusal(create(&technician(), scene.mailbox, most + 1).await.unwrap_err()).code(), "too_large");
    scene.phase(Phase::Discovered, Phase::Closed).await;
    assert_eq!(conflict(&create(&technician(), scene.mailbox, 1).await.unwrap_err()), "closed");
    for id in ["", "..", "../gatepost.db", "x", "00000000-0000-0000-0000-000000000000"] {
        assert!(matches!(scene.gatepost.upload(&technician(), id).await, Err(Error::NotFound(_))), "{id}");
    }
    assert!(scene.actions().await.is_empty());
}

#[test]
fn names_are_those_of_files_and_hide_nothing() {
    for (given, name) in [
        ("archive.pst", "archive.pst"),
        ("C:\\Users\\ana\\archive.pst", "archive.pst"),
        ("../../etc/passwd", "passwd"),
        ("a/", "a"),
        ("..", "file"),
        ("", "file"),
        ("a\0b\nc", "a\u{fffd}b\u{fffd}c"),
        ("tsp\u{202e}.exe", "tsp\u{fffd}.exe"),
        ("  Olá ção.pst ", "Olá ção.pst"),
    ] {
        assert_eq!(file_name(given), name, "{given:?}");
    }
    assert_eq!(file_name(&"x".repeat(4000)).chars().count(), 255);
}
