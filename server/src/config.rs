//! The settings of the program: what they may be, their defaults, and what core needs of them.
//!
//! [`load`] reads everything at once and reports every fault at once. Nothing else reads settings from the
//! environment.

mod hosts;
mod source;
#[cfg(test)]
mod tests;

pub use source::{Fault, Settings};

use crate::http::client::Network;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use gatepost_contract::{Role, Secret, Security};
use gatepost_tools::ssh::Destination;
use std::{
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// The commented sample, printed by `gatepost config sample`.
pub const SAMPLE: &str = include_str!("config/sample.toml");

/// Every variable that the program knows.
pub const NAMES: &[&str] = &[
    "GATEPOST_CARBONIO_URL",
    "GATEPOST_CONFIG",
    "GATEPOST_DATABASE_URL",
    "GATEPOST_DELTA_MAX_AGE_HOURS",
    "GATEPOST_DELTA_SCHEDULE",
    "GATEPOST_DISCOVERY_ISPDB",
    "GATEPOST_DNS_RESOLVERS",
    "GATEPOST_DNS_WEBHOOK_SECRET",
    "GATEPOST_EVIDENCE_MAX_AGE_HOURS",
    "GATEPOST_EMBED_ANCESTORS",
    "GATEPOST_IMPORT_PATH",
    "GATEPOST_JWT_KEY",
    "GATEPOST_LISTEN",
    "GATEPOST_LOG",
    "GATEPOST_LOG_FORMAT",
    "GATEPOST_LOG_RETENTION_DAYS",
    "GATEPOST_MEMORY_BUDGET_MB",
    "GATEPOST_PUBLIC_URL",
    "GATEPOST_SITE_ROOT",
    "GATEPOST_SSH_KEY_FILE",
    "GATEPOST_TIME_ZONE",
    "GATEPOST_TRUSTED_PROXIES",
    "GATEPOST_UPLOAD_EXPIRY_HOURS",
    "GATEPOST_UPLOAD_RESERVE_MB",
    "GATEPOST_UPLOAD_RETENTION_DAYS",
    "GATEPOST_WEBHOOK_ALLOWED_HOSTS",
    "GATEPOST_WORKERS",
    "GATEPOST_WORKER_LISTEN",
    "MIGRATION_ALLOWED_HOSTS",
    "MIGRATION_ALLOW_PLAINTEXT",
    "MIGRATION_CARBONIO_SSH",
    "GATEPOST_CA_FILE",
    "MIGRATION_CREDENTIALS_KEY",
    "MIGRATION_DATA_PATH",
    "MIGRATION_DEST_IMAP_HOST",
    "MIGRATION_DEST_IMAP_PORT",
    "MIGRATION_DEST_IMAP_SSL",
    "MIGRATION_DOVEADM_BIN",
    "MIGRATION_DOVEADM_CONFIG",
    "MIGRATION_ENABLED",
    "MIGRATION_GATE_MIN_RATIO",
    "MIGRATION_GATE_OVERRIDE_ROLES",
    "MIGRATION_IMAPSYNC_BIN",
    "MIGRATION_IMAP_UPLOAD",
    "MIGRATION_MAX_PST_GB",
    "MIGRATION_READPST_BIN",
    "MIGRATION_TOOLS_PATH",
    "MIGRATION_ZMMAILBOX_USER",
];

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// External programs, each optional.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    /// A directory that is searched before `PATH`.
    pub path: Option<PathBuf>,
    /// imapsync.
    pub imapsync: Option<PathBuf>,
    /// readpst.
    pub readpst: Option<PathBuf>,
    /// imap_upload.py.
    pub imap_upload: Option<PathBuf>,
    /// doveadm.
    pub doveadm: Option<PathBuf>,
    /// The configuration of the Dovecot that doveadm works for.
    pub doveadm_config: Option<PathBuf>,
    /// Where zmmailbox of the new server is run.
    pub carbonio_ssh: Option<Destination>,
    /// As whom zmmailbox is run, here and at old servers.
    pub zmmailbox_user: Option<String>,
    /// Where the new server answers HTTPS, if that is not its own name: `https://HOST:PORT`.
    pub carbonio_url: Option<String>,
    /// The new server that those two are of, where it is not the one that `carbonio_ssh` names.
    pub carbonio_host: Option<String>,
    /// The port at which it is read by IMAP, where that is not the usual one.
    pub carbonio_port: Option<u16>,
    /// The private key that logs in by SSH.
    pub ssh_key: Option<PathBuf>,
    /// The confirmed host keys.
    pub known_hosts: PathBuf,
}

