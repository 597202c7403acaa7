//! Ledgers damaged by hand: a statement in the database past all that guards it, a bad restore, a flipped bit. The next
//! verification finds it and says it, or ends with a fault that says it; it never papers over it. What the ledger says
//! may be wrong; what the gate says may not.

mod common;

#[path = "planted/stage.rs"]
mod stage;

use common::{difference, number, text};
use serde_json::Value;
use stage::{Scene, Stage, letter, wanted};
use std::collections::BTreeSet;

/// How it is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    Verify,
    Ask,
}

/// What has to come of it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    /// The gate shuts, and somewhere a sentence says why.
    Said(&'static [&'static str]),
    /// The same, and a delta and a verification after it prove the copy whole again.
    Mended(&'static [&'static str]),
    /// The damage is to figures that are read anew, or to rows that stand for nothing: the gate stays open.
    Nothing,
}

use Expect::{Mended, Nothing, Said};

struct Damage {
    name: &'static str,
    look: Look,
    plant: fn(Scene<'_>),
    expect: Expect,
}

impl Damage {
    /// What some sentence has to say.
    fn words(&self) -> &'static [&'static str] {
        match self.expect {
            Said(words) | Mended(words) => words,
            Nothing => &[],
        }
    }
}

fn damage(name: &'static str, plant: fn(Scene<'_>), expect: Expect) -> Damage {
    Damage { name, look: Look::Verify, plant, expect }
}

fn asked(name: &'static str, plant: fn(Scene<'_>), expect: Expect) -> Damage {
    Damage { name, look: Look::Ask, plant, expect }
}

