//! Waves, pauses and schedules through the REST API of a real `gatepost`, with mail between two real servers.

mod common;

use common::{
    DOMAIN, Journey, NEW_PASSWORD, OLD_PASSWORD, USER, assert_same, id, mail, mailbox, new_server, number, old_server,
    text, wait_for,
};
use gatepost_testkit::{
    Proxy, fill,
    proxy::{Direction, Hold},
};
use serde_json::{Value, json};
use std::time::Instant;

/// A server that lets so many messages a second pass, so that a run can be caught at work.
fn slow(dir: &std::path::Path, messages_per_second: u32) -> String {
    let path = dir.join("slow.toml");
    let rule = format!("[[host]]\nname = \"127.0.0.1\"\nmessages_per_second = {messages_per_second}\n");
    std::fs::write(&path, rule).expect("a file");
    path.display().to_string()
}

fn run_of(journey: &Journey, run: i64) -> Value {
    journey.get(&format!("/migration/runs/{run}"))["run"].clone()
}

fn pause(journey: &Journey, token: &str, body: &Value) -> i64 {
    id(&journey.server.call(token, "POST", "/migration/pauses", body).expect(201).json())
}

fn resume(journey: &Journey, token: &str, pause: i64) {
    journey.server.call(token, "DELETE", &format!("/migration/pauses/{pause}"), &Value::Null).expect(204);
}

#[test]
fn a_run_that_is_paused_goes_back_into_the_queue_and_on_from_there_when_nothing_holds_it_any_more() {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    let filled = fill(&old.account(USER), &mail(150)).expect("the old server takes mail");
    let config = tempfile::tempdir().expect("a directory");
    // It takes half a minute, so that the pause comes before its end.
    let settings = slow(config.path(), 5);
    let journey = Journey::with(&[("GATEPOST_CONFIG", &settings)], new.imap_port(), &[mailbox(USER, old.imap_port())]);
    journey.succeed("preflight");
    let run = journey.start("initial").remove(0);
    wait_for("the run to be at work", || (number(&run_of(&journey, run)["progress"]["done"]) > 5).then_some(()));

    let of_job =
        pause(&journey, &journey.technician, &json!({"scope": "job", "job_id": journey.job, "reason": "lunch"}));
    let resting = wait_for("the run to rest", || {
        let run = run_of(&journey, run);
        (run["status"] == "queued").then_some(run)
    });
    let why = text(&resting["progress"]["waiting"]);
    assert!(
        why.starts_with("The job is paused by technician@desk.example since ") && why.ends_with("UTC: lunch."),
        "{why}"
    );
    assert_eq!(journey.mailbox()["status"], "pending", "it is not being copied");
    let plan = journey.get(&journey.path("/schedule"));
    assert_eq!((plan["pauses"][0]["reason"].as_str(), plan["pauses"][0]["runs"].as_i64()), (Some("lunch"), Some(1)));
    // What is there arrived before the pause, and it is not all.
    let copied = gatepost_testkit::Snapshot::read(&new.account(USER)).expect("it can be read").messages.len();
    assert!((5..filled.messages).contains(&copied), "{copied}");

    // What is everybody's takes an ops lead.
    let everything = json!({"scope": "everything", "reason": "the new server's disk is replaced"});
    journey.post("/migration/pauses", &everything).problem(403, "forbidden");
    let of_all = pause(&journey, &journey.lead, &everything);
    journey.server.call(&journey.lead, "POST", "/migration/pauses", &everything).problem(409, "already_paused");
    resume(&journey, &journey.technician, of_job);
    let still = run_of(&journey, run);
    assert_eq!(still["status"], "queued", "everything still rests");
    assert!(
        text(&still["progress"]["waiting"]).starts_with("Everything is paused by ops_lead@desk.example"),
        "{still}"
    );
    journey
        .server
        .call(&journey.technician, "DELETE", &format!("/migration/pauses/{of_all}"), &Value::Null)
        .problem(403, "forbidden");
    resume(&journey, &journey.lead, of_all);

    let ended = journey.ended(run);
    assert_eq!(ended["status"], "success", "{ended:#}\n{}", journey.log(&ended));
    assert_same(&old.account(USER), &new.account(USER));
    assert!(journey.log(&ended).contains("lunch. The run goes back to the queue."), "{}", journey.log(&ended));
    let rows = |action: &str| journey.audit(action).iter().map(|row| text(&row["actor"])).collect::<Vec<_>>();
    assert_eq!(
        (rows("pause.begin"), rows("pause.end")),
        (vec!["technician@desk.example".to_owned()], vec!["technician@desk.example".to_owned()])
    );
}

