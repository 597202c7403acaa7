//! A server of its own for each test, and a small client.

use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{Arc, Mutex, OnceLock},
    time::Duration,
};
use tempfile::TempDir;
use ureq::{
    Agent, Body,
    http::{Request, Response},
};

/// Every test user's password.
pub const PASSWORD: &str = "correct horse battery";

/// The roles, each with a user `<role>@desk.example`.
pub const ROLES: [&str; 3] = ["technician", "ops_lead", "super_admin"];

/// A running server. It ends when it is dropped.
pub struct Server {
    child: Child,
    pub address: String,
    pub dir: TempDir,
    agent: Agent,
    stdout: Arc<Mutex<String>>,
    scraper: OnceLock<String>,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub text: String,
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header, or an empty text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v)
    }

    /// The status, checked.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// A refusal in the one shape, checked.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        for field in ["type", "title", "detail", "code"] {
            assert!(problem[field].is_string(), "{field} is missing: {problem}");
        }
        assert_eq!(problem["status"], status, "{problem}");
        assert_eq!(problem["code"], code, "{problem}");
        problem
    }
}

/// A command on the data path of a test.
pub fn gatepost(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    for (name, _) in std::env::vars() {
        if name.starts_with("GATEPOST_") || name.starts_with("MIGRATION_") {
            command.env_remove(name);
        }
    }
    command
        .current_dir(dir)
        .env("MIGRATION_DATA_PATH", dir.join("data"))
        .env("GATEPOST_SITE_ROOT", dir.join("site"))
        .env("GATEPOST_LISTEN", "127.0.0.1:0")
        .env("GATEPOST_LOG", "warn")
        .env("GATEPOST_DNS_RESOLVERS", "none")
        // Whatever the hour, nothing starts by itself unless a test wants it.
        .env("GATEPOST_DELTA_SCHEDULE", "off")
        // However little of the disk is free.
        .env("GATEPOST_UPLOAD_RESERVE_MB", "16")
        .stdin(Stdio::null());
    command
}

/// A directory with what stands in for the built site.
pub fn directory() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let assets = dir.path().join("site/pkg/0123abcd");
    std::fs::create_dir_all(&assets).expect("a directory");
    std::fs::write(assets.join("gatepost.js"), "export default 1;").expect("a file");
    std::fs::write(assets.join("gatepost.css"), "body{}").expect("a file");
    std::fs::write(dir.path().join("site/favicon.svg"), "<svg/>").expect("a file");
    std::fs::write(dir.path().join("password"), format!("{PASSWORD}\n")).expect("a file");
    dir
}

/// Runs a command to its end.
pub fn run(dir: &Path, arguments: &[&str]) -> Output {
    gatepost(dir).args(arguments).output().expect("the program starts")
}

impl Server {
    /// A server with a user of each role.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// The same with more settings.
    pub fn start_with(settings: &[(&str, &str)]) -> Self {
        let dir = directory();
        for role in ROLES {
            let email = format!("{role}@desk.example");
            let add = ["admin", "user", "add", "--email", &email, "--role", role, "--password-file", "password"];
            let output = run(dir.path(), &add);
            assert!(output.status.success(), "{output:?}");
        }
        Self::start_in(dir, settings)
    }

    /// A server on a directory that is prepared already.
    pub fn start_in(dir: TempDir, settings: &[(&str, &str)]) -> Self {
        let mut command = gatepost(dir.path());
        command.envs(settings.iter().copied());
        Self::start_command(dir, command)
    }

