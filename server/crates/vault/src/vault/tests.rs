//! Sealing, opening, rotation, and what must never be seen.

use super::{Vault, generate_key};
use crate::{Sealed, SecretText, VaultError};

const PASSWORD: &str = "planted-Pässword \"\\\n\u{1}";

fn vault() -> Vault {
    Vault::from_keys(&generate_key()).unwrap()
}

#[test]
fn what_was_sealed_is_opened_again() {
    let vault = vault();
    for secret in [
        Sealed::password(PASSWORD.to_owned()),
        Sealed::oauth_token("ya29.token".to_owned()),
        Sealed { password: Some(String::new().into()), oauth_token: Some("t".repeat(100_000).into()) },
        Sealed::default(),
    ] {
        let blob = vault.seal(&secret);
        assert_eq!(vault.open(&blob).unwrap(), secret);
        assert_ne!(vault.seal(&secret), blob, "two seals differ");
    }
}

#[test]
fn a_blob_is_a_fernet_token_around_the_json_of_the_data_model() {
    let key = generate_key();
    let blob = Vault::from_keys(&key).unwrap().seal(&Sealed::password("geheim".to_owned()));
    let inside = fernet::Fernet::new(&key).unwrap().decrypt(std::str::from_utf8(&blob).unwrap()).unwrap();
    assert_eq!(inside, br#"{"password":"geheim","oauth_token":null}"#);
}

#[test]
fn a_token_of_the_fernet_specification_is_decrypted() {
    // generate.json of the specification.
    let vault = Vault::from_keys("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=").unwrap();
    let token = b"gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";
    assert_eq!(vault.decrypt(token).unwrap().as_slice(), b"hello");
    assert!(matches!(vault.open(token), Err(VaultError::Malformed)));
}

#[test]
fn the_buffer_for_the_json_never_grows() {
    for text in ["", "plain", PASSWORD, "\u{0}\u{1}\u{1f}\u{7f}", "\"\\\"\\"] {
        let secret = Sealed { password: Some(text.to_owned().into()), oauth_token: Some(text.to_owned().into()) };
        assert!(serde_json::to_vec(&secret).unwrap().len() <= secret.json_capacity(), "{text:?}");
    }
}

#[test]
fn any_of_several_keys_opens_and_the_first_seals() {
    let (old, new) = (generate_key(), generate_key());
    let blob = Vault::from_keys(&old).unwrap().seal(&Sealed::password(PASSWORD.to_owned()));
    let both = Vault::from_keys(&format!(" {new} ,{old},\n")).unwrap();
    assert_eq!(both.keys(), 2);
    assert_eq!(both.open(&blob).unwrap(), Sealed::password(PASSWORD.to_owned()));

    let sealed_by_both = both.seal(&Sealed::default());
    let only_new = Vault::from_keys(&new).unwrap();
    assert!(only_new.open(&sealed_by_both).is_ok());
    assert!(matches!(only_new.open(&blob), Err(VaultError::NotOpened)));
}

#[test]
fn rotation_makes_old_keys_needless() {
    let (old, new) = (generate_key(), generate_key());
    let secret = Sealed::password(PASSWORD.to_owned());
    let blob = Vault::from_keys(&old).unwrap().seal(&secret);
    let both = Vault::from_keys(&format!("{new},{old}")).unwrap();
    assert!(both.needs_rotation(&blob));

    let rotated = both.rotate(&blob).unwrap();
    assert!(!both.needs_rotation(&rotated));
    assert_eq!(Vault::from_keys(&new).unwrap().open(&rotated).unwrap(), secret);
    assert!(matches!(Vault::from_keys(&new).unwrap().rotate(&blob), Err(VaultError::NotOpened)));
}

#[test]
fn a_blob_altered_at_any_place_is_refused() {
    let vault = vault();
    let blob = vault.seal(&Sealed::password(PASSWORD.to_owned()));
    for at in 0..blob.len() {
        let mut altered = blob.clone();
        if altered[at] == b'=' {
            continue;
        }
        altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
        // The last character of Base64 may carry bits that are not used; then the bytes are the same or it is refused.
        match vault.open(&altered) {
            Err(VaultError::NotOpened) => {}
            Ok(secret) if at >= blob.len() - 3 => assert_eq!(secret, Sealed::password(PASSWORD.to_owned())),
            other => panic!("altered at {at}: {other:?}"),
        }
    }
    for cut in 0..blob.len() - 4 {
        assert!(matches!(vault.open(&blob[..cut]), Err(VaultError::NotOpened)), "cut at {cut}");
    }
    for foreign in [&b""[..], b"\xff\xfe", b"not base64!", b"gAAAAA=="] {
        assert!(matches!(vault.open(foreign), Err(VaultError::NotOpened)), "{foreign:?}");
    }
}

#[test]
fn a_content_that_is_not_ours_is_refused_without_being_quoted() {
    let key = generate_key();
    let fernet = fernet::Fernet::new(&key).unwrap();
    for content in [r#""planted""#, r#"{"password": ["planted"]}"#, r#"{"planted"#, ""] {
        let blob = fernet.encrypt(content.as_bytes()).into_bytes();
        let error = Vault::from_keys(&key).unwrap().open(&blob).unwrap_err();
        assert!(matches!(error, VaultError::Malformed), "{content}: {error}");
        assert!(!format!("{error} {error:?}").contains("planted"));
    }
}

#[test]
fn a_wrong_key_is_named_by_its_place_and_never_shown() {
    let good = generate_key();
    let short = "planted-c2VjcmV0";
    let long = format!("{good}planted");
    for (keys, position) in [
        (short.to_owned(), 1),
        (format!("{good},{short}"), 2),
        (format!("{good},{good},{long}"), 3),
        ("planted with blanks".to_owned(), 1),
    ] {
        let error = Vault::from_keys(&keys).unwrap_err();
        assert!(matches!(&error, VaultError::BadKey { position: p, .. } if *p == position), "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("MIGRATION_CREDENTIALS_KEY"), "{shown}");
        assert!(!shown.contains("planted") && !shown.contains(&good), "{shown}");
    }
    for none in ["", " ", ",", " , \n,"] {
        let error = Vault::from_keys(none).unwrap_err();
        assert!(matches!(error, VaultError::NoKey { .. }));
        assert!(error.to_string().contains("MIGRATION_CREDENTIALS_KEY"), "{error}");
    }
}

#[test]
fn debug_shows_neither_keys_nor_secrets() {
    let key = generate_key();
    let vault = Vault::from_keys(&key).unwrap();
    assert_eq!(format!("{vault:?}"), "Vault { keys: 1 }");
    let secret = Sealed { password: Some("planted".to_owned().into()), oauth_token: Some("planted".to_owned().into()) };
    for shown in [format!("{secret:?}"), format!("{secret:#?}"), format!("{:?}", SecretText::new("planted".to_owned()))]
    {
        assert!(!shown.contains("planted") && shown.contains("[secret]"), "{shown}");
    }
    let opened = format!("{:?}", vault.open(&vault.seal(&secret)));
    assert!(!opened.contains("planted"), "{opened}");
}

#[test]
fn the_error_for_a_foreign_blob_says_what_to_do() {
    let blob = vault().seal(&Sealed::password(PASSWORD.to_owned()));
    let message = vault().open(&blob).unwrap_err().to_string();
    assert!(message.contains("another key") && message.contains("MIGRATION_CREDENTIALS_KEY"), "{message}");
}
