//! Every pair of phases and every run in every phase, against lists written out by hand.

use super::{PhaseError, allowed, next, run_allowed, transition};
use gatepost_contract::{
    Phase::{self, Closed, CutoverReady, DeltaSync, Discovered, DnsCutover, Failed, FinalSync, InitialSync, Verified},
    RunType,
};
use proptest::prelude::*;

const CHAIN: [Phase; 9] =
    [Discovered, Phase::Preflight, InitialSync, DeltaSync, CutoverReady, DnsCutover, FinalSync, Verified, Closed];

/// Beside the chain and `failed`.
const BACKWARDS: [(Phase, Phase); 2] = [(CutoverReady, DeltaSync), (Verified, FinalSync)];

fn expected(from: Phase, to: Phase, failed_phase: Option<Phase>) -> bool {
    if from == Failed {
        return failed_phase == Some(to) && to != Closed && to != Failed;
    }
    CHAIN.windows(2).any(|pair| pair == [from, to])
        || BACKWARDS.contains(&(from, to))
        || (to == Failed && from != Closed)
}

#[test]
fn every_pair_of_phases_is_possible_exactly_where_the_list_says_so() {
    for &from in Phase::ALL {
        for &to in Phase::ALL {
            for failed_phase in std::iter::once(None).chain(Phase::ALL.iter().copied().map(Some)) {
                assert_eq!(
                    allowed(from, to, failed_phase),
                    expected(from, to, failed_phase),
                    "{from} → {to}, failed_phase {failed_phase:?}"
                );
            }
        }
    }
}

#[test]
fn next_agrees_with_the_transitions() {
    for &from in Phase::ALL {
        for &to in Phase::ALL {
            assert_eq!(next(from).contains(&to), allowed(from, to, None), "{from} → {to}");
        }
    }
}

#[test]
fn a_refused_transition_says_what_would_be_possible() {
    for (from, to, failed_phase, sentence) in [
        (
            DeltaSync,
            DnsCutover,
            None,
            "A job in phase delta_sync cannot go to dns_cutover; from delta_sync it may go to cutover_ready or failed.",
        ),
        (
            CutoverReady,
            Verified,
            None,
            "A job in phase cutover_ready cannot go to verified; from cutover_ready it may go to dns_cutover, \
             delta_sync or failed.",
        ),
        (Closed, FinalSync, None, "A job in phase closed cannot go to final_sync; from closed nothing follows."),
        (
            Failed,
            Verified,
            Some(InitialSync),
            "A job in phase failed cannot go to verified; from failed a retry returns to initial_sync.",
        ),
        (
            Failed,
            Verified,
            None,
            "A job in phase failed cannot go to verified; from failed there is no way on, because the phase that \
             failed was not recorded.",
        ),
    ] {
        let error = transition(from, to, failed_phase).unwrap_err();
        assert_eq!(error.to_string(), sentence);
    }
}

#[test]
fn a_transition_carries_its_reason() {
    let retry = transition(Failed, InitialSync, Some(InitialSync)).unwrap();
    assert_eq!(retry.why, "a retry returned to the phase that failed");
    assert_eq!(transition(CutoverReady, DnsCutover, None).unwrap().why, "the MX was changed");
}

#[test]
fn runs_start_exactly_in_the_phases_that_the_table_names() {
    // `-` not possible, `=` stays, otherwise the phase it enters; columns are the phases of the chain.
    let table = [
        (&[RunType::Preflight][..], "preflight = = = = = = = -"),
        (&[RunType::PstExtract, RunType::TgzExport], "= = = = = = = = -"),
        (&[RunType::Initial, RunType::PstUpload, RunType::TgzImport], "- initial_sync = = - - - - -"),
        (&[RunType::Delta], "- - delta_sync = delta_sync - - - -"),
        (&[RunType::Final], "- - delta_sync = delta_sync final_sync = final_sync -"),
        (&[RunType::Verify], "- - = = = = = = -"),
    ];
    let mut seen = Vec::new();
    for (runs, columns) in table {
        for &run in runs {
            seen.push(run);
            for (phase, column) in CHAIN.into_iter().zip(columns.split(' ')) {
                let found = match run_allowed(phase, run) {
                    Err(_) => "-",
                    Ok(None) => "=",
                    Ok(Some(entered)) => entered.as_str(),
                };
                assert_eq!(found, column, "{run} in {phase}");
            }
        }
    }
    seen.sort_unstable();
    assert_eq!(seen, RunType::ALL, "every run type is in the table");
}

#[test]
fn a_run_only_enters_a_phase_that_the_table_of_phases_allows() {
    for &phase in Phase::ALL {
        for &run in RunType::ALL {
            if let Ok(Some(entered)) = run_allowed(phase, run) {
                assert!(allowed(phase, entered, None), "{run} leads from {phase} to {entered}");
            }
        }
    }
}

#[test]
fn a_failed_job_asks_for_a_retry_before_any_run() {
    assert_eq!(run_allowed(Failed, RunType::PstExtract), Ok(None), "a file may be what puts it right");
    for &run in RunType::ALL.iter().filter(|run| **run != RunType::PstExtract) {
        let error = run_allowed(Failed, run).unwrap_err();
        assert!(matches!(error, PhaseError::RunNotPossible { phase: Failed, .. }));
        assert!(error.to_string().contains("retry the job first"), "{error}");
    }
}

#[test]
fn a_refused_run_says_what_to_do_instead() {
    let error = run_allowed(Discovered, RunType::Initial).unwrap_err();
    assert_eq!(error.to_string(), "The run initial cannot start in phase discovered: run a preflight first.");
}

proptest! {
    /// A job driven by arbitrary wishes, of which only the possible ones are done.
    #[test]
    fn every_reachable_history_obeys_the_chain(wishes in prop::collection::vec(0..Phase::ALL.len(), 0..80)) {
        let mut phase = Discovered;
        let mut failed_phase = None;
        let mut furthest = 0;
        for wish in wishes {
            let to = Phase::ALL[wish];
            if transition(phase, to, failed_phase).is_err() {
                continue;
            }
            prop_assert_ne!(phase, Closed, "nothing follows closed");
            if phase == Failed {
                prop_assert_eq!(Some(to), failed_phase, "a retry returns to the phase that failed");
            }
            failed_phase = (to == Failed).then_some(phase);
            if let Some(place) = CHAIN.iter().position(|p| *p == to) {
                prop_assert!(place <= furthest + 1, "no phase was skipped on the way to {}", to);
                furthest = furthest.max(place);
            }
            phase = to;
        }
    }
}
