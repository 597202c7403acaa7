//! How files go: removed by a person, when their time is over, or as leftovers.

use super::*;

#[tokio::test]
async fn removing_an_upload_ends_whoever_writes_to_it() {
    let scene = Scene::set().await;
    let id = scene.new_upload(6, None).await.unwrap().id;
    let endless: UploadBody = Box::pin(futures::stream::pending());
    let writer = {
        let (gatepost, id) = (scene.gatepost.clone(), id.clone());
        tokio::spawn(async move { gatepost.append_upload(&technician(), &id, 0, None, endless).await })
    };
    while scene.gatepost.shelf().writer(&id).is_none() {
        tokio::task::yield_now().await;
    }
    scene.gatepost.delete_upload(&technician(), &id, None).await.unwrap();
    assert!(writer.await.unwrap().is_err());
    assert!(!scene.disk(&id).exists());
    assert!(matches!(scene.gatepost.upload(&technician(), &id).await, Err(Error::NotFound(_))));
}

#[tokio::test]
async fn a_file_that_was_copied_from_goes_only_on_purpose_until_its_job_is_verified() {
    let scene = Scene::set().await;
    let upload = scene.whole(b"first").await;
    scene.no_runs().await;
    scene.copy_one_message_of(&upload).await;
    let kept = scene.gatepost.delete_upload(&technician(), &upload.id, None).await.unwrap_err();
    assert_eq!(conflict(&kept), "copied_from");
    scene.phase(Phase::Discovered, Phase::Verified).await;
    scene.gatepost.delete_upload(&technician(), &upload.id, None).await.unwrap();
    let gone = scene.get(&upload.id).await;
    assert!(gone.state == UploadState::Deleted && gone.deleted_at.is_some() && !scene.disk(&upload.id).exists());
    let twice = scene.gatepost.delete_upload(&technician(), &upload.id, None).await.unwrap_err();
    assert_eq!(refusal(twice), UploadRefusal::Deleted);

    scene.phase(Phase::Verified, Phase::FinalSync).await;
    let second = scene.whole(b"second").await;
    assert_eq!(second.slot, 1, "the number of a file that was whole is never given again");
    let running = scene.gatepost.delete_upload(&technician(), &second.id, Some("a wrong export")).await;
    // The run that is to read it through may be queued by now.
    if let Err(error) = running {
        assert_eq!(conflict(&error), "already_running");
        scene.no_runs().await;
        scene.gatepost.delete_upload(&technician(), &second.id, Some("a wrong export")).await.unwrap();
    }
    assert!(!scene.disk(&second.id).exists());
}

#[tokio::test]
async fn a_file_that_holds_mail_goes_before_its_proof_only_with_a_reason_that_the_gate_shows() {
    let scene = Scene::set().await;
    let upload = scene.whole(b"never copied from").await;
    scene.no_runs().await;
    scene.read(&upload.id, 7, NOW).await;
    let kept = scene.gatepost.delete_upload(&technician(), &upload.id, None).await.unwrap_err();
    assert_eq!(conflict(&kept), "copied_from");
    let unexplained = scene.gatepost.delete_upload(&technician(), &upload.id, Some("  ")).await.unwrap_err();
    assert!(matches!(unexplained, Error::Invalid(_)));
    assert_eq!(scene.get(&upload.id).await.state, UploadState::Ready);
    scene.gatepost.delete_upload(&technician(), &upload.id, Some("the wrong person's")).await.unwrap();
    assert_eq!(scene.get(&upload.id).await.state, UploadState::Deleted);
    let told = async || {
        let mut conn = scene.gatepost.store().reader().await.unwrap();
        crate::files::amiss(&mut conn, scene.mailbox, None).await.unwrap()
    };
    let removed = told().await.removed;
    assert!(removed.len() == 1 && removed[0].ends_with(": the wrong person's"), "{removed:?}");
    scene.whole(b"never copied from").await;
    assert!(told().await.removed.is_empty(), "the same bytes are there again");
}

