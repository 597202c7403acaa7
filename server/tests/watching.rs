//! What operators watch: the dashboard over time, measurements for Prometheus, the sample dashboard for Grafana, and log
//! lines that say which run and which request they are about.

mod common;

use common::{Journey, NEW_PASSWORD, OLD_PASSWORD, USER, deliver, kit, letter, mail, mailbox, number, text, wait_for};
use common::{new_server, old_server};
use kit::Server;
use serde_json::{Value, json};
use std::{collections::BTreeSet, fs, path::Path, process::Command};

/// A server whose log is JSON in a file.
fn logging(more: &[(&str, &str)]) -> Server {
    let dir = kit::directory();
    for role in kit::ROLES {
        let email = format!("{role}@desk.example");
        let add = ["admin", "user", "add", "--email", &email, "--role", role, "--password-file", "password"];
        assert!(kit::run(dir.path(), &add).status.success());
    }
    let mut command: Command = kit::gatepost(dir.path());
    command.env("GATEPOST_LOG_FORMAT", "json").env("GATEPOST_LOG", "info").envs(more.iter().copied());
    command.stderr(fs::File::create(dir.path().join("log")).expect("a file"));
    Server::start_command(dir, command)
}

fn lines(server: &Server) -> Vec<Value> {
    let log = fs::read_to_string(server.dir.path().join("log")).expect("a log");
    // The last line may not be written to its end yet.
    let whole = log.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
}

/// Names of measurements with their kinds, without the endings of histograms.
fn measured(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|l| l.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned)).collect()
}

#[test]
fn what_moves_shows_on_the_dashboard_in_the_measurements_and_in_the_log() {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    deliver(&old.account(USER), mail(20).generate());
    let journey = Journey::on(logging(&[]), new.imap_port(), &[mailbox(USER, old.imap_port())]);
    journey.succeed("preflight");
    let run = journey.succeed("initial");
    deliver(&old.account(USER), [letter("INBOX", "one more", &[])]);

    let dashboard = wait_for("samples of what was copied", || {
        let dashboard = journey.get("/metrics/dashboard");
        // Samples are written now and then: a first one may tell of mail, and not yet of the end of its run.
        let of = |name: &str| number(&dashboard["totals"][name]);
        (of("messages") == 20 && of("runs_success") == 2).then_some(dashboard)
    });
    assert_eq!((&dashboard["range"], &dashboard["step_seconds"]), (&json!("24h"), &json!(300)));
    let points = dashboard["points"].as_array().expect("a list");
    assert_eq!(points.len(), 288);
    let sum: i64 = points.iter().map(|point| number(&point["messages"])).sum();
    assert_eq!(sum, 20, "the totals are the sums of the points");
    assert!(points.iter().any(|point| point["measured"] == true) && points[0]["measured"] == false);
    let totals = &dashboard["totals"];
    assert_eq!((number(&totals["runs_success"]), number(&totals["runs_failed"])), (2, 0), "{totals:#}");
    assert!(number(&totals["bytes_read"]) > 20_000 && totals["bytes_read"] == totals["bytes_written"], "{totals:#}");
    let hosts = dashboard["hosts"].as_array().expect("a list");
    assert_eq!((hosts.len(), &hosts[0]["host"]), (1, &json!("127.0.0.1")), "{hosts:#?}");
    assert_eq!(number(&dashboard["now"]["running"]), 0);
    for (range, points) in [("7d", 168), ("90d", 90)] {
        let dashboard = journey.get(&format!("/metrics/dashboard?range={range}"));
        assert_eq!(dashboard["points"].as_array().map(Vec::len), Some(points));
        assert_eq!(number(&dashboard["totals"]["messages"]), 20, "{range}");
    }
    journey.server.get(&journey.technician, "/metrics/dashboard?range=1y").problem(422, "invalid");

    let lines_shown = [
        "gatepost_messages_copied_total 20",
        "gatepost_runs_total{type=\"initial\",tool=\"native\",status=\"success\"} 1",
        "gatepost_jobs{phase=\"initial_sync\"} 1",
        "gatepost_errors_total{kind=\"run\"} 0",
        "gatepost_runs{state=\"queued\"} 0",
    ];
    // Some of them are read together with the samples, which may have been just before the end of the run.
    let shown = wait_for("the measurements", || {
        let shown = journey.server.measurements().text;
        lines_shown.iter().all(|line| shown.lines().any(|l| l == *line)).then_some(shown)
    });
    for name in measured(&shown) {
        assert!(shown.contains(&format!("# HELP {name} ")), "{name} has no text");
    }
    assert!(!shown.contains('@'), "no address of a mailbox is a label: {shown}");

    let log = lines(&journey.server);
    let of_run: Vec<&Value> =
        log.iter().filter(|l| l["span"]["name"] == "run" && l["span"]["run"] == run["id"]).collect();
    assert!(!of_run.is_empty(), "{log:#?}");
    for line in of_run {
        let span = &line["span"];
        assert_eq!((&span["job"], &span["mailbox"]), (&json!(journey.job), &journey.mailbox()["id"]), "{line:#}");
        assert_eq!((&span["kind"], &span["tool"]), (&json!("initial"), &json!("native")), "{line:#}");
    }
    let reply = journey.server.send("GET", "/healthz", &[], "").expect(200);
    let id = reply.header("x-request-id");
    wait_for("the request's line", || {
        lines(&journey.server).into_iter().find(|l| l["span"]["id"] == json!(id) && l["message"] == "answered")
    });
    let whole = fs::read_to_string(journey.server.dir.path().join("log")).expect("a log");
    assert!(!whole.contains(OLD_PASSWORD) && !whole.contains(NEW_PASSWORD));
}

#[test]
fn the_dashboard_for_grafana_asks_for_nothing_that_is_not_measured() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(&fs::read_to_string(file).expect("the file")).expect("JSON");
    let wanted: BTreeSet<String> = dashboard["panels"]
        .as_array()
        .expect("panels")
        .iter()
        .flat_map(|panel| panel["targets"].as_array().expect("targets"))
        .flat_map(|target| {
            let expression = text(&target["expr"]);
            let words = expression.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            words.filter(|word| word.starts_with("gatepost_")).map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    assert!(wanted.len() > 15, "{wanted:?}");

    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    deliver(&old.account(USER), [letter("INBOX", "one", &[])]);
    let hosts = "[[host]]\nname = \"127.0.0.1\"\nbytes_per_day = \"1GB\"\n";
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("gatepost.toml");
    fs::write(&config, hosts).expect("written");
    let config = config.display().to_string();
    let journey =
        Journey::on(logging(&[("GATEPOST_CONFIG", &config)]), new.imap_port(), &[mailbox(USER, old.imap_port())]);
    journey.succeed("preflight");
    journey.succeed("initial");
    let missing = |shown: &str| {
        let known = measured(shown);
        let of = |name: &str| name.strip_suffix("_bucket").unwrap_or(name).to_owned();
        wanted.iter().filter(|name| !known.contains(&of(name))).cloned().collect::<Vec<_>>()
    };
    wait_for("every measurement", || {
        let shown = journey.server.measurements().text;
        missing(&shown).is_empty().then_some(())
    });
}
