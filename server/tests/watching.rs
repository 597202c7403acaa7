//! What operators watch: the dashboard over time, measurements for Prometheus, the sample dashboard for Grafana, and log
//! lines that say which run and which request they are about.

mod common;

use common::{Journey, NEW_PASSWORD, OLD_PASSWORD, USER, deliver, kit, letter, mail, mailbox, number, text, wait_for};
use common::{new_server, old_server, wait_for_one_day};
use kit::Server;
use serde_json::{Value, json};
use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

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

/// What the dashboard shows, and the measurement of it. Where there is none, the right side says why.
const SHOWN: &[(&str, &str)] = &[
    ("step_seconds", "of the picture alone"),
    ("points.messages", "gatepost_messages_copied_total"),
    ("points.bytes_read", "gatepost_bytes_copied_total"),
    ("points.bytes_written", "gatepost_bytes_copied_total"),
    ("points.errors", "gatepost_errors_total"),
    ("points.running", "gatepost_runs"),
    ("points.queued", "gatepost_runs"),
    ("totals.messages", "gatepost_messages_copied_total"),
    ("totals.bytes_read", "gatepost_bytes_copied_total"),
    ("totals.bytes_written", "gatepost_bytes_copied_total"),
    ("totals.errors", "gatepost_errors_total"),
    ("totals.runs_success", "gatepost_runs_total"),
    ("totals.runs_partial", "gatepost_runs_total"),
    ("totals.runs_failed", "gatepost_runs_total"),
    ("now.queued", "gatepost_runs"),
    ("now.running", "gatepost_runs"),
    ("now.waiting", "gatepost_runs"),
    ("hosts.bytes_read", "gatepost_host_bytes_day"),
    ("hosts.bytes_written", "gatepost_host_bytes_day"),
    ("waves.wave_id", "a label"),
    ("jobs.job_id", "a label"),
];

/// The same of every forecast: of all, of a wave, of a job. The bytes on both sides are not shown; what is left of them is.
const FORECAST: &[(&str, &str)] = &[
    ("messages_source", "messages_source"),
    ("messages_dest", "messages_arrived"),
    ("messages_waived", "messages_waived"),
    ("messages_source", "messages_left"),
    ("bytes_source", "bytes_left"),
    ("bytes_dest", "bytes_left"),
    ("bytes_waived", "bytes_left"),
    ("bytes_per_second", "bytes_per_second"),
    ("eta_seconds", "eta_seconds"),
    ("running", "the runs at work, which gatepost_runs counts"),
    ("ends_at", "eta_seconds"),
];

/// The names of all figures in a document, without the numbers of lists: `jobs.forecast.messages_dest`. What may be a figure
/// and is none now (`null`) is one.
fn figures(value: &Value, name: &str, found: &mut BTreeSet<String>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, member)| figures(member, &below(key), found)),
        Value::Array(items) => items.iter().for_each(|item| figures(item, name, found)),
        Value::Number(_) | Value::Null => {
            found.insert(name.to_owned());
        }
        Value::String(_) | Value::Bool(_) => {}
    }
}

#[test]
fn every_figure_of_the_dashboard_is_measured() {
    wait_for_one_day();
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    deliver(&old.account(USER), mail(3).generate());
    let journey = Journey::on(logging(&[]), new.imap_port(), &[mailbox(USER, old.imap_port())]);
    let wave = json!({"name": "The first", "job_ids": [journey.job]});
    let wave = number(&journey.post("/migration/waves", &wave).expect(201).json()["id"]);
    let mut found = BTreeSet::new();

    // Nothing is copied yet, and all is left.
    journey.succeed("preflight");
    let dashboard = journey.get("/metrics/dashboard");
    figures(&dashboard, "", &mut found);
    let of_job = format!("{{job=\"{}\",domain=\"{}\"}}", journey.job, text(&journey.job()["domain"]));
    for line in [
        format!("gatepost_job_messages_left{of_job} 3"),
        format!("gatepost_wave_messages_left{{wave=\"{wave}\",name=\"The first\"}} 3"),
        "gatepost_all_messages_left 3".to_owned(),
        format!("gatepost_all_bytes_left {}", number(&dashboard["now"]["forecast"]["bytes_source"])),
    ] {
        // What the database does not tell soon enough is left out for once.
        wait_for(&line, || journey.server.measurements().text.lines().any(|l| l == line).then_some(()));
    }

    journey.succeed("initial");
    // The dashboard and the measurements are read one after the other: more may be counted in between.
    let (dashboard, shown) = wait_for("what the host moved", || {
        let dashboard = journey.get("/metrics/dashboard");
        let read = number(&dashboard["hosts"].as_array()?.first()?["bytes_read"]);
        let shown = journey.server.measurements().text;
        let line = format!("gatepost_host_bytes_day{{host=\"127.0.0.1\",direction=\"read\"}} {read}");
        shown.lines().any(|l| l == line).then_some((dashboard, shown))
    });
    figures(&dashboard, "", &mut found);
    assert!(!shown.contains("gatepost_job_messages_left{"), "what is done is not shown any more");

    let known = measured(&shown);
    let check = |figure: &str, measurement: &str| {
        if measurement.starts_with("gatepost_") && !measurement.contains(' ') {
            assert!(known.contains(measurement), "{figure}: {measurement} is not measured");
        }
    };
    let forecasts = [("now.forecast", "all"), ("waves.forecast", "wave"), ("jobs.forecast", "job")];
    for figure in &found {
        let forecast =
            forecasts.iter().find_map(|(of, scope)| Some((scope, figure.strip_prefix(of)?.strip_prefix('.')?)));
        if let Some((scope, figure)) = forecast {
            let mut rows = FORECAST.iter().filter(|(name, _)| *name == figure).peekable();
            assert!(rows.peek().is_some(), "no measurement is known for {figure}");
            rows.for_each(|(name, end)| match end.contains(' ') {
                true => {}
                false => check(name, &format!("gatepost_{scope}_{end}")),
            });
        } else {
            let row = SHOWN.iter().find(|(name, _)| name == figure);
            let (name, measurement) = row.unwrap_or_else(|| panic!("no measurement is known for {figure}"));
            check(name, measurement);
        }
    }
    for (name, _) in SHOWN {
        assert!(found.contains(*name), "{name} is not on the dashboard: {found:?}");
    }
    for (of, _) in forecasts {
        assert!(found.contains(&format!("{of}.messages_dest")), "{of}: {found:?}");
    }
}

