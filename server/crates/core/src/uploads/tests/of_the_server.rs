//! Files that lie on the server already.

use super::*;

#[tokio::test]
async fn files_of_the_server_are_taken_from_the_open_folder_and_from_nowhere_else() {
    let scene = Scene::set().await;
    let import = scene.dir.path().join("import");
    fs::create_dir(import.join("sub")).unwrap();
    fs::write(import.join("sub/archive.pst"), b"a file of the server").unwrap();
    fs::write(import.join("empty.pst"), b"").unwrap();
    fs::write(scene.dir.path().join("outside.pst"), b"outside").unwrap();
    std::os::unix::fs::symlink(scene.dir.path().join("outside.pst"), import.join("leads-out.pst")).unwrap();
    std::os::unix::fs::symlink(scene.dir.path(), import.join("up")).unwrap();
    std::os::unix::fs::symlink("sub/archive.pst", import.join("inside.pst")).unwrap();
    let add = async |path: &str| {
        scene.gatepost.add_server_file(&technician(), scene.mailbox, ServerFile { path: path.into() }).await
    };
    let outside = scene.dir.path().join("outside.pst");
    let database = scene.dir.path().join("data/gatepost.db");
    for path in [
        "",
        ".",
        "/",
        "..",
        "../outside.pst",
        "sub/../../outside.pst",
        "leads-out.pst",
        "up/outside.pst",
        "/etc/passwd",
        "sub",
        "empty.pst",
        "missing.pst",
        "sub/archive.pst/",
        "sub/archive.pst\0.txt",
        "a\nb",
        "/dev/zero",
        "up/data/gatepost.db",
        outside.to_str().unwrap(),
        database.to_str().unwrap(),
    ] {
        assert!(matches!(add(path).await, Err(Error::Invalid(_))), "{path:?}");
    }
    let taken = add("inside.pst").await.unwrap();
    assert_eq!((taken.state, taken.name.as_str()), (UploadState::Stored, "archive.pst"));
    assert_eq!(taken.sha256, Some(sha256(b"a file of the server")));
    assert_eq!(conflict(&add("sub/archive.pst").await.unwrap_err()), "already_uploaded");
    fs::copy(import.join("sub/archive.pst"), import.join("copy.pst")).unwrap();
    assert_eq!(conflict(&add("copy.pst").await.unwrap_err()), "already_uploaded");
    scene.no_runs().await;
    scene.gatepost.delete_upload(&technician(), &taken.id, None).await.unwrap();
    assert!(import.join("sub/archive.pst").exists(), "a file of the server stays where it is");

    let closed = Scene::with(|config| config.import_path = None).await;
    let off = closed.gatepost.add_server_file(&technician(), closed.mailbox, ServerFile { path: "a".into() }).await;
    assert_eq!(refusal(off.unwrap_err()), UploadRefusal::NoImportPath);
}

#[tokio::test]
async fn a_folder_of_the_server_has_a_digest_of_all_its_files_and_is_missed_when_it_moves() {
    let scene = Scene::set().await;
    let mailbox = scene.add_mailbox("eml@example.org", SourceType::Eml).await;
    let folder = scene.dir.path().join("import/mail");
    fs::create_dir_all(folder.join("cur")).unwrap();
    fs::write(folder.join("cur/1"), b"one").unwrap();
    fs::write(folder.join("cur/2"), b"two").unwrap();
    let file = || ServerFile { path: "mail".into() };
    let first = scene.gatepost.add_server_file(&technician(), mailbox, file()).await.unwrap();
    assert_eq!((first.state, first.bytes), (UploadState::Stored, 6));
    let row = scene.gatepost.upload_row(&first.id).await.unwrap();
    assert_eq!(scene.gatepost.upload_files(&row).unwrap().bytes, folder.canonicalize().unwrap());
    scene.no_runs().await;
    scene.gatepost.delete_upload(&technician(), &first.id, None).await.unwrap();
    let contents = crate::uploads::server_file::contents(&scene.dir.path().join("import"), &folder.join("cur/none"));
    assert!(contents.err().unwrap().starts_with("mail/cur/none cannot be read"), "the path begins at the open folder");
    fs::write(folder.join("cur/2"), b"tw0").unwrap();
    let second = scene.gatepost.add_server_file(&technician(), mailbox, file()).await.unwrap();
    assert_ne!(first.sha256, second.sha256);
    fs::rename(&folder, scene.dir.path().join("import/moved")).unwrap();
    std::os::unix::fs::symlink(scene.dir.path().join("import/moved"), &folder).unwrap();
    let row = scene.gatepost.upload_row(&second.id).await.unwrap();
    assert_eq!(conflict(&scene.gatepost.upload_files(&row).unwrap_err()), "moved");
}