/// Rows of messages.
fn messages() -> Vec<Damage> {
    vec![
        damage(
            "two rows name one copy, and one of the copies is gone",
            |s| {
                let other = s.dest().uid("INBOX", "inbox-06");
                s.dest().remove("INBOX", "inbox-05");
                s.sql(&format!("UPDATE migration_messages SET dest_uid = {other} WHERE id = {{row:inbox-05}};"));
            },
            Said(&["same copy as another message"]),
        ),
        damage(
            "two rows name one copy, and both copies are there",
            |s| {
                let other = s.dest().uid("INBOX", "inbox-06");
                s.sql(&format!("UPDATE migration_messages SET dest_uid = {other} WHERE id = {{row:inbox-05}};"));
            },
            Said(&["same copy as another message"]),
        ),
        damage(
            "two rows have each other's copies",
            |s| {
                let (one, other) = (s.dest().uid("INBOX", "inbox-05"), s.dest().uid("INBOX", "inbox-06"));
                s.sql(&format!(
                    "UPDATE migration_messages SET dest_uid = {other} WHERE id = {{row:inbox-05}};
                     UPDATE migration_messages SET dest_uid = {one} WHERE id = {{row:inbox-06}};"
                ));
            },
            Said(&["another header", "INBOX (2)"]),
        ),
        damage(
            "a row has lost the UID of its copy, and the copy is gone",
            |s| {
                s.dest().remove("INBOX", "inbox-05");
                s.sql("UPDATE migration_messages SET dest_uid = NULL WHERE id = {row:inbox-05};");
            },
            Mended(&["not which message at the destination"]),
        ),
        damage(
            "a row has lost its folder",
            |s| s.sql("UPDATE migration_messages SET folder_id = 999999 WHERE id = {row:water-03};"),
            Mended(&["Projetos/Água"]),
        ),
        damage(
            "a row is missing",
            |s| s.sql("DELETE FROM migration_messages WHERE id = {row:water-03};"),
            Mended(&["came to the source after the last sync"]),
        ),
        damage(
            "the row of a lost message is missing too",
            |s| {
                s.dest().remove("Projetos/Água", "water-03");
                s.sql("DELETE FROM migration_messages WHERE id = {row:water-03};");
            },
            Mended(&["Projetos/Água"]),
        ),
        damage(
            "a UID of a copy is beyond what a UID can be",
            |s| s.sql("UPDATE migration_messages SET dest_uid = 4294967303 WHERE id = {row:inbox-05};"),
            Said(&["4294967303", "INBOX"]),
        ),
        damage(
            "a UID of a copy is below zero",
            |s| s.sql("UPDATE migration_messages SET dest_uid = -7 WHERE id = {row:inbox-05};"),
            Said(&["-7", "INBOX"]),
        ),
        damage(
            "a UID of a message is beyond what a UID can be",
            |s| s.sql("UPDATE migration_messages SET uid = 4294967303 WHERE id = {row:inbox-05};"),
            Said(&["4294967303", "INBOX"]),
        ),
        damage(
            "a UID of a message is that of none, and its own is unknown",
            |s| s.sql("UPDATE migration_messages SET uid = 70001 WHERE id = {row:inbox-05};"),
            Mended(&["INBOX"]),
        ),
        damage(
            "a date is none",
            |s| s.sql("UPDATE migration_messages SET internal_date = 'yesterday' WHERE id = {row:inbox-05};"),
            Said(&["yesterday"]),
        ),
        damage(
            "a size is below zero",
            |s| s.sql("UPDATE migration_messages SET size = -5 WHERE id = {row:inbox-05};"),
            Said(&["-5"]),
        ),
        damage(
            "a state is none of the four",
            |s| s.sql("UPDATE migration_messages SET state = 'lost' WHERE id = {row:inbox-05};"),
            Said(&["lost"]),
        ),
        damage(
            "a digest is cut",
            |s| {
                s.sql("UPDATE migration_messages SET digest = x'0102', canonical_digest = x'0102' WHERE id = {row:inbox-05};");
            },
            Said(&["digest", "INBOX"]),
        ),
        damage(
            "a lost message is marked as waived, and nobody has waived it",
            |s| {
                s.dest().remove("Archive", "archive-05");
                s.sql("UPDATE migration_messages SET state = 'waived', cause = NULL WHERE id = {row:archive-05};");
            },
            Mended(&["Archive", "no waiver says by whom"]),
        ),
        damage(
            "every row of a folder is marked as arrived after the folder was emptied",
            |s| {
                s.dest().within("Archive", &["STORE 1:* +FLAGS (\\Deleted)", "EXPUNGE"]);
                s.run("standard");
                s.approve_anyway();
                s.sql(
                    "UPDATE migration_messages SET state = 'arrived', cause = NULL, dest_uid = uid + 100
                     WHERE folder_id = {folder:Arquivo Morto};",
                );
            },
            Mended(&["20 pending"]),
        ),
        damage(
            "a row stands for a message that never was",
            |s| {
                s.sql(
                    "INSERT INTO migration_messages (folder_id, uid, size, internal_date, flags, state, dest_uid, first_seen_at)
                     SELECT folder_id, 70001, size, internal_date, flags, 'arrived', 70001, first_seen_at
                     FROM migration_messages WHERE id = {row:inbox-05};",
                );
            },
            Nothing,
        ),
    ]
}

