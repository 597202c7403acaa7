//! `gatepost doctor`: looks at everything that the program needs and says what to do.

mod tools;

use super::{Exit, Outcome, open::open, print_json, print_line, table::bytes};
use crate::{
    config::{self, Config},
    http::Site,
};
use clap::Args;
use serde::Serialize;
use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Below this much free space a copy may stop half-way.
const LITTLE_SPACE: u64 = 1024 * 1024 * 1024;

/// Check tools, ports, disk, keys and settings, and say what to do
///
/// Exits with 1 when something must be put right before the program can work.
#[derive(Debug, Args)]
#[command(
    after_help = "External programs are found or installed by /usr/share/gatepost/install-migration-tools.sh (in the \
                        sources: scripts/install-migration-tools.sh)."
)]
pub struct Doctor {
    /// Print the findings as one JSON array
    #[arg(long)]
    json: bool,
}

/// How serious a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Grade {
    Ok,
    Warn,
    Fail,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    check: &'static str,
    grade: Grade,
    message: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self { check, grade: Grade::Ok, message: message.into(), advice: None }
    }

    fn warn(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, grade: Grade::Warn, message: message.into(), advice: Some(advice.into()) }
    }

    fn fail(check: &'static str, message: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { check, grade: Grade::Fail, message: message.into(), advice: Some(advice.into()) }
    }
}

/// Looks at everything and prints what was found.
pub async fn run(doctor: &Doctor, file: Option<&Path>) -> Outcome {
    let findings = match config::load(file) {
        Ok(config) => {
            let mut findings = vec![Finding::ok("settings", "can be used")];
            findings.extend(examine(&config).await);
            findings
        }
        Err(error) => {
            let fail = |fault: config::Fault| {
                Finding::fail(
                    "settings",
                    format!("{}: {}", fault.name, fault.message),
                    "correct this variable, or the setting in the file",
                )
            };
            error.0.into_iter().map(fail).collect()
        }
    };
    if doctor.json {
        print_json(&findings)?;
    } else {
        for finding in &findings {
            let grade = match finding.grade {
                Grade::Ok => "ok  ",
                Grade::Warn => "warn",
                Grade::Fail => "fail",
            };
            print_line(format_args!("{grade}  {}: {}", finding.check, finding.message))?;
            if let Some(advice) = &finding.advice {
                print_line(format_args!("      -> {advice}"))?;
            }
        }
    }
    Ok(if findings.iter().any(|f| f.grade == Grade::Fail) { Exit::Failed } else { Exit::Done })
}

async fn examine(config: &Config) -> Vec<Finding> {
    let mut findings = vec![data_path(config), database(config).await];
    findings.extend(keys(config));
    findings.push(port(config).await);
    findings.extend(authorities(config));
    findings.push(site(config));
    findings.push(retention(config));
    findings.extend(tools::examine(config).await);
    findings.extend(budgets(config).await);
    findings
}

/// When files and logs go by themselves.
fn retention(config: &Config) -> Finding {
    let after = |days: u64| if days == 0 { "never by themselves".into() } else { format!("after {days} days") };
    let (files, logs) = (config.core.upload_retention_days, config.core.log_retention_days);
    Finding::ok(
        "retention",
        format!("files of verified jobs go {}, logs that nothing refers to go {}", after(files), after(logs)),
    )
}

/// What mail hosts may be asked for, and what was spent of it today.
async fn budgets(config: &Config) -> Vec<Finding> {
    let check = "host budget";
    let rules = gatepost_core::in_force(&config.core.hosts);
    let mut findings: Vec<Finding> = rules.iter().map(|rule| Finding::ok(check, rule.to_string())).collect();
    let spent = match database_file(config) {
        Some(file) if !file.exists() => return findings,
        _ => match open(config).await {
            Ok(core) => core.spent_today().await.unwrap_or_default(),
            // That the database does not open has been said.
            Err(_) => return findings,
        },
    };
    findings.extend(spent.into_iter().map(|(host, read, written)| {
        Finding::ok(check, format!("{host}: {} read and {} written today", bytes(read), bytes(written)))
    }));
    findings
}

/// The database's file, where it is one.
fn database_file(config: &Config) -> Option<PathBuf> {
    let file = config.core.database_url.strip_prefix("sqlite:")?.trim_start_matches("//");
    file.split('?').next().map(PathBuf::from)
}