    /// A server by a command that is set up already but for `serve`. What it prints is in [`Self::stdout`].
    pub fn start_command(dir: TempDir, mut command: Command) -> Self {
        command.arg("serve").stdout(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let mut line = String::new();
        let mut printed = BufReader::new(child.stdout.take().expect("it is piped"));
        printed.read_line(&mut line).expect("a line");
        let stdout = Arc::new(Mutex::new(line.clone()));
        let rest = Arc::clone(&stdout);
        std::thread::spawn(move || {
            for line in printed.lines().map_while(Result::ok) {
                rest.lock().expect("no thread panics with it").push_str(&line);
            }
        });
        let address = line.trim().rsplit_once(' ').map(|(_, url)| url.to_owned()).unwrap_or_default();
        assert!(address.starts_with("http://127.0.0.1:"), "the server did not start: {line:?}");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .timeout_global(Some(Duration::from_secs(300)))
            // A refusal may close the connection before its body was read: the next request takes one of its own.
            .max_idle_connections(0)
            .allow_non_standard_methods(true)
            .build()
            .new_agent();
        Self { child, address, dir, agent, stdout, scraper: OnceLock::new() }
    }

    /// Everything that the server has printed so far.
    pub fn stdout(&self) -> String {
        self.stdout.lock().expect("no thread panics with it").clone()
    }

    /// The server's process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server (SIGKILL) and keeps its directory.
    pub fn kill(mut self) -> TempDir {
        std::mem::replace(&mut self.dir, tempfile::tempdir().expect("a directory"))
    }

    /// A request: headers as pairs, the body as it is.
    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Reply {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = body.as_ref();
        let sent = if body.is_empty() && matches!(method, "GET" | "HEAD" | "DELETE") {
            self.agent.run(request.body(()).expect("a request"))
        } else {
            self.agent.run(request.body(body).expect("a request"))
        };
        read(sent.unwrap_or_else(|error| panic!("{method} {path}: {error}")))
    }

    /// A request with a bearer token and a JSON body.
    #[track_caller]
    pub fn call(&self, token: &str, method: &str, path: &str, body: &Value) -> Reply {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let headers = if body.is_empty() { &headers[..1] } else { &headers[..] };
        self.send(method, &format!("/api/v1{path}"), headers, body)
    }

    /// A GET with a bearer token.
    #[track_caller]
    pub fn get(&self, token: &str, path: &str) -> Reply {
        self.call(token, "GET", path, &Value::Null)
    }

    /// The access token of a role's user.
    #[track_caller]
    pub fn token(&self, role: &str) -> String {
        let body = json!({"email": format!("{role}@desk.example"), "password": PASSWORD}).to_string();
        let reply = self.send("POST", "/api/v1/auth/token", &[("content-type", "application/json")], body).expect(200);
        reply.json()["access_token"].as_str().expect("a token").to_owned()
    }

    /// A tenant, a ticket and a job with a mailbox; the job's id.
    #[track_caller]
    pub fn job(&self, token: &str, domain: &str) -> i64 {
        let tenant =
            self.call(token, "POST", "/tenants", &json!({"name": format!("Tenant of {domain}")})).expect(201).json();
        let job = json!({
            "domain": domain, "tenant_id": tenant["id"], "dest_imap_host": "127.0.0.1", "dest_imap_security": "plain",
            "mailboxes": [{
                "email": format!("ana@{domain}"), "source_type": "imap", "source_host": "127.0.0.1", "source_security": "plain",
                "source_secret": {"password": "source secret"}, "dest_secret": {"password": "dest secret"}
            }]
        });
        let job = self.call(token, "POST", "/migration/jobs", &job).expect(201).json();
        job["id"].as_i64().expect("an id")
    }

    /// The measurements, read with a token that may nothing else.
    #[track_caller]
    pub fn measurements(&self) -> Reply {
        let token = self.scraper.get_or_init(|| {
            let scraper = json!({"name": "scraper", "scopes": ["metrics:read"]});
            let issued = self.call(&self.token("super_admin"), "POST", "/tokens", &scraper).expect(201).json();
            issued["secret"].as_str().expect("a secret").to_owned()
        });
        self.send("GET", "/metrics", &[("authorization", &format!("Bearer {token}"))], "").expect(200)
    }

    /// Logs a role's user in at the Desk; the cookie.
    #[track_caller]
    pub fn cookie(&self, role: &str) -> String {
        let form = format!("email={role}%40desk.example&password={}", PASSWORD.replace(' ', "+"));
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("origin", &self.address)];
        let reply = self.send("POST", "/api/fn/log_in", &headers, form);
        let cookie = reply.header("set-cookie").split(';').next().expect("a cookie").to_owned();
        assert!(cookie.starts_with("gatepost="), "{reply:?}");
        cookie
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A test's data path goes with it; there is nothing to end cleanly.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(response: Response<Body>) -> Reply {
    let status = response.status().as_u16();
    let headers = response
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let mut text = Vec::new();
    response.into_body().into_reader().read_to_end(&mut text).expect("a body");
    Reply { status, headers, text: String::from_utf8_lossy(&text).into_owned() }
}