#[tokio::test]
async fn files_are_removed_when_their_time_is_over_and_not_before() {
    let scene = Scene::set().await;
    let unfinished = scene.new_upload(9, None).await.unwrap().id;
    let finished = scene.whole(b"whole").await.id;
    scene.no_runs().await;
    let days = |days: i64| OffsetDateTime::now_utc() + time::Duration::days(days);
    scene.gatepost.expire_uploads(days(6)).await.unwrap();
    assert_eq!(scene.get(&unfinished).await.state, UploadState::Receiving);
    scene.gatepost.expire_uploads(days(8)).await.unwrap();
    let late = scene.get(&unfinished).await;
    assert_eq!((late.state, late.expires_at), (UploadState::Refused, None), "only a person forgets it");
    assert!(late.error.unwrap().contains("did not arrive in time") && !scene.disk(&unfinished).exists());
    scene.gatepost.expire_uploads(days(3000)).await.unwrap();
    assert_eq!(scene.get(&unfinished).await.state, UploadState::Refused);
    assert_eq!(scene.get(&finished).await.state, UploadState::Stored, "its job goes on");

    scene.phase(Phase::Discovered, Phase::Verified).await;
    scene.gatepost.expire_uploads(days(3000)).await.unwrap();
    assert_eq!(scene.get(&finished).await.state, UploadState::Stored, "nobody has read it");
    scene.read(&finished, 0, NOW).await;
    scene.gatepost.expire_uploads(days(-3000)).await.unwrap();
    let at = scene.get(&finished).await.expires_at.unwrap();
    assert!(at.starts_with("2026-12-21T04:12"), "30 days after the job was verified: {at}");
    scene.read(&finished, 0, "2027-01-01T00:00:00.000Z").await;
    scene.gatepost.expire_uploads(days(-3000)).await.unwrap();
    let at = scene.get(&finished).await.expires_at.unwrap();
    assert!(at.starts_with("2027-01-31T00:00"), "30 days after it was read: {at}");
    scene.gatepost.expire_uploads(days(3000)).await.unwrap();
    assert_eq!(scene.get(&finished).await.state, UploadState::Deleted);
    assert!(!scene.disk(&finished).exists());

    let keeping = Scene::with(|config| config.upload_retention_days = 0).await;
    let kept = keeping.whole(b"kept").await.id;
    keeping.no_runs().await;
    keeping.read(&kept, 0, NOW).await;
    keeping.phase(Phase::Discovered, Phase::Closed).await;
    keeping.gatepost.expire_uploads(days(3000)).await.unwrap();
    assert_eq!(keeping.get(&kept).await.state, UploadState::Ready);
}

#[tokio::test]
async fn leftovers_of_forms_and_of_removed_files_are_tidied_and_strangers_left_alone() {
    let scene = Scene::set().await;
    let folder = scene.dir.path().join("data/uploads");
    let stranger = "11111111-2222-3333-4444-555555555555";
    for name in [format!("{stranger}.part"), stranger.to_owned(), "notes.txt".into()] {
        fs::write(folder.join(name), b"x").unwrap();
    }
    let removed = scene.whole(b"whole").await;
    scene.no_runs().await;
    scene.gatepost.delete_upload(&technician(), &removed.id, None).await.unwrap();
    fs::write(folder.join(format!("{}.catalogue", removed.id)), b"x").unwrap();
    let mut stream = body(&[b"form"]);
    let held = scene.gatepost.receive_file(&technician(), scene.job, None, &mut stream).await.unwrap();
    scene.gatepost.tidy_uploads().await.unwrap();
    let left = |folder: &PathBuf| {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(left(&folder).len(), 3, "{:?}", left(&folder));
    drop(held);
    assert_eq!(left(&folder), [stranger, "notes.txt"]);
}

#[tokio::test]
async fn pieces_of_an_unfinished_upload_go_with_it() {
    let scene = Scene::set().await;
    let id = scene.new_upload(9, None).await.unwrap().id;
    scene.append(&id, 0, body(&[b"abc"])).await.unwrap();
    scene.gatepost.delete_upload(&technician(), &id, None).await.unwrap();
    let mut conn = scene.gatepost.store().reader().await.unwrap();
    assert!(pieces::list(&mut conn, &id, 0, 9).await.unwrap().is_empty());
    assert!(rows::get(&mut conn, &id).await.unwrap().is_none());
}
