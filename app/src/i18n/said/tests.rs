//! What is said, against what the server's sources say.

mod sources;

use super::{PORTUGUESE, said, said_of};
use crate::i18n::Locale;
use gatepost_contract::{FieldError, Problem};
use leptos::prelude::{Owner, provide_context};
use sources::{WORD, read, sentences, spoken};
use std::path::Path;

const HOLES: [char; 3] = ['…', '#', '§'];

#[test]
fn what_core_says_every_day_is_said_in_portuguese_and_the_rest_stays() {
    let owner = Owner::new();
    owner.with(|| {
        provide_context(Locale::pt_BR);
        let two = ["a", "b"].map(|field| FieldError { field: field.to_owned(), message: "x".to_owned() });
        for text in
            [Problem::not_found("job").detail, Problem::invalid(two.to_vec()).detail, Problem::internal().detail]
        {
            assert_ne!(said(&text), text);
        }
        assert_eq!(said("must be between 1 and 65535"), "deve ficar entre 1 e 65535");
        assert_eq!(said("An unheard sentence."), "An unheard sentence.");
    });
    let owner = Owner::new();
    owner.with(|| {
        provide_context(Locale::en);
        assert_eq!(said("must not be empty"), "must not be empty");
    });
}

#[test]
fn what_schedules_waves_pauses_consents_and_runs_say_is_said_in_portuguese_as_a_whole() {
    for text in [
        "Caught up 61 minutes late: Gatepost was not at work then. 2 of 5 mailboxes; left alone: 1 still at work, 2 paused.",
        "Gatepost was not at work then, and when it was again it was too late. So it was 3 times more before that.",
        "The host mail.example is paused by lia@desk.test since 2026-11-21 20:00 UTC: Energia.",
        "The wave Bakeries works on 2 mailboxes at once; this one waits for its turn.",
        "The consent for ana@x.test has expired. The consent was revoked or has lapsed. The consent must be given again. \
         Renew the consent at https://desk.test/mailboxes/6/consent, then start the run again.",
        "90 messages copied in 19 folders, 3 there before, 1 refused.",
        "Cancelled: 90 messages copied in 19 folders. The next run goes on from there.",
        "90 of 90 messages arrived; 0 missing, 0 refused, 0 waived, 0 changed. The bytes of 90 were compared: all that can be.",
        "Ready to copy: 90 messages in 19 folders, 1300000 bytes. 2 warnings; see the log.",
        "All 90 messages of 2 mailboxes have arrived.",
        "19 folders of 1 mailbox mapped and read on both sides.",
        "The last delta ended well 45 minutes ago and left nothing to be copied.",
        "Blocked: The initial sync has not ended for every mailbox; run it, then a delta; also failing: “Delta recent”, “Inbox complete”.",
        "Blocked by “Messages arrived”: Below the required 99 %: j@x.test (1 quarantined); the worst, j@x.test has 39 of 40 \
         messages at the new server (97.50 %). Run a delta, work the quarantine and verify again; also failing: \
         “Quarantine empty”.",
        "2 copied, 1 there before",
    ] {
        let pieces = PORTUGUESE.pieces(text);
        assert!(pieces.iter().all(|piece| piece.known), "{pieces:?}");
        let said = PORTUGUESE.say(text);
        for english in [" the ", " was ", " of ", " messages", " paused", "Run ", " and "] {
            assert!(!said.contains(english), "{english:?} in {said:?}");
        }
    }
}

#[test]
fn both_languages_have_the_same_holes_in_the_same_order() {
    let here = said_of(include_str!("../../../locales/pt-BR.json"));
    let english = said_of(include_str!("../../../locales/en.json"));
    assert!(english.len() > 250, "{}", english.len());
    let holes = |text: &str| text.chars().filter(|c| HOLES.contains(c)).collect::<String>();
    for (key, pattern) in &english {
        let said = here.get(key).unwrap_or_else(|| panic!("{key} is not in Portuguese"));
        assert!(holes(pattern).starts_with(&holes(said)), "{key}: {pattern:?}, {said:?}");
        assert_ne!(holes(pattern), *pattern, "{key} would be any text");
    }
}

/// A sentence that core says otherwise by now would silently be English again.
#[test]
fn every_sentence_is_one_that_the_server_says() {
    let mut sources = String::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for root in ["../server/src", "../server/crates", "contract/src", "src/serverfns"] {
        read(&here.join(root), &mut |_, text| sources.push_str(&spoken(text)));
    }
    let said = said_of(include_str!("../../../locales/en.json"));
    let mut strange = Vec::new();
    for (key, pattern) in &said {
        for part in pattern.split(HOLES) {
            let part = part.trim_matches(|c: char| !c.is_alphanumeric());
            if !sources.contains(part) {
                strange.push(format!("{key}: {part:?}"));
            }
        }
    }
    assert!(strange.is_empty(), "the server does not say: {strange:#?}");
}

/// Where everything that ends with a full stop is read by people: faults of mail servers, causes, refusals of files and
/// what is found in them.
const SPOKEN: [&str; 13] = [
    "archive/src/detect.rs",
    "core/src/uploads/refusal.rs",
    "core/src/webhooks/attempt.rs",
    "courier/src",
    "imap/src/append.rs",
    "imap/src/faults.rs",
    "imap/src/folders.rs",
    "imap/src/login.rs",
    "imap/src/net",
    "imap/src/sasl.rs",
    "pst/src",
    "transfer/src/verify/bodies.rs",
    "transfer/src/verify/compare.rs",
];

