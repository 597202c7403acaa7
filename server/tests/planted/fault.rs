//! What is done to a finished copy, how it is looked for, and what has to come of it.

use crate::{
    common::{number, text},
    stage::Scene,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// How damage is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// By a verification of this depth.
    Verify(&'static str),
    /// The gate is asked; nobody verifies.
    Ask,
    /// By a verification after the new server began to write its dates in another zone.
    VerifyInOtherZone(&'static str),
}

impl Look {
    /// As the table shows it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Verify(depth) | Self::VerifyInOtherZone(depth) => depth,
            Self::Ask => "asked",
        }
    }
}

/// One way to damage a finished copy, or one thing that looks like damage and is none.
pub struct Fault {
    /// What happened, as a sentence without its full stop.
    pub name: &'static str,
    pub look: Look,
    plant: fn(Scene<'_>),
    /// The check that has to turn, and how; none where the gate has to stay open.
    turns: Option<(&'static str, &'static str)>,
    /// Words of that check's sentence.
    says: &'static [&'static str],
    /// What the residue has to name as cause.
    cause: Option<&'static str>,
    /// A figure of the evidence, summed over the folders.
    figure: Option<(&'static str, i64)>,
    /// The gate shuts because a run failed. Nothing was disproved, so the approval waits for a run that ends well.
    unproved: bool,
}

/// Damage that must shut the gate.
pub fn fault(name: &'static str, depth: &'static str, plant: fn(Scene<'_>)) -> Fault {
    let look = if depth == "asked" { Look::Ask } else { Look::Verify(depth) };
    Fault { name, look, plant, turns: None, says: &[], cause: None, figure: None, unproved: false }
}

/// What users do, and what servers do, without any harm to the copy: the gate stays open.
pub fn harmless(name: &'static str, depth: &'static str, plant: fn(Scene<'_>)) -> Fault {
    fault(name, depth, plant)
}

impl Fault {
    /// The check that has to turn, how, and words that its sentence must have.
    pub fn turns(mut self, check: &'static str, status: &'static str, says: &'static [&'static str]) -> Self {
        (self.turns, self.says) = (Some((check, status)), says);
        self
    }

    /// What the residue has to name as the cause.
    pub fn because(mut self, cause: &'static str) -> Self {
        self.cause = Some(cause);
        self
    }

    /// A figure of the evidence.
    pub fn counted(mut self, figure: &'static str, count: i64) -> Self {
        self.figure = Some((figure, count));
        self
    }

    /// The run fails with a sentence that has these words, and the gate is shut until one succeeds.
    pub fn until_a_run_succeeds(mut self, says: &'static [&'static str]) -> Self {
        self.unproved = true;
        if self.turns.is_none() {
            self.says = says;
        }
        self
    }

    /// Looked for only when the new server writes its dates in another zone.
    pub fn in_other_zone(mut self) -> Self {
        if let Look::Verify(depth) = self.look {
            self.look = Look::VerifyInOtherZone(depth);
        }
        self
    }

    /// Does it to a finished copy.
    pub fn plant(&self, scene: Scene<'_>) {
        (self.plant)(scene);
    }

    /// What came of it, and everything about it that is not as it must be.
    pub fn judge(&self, scene: Scene<'_>, run: Option<Value>) -> Outcome {
        let gate = scene.gate();
        let checks = checks(&gate);
        let evidence = scene.get(&scene.path("/verify"));
        let residue = scene.get(&scene.path("/residue?per_page=200"))["items"].as_array().cloned().unwrap_or_default();
        let mut wrong = sums_that_do_not_add_up(&evidence);
        let run = run.unwrap_or_default();
        if run["status"] == "running" {
            wrong.push(format!("the run does not end: {run}"));
        }
        let (verdict, reason) = (text(&gate["gate"]), text(&gate["reason"]));
        let (check, sentence) = match self.turns {
            None if self.unproved => {
                if verdict != "blocked" || gate["dns_allowed"] != false || run["status"] != "failed" {
                    wrong.push(format!("the gate is {verdict}: {reason}"));
                }
                let last = text(&scene.get(&scene.path("/mailboxes"))[0]["last_error"]);
                for word in self.says.iter().filter(|word| !last.contains(**word)) {
                    wrong.push(format!("the mailbox does not say {word:?}: {last}"));
                }
                ("the run fails".to_owned(), last)
            }
            None => {
                if verdict != "ready_for_dns" || gate["approved_by"].is_null() || scene.revocations() != 0 {
                    wrong.push(format!("the gate is {verdict}, for no good reason: {reason}"));
                }
                let failing = checks.iter().find(|(_, (status, _))| status == "fail");
                let warning = checks.iter().find(|(_, (status, _))| status == "warn");
                let shown = failing.or(warning).map(|(id, (status, _))| format!("{id}: {status}"));
                (shown.unwrap_or_else(|| "all pass".to_owned()), reason.clone())
            }
            Some((check, status)) => {
                let approved = !gate["approved_by"].is_null() && !self.unproved;
                if verdict == "ready_for_dns" || gate["dns_allowed"] != false || approved {
                    wrong.push(format!("the gate is {verdict}: {reason}"));
                }
                if scene.revocations() == 0 && !self.unproved {
                    wrong.push("no audit row says that the approval was taken away".to_owned());
                }
                let (found, sentence) = checks.get(check).cloned().unwrap_or_default();
                if found != status {
                    wrong.push(format!("{check} is {found:?} instead of {status:?}: {sentence}"));
                }
                for word in self.says {
                    if !sentence.contains(word) {
                        wrong.push(format!("{check} does not say {word:?}: {sentence}"));
                    }
                }
                (format!("{check}: {found}"), sentence)
            }
        };
        let cause = match self.cause {
            Some(kind) => match residue.iter().find(|item| item["cause_kind"] == kind) {
                Some(item) => item["cause"].as_str().unwrap_or_default().to_owned(),
                None => {
                    let kinds: Vec<String> =
                        residue.iter().map(|item| format!("{}: {}", item["cause_kind"], item["cause"])).collect();
                    wrong.push(format!("the residue names no {kind}, but {kinds:?}"));
                    String::new()
                }
            },
            None => String::new(),
        };
        if self.cause.is_some() && !cause.trim_end().ends_with('.') {
            wrong.push(format!("the cause is no sentence: {cause:?}"));
        }
        if let Some((figure, count)) = self.figure {
            let sum = sum(&evidence, figure);
            if sum != count {
                wrong.push(format!("{figure} is {sum} instead of {count}"));
            }
        }
        if !wrong.is_empty() {
            wrong.push(format!("the run: {} {}", run["status"], run["summary"]));
        }
        Outcome { name: self.name, look: self.look.name(), check, gate: verdict, sentence, cause, wrong }
    }
}

/// A row of the table.
pub struct Outcome {
    name: &'static str,
    look: &'static str,
    check: String,
    gate: String,
    sentence: String,
    cause: String,
    /// What is not as it must be.
    pub wrong: Vec<String>,
}

impl Outcome {
    /// As a row in Markdown.
    pub fn row(&self) -> String {
        let cause = if self.cause.is_empty() { String::new() } else { format!(" — *{}*", self.cause) };
        format!("| {} | {} | {} | {} | {}{cause} |", self.name, self.look, self.check, self.gate, self.sentence)
    }