/// All settings, checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the service itself needs.
    pub core: gatepost_core::Config,
    /// Where the Desk and the API listen.
    pub listen: SocketAddr,
    /// Where a worker alone answers those who watch it, if anywhere.
    pub worker_listen: Option<SocketAddr>,
    /// The log's filter, if it was set.
    pub log: Option<String>,
    /// How log lines look.
    pub log_format: LogFormat,
    /// Where the pages' assets are, if it was set.
    pub site_root: Option<PathBuf>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<Network>,
    /// Who may frame the small page of the gate, as a content security policy writes it.
    pub embed_ancestors: String,
    /// External programs.
    pub tools: Tools,
}

/// Settings that cannot be used, all of them.
#[derive(Debug)]
pub struct Unusable(pub Vec<Fault>);

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the settings cannot be used:")?;
        self.0.iter().try_for_each(|fault| write!(f, "\n  {}: {}", fault.name, fault.message))
    }
}

impl std::error::Error for Unusable {}

/// Where packages put the settings of the service.
const INSTALLED: &str = "/etc/gatepost/gatepost.toml";

/// Reads the process's environment, and below it the file of `--config` or `GATEPOST_CONFIG`; where neither is given the
/// service's own, if it is there for whoever asks.
pub fn load(file: Option<&Path>) -> Result<Config, Unusable> {
    let mut environment = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| NAMES.contains(name)) else { continue };
        match value.into_string() {
            Ok(value) => environment.push((name.to_owned(), value)),
            Err(_) => {
                return Err(Unusable(vec![Fault { name: name.to_owned(), message: "is not valid UTF-8".into() }]));
            }
        }
    }
    let named = environment.iter().find(|(name, value)| name == "GATEPOST_CONFIG" && !value.is_empty());
    let installed = || Some(PathBuf::from(INSTALLED)).filter(|path| std::fs::File::open(path).is_ok());
    let path = file.map(Path::to_path_buf).or_else(|| named.map(|(_, value)| PathBuf::from(value))).or_else(installed);
    let text = match &path {
        None => None,
        Some(path) => Some(std::fs::read_to_string(path).map_err(|error| {
            let message = format!("{} cannot be read: {error}", path.display());
            Unusable(vec![Fault { name: "GATEPOST_CONFIG".into(), message }])
        })?),
    };
    read(Settings::new(environment, path.as_deref().zip(text.as_deref())))
}