#[test]
fn a_run_that_rests_can_be_cancelled_and_a_host_that_rests_holds_what_works_with_it() {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    fill(&old.account(USER), &mail(5)).expect("the old server takes mail");
    let journey = Journey::between(old.imap_port(), new.imap_port());
    let host = pause(&journey, &journey.lead, &json!({"scope": "host", "host": "127.0.0.1"}));
    let run = journey.start("preflight").remove(0);
    wait_for("the run to be held", || run_of(&journey, run)["progress"]["waiting"].as_str().map(str::to_owned));
    assert_eq!(journey.get("/migration/pauses")[0]["runs"], 1);
    journey.post(&format!("/migration/runs/{run}/cancel"), &Value::Null).expect(200);
    assert_eq!(journey.ended(run)["exit_code"], 130);
    resume(&journey, &journey.lead, host);
    journey.succeed("preflight");
    // What is wrong with a pause is said, field by field.
    for (body, field) in [
        (json!({"scope": "host"}), "host"),
        (json!({"scope": "host", "host": "no host"}), "host"),
        (json!({"scope": "job"}), "job_id"),
        (json!({"scope": "wave"}), "wave_id"),
    ] {
        let problem = journey.server.call(&journey.lead, "POST", "/migration/pauses", &body).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
    }
    journey.post("/migration/pauses", &json!({"scope": "wave", "wave_id": 99})).problem(404, "not_found");
    journey.post("/migration/pauses", &json!({"scope": "job", "job_id": 99})).problem(404, "not_found");
}

#[test]
fn a_wave_keeps_its_number_of_mailboxes_and_its_speed_and_tells_what_moves() {
    let users = ["ana", "rui", "eva"].map(|name| format!("{name}@{DOMAIN}"));
    let with = |server: gatepost_testkit::dovecot::Builder, password: &str| {
        users.iter().fold(server, |server, user| server.user(user, password)).start().expect("a server")
    };
    let (old, new) = (with(old_server(), OLD_PASSWORD), with(new_server(), NEW_PASSWORD));
    let bytes: u64 =
        users.iter().map(|user| fill(&old.account(user), &mail(40)).expect("the old server takes mail").bytes).sum();
    let mailboxes: Vec<Value> = users.iter().map(|user| mailbox(user, old.imap_port())).collect();
    let line = Proxy::start(new.imap_port()).expect("a proxy");
    let journey = Journey::with(&[], line.port(), &mailboxes);
    let rate = bytes / 4;
    let wave = json!({
        "name": "Friday night", "job_ids": [journey.job], "mailboxes_at_once": 1, "bytes_per_second": rate,
    });
    let wave = id(&journey.post("/migration/waves", &wave).expect(201).json());
    journey.post("/migration/waves", &json!({"name": "FRIDAY night"})).problem(409, "exists");
    let path = format!("/migration/waves/{wave}");
    let start = |what: &str| journey.post(&format!("{path}/start"), &json!({"type": what})).expect(202).json();

    let refused = start("delta");
    assert!(text(&refused["refused"][0]["why"]).contains("preflight"), "{refused}");
    for run in common::ids(&start("preflight")) {
        journey.ended(run);
    }
    // None of them ends before it was asked for all of them again.
    let hold = Hold::default();
    hold.after(0);
    line.hold(Direction::ToServer, &hold);
    let started = start("initial");
    let runs = common::ids(&started);
    assert_eq!((runs.len(), started["busy"].as_i64()), (3, Some(0)));
    assert_eq!(start("initial")["busy"], 3);
    let look = || {
        let seen = journey.get(&path);
        // The figures and the list are read one after the other: a run may begin or end in between.
        let moving = (number(&seen["progress"]["running"]), seen["moving"].as_array().map_or(0, Vec::len));
        assert!(moving.0 <= 1 && moving.1 <= 1, "{seen:#}");
        (moving, seen)
    };
    wait_for("one to move", || (look().0 == (1, 1)).then_some(()));
    let began = Instant::now();
    hold.release();
    wait_for("the end of the wave", || {
        let ((running, _), seen) = look();
        (running == 0 && seen["progress"]["queued"] == 0).then_some(())
    });
    let took = began.elapsed().as_secs_f64();
    // The last message of each is not waited for; the servers' own headers count or do not: a quarter is allowed.
    assert!(took > 2.5, "{bytes} bytes at {rate} a second in {took} seconds");
    let seen = journey.get(&path);
    assert_eq!(number(&seen["progress"]["complete"]), 3, "{seen:#}");
    assert_eq!(seen["progress"]["eta_seconds"], 0, "{seen:#}");
    for user in &users {
        assert_same(&old.account(user), &new.account(user));
    }
    let overview = journey.get("/migration/waves");
    assert_eq!(
        (overview["waves"][0]["wave"]["name"].as_str(), overview["without"]["mailboxes"].as_i64()),
        (Some("Friday night"), Some(0))
    );
    journey.server.call(&journey.technician, "DELETE", &path, &Value::Null).expect(204);
    assert_eq!(journey.get("/migration/waves")["without"]["mailboxes"], 3);
    let rows = journey.server.get(&journey.lead, "/audit?action=wave.delete").expect(200).json();
    assert_eq!(rows["total"], 1);
}

