//! Files that come to one mailbox at the same moment.

use super::*;
use crate::uploads::while_taken;
use std::cell::Cell;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn different_files_that_come_to_one_mailbox_at_once_all_arrive() {
    let scene = Scene::set().await;
    let files: Vec<Vec<u8>> = (0..6_u8).map(|n| vec![n; 1_000 + usize::from(n)]).collect();
    // All bytes are there before the first is anybody's, so that they come to the mailbox together.
    let mut received = Vec::new();
    for file in &files {
        let mut stream = body(&[file]);
        received.push(scene.gatepost.receive_file(&technician(), scene.job, None, &mut stream).await.unwrap());
    }
    let keeping: Vec<_> = received
        .into_iter()
        .enumerate()
        .map(|(n, received)| {
            let (gatepost, job, mailbox) = (scene.gatepost.clone(), scene.job, scene.mailbox);
            tokio::spawn(async move {
                gatepost.keep_file(&technician(), job, mailbox, &format!("{n}.pst"), None, received).await
            })
        })
        .collect();
    let pieces = scene.new_upload(9, None);
    let (begun, kept) = tokio::join!(pieces, futures::future::join_all(keeping));
    let mut slots = vec![begun.unwrap().slot];
    for (kept, file) in kept.into_iter().zip(&files) {
        let kept = kept.unwrap().unwrap();
        assert_eq!((kept.state, kept.sha256.as_deref()), (UploadState::Stored, Some(sha256(file).as_str())));
        assert_eq!(&fs::read(scene.disk(&kept.id)).unwrap(), file);
        slots.push(kept.slot);
    }
    slots.sort_unstable();
    assert_eq!(slots, [0, 1, 2, 3, 4, 5, 6], "each has a number of its own");
    assert_eq!(scene.gatepost.uploads_of(&technician(), scene.mailbox).await.unwrap().len(), 7);
}

#[tokio::test]
async fn a_number_that_others_take_is_asked_for_again_and_not_for_ever() {
    let tries = Cell::new(0);
    let free_at = |at: u32| {
        let tries = &tries;
        tries.set(0);
        while_taken(move || {
            tries.set(tries.get() + 1);
            let free = tries.get() == at;
            async move { Ok(free.then_some(at)) }
        })
    };
    assert_eq!(free_at(3).await.unwrap(), 3);
    assert_eq!(tries.get(), 3);
    let busy = free_at(u32::MAX).await.unwrap_err();
    assert_eq!((conflict(&busy), tries.get()), ("busy", 10));
    tries.set(0);
    let failed = while_taken::<(), _>(|| {
        tries.set(tries.get() + 1);
        async { Err(Error::NotFound("file")) }
    });
    assert!(matches!(failed.await, Err(Error::NotFound("file"))));
    assert_eq!(tries.get(), 1, "a fault is none of the others'");
}

#[tokio::test]
async fn a_file_that_finds_its_place_taken_every_time_is_refused_with_a_sentence() {
    let scene = Scene::set().await;
    let there = scene.new_upload(9, None).await.unwrap();
    // Its id is taken too, which no number after it helps against.
    let row = rows::NewUploadRow {
        id: &there.id,
        mailbox_id: scene.mailbox,
        job_id: scene.job,
        name: "b.pst",
        origin: UploadOrigin::Multipart,
        path: "uploads/b",
        bytes: 5,
        received: 5,
        sha256_expected: None,
        metadata: None,
        created_by: "ana@desk.example",
        expires_at: None,
    };
    let busy = scene.gatepost.insert_upload(&technician(), &row, &[]).await.unwrap_err();
    let problem = busy.problem();
    assert_eq!((problem.status, problem.code.as_str()), (409, "busy"), "{problem:?}");
    assert!(busy.to_string().contains("at the same moment. Try again."), "{busy}");
    assert_eq!(scene.gatepost.uploads_of(&technician(), scene.mailbox).await.unwrap().len(), 1);
    // Nothing is left of it that would stand in the way of the next.
    assert_eq!(scene.new_upload(9, None).await.unwrap().slot, there.slot + 1);
}
