//! The key file on a real file system.

use super::{KeyOrigin, drop_old_keys, rotate_file};
use crate::{Sealed, Vault, VaultError, generate_key};
use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    sync::Barrier,
};
use tempfile::TempDir;

fn place() -> (TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("vault.key");
    (directory, path)
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn put(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn names_in(directory: &Path) -> Vec<String> {
    fs::read_dir(directory).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
}

fn secret() -> Sealed {
    Sealed::password("planted".to_owned())
}

#[test]
fn the_first_start_makes_a_key_file_that_only_its_owner_reads() {
    let (directory, _) = place();
    let path = directory.path().join("data").join("vault.key");
    let (vault, origin) = Vault::load_or_create(None, &path).unwrap();
    assert_eq!(origin, KeyOrigin::Created(path.clone()));
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    assert_eq!(names_in(path.parent().unwrap()), ["vault.key"], "nothing else is left");

    let blob = vault.seal(&secret());
    let content = fs::read(&path).unwrap();
    let (again, origin) = Vault::load_or_create(None, &path).unwrap();
    assert_eq!(origin, KeyOrigin::File(path.clone()));
    assert_eq!(again.open(&blob).unwrap(), secret());
    assert_eq!(fs::read(&path).unwrap(), content, "a second start changes nothing");
}

#[test]
fn the_environment_comes_before_the_key_file() {
    let (directory, path) = place();
    let key = generate_key();
    let (vault, origin) = Vault::load_or_create(Some(&key), &path).unwrap();
    assert_eq!(origin, KeyOrigin::Environment);
    assert!(Vault::from_keys(&key).unwrap().open(&vault.seal(&secret())).is_ok());
    assert!(names_in(directory.path()).is_empty(), "no key file is made");

    assert!(matches!(Vault::load_or_create(Some("no key"), &path), Err(VaultError::BadKey { .. })));
    assert!(names_in(directory.path()).is_empty(), "a wrong variable does not fall back to a file");

    let (_, origin) = Vault::load_or_create(Some(" "), &path).unwrap();
    assert_eq!(origin, KeyOrigin::Created(path), "a blank variable is not set");
}

#[test]
fn a_key_file_that_others_can_read_is_refused() {
    let (_directory, path) = place();
    let key = generate_key();
    for exposed in [0o644, 0o640, 0o604, 0o660, 0o610, 0o602] {
        put(&path, key.as_bytes(), exposed);
        let error = Vault::load_or_create(None, &path).unwrap_err();
        let message = error.to_string();
        assert!(matches!(error, VaultError::Exposed { mode, .. } if mode == exposed), "{exposed:o}: {message}");
        assert!(message.contains(&format!("run `chmod 600 {}`", path.display())), "{message}");
        assert!(matches!(rotate_file(&path), Err(VaultError::Exposed { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), key);
    }
    for closed in [0o600, 0o400] {
        put(&path, key.as_bytes(), 0o600);
        fs::set_permissions(&path, Permissions::from_mode(closed)).unwrap();
        assert!(Vault::from_key_file(&path).is_ok(), "{closed:o}");
    }
}

#[test]
fn a_key_file_that_holds_no_key_is_never_replaced() {
    let (directory, path) = place();
    let good = generate_key();
    let second_is_bad = format!("{good}\nplanted\n");
    for content in [&b""[..], b"\n", b"planted", second_is_bad.as_bytes(), b"\xff\xfe planted"] {
        put(&path, content, 0o600);
        for error in [Vault::load_or_create(None, &path).unwrap_err(), rotate_file(&path).unwrap_err()] {
            let shown = format!("{error} {error:?}");
            assert!(shown.contains("vault.key"), "{shown}");
            assert!(!shown.contains("planted") && !shown.contains(&good), "{shown}");
        }
        assert_eq!(fs::read(&path).unwrap(), content);
        assert_eq!(names_in(directory.path()), ["vault.key"]);
    }
}

#[test]
fn a_place_that_cannot_hold_a_key_file_is_named() {
    let (directory, path) = place();
    fs::create_dir(&path).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o700)).unwrap();
    let error = Vault::load_or_create(None, &path).unwrap_err();
    assert!(matches!(error, VaultError::File { what: "read", .. }), "{error}");

    let below_a_file = directory.path().join("file");
    fs::write(&below_a_file, "").unwrap();
    let error = Vault::load_or_create(None, &below_a_file.join("vault.key")).unwrap_err();
    assert!(error.to_string().contains("vault.key"), "{error}");
}

#[test]
fn processes_that_start_together_agree_on_one_key() {
    let (directory, path) = place();
    let starts = 8;
    let barrier = Barrier::new(starts);
    let vaults: Vec<(Vault, KeyOrigin)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..starts)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    Vault::load_or_create(None, &path).unwrap()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let blob = vaults[0].0.seal(&secret());
    assert!(vaults.iter().all(|(vault, _)| vault.open(&blob).is_ok()));
    let made = vaults.iter().filter(|(_, origin)| matches!(origin, KeyOrigin::Created(_))).count();
    assert_eq!(made, 1);
    assert_eq!(names_in(directory.path()), ["vault.key"]);
}

#[test]
fn a_rotation_puts_a_new_key_in_front_and_keeps_the_old() {
    let (directory, path) = place();
    let (old, _) = Vault::load_or_create(None, &path).unwrap();
    let blob = old.seal(&secret());
    let before = fs::read_to_string(&path).unwrap();

    let rotated = rotate_file(&path).unwrap();
    assert_eq!(rotated.keys(), 2);
    assert!(rotated.needs_rotation(&blob));
    assert_eq!(rotated.open(&blob).unwrap(), secret());
    assert_eq!(mode(&path), 0o600);
    assert!(fs::read_to_string(&path).unwrap().ends_with(&before));
    assert_eq!(names_in(directory.path()), ["vault.key"]);

    let blob = rotated.rotate(&blob).unwrap();
    let kept = drop_old_keys(&path).unwrap();
    assert_eq!(kept.keys(), 1);
    assert_eq!(Vault::from_key_file(&path).unwrap().open(&blob).unwrap(), secret());
    assert!(old.open(&blob).is_err());
}

#[test]
fn a_second_rotation_at_the_same_time_is_refused() {
    let (directory, path) = place();
    Vault::load_or_create(None, &path).unwrap();
    let content = fs::read(&path).unwrap();
    let under_way = directory.path().join("vault.key.new");
    fs::write(&under_way, "").unwrap();
    let error = rotate_file(&path).unwrap_err();
    assert!(matches!(&error, VaultError::Rotating { .. }), "{error}");
    assert!(error.to_string().contains("vault.key.new"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), content);
    assert!(under_way.exists(), "the other rotation's file is left alone");

    fs::remove_file(&under_way).unwrap();
    assert!(rotate_file(&path).is_ok());
}

#[test]
fn a_link_to_a_key_file_stays_a_link() {
    let (directory, path) = place();
    Vault::load_or_create(None, &path).unwrap();
    let link = directory.path().join("link");
    symlink(&path, &link).unwrap();
    assert_eq!(rotate_file(&link).unwrap().keys(), 2);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(Vault::from_key_file(&path).unwrap().keys(), 2);
}