/// Makes a configuration of settings; every fault is reported.
pub fn read(s: Settings) -> Result<Config, Unusable> {
    let data_path = PathBuf::from(s.text("MIGRATION_DATA_PATH").unwrap_or_else(|| "./data".into()));
    let database_url = s.parsed(
        "GATEPOST_DATABASE_URL",
        format!("sqlite://{}?mode=rwc", data_path.join("gatepost.db").display()),
        "sqlite://PATH or postgres://USER@HOST/DATABASE",
        |text| {
            let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
            if known { Ok(text.to_owned()) } else { Err(()) }
        },
    );
    let core = gatepost_core::Config {
        database_url,
        enabled: s.truth("MIGRATION_ENABLED", true),
        gate_min_ratio: s.parsed(
            "MIGRATION_GATE_MIN_RATIO",
            0.99,
            "a number above 0 and at most 1, e.g. 0.99",
            |text| text.parse().ok().filter(|ratio: &f64| *ratio > 0.0 && *ratio <= 1.0).ok_or(()),
        ),
        evidence_max_age_hours: s.number("GATEPOST_EVIDENCE_MAX_AGE_HOURS", 72, 1, 8760, "a number of hours"),
        delta_max_age_hours: s.number("GATEPOST_DELTA_MAX_AGE_HOURS", 24, 1, 8760, "a number of hours"),
        override_roles: s
            .list("MIGRATION_GATE_OVERRIDE_ROLES", "technician, ops_lead, super_admin, comma separated", str::parse)
            .unwrap_or_else(|| vec![Role::SuperAdmin]),
        credentials_key: credentials_key(&s),
        max_pst_gb: s.number("MIGRATION_MAX_PST_GB", 50, 1, 1024, "a size in GiB"),
        import_path: folder(&s, "GATEPOST_IMPORT_PATH"),
        upload_retention_days: s.number("GATEPOST_UPLOAD_RETENTION_DAYS", 30, 0, 3650, "a number of days"),
        log_retention_days: s.number("GATEPOST_LOG_RETENTION_DAYS", 90, 0, 3650, "a number of days"),
        upload_expiry_hours: s.number("GATEPOST_UPLOAD_EXPIRY_HOURS", 168, 1, 8760, "a number of hours"),
        upload_reserve_mb: s.parsed(
            "GATEPOST_UPLOAD_RESERVE_MB",
            None,
            "a size in MiB, from 16 to 1048576, or auto",
            |text| match text {
                "auto" => Ok(None),
                text => text.parse().ok().filter(|mb: &u64| (16..=1 << 20).contains(mb)).map(Some).ok_or(()),
            },
        ),
        dest_imap_host: s.parsed("MIGRATION_DEST_IMAP_HOST", None, "a host name or address without port", host),
        dest_imap_port: s.parsed("MIGRATION_DEST_IMAP_PORT", None, "a port from 1 to 65535", |text| {
            text.parse().ok().filter(|port| *port > 0).map(Some).ok_or(())
        }),
        dest_imap_security: s.parsed(
            "MIGRATION_DEST_IMAP_SSL",
            Security::Tls,
            "true (TLS) or false (STARTTLS)",
            security,
        ),
        workers: usize::try_from(s.number("GATEPOST_WORKERS", 4, 1, 64, "a number of mailboxes")).unwrap_or(4),
        memory_budget_mb: s.number("GATEPOST_MEMORY_BUDGET_MB", 256, 16, 65_536, "a size in MiB"),
        public_url: s.parsed("GATEPOST_PUBLIC_URL", None, "an http or https URL without path", public_url),
        jwt_key: jwt_key(&s),
        ca_file: file(&s, "GATEPOST_CA_FILE"),
        allow_plaintext: s.truth("MIGRATION_ALLOW_PLAINTEXT", false),
        allowed_hosts: hosts_named(&s, "MIGRATION_ALLOWED_HOSTS"),
        webhook_allowed_hosts: hosts_named(&s, "GATEPOST_WEBHOOK_ALLOWED_HOSTS"),
        dns_resolvers: s
            .parsed(
                "GATEPOST_DNS_RESOLVERS",
                None,
                "addresses of resolvers, ADDRESS or ADDRESS:PORT, comma separated, or none",
                |text| gatepost_dns::parse_resolvers(text).map(Some),
            )
            .unwrap_or_else(gatepost_dns::system_resolvers),
        discovery_ispdb: s.truth("GATEPOST_DISCOVERY_ISPDB", false),
        dns_webhook_secret: webhook_secret(&s),
        delta_schedule: delta_schedule(&s),
        time_zone: time_zone(&s),
        hosts: hosts::read(&s),
        data_path,
    };
    let carbonio_port = core.dest_imap_port;
    let (carbonio_host, known_hosts) = (core.dest_imap_host.clone(), core.data_path.join("ssh").join("known_hosts"));
    let config = Config {
        core,
        listen: s.parsed(
            "GATEPOST_LISTEN",
            SocketAddr::from(([127, 0, 0, 1], 8080)),
            "ADDRESS:PORT, e.g. 127.0.0.1:8080",
            str::parse,
        ),
        worker_listen: s.parsed("GATEPOST_WORKER_LISTEN", None, "ADDRESS:PORT, e.g. 127.0.0.1:8081", |text| {
            text.parse().map(Some).map_err(|_| ())
        }),
        log: s.parsed("GATEPOST_LOG", None, "a filter such as info or gatepost=debug,warn", |text| {
            text.parse::<tracing_subscriber::EnvFilter>().map(|_| Some(text.to_owned()))
        }),
        log_format: s.parsed("GATEPOST_LOG_FORMAT", LogFormat::Text, "text or json", |text| match text {
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            _ => Err(()),
        }),
        site_root: s.text("GATEPOST_SITE_ROOT").map(PathBuf::from),
        trusted_proxies: s
            .list("GATEPOST_TRUSTED_PROXIES", "addresses or networks, comma separated, e.g. 10.0.0.0/8", str::parse)
            .unwrap_or_default(),
        embed_ancestors: s
            .list(
                "GATEPOST_EMBED_ANCESTORS",
                "*, none, self, or origins such as https://tickets.example.net or https://*.example.net, comma separated",
                ancestor,
            )
            .map_or_else(|| "*".to_owned(), |all| if all.is_empty() { "'none'".to_owned() } else { all.join(" ") }),
        tools: Tools {
            path: s.text("MIGRATION_TOOLS_PATH").map(PathBuf::from),
            imapsync: s.text("MIGRATION_IMAPSYNC_BIN").map(PathBuf::from),
            readpst: s.text("MIGRATION_READPST_BIN").map(PathBuf::from),
            imap_upload: s.text("MIGRATION_IMAP_UPLOAD").map(PathBuf::from),
            doveadm: s.text("MIGRATION_DOVEADM_BIN").map(PathBuf::from),
            doveadm_config: file(&s, "MIGRATION_DOVEADM_CONFIG"),
            carbonio_ssh: s.parsed(
                "MIGRATION_CARBONIO_SSH",
                None,
                "USER@HOST or USER@HOST:PORT, e.g. root@mail.example.net",
                |text| text.parse().map(Some).map_err(|_| ()),
            ),
            zmmailbox_user: s.parsed("MIGRATION_ZMMAILBOX_USER", None, "a unix user, e.g. zextras or zimbra", |text| {
                let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
                (text.bytes().all(plain) && !text.starts_with('-')).then(|| Some(text.to_owned())).ok_or(())
            }),
            carbonio_url: s.parsed("GATEPOST_CARBONIO_URL", None, "an https URL without path", public_url),
            carbonio_host,
            carbonio_port,
            ssh_key: file(&s, "GATEPOST_SSH_KEY_FILE"),
            known_hosts,
        },
    };
    let faults = s.into_faults();
    if faults.is_empty() { Ok(config) } else { Err(Unusable(faults)) }
}