fn data_path(config: &Config) -> Finding {
    let path = &config.core.data_path;
    let check = "data path";
    if !path.exists() {
        let parent = path.ancestors().skip(1).find(|p| p.is_dir()).unwrap_or(Path::new("."));
        let advice = format!("it is made on the first start, if {} can be written", parent.display());
        return Finding::warn(check, format!("{} does not exist yet", path.display()), advice);
    }
    let probe = path.join(format!(".gatepost-doctor-{}", std::process::id()));
    let written = std::fs::write(&probe, b"x").and_then(|()| std::fs::remove_file(&probe));
    if let Err(error) = written {
        let advice = format!("let the program's user write there: chown -R gatepost {}", path.display());
        return Finding::fail(check, format!("{} cannot be written: {error}", path.display()), advice);
    }
    match rustix::fs::statvfs(path) {
        Ok(space) => {
            let free = space.f_bavail.saturating_mul(space.f_frsize);
            let message = format!("{} can be written, {} free", path.display(), bytes(free));
            if free < LITTLE_SPACE {
                Finding::warn(check, message, "make room, or set MIGRATION_DATA_PATH to a larger disk")
            } else {
                Finding::ok(check, message)
            }
        }
        Err(error) => {
            Finding::warn(check, format!("the free space of {} is not known: {error}", path.display()), "look with df")
        }
    }
}

async fn database(config: &Config) -> Finding {
    let check = "database";
    // Opening would make a file that is not there; looking must leave nothing behind.
    if let Some(file) = database_file(config)
        && !file.exists()
    {
        return Finding::warn(check, format!("{} does not exist yet", file.display()), "it is made on the first start");
    }
    let opened = match open(config).await {
        Ok(core) => core.ready().await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match opened {
        Ok(()) => Finding::ok(check, "opens, answers and has the newest tables"),
        Err(error) => Finding::fail(check, format!("{error:#}"), "check GATEPOST_DATABASE_URL and who may write there"),
    }
}

fn keys(config: &Config) -> Vec<Finding> {
    let check = "keys";
    let mut findings = Vec::new();
    for entry in std::fs::read_dir(&config.core.data_path).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_none_or(|e| e != "key") {
            continue;
        }
        let Ok(mode) = path.metadata().map(|m| m.permissions().mode() & 0o777) else { continue };
        findings.push(if mode.trailing_zeros() >= 6 {
            Finding::ok(check, format!("{} has mode {mode:04o}", path.display()))
        } else {
            let message = format!("{} has mode {mode:04o}: others can read it", path.display());
            Finding::fail(check, message, format!("chmod 600 {}", path.display()))
        });
    }
    if findings.is_empty() && (config.core.credentials_key.is_none() || config.core.jwt_key.is_none()) {
        findings.push(Finding::warn(
            check,
            "there is no key yet",
            "key files are made on the first start; keep copies of them",
        ));
    }
    if config.core.credentials_key.is_some() {
        findings.push(Finding::ok(check, "MIGRATION_CREDENTIALS_KEY is set"));
    }
    findings
}

async fn port(config: &Config) -> Finding {
    let check = "port";
    match tokio::net::TcpListener::bind(config.listen).await {
        Ok(_) => Finding::ok(check, format!("{} is free", config.listen)),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let advice = "fine if that is Gatepost itself; otherwise set GATEPOST_LISTEN to another port";
            Finding::warn(check, format!("something listens on {} already", config.listen), advice)
        }
        Err(error) => {
            let advice = "set GATEPOST_LISTEN to an address of this machine and a port above 1023";
            Finding::fail(check, format!("{} cannot be used: {error}", config.listen), advice)
        }
    }
}

fn authorities(config: &Config) -> Vec<Finding> {
    let check = "certificate authorities";
    let system = rustls_native_certs::load_native_certs();
    let mut findings = vec![if system.certs.is_empty() {
        let advice = "apt-get install ca-certificates, or set GATEPOST_CA_FILE";
        Finding::fail(check, "the system has none, so that no server's certificate can be verified", advice)
    } else {
        Finding::ok(check, format!("{} of the system", system.certs.len()))
    }];
    if let Some(path) = &config.core.ca_file {
        let count = std::fs::read_to_string(path).map(|text| text.matches("-----BEGIN CERTIFICATE-----").count());
        findings.push(match count {
            Ok(count) if count > 0 => Finding::ok(check, format!("{count} in {}", path.display())),
            _ => Finding::fail(check, format!("{} holds no certificate", path.display()), "it must be a PEM file"),
        });
    }
    findings
}

fn site(config: &Config) -> Finding {
    match Site::find(config.site_root.as_deref()) {
        Ok(site) => Finding::ok("site", site.to_string()),
        Err(error) => Finding::fail("site", error.to_string(), "scripts/build makes them"),
    }
}
