//! A doveadm that is not there, and one that comes to no end.

use super::{Desk, USER, deliver, executable, fs, letter, number, text, wait_for};
use serde_json::Value;

#[test]
fn a_doveadm_that_is_missing_is_said_before_anything_is_copied() {
    let desk = Desk::new();
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &[])]);
    fs::remove_file(desk.scripts.path().join("doveadm")).expect("removed");
    let run = desk.run("preflight");
    assert_eq!(run["status"], "failed", "{run:#}");
    assert!(text(&run["summary"]).contains("MIGRATION_DOVEADM_BIN"), "{run:#}");
    assert_eq!(desk.journey.gate()["gate"], "blocked");
    assert!(desk.there().messages.is_empty());
}

#[test]
fn a_doveadm_that_hangs_ends_when_the_run_is_cancelled_and_the_next_run_goes_on() {
    let desk = Desk::new();
    deliver(&desk.old.account(USER), [letter("INBOX", "one", &[])]);
    desk.journey.succeed("preflight");
    let (program, hangs) = (desk.scripts.path().join("doveadm"), desk.scripts.path().join("hangs"));
    let before = fs::read(&program).expect("a stand-in");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *' sync '*|*' copy '*) echo $$ >{0}.new; mv {0}.new {0}; exec sleep 3600 ;; esac\n\
         exec /usr/bin/doveadm \"$@\"\n",
        hangs.display()
    );
    executable::install(&program, script).expect("written");
    let id = desk.journey.start("initial")[0];
    let pid = wait_for("doveadm to hang", || fs::read_to_string(&hangs).ok());
    desk.journey.post(&format!("/migration/runs/{id}/cancel"), &Value::Null).expect(200);
    let run = desk.journey.ended(id);
    assert_eq!((run["status"].as_str(), number(&run["exit_code"])), (Some("partial"), 130), "{run:#}");
    // What was killed may need a moment to die.
    let line = format!("/proc/{}/cmdline", pid.trim());
    wait_for("the end of doveadm", || fs::read(&line).map_or(true, |line| line.is_empty()).then_some(()));
    executable::install(&program, before).expect("written");
    desk.journey.succeed("initial");
    assert_eq!(desk.totals(), [1, 1, 0, 0]);
}