impl Config {
    /// Whether people reach the Desk by https.
    pub fn is_https(&self) -> bool {
        self.core.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
    }
}

/// The keys are checked for their form here, so that a wrong one stops the start and is not quoted.
fn credentials_key(s: &Settings) -> Option<Secret> {
    let text = s.text("MIGRATION_CREDENTIALS_KEY")?;
    let fernet = |key: &str| {
        let key = key.trim();
        key.len() == 44
            && key.ends_with('=')
            && key[..43].bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
    };
    if text.is_ascii() && text.split(',').all(fernet) {
        Some(Secret(text))
    } else {
        s.fault(
            "MIGRATION_CREDENTIALS_KEY",
            "must be one or more Fernet keys (44 characters of URL-safe base64), comma separated; \
             `gatepost vault keygen` makes one",
        );
        None
    }
}

fn jwt_key(s: &Settings) -> Option<Secret> {
    let text = s.text("GATEPOST_JWT_KEY")?;
    if text.len() < 32 {
        s.fault(
            "GATEPOST_JWT_KEY",
            "is too short; it must have at least 32 characters, e.g. of `openssl rand -hex 32`",
        );
        return None;
    }
    Some(Secret(text))
}

/// `whsec_` and 24 to 64 bytes in Base64, as Standard Webhooks wants it. Checked here, and not quoted.
fn webhook_secret(s: &Settings) -> Option<Secret> {
    let text = s.text("GATEPOST_DNS_WEBHOOK_SECRET")?;
    // Decoded as signatures do it: what passes here can be used there.
    let key = text.strip_prefix("whsec_").and_then(|key| STANDARD.decode(key).ok());
    if key.is_some_and(|key| (24..=64).contains(&key.len())) {
        return Some(Secret(text));
    }
    s.fault(
        "GATEPOST_DNS_WEBHOOK_SECRET",
        "must be whsec_ and 24 to 64 random bytes in Base64, e.g. whsec_ and what `openssl rand -base64 32` prints",
    );
    None
}