/// A worker of its own beside a server; it ends when it is dropped.
struct Lone {
    child: Child,
    address: String,
}

impl Drop for Lone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lone {
    fn start(dir: &Path) -> Self {
        let mut command = kit::gatepost(dir);
        let mut child =
            command.args(["worker", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().expect("it starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("a line");
        let address = line.trim().rsplit_once(' ').map(|(_, url)| url.to_owned()).unwrap_or_default();
        assert!(address.starts_with("http://127.0.0.1:"), "the worker did not start: {line:?}");
        Self { child, address }
    }

    /// The status and the text of an answer.
    fn ask(&self, path: &str, bearer: Option<&str>) -> (u16, String) {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut request = agent.get(format!("{}{path}", self.address));
        if let Some(bearer) = bearer {
            request = request.header("authorization", format!("Bearer {bearer}"));
        }
        let mut answer = request.call().expect("an answer");
        (answer.status().as_u16(), answer.body_mut().read_to_string().expect("text"))
    }
}

#[test]
fn a_worker_of_its_own_tells_what_it_did_to_whom_the_server_would() {
    let (old, new) = (old_server().start().expect("a server"), new_server().start().expect("a server"));
    deliver(&old.account(USER), mail(20).generate());
    let journey = Journey::on(logging(&[]), new.imap_port(), &[mailbox(USER, old.imap_port())]);
    let worker = Lone::start(journey.server.dir.path());
    assert_eq!(worker.ask("/healthz", None), (200, "{\"status\":\"ok\"}".to_owned()));
    let token = |scope: &str| {
        let add = ["admin", "token", "add", "--scope", scope, "--name", scope];
        let made = kit::run(journey.server.dir.path(), &add);
        String::from_utf8_lossy(&made.stdout).trim().to_owned()
    };
    let (scraper, other) = (token("metrics:read"), token("jobs:read"));
    assert_eq!(worker.ask("/metrics", None).0, 401);
    assert_eq!(worker.ask("/metrics", Some("gp_none")).0, 401);
    assert_eq!(worker.ask("/metrics", Some(&other)).0, 403);
    for path in ["/", "/api/v1/migration/jobs", "/login", "/readyz"] {
        assert_eq!(worker.ask(path, Some(&scraper)).0, 404, "{path}");
    }

    journey.succeed("preflight");
    journey.succeed("initial");
    // Whichever of the two did a run, it tells of it.
    let count = |text: &str, name: &str| -> i64 {
        let lines = text.lines().filter(|l| l.starts_with(&format!("{name} ")) || l.starts_with(&format!("{name}{{")));
        lines.filter_map(|l| l.rsplit_once(' ')?.1.parse::<i64>().ok()).sum()
    };
    wait_for("what both did", || {
        let (status, of_worker) = worker.ask("/metrics", Some(&scraper));
        assert_eq!(status, 200, "{of_worker}");
        let of_server = journey.server.measurements().text;
        let both = |name| count(&of_worker, name) + count(&of_server, name);
        let sums = (both("gatepost_messages_copied_total"), both("gatepost_runs_total"));
        let whole = measured(&of_worker).contains("gatepost_errors_total") && of_worker.contains("gatepost_jobs{");
        (sums == (20, 2) && whole).then_some(())
    });
}