/// Rows of folders, and the sums.
fn folders() -> Vec<Damage> {
    vec![
        damage(
            "a folder's row is missing with all of its messages",
            |s| s.sql("DELETE FROM migration_folders WHERE id = {folder:Projetos/Água};"),
            Mended(&["Projetos/Água"]),
        ),
        damage(
            "a folder's row names another folder of the destination",
            |s| s.sql("UPDATE migration_folders SET dest_path = 'Trash' WHERE id = {folder:Projetos/Água};"),
            Said(&["20 pending", "UIDVALIDITY"]),
        ),
        damage(
            "a folder's row names no folder of the destination",
            |s| s.sql("UPDATE migration_folders SET dest_path = '' WHERE id = {folder:Projetos/Água};"),
            Said(&["Projetos/Água"]),
        ),
        damage(
            "a folder's UIDs belong to another numbering of the destination",
            |s| s.sql("UPDATE migration_folders SET dest_epoch = dest_epoch + 1 WHERE id = {folder:Projetos/Água};"),
            Mended(&["20 pending"]),
        ),
        damage(
            "a folder's UIDs belong to another numbering of the source",
            |s| {
                s.sql(
                    "UPDATE migration_folders SET cursor_epoch = cursor_epoch + 1 WHERE id = {folder:Projetos/Água};",
                );
            },
            Mended(&["20 pending"]),
        ),
        damage(
            "a folder's numbering is beyond what one can be",
            |s| s.sql("UPDATE migration_folders SET dest_epoch = 4294967303 WHERE id = {folder:Projetos/Água};"),
            Mended(&["20 pending"]),
        ),
        damage(
            "a cursor has run ahead of the mail that comes",
            |s| {
                s.sql("UPDATE migration_folders SET cursor_next_uid = 90000 WHERE id = {folder:INBOX};");
                s.source().deliver([letter("INBOX", "late-01", 1)]);
                s.run("delta");
            },
            // The source says what its next UID is, so a delta lists what lies between.
            Nothing,
        ),
        damage(
            "the sums of the mailbox and of the job are made up",
            |s| {
                s.sql(
                    "UPDATE migration_mailboxes SET messages_source = 1, messages_dest = 9 WHERE id = {mailbox};
                     UPDATE migration_jobs SET messages_source = 1, messages_dest = 9 WHERE id = {job};",
                );
            },
            Nothing,
        ),
        asked(
            "figures of the evidence do not add up",
            |s| {
                s.sql(
                    "UPDATE migration_evidence_folders SET arrived = arrived + 3 WHERE source_path = 'INBOX'
                     AND evidence_id = (SELECT max(id) FROM migration_evidence WHERE mailbox_id = {mailbox});",
                );
            },
            Said(&["add up"]),
        ),
        asked(
            "the evidence of one folder is missing",
            |s| {
                s.sql(
                    "DELETE FROM migration_evidence_folders WHERE source_path = 'Projetos/Água'
                     AND evidence_id = (SELECT max(id) FROM migration_evidence WHERE mailbox_id = {mailbox});",
                );
            },
            Said(&["add up"]),
        ),
        asked(
            "the folders of the evidence are missing",
            |s| {
                s.sql(
                    "DELETE FROM migration_evidence_folders
                     WHERE evidence_id IN (SELECT id FROM migration_evidence WHERE mailbox_id = {mailbox});",
                );
            },
            Said(&["No folder"]),
        ),
        asked(
            "the evidence is missing",
            |s| {
                s.sql(
                    "DELETE FROM migration_evidence_folders
                     WHERE evidence_id IN (SELECT id FROM migration_evidence WHERE mailbox_id = {mailbox});
                     DELETE FROM migration_evidence WHERE mailbox_id = {mailbox};",
                );
            },
            Said(&["Not verified"]),
        ),
    ]
}

