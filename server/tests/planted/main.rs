//! Planted faults: finished, verified and approved copies between two real servers are damaged in every way that a user,
//! a script, a disk or a database hand can think of. At the depth that claims to see it the damage must turn the right
//! check, shut the gate, take the approval away, and be named by its folder and its cause. What only looks like damage
//! must leave the gate open.
//!
//! `cargo test -p gatepost-server --test planted -- --nocapture` prints the table; `GATEPOST_FAULT=moved` looks at those alone that are
//! named so.

#[path = "../common/mod.rs"]
mod common;

mod fault;
mod faults;
mod stage;

use fault::{Fault, Look, Outcome};
use stage::{Scene, Stage, wanted};

#[test]
fn no_planted_fault_leaves_the_gate_open_and_nothing_harmless_shuts_it() {
    let faults: Vec<Fault> = [
        faults::by_hand(),
        faults::behind_the_server(),
        faults::at_the_source(),
        faults::in_the_books(),
        faults::at_a_glance(),
        faults::no_faults(),
    ]
    .into_iter()
    .flatten()
    .filter(|fault| wanted(fault.name))
    .collect();
    let mut stage = Stage::with(faults.len());
    let (later, now): (Vec<usize>, Vec<usize>) =
        (0..faults.len()).partition(|at| matches!(faults[*at].look, Look::VerifyInOtherZone(_)));
    let mut outcomes = look(&stage, &faults, &now);
    stage.new.restart_in_zone("Asia/Kathmandu").expect("the server starts again");
    outcomes.extend(look(&stage, &faults, &later));

    println!("| fault | depth | check | gate | sentence |\n|---|---|---|---|---|");
    for outcome in &outcomes {
        println!("{}", outcome.row());
    }
    let wrong: Vec<String> = outcomes.iter().filter(|o| !o.wrong.is_empty()).map(Outcome::complaint).collect();
    assert!(wrong.is_empty(), "{} of {} are not as they must be:\n{}", wrong.len(), outcomes.len(), wrong.concat());
}

/// Plants these, looks for them all at once, and judges each.
fn look(stage: &Stage, faults: &[Fault], which: &[usize]) -> Vec<Outcome> {
    let scenes: Vec<Scene<'_>> = stage.scenes().collect();
    for at in which {
        faults[*at].plant(scenes[*at]);
    }
    let runs: Vec<_> = which
        .iter()
        .map(|at| match faults[*at].look {
            Look::Verify(depth) | Look::VerifyInOtherZone(depth) => Some(scenes[*at].start(depth)),
            Look::Ask => None,
        })
        .collect();
    let ended: Vec<_> = which.iter().zip(runs).map(|(at, run)| run.map(|run| scenes[*at].ended(run))).collect();
    which.iter().zip(ended).map(|(at, run)| faults[*at].judge(scenes[*at], run)).collect()
}