    /// What is wrong, as a paragraph.
    pub fn complaint(&self) -> String {
        format!("{} ({}):\n    {}\n", self.name, self.look, self.wrong.join("\n    "))
    }
}

/// Every check with its status and sentence.
fn checks(gate: &Value) -> BTreeMap<String, (String, String)> {
    let checks = gate["checks"].as_array().expect("a list").iter();
    checks.map(|check| (text(&check["check_id"]), (text(&check["status"]), text(&check["message"])))).collect()
}

fn folders(evidence: &Value) -> impl Iterator<Item = &Value> {
    evidence["mailboxes"].as_array().into_iter().flatten().flat_map(|m| m["folders"].as_array().into_iter().flatten())
}

fn sum(evidence: &Value, figure: &str) -> i64 {
    folders(evidence).map(|folder| folder[figure].as_i64().or(folder["tally"][figure].as_i64()).unwrap_or(0)).sum()
}

/// Arrived, pending, quarantined and waived are the source, in every folder, whatever was planted.
fn sums_that_do_not_add_up(evidence: &Value) -> Vec<String> {
    let tallies = folders(evidence).map(|folder| (text(&folder["source_path"]), &folder["tally"]));
    let whole = tallies.chain([("the job".to_owned(), &evidence["totals"])]);
    whole
        .filter(|(_, tally)| {
            let parts = ["arrived", "pending", "quarantined", "waived"].map(|part| number(&tally[part]));
            parts.iter().sum::<i64>() != number(&tally["source"]) || parts.iter().any(|part| *part < 0)
        })
        .map(|(what, tally)| format!("the figures of {what} do not add up: {tally}"))
        .collect()
}
