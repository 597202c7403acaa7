//! `gatepost report`: makes a job's report, and checks one against its signature.

use super::{Exit, Outcome, open::open, print_json, print_line};
use crate::config::Config;
use anyhow::Context;
use clap::{Args, Subcommand};
use gatepost_contract::JobId;
use gatepost_core::Actor;
use gatepost_report::{Edition, Lang, Trusted, check, check_pdf};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

/// Reports of jobs
#[derive(Debug, Subcommand)]
pub enum Report {
    /// Check a report, JSON or PDF, against its signature; exits with 1 where it is not what was signed
    Verify(Verify),
    /// Write a job's report as it is now
    Make(Make),
    /// Print the public key that this installation signs reports with
    Key {
        /// As a PEM block, for openssl
        #[arg(long)]
        pem: bool,
    },
}

/// What is checked against what
#[derive(Debug, Args)]
pub struct Verify {
    /// report.json, or the PDF, which carries the document and its signature with it; its pages are drawn again from that
    /// and compared, for which it takes the version of Gatepost that made it
    file: PathBuf,
    /// The detached signature; FILE.sig where left out. Not for a PDF
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    /// The public key: 64 hexadecimal digits, or a file that holds them or a PEM block; this installation's own where
    /// left out
    #[arg(long, value_name = "KEY|FILE")]
    key: Option<String>,
    /// Print the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// Which report, and where to
#[derive(Debug, Args)]
pub struct Make {
    /// The job
    #[arg(long, value_name = "N")]
    job_id: i64,
    /// Write the JSON document to this file, and its signature beside it as FILE.sig
    #[arg(long, value_name = "FILE", required_unless_present = "pdf")]
    json: Option<PathBuf>,
    /// Write the PDF to this file
    #[arg(long, value_name = "FILE")]
    pdf: Option<PathBuf>,
    /// The language of the PDF, en or pt-BR
    #[arg(long, value_name = "TAG", default_value = "en", value_parser = language)]
    lang: Lang,
    /// The edition for the domain's owner: no names of staff, no servers, no single messages
    #[arg(long)]
    customer: bool,
}

fn language(tag: &str) -> Result<Lang, String> {
    tag.parse()
}

/// Carries it out.
pub async fn run(report: Report, config: Config) -> Outcome {
    match report {
        Report::Verify(wanted) => verify(&wanted, &config),
        Report::Make(wanted) => make(wanted, &config).await,
        Report::Key { pem } => {
            let key = open(&config).await?.report_key()?;
            print_line(if pem { key.pem.trim_end() } else { &key.public_key })?;
            Ok(Exit::Done)
        }
    }
}

fn verify(wanted: &Verify, config: &Config) -> Outcome {
    let said = match trusted(wanted, config) {
        Ok(trusted) => {
            let report = &trusted.report;
            if wanted.json {
                print_json(&serde_json::json!({
                    "valid": true, "digest": trusted.digest, "key_id": trusted.key_id, "domain": report.job.domain,
                    "job_id": report.job.id, "generated_at": report.generated_at, "edition": report.edition,
                }))?;
            } else {
                print_line(format_args!(
                    "good: the {} of {} (job {}) made at {} was signed with the key {}, and is as it was then",
                    if report.edition == Edition::Customer { "customer's report" } else { "report" },
                    report.job.domain,
                    report.job.id,
                    report.generated_at,
                    trusted.key_id
                ))?;
            }
            return Ok(Exit::Done);
        }
        Err(why) => why,
    };
    if wanted.json {
        print_json(&serde_json::json!({ "valid": false, "reason": format!("{said:#}") }))?;
        return Ok(Exit::Failed);
    }
    Err(said)
}

fn trusted(wanted: &Verify, config: &Config) -> anyhow::Result<Trusted> {
    let file = read(&wanted.file)?;
    if file.starts_with(b"%PDF-") {
        return Ok(check_pdf(&file, &key(wanted, config)?)?);
    }
    let beside = wanted.signature.clone().unwrap_or_else(|| with_ending(&wanted.file));
    Ok(check(&file, &read(&beside)?, &key(wanted, config)?)?)
}

fn key(wanted: &Verify, config: &Config) -> anyhow::Result<String> {
    match &wanted.key {
        Some(key) if Path::new(key).is_file() => {
            Ok(fs::read_to_string(key).with_context(|| format!("cannot read {key}"))?)
        }
        Some(key) => Ok(key.clone()),
        None => {
            let own = gatepost_core::report_key(&config.core.data_path)?;
            let own = own.context(
                "there is no key to check against: this installation has signed no report. Give --key with the key of \
                 the installation that made it; its Desk shows it, and /api/v1/report-key",
            )?;
            Ok(own.public_key)
        }
    }
}

fn with_ending(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

async fn make(wanted: Make, config: &Config) -> Outcome {
    let core = open(config).await?;
    let job = JobId(wanted.job_id);
    let data = if wanted.customer { core.customer_report(job).await? } else { core.report(&Actor::Cli, job).await? };
    if let Some(path) = &wanted.json {
        create(path, &data.document)?;
        create(&with_ending(path), &serde_json::to_vec(&data.signature)?)?;
    }
    if let Some(path) = &wanted.pdf {
        create(path, &data.printed(wanted.lang).await?)?;
    }
    Ok(Exit::Done)
}

/// An existing file is not touched.
fn create(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(path)
        .with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(file.write_all(content)?)
}