#[test]
fn a_damaged_ledger_is_found_and_said_and_never_papered_over() {
    let all: Vec<Damage> = [messages(), folders()].into_iter().flatten().filter(|damage| wanted(damage.name)).collect();
    let stage = Stage::with(all.len());
    let scenes: Vec<Scene<'_>> = stage.scenes().collect();
    for (damage, scene) in all.iter().zip(&scenes) {
        (damage.plant)(*scene);
    }
    let look = |what: &str, at: &[usize]| -> Vec<(usize, Value)> {
        let started: Vec<(usize, i64)> = at.iter().map(|at| (*at, scenes[*at].start(what))).collect();
        started.into_iter().map(|(at, run)| (at, scenes[at].ended(run))).collect()
    };
    let at =
        |wanted: &dyn Fn(&Damage) -> bool| -> Vec<usize> { (0..all.len()).filter(|at| wanted(&all[*at])).collect() };
    let runs = look("standard", &at(&|damage| damage.look == Look::Verify));
    let mut wrong = Vec::new();
    println!("| damage | run | gate | sentence |\n|---|---|---|---|");
    for (at, damage) in all.iter().enumerate() {
        let run = runs.iter().find(|(of, _)| *of == at).map(|(_, run)| run);
        let gate = scenes[at].gate();
        let status = run.map_or("–".to_owned(), |run| text(&run["status"]));
        let sentences = said(scenes[at], run, &gate);
        let told = damage.words().iter().filter_map(|word| sentences.iter().find(|sentence| sentence.contains(word)));
        let told: BTreeSet<&String> = told.collect();
        let told: Vec<&str> = told.into_iter().map(String::as_str).collect();
        println!("| {} | {status} | {} | {} |", damage.name, text(&gate["gate"]), told.join(" / "));
        wrong.extend(judge(damage, scenes[at], run, &gate).into_iter().map(|why| format!("{}: {why}\n", damage.name)));
    }
    let mended = at(&|damage| matches!(damage.expect, Mended(_)));
    look("delta", &mended);
    for (at, run) in look("standard", &mended) {
        let (name, gate) = (all[at].name, scenes[at].gate());
        if gate["gate"] != "warning" {
            wrong.push(format!("{name}: a delta did not mend it: {}; {}\n", run["summary"], gate["reason"]));
        }
        let found = difference(&scenes[at].source().0, &scenes[at].dest().0);
        if !found.is_empty() {
            wrong.push(format!("{name}: after a delta an independent reader finds: {found}\n"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are not as they must be:\n{}", wrong.len(), all.len(), wrong.concat());
}

/// What is not as it must be.
fn judge(damage: &Damage, scene: Scene<'_>, run: Option<&Value>, gate: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    wrong.extend(run.filter(|run| run["status"] == "running").map(|run| format!("the run does not end: {run}")));
    let shut = gate["gate"] != "ready_for_dns" && gate["dns_allowed"] == false;
    // Every page of the job has an answer, whatever the ledger holds.
    for rest in ["", "/mailboxes", "/verify", "/residue", "/gate", "/runs"] {
        let reply = scene.call("GET", &scene.path(rest), &Value::Null);
        if reply.status >= 500 && reply.header("content-type") != "application/problem+json" {
            wrong.push(format!("{rest} answers {reply:?}"));
        }
    }
    match damage.expect {
        Nothing => {
            if shut {
                wrong.push(format!("the gate is {}: {}", gate["gate"], gate["reason"]));
            }
            let mailbox = scene.get(&scene.path("/mailboxes"))[0].clone();
            let totals = scene.get(&scene.path("/verify"))["totals"].clone();
            let kept = (number(&mailbox["messages_source"]), number(&mailbox["messages_dest"]));
            if kept != (number(&totals["source"]), number(&totals["arrived"])) {
                wrong.push(format!("the sums are not those of the servers, {totals}: {mailbox}"));
            }
            let found = difference(&scene.source().0, &scene.dest().0);
            if !found.is_empty() {
                wrong.push(format!("an independent reader finds: {found}"));
            }
        }
        Said(_) | Mended(_) => {
            if !shut {
                wrong.push(format!("the gate is {}: {}", gate["gate"], gate["reason"]));
            }
            let said = said(scene, run, gate);
            for word in damage.words() {
                if !said.iter().any(|sentence| sentence.contains(word)) {
                    wrong.push(format!("nothing says {word:?}: {said:#?}"));
                }
            }
        }
    }
    wrong
}

/// Every sentence that a technician is shown: of the run, of the mailbox, of checks that do not pass, of folders, of the
/// residue.
fn said(scene: Scene<'_>, run: Option<&Value>, gate: &Value) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    if let Some(run) = run.filter(|run| run["status"] != "success") {
        all.extend(run["summary"].as_str().map(str::to_owned));
        all.extend(
            scene.log(run).lines().filter(|l| l.starts_with("error") || l.starts_with("warn")).map(str::to_owned),
        );
    }
    all.extend(scene.get(&scene.path("/mailboxes"))[0]["last_error"].as_str().map(str::to_owned));
    let checks = gate["checks"].as_array().into_iter().flatten();
    all.extend(checks.filter(|c| c["status"] != "pass").map(|check| text(&check["message"])));
    let evidence = scene.call("GET", &scene.path("/verify"), &Value::Null);
    if evidence.status == 200 {
        let evidence = evidence.json();
        let notes = evidence["mailboxes"][0]["folders"].as_array().into_iter().flatten();
        all.extend(notes.filter_map(|folder| folder["note"].as_str()).map(str::to_owned));
    }
    let residue = scene.call("GET", &scene.path("/residue"), &Value::Null);
    if residue.status == 200 {
        let items = residue.json()["items"].as_array().cloned().unwrap_or_default();
        all.extend(items.iter().filter_map(|item| item["cause"].as_str()).map(str::to_owned));
    }
    all.dedup();
    all
}