/// A new sentence at these places would be English on a Portuguese page.
#[test]
fn what_people_read_of_servers_and_files_is_said_in_portuguese() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../server/crates");
    let (mut found, mut english) = (0, Vec::new());
    for place in SPOKEN {
        read(&crates.join(place), &mut |path, text| {
            if path.components().any(|part| ["tests", "tests.rs"].iter().any(|name| part.as_os_str() == *name)) {
                return;
            }
            for sentence in sentences(text) {
                found += 1;
                // What a part of it is, is not known here: a number or a word, which only somebody else's words may be.
                let known = sentence.ways.iter().any(|way| {
                    let pieces = PORTUGUESE.pieces(way);
                    let mut strange = pieces.iter().filter(|piece| !piece.known);
                    strange.all(|piece| piece.text.trim_matches(['"', '.', ' ']) == WORD)
                });
                if !known {
                    english.push(format!("{}: {}", path.display(), sentence.text));
                }
            }
        });
    }
    assert!(found > 150, "{found}");
    assert!(english.is_empty(), "add them to `said` in locales/*.json: {english:#?}");
}

#[test]
fn a_servers_own_words_in_a_sentence_are_marked_and_the_sentence_is_said() {
    for (text, said, words) in [
        (
            "INBOX/A: imap.old.example:993 answered NO to EXAMINE \"A\": \"[SERVERBUG] Internal error. See log.\". And 3 \
             more folders failed.",
            "INBOX/A: imap.old.example:993 respondeu NO ao comando EXAMINE \"A\": \"[SERVERBUG] Internal error. See log.\". \
             E mais 3 pastas falharam.",
            Some("[SERVERBUG] Internal error. See log."),
        ),
        (
            "imap.old.example:993 closed the connection: \"Shutting down. Bye\". Trying again in 5 s, at 20:00:05 UTC \
             (attempt 1 of 5).",
            "imap.old.example:993 fechou a conexão: \"Shutting down. Bye\". Nova tentativa em 5 s, às 20:00:05 UTC \
             (tentativa 1 de 5).",
            Some("Shutting down. Bye"),
        ),
        (
            "The source breaks off at it again and again: The connection to h:993 broke off. Run a delta sync; where that \
             does not help, have the source's log looked at, or waive it.",
            "A conexão com a origem cai nesta mensagem repetidas vezes: A conexão com h:993 caiu. Execute uma cópia delta; \
             se não ajudar, peça que examinem o log da origem, ou dispense-a.",
            None,
        ),
        (
            "The destination refused it: [TOOBIG] Message too large. Limit is 10 MB.",
            "O destino a recusou: [TOOBIG] Message too large. Limit is 10 MB.",
            Some("[TOOBIG] Message too large. Limit is 10 MB."),
        ),
        (
            "h:993 accepted the connection but sent no IMAP greeting within 10 seconds. Check the port; it may be one for \
             TLS.",
            "h:993 aceitou a conexão, mas não enviou a saudação IMAP em 10 segundos. Confira a porta; ela pode ser de TLS.",
            None,
        ),
        (
            "What answers at h:993 is a POP3 server. It said: \"+OK ready\". Check the host and the port.",
            "O que responde em h:993 é um servidor POP3. Disse: \"+OK ready\". Confira o servidor e a porta.",
            Some("+OK ready"),
        ),
        (
            "ana.pst: PST, Unicode: 12 messages in 3 folders, 4.5 MB; 2 items are no mail and can be downloaded (contact: \
             1, note: 1); 1 was salvaged after damage.",
            "ana.pst: PST, Unicode: 12 mensagens em 3 pastas, 4.5 MB; 2 itens não são e-mail, com download disponível \
             (contatos: 1, notas: 1); 1 recuperada após dano.",
            None,
        ),
        (
            "This is a zip with messages as files (.eml) and Maildirs. It cannot be read as pst; choose the source type eml.",
            "Isto é um zip com mensagens como arquivos (.eml) e Maildirs. Não pode ser lido como pst; escolha o tipo de \
             origem eml.",
            None,
        ),
        (
            "4 files are no mail and were left out: readme.txt, a.doc.",
            "4 arquivos não são e-mail e ficaram de fora: readme.txt, a.doc.",
            None,
        ),
    ] {
        let pieces = PORTUGUESE.pieces(text);
        let strange: Vec<&str> = pieces.iter().filter(|piece| !piece.known).map(|piece| piece.text.as_str()).collect();
        assert_eq!(strange, words.into_iter().collect::<Vec<_>>(), "{text}");
        assert_eq!(PORTUGUESE.say(text), said);
    }
}

/// As the service writes them, numbers and all.
#[test]
fn every_refusal_of_an_upload_is_said_in_portuguese() {
    use gatepost_core::UploadRefusal as Refusal;
    for refusal in [
        Refusal::TooLarge { bytes: 60 << 30, most: 50 << 30 },
        Refusal::TooMuch { announced: 1_000 },
        Refusal::NoSpace { free: 4_200_000_000, wanted: Some(9_000_000_000), awaited: 1, reserve: 5_000_000_000 },
        Refusal::NoSpace { free: 4_200_000_000, wanted: None, awaited: 0, reserve: 5_000_000_000 },
        Refusal::WrongOffset { right: 17 },
        Refusal::Locked,
        Refusal::Complete,
        Refusal::Deleted,
        Refusal::Vanished,
        Refusal::Checksum,
        Refusal::Algorithm,
        Refusal::Cut { received: 3, bytes: 10 },
        Refusal::FormCut,
        Refusal::NoImportPath,
    ] {
        let text = refusal.to_string();
        let pieces = PORTUGUESE.pieces(&text);
        assert!(pieces.iter().all(|piece| piece.known), "{pieces:?}");
        assert_ne!(PORTUGUESE.say(&text), text);
    }
    let recounted = gatepost_core::Error::Recounted { seen: 3, now: 2 }.to_string();
    assert!(PORTUGUESE.pieces(&recounted).iter().all(|piece| piece.known), "{recounted}");
}