#[test]
fn a_schedule_is_tried_set_taken_away_and_refused_with_a_sentence() {
    let journey = Journey::between(1, 1);
    let path = journey.path("/schedule");
    let put = |path: &str, body: &Value| journey.server.call(&journey.technician, "PUT", path, body);
    let usual = journey.get(&path);
    assert_eq!(
        (usual["schedule"]["scope"].as_str(), usual["schedule"]["enabled"].as_bool()),
        (Some("default"), Some(false))
    );
    assert!(text(&usual["idle"]).contains("started by hand"), "{usual}");

    let night = json!({"expression": " 0  */2 * * * ", "time_zone": "europe/lisbon", "window": "20:00 - 06:00"});
    let preview = || journey.post("/migration/schedules/preview", &night).expect(200).json();
    let moments = preview();
    assert_eq!(moments.as_array().map(Vec::len), Some(5), "{moments}");
    let set = put(&path, &night).expect(200).json();
    // One of them may have passed meanwhile.
    let later = preview();
    let schedule = &set["schedule"];
    assert_eq!(
        [&schedule["scope"], &schedule["expression"], &schedule["time_zone"], &schedule["window"]],
        ["job", "0 */2 * * *", "Europe/Lisbon", "20:00-06:00"]
    );
    assert!(schedule["next"] == moments || schedule["next"] == later, "{set} {moments}");
    for (body, field, says) in [
        (json!({"expression": "0 0 31 2 *"}), "expression", "never comes"),
        (json!({"expression": "* * * * *"}), "expression", "every five minutes"),
        (json!({"expression": "0 0 * * *", "time_zone": "Mars/Olympus"}), "time_zone", "names no time zone"),
        (json!({"expression": "0 12 * * *", "window": "20:00-06:00"}), "window", "leaves none"),
        (json!({"expression": "0 12 * * *", "jitter_minutes": -1}), "jitter_minutes", "0 to 720"),
    ] {
        let problem = put(&path, &body).problem(422, "invalid");
        assert_eq!(problem["errors"][0]["field"], field, "{problem}");
        assert!(text(&problem["errors"][0]["message"]).contains(says), "{problem}");
    }
    assert_eq!(journey.get("/migration/schedules").as_array().map(Vec::len), Some(2));
    let cleared = journey.server.call(&journey.technician, "DELETE", &path, &Value::Null).expect(200).json();
    assert_eq!(cleared["schedule"]["scope"], "default");
    journey.server.call(&journey.technician, "DELETE", &path, &Value::Null).problem(409, "no_schedule");
    assert_eq!((journey.audit("schedule.set").len(), journey.audit("schedule.clear").len()), (1, 1));
    assert_eq!(journey.get("/migration/schedules/occurrences?state=missed")["total"], 0);
}