/// When deltas start by themselves; `off` for never.
fn delta_schedule(s: &Settings) -> Option<String> {
    let text = s.text("GATEPOST_DELTA_SCHEDULE").unwrap_or_else(|| "0 */6 * * *".into());
    if matches!(text.to_ascii_lowercase().as_str(), "off" | "none" | "never") {
        return None;
    }
    if let Err(why) = gatepost_core::check_schedule(&text, "UTC") {
        s.fault("GATEPOST_DELTA_SCHEDULE", format!("cannot be used: its {why}; it may be off"));
    }
    Some(text)
}

fn time_zone(s: &Settings) -> String {
    let name = s.text("GATEPOST_TIME_ZONE").unwrap_or_else(|| "UTC".into());
    if gatepost_core::check_schedule("0 0 * * *", &name).is_err() {
        s.fault(
            "GATEPOST_TIME_ZONE",
            "names no time zone of the IANA database; it may be UTC, Europe/Lisbon, America/Sao_Paulo, ...",
        );
    }
    name
}

fn file(s: &Settings, name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(s.text(name)?);
    if let Err(error) = std::fs::File::open(&path) {
        s.fault(name, format!("{} cannot be read: {error}", path.display()));
    }
    Some(path)
}

fn folder(s: &Settings, name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(s.text(name)?);
    match std::fs::metadata(&path) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => s.fault(name, format!("{} is no folder", path.display())),
        Err(error) => s.fault(name, format!("{} cannot be read: {error}", path.display())),
    }
    Some(path)
}

fn hosts_named(s: &Settings, name: &'static str) -> Vec<String> {
    let named = |text: &str| host(text).and_then(|host| host.ok_or(()));
    s.list(name, "host names or addresses, comma separated", named).unwrap_or_default()
}

fn host(text: &str) -> Result<Option<String>, ()> {
    url::Host::parse(text).or_else(|_| url::Host::parse(&format!("[{text}]"))).map_err(|_| ())?;
    Ok(Some(text.to_owned()))
}

/// A source of `frame-ancestors` (CSP Level 3, section 6.4.2.1).
fn ancestor(text: &str) -> Result<String, ()> {
    match text {
        "*" => return Ok("*".to_owned()),
        "self" | "none" => return Ok(format!("'{text}'")),
        _ => {}
    }
    let (scheme, host) = text.split_once("://").ok_or(())?;
    let host = host.trim_end_matches('/');
    let named = host.strip_prefix("*.").unwrap_or(host);
    let url = url::Url::parse(&format!("{scheme}://{named}/")).map_err(|_| ())?;
    let plain = named.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
    let known = matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.path() == "/";
    if plain && known && url.username().is_empty() { Ok(format!("{scheme}://{host}")) } else { Err(()) }
}

fn security(text: &str) -> Result<Security, ()> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" | "tls" => Ok(Security::Tls),
        "false" | "0" | "no" | "off" | "starttls" => Ok(Security::Starttls),
        "plain" => Ok(Security::Plain),
        _ => Err(()),
    }
}

fn public_url(text: &str) -> Result<Option<String>, ()> {
    let url = url::Url::parse(text).map_err(|_| ())?;
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    let known = matches!(url.scheme(), "http" | "https") && url.host().is_some() && url.username().is_empty();
    if bare && known { Ok(Some(url.as_str().trim_end_matches('/').to_owned())) } else { Err(()) }
}
