//! What the service must be told at its start.

use crate::HostRule;
use gatepost_contract::{Role, Secret, Security};
use std::{net::SocketAddr, path::PathBuf};

/// The settings. Where they come from is the caller's business.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where files lie: uploads/, logs/, quarantine/, work/ and the keys.
    pub data_path: PathBuf,
    /// The database.
    pub database_url: String,
    /// False: no run is taken up.
    pub enabled: bool,
    /// The least part of each mailbox that must have arrived, 0 to 1.
    pub gate_min_ratio: f64,
    /// How old evidence may be to open the gate.
    pub evidence_max_age_hours: u64,
    /// How old the last delta may be before the gate warns of it.
    pub delta_max_age_hours: u64,
    /// Who may open the gate in spite of failing checks.
    pub override_roles: Vec<Role>,
    /// Fernet keys, comma separated; a key file below the data path where none is given.
    pub credentials_key: Option<Secret>,
    /// The largest upload.
    pub max_pst_gb: u64,
    /// The folder of the server whose files may be taken as sources; none: no file of the server is taken.
    pub import_path: Option<PathBuf>,
    /// So many days after its job was verified a file is removed; 0: never by itself.
    pub upload_retention_days: u64,
    /// So many days after its run ended, and its job was closed, a log is removed; 0: never.
    pub log_retention_days: u64,
    /// So many hours after its last byte came an unfinished upload is removed.
    pub upload_expiry_hours: u64,
    /// What stays free on the disk of the uploads, in MiB; a twentieth of it, from 1 to 20 GiB, where none is given.
    pub upload_reserve_mb: Option<u64>,
    /// The new server of a new job.
    pub dest_imap_host: Option<String>,
    /// Its port.
    pub dest_imap_port: Option<u16>,
    /// How the connection to it is protected.
    pub dest_imap_security: Security,
    /// How many runs are at work at once.
    pub workers: usize,
    /// Memory for everything in flight.
    pub memory_budget_mb: u64,
    /// Where browsers reach the Desk.
    pub public_url: Option<String>,
    /// The key of JWTs; a key file below the data path where none is given.
    pub jwt_key: Option<Secret>,
    /// Certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Plain connections beyond the loopback addresses.
    pub allow_plaintext: bool,
    /// Mail hosts that may be used although their addresses are link-local or otherwise refused.
    pub allowed_hosts: Vec<String>,
    /// Hosts that webhooks may be posted to although their addresses are private, and without TLS.
    pub webhook_allowed_hosts: Vec<String>,
    /// The resolvers that are asked about domains; none: the DNS is not read.
    pub dns_resolvers: Vec<SocketAddr>,
    /// Whether Thunderbird's public database is asked for the settings of old servers: it learns which domains move.
    pub discovery_ispdb: bool,
    /// What signs the webhooks that say that an MX was changed. With it they must be signed.
    pub dns_webhook_secret: Option<Secret>,
    /// When deltas start by themselves where nobody says otherwise, as a cron expression; none: they do not.
    pub delta_schedule: Option<String>,
    /// The time zone of schedules that name none.
    pub time_zone: String,
    /// What mail hosts may be asked for, beside what is known of the large providers.
    pub hosts: Vec<HostRule>,
}

impl Config {
    /// The usual settings with everything below one folder.
    #[must_use]
    pub fn below(data_path: PathBuf) -> Self {
        Self {
            database_url: format!("sqlite://{}?mode=rwc", data_path.join("gatepost.db").display()),
            data_path,
            enabled: true,
            gate_min_ratio: 0.99,
            evidence_max_age_hours: 72,
            delta_max_age_hours: 24,
            override_roles: vec![Role::SuperAdmin],
            credentials_key: None,
            max_pst_gb: 50,
            import_path: None,
            upload_retention_days: 30,
            log_retention_days: 90,
            upload_expiry_hours: 168,
            upload_reserve_mb: None,
            dest_imap_host: None,
            dest_imap_port: None,
            dest_imap_security: Security::Tls,
            workers: 4,
            memory_budget_mb: 256,
            public_url: None,
            jwt_key: None,
            ca_file: None,
            allow_plaintext: false,
            allowed_hosts: Vec::new(),
            webhook_allowed_hosts: Vec::new(),
            dns_resolvers: Vec::new(),
            discovery_ispdb: false,
            dns_webhook_secret: None,
            delta_schedule: Some("0 */6 * * *".into()),
            time_zone: "UTC".into(),
            hosts: Vec::new(),
        }
    }
}
