//! The service itself: what all nouns share.

use crate::{
    Config, Courier, Drivers, Error, Result, auth::Gatekeeper, budgets::Budgets, courier::Outbound,
    discovery::Searches, dns::Readings, links::Signer, message::Readers, meter::Meter, oauth::Consents, uploads::Shelf,
    waves::Speeds, worker::Crew,
};
use gatepost_contract::{RunId, Secret};
use gatepost_store::Store;
use gatepost_vault::Vault;
use gatepost_web::Web;
use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
    sync::Arc,
};
use tokio::sync::broadcast;

/// The service. Cheap to clone; all clones are the same.
#[derive(Clone)]
pub struct Gatepost(Arc<Inner>);

struct Inner {
    config: Config,
    store: Store,
    vault: Vault,
    drivers: Arc<dyn Drivers>,
    courier: Arc<dyn Courier>,
    web: Arc<dyn Web>,
    gatekeeper: Gatekeeper,
    signer: Signer,
    consents: Consents,
    changes: broadcast::Sender<RunId>,
    crew: Crew,
    budgets: Budgets,
    readings: Readings,
    searches: Searches,
    readers: Readers,
    shelf: Shelf,
    speeds: Speeds,
    meter: Arc<Meter>,
}

impl std::fmt::Debug for Gatepost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Gatepost")
    }
}

impl Gatepost {
    /// Opens the database, makes what is missing (folders, keys), and starts no work yet.
    ///
    /// # Errors
    /// A folder that cannot be written, a key that is none, a database that does not open: each says what to do.
    pub async fn open(config: Config, drivers: Arc<dyn Drivers>) -> Result<Self> {
        for below in ["uploads", "logs", "quarantine", "work"] {
            make_private(&config.data_path.join(below))?;
        }
        let key_file = config.data_path.join("credentials.key");
        let given = config.credentials_key.as_ref().map(|s| s.0.as_str());
        let (vault, origin) = Vault::load_or_create(given, &key_file).map_err(Error::internal)?;
        if let gatepost_vault::KeyOrigin::Created(path) = &origin {
            tracing::warn!(path = %path.display(), "made a key for stored secrets; back it up, without it they cannot be read");
        }
        let jwt_key = match &config.jwt_key {
            Some(key) => key.clone(),
            None => key_file_text(&config.data_path.join("jwt.key"))?,
        };
        let store = Store::open(&config.database_url).await?;
        let crew = Crew::new();
        let allowed_hosts = config.webhook_allowed_hosts.clone();
        let courier = drivers.courier(Outbound { ca_file: config.ca_file.clone(), allowed_hosts });
        let web =
            drivers.web(Outbound { ca_file: config.ca_file.clone(), allowed_hosts: config.allowed_hosts.clone() });
        Ok(Self(Arc::new(Inner {
            courier,
            web,
            gatekeeper: Gatekeeper::new(&jwt_key)?,
            signer: Signer::new(&jwt_key)?,
            consents: Consents::new(&jwt_key)?,
            changes: broadcast::channel(1024).0,
            budgets: Budgets::new(&config.hosts, crew.name().to_owned()),
            readings: Readings::default(),
            searches: Searches::default(),
            readers: Readers::default(),
            shelf: Shelf::new(&config.data_path, config.upload_reserve_mb),
            speeds: Speeds::default(),
            meter: Arc::default(),
            crew,
            config,
            store,
            vault,
            drivers,
        })))
    }

    /// The settings.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// Tells which runs of this process have changed. Views re-read them, and poll for runs of other processes.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<RunId> {
        self.0.changes.subscribe()
    }

    pub(crate) fn changed(&self, run: RunId) {
        // Nobody listening is fine.
        let _ = self.0.changes.send(run);
    }

    pub(crate) fn vault(&self) -> &Vault {
        &self.0.vault
    }

    pub(crate) fn drivers(&self) -> &dyn Drivers {
        &*self.0.drivers
    }

    pub(crate) fn courier(&self) -> &dyn Courier {
        &*self.0.courier
    }

    pub(crate) fn web(&self) -> &Arc<dyn Web> {
        &self.0.web
    }

    pub(crate) fn gatekeeper(&self) -> &Gatekeeper {
        &self.0.gatekeeper
    }

    pub(crate) fn signer(&self) -> &Signer {
        &self.0.signer
    }

    pub(crate) fn consents(&self) -> &Consents {
        &self.0.consents
    }

    pub(crate) fn budgets(&self) -> &Budgets {
        &self.0.budgets
    }

    pub(crate) fn searches(&self) -> &Searches {
        &self.0.searches
    }

    pub(crate) fn readings(&self) -> &Readings {
        &self.0.readings
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.0.readers
    }

    pub(crate) fn shelf(&self) -> &Shelf {
        &self.0.shelf
    }

    pub(crate) fn speeds(&self) -> &Speeds {
        &self.0.speeds
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.0.meter
    }

    pub(crate) fn crew(&self) -> &Crew {
        &self.0.crew
    }
}

/// A folder that nobody else can look into.
pub(crate) fn make_private(path: &Path) -> Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(|e| {
        Error::internal(format!(
            "cannot make the folder {}: {e}. Check MIGRATION_DATA_PATH and its owner.",
            path.display()
        ))
    })
}

/// Reads a key file of mode 0600, and makes one where there is none.
pub(crate) fn key_file_text(path: &Path) -> Result<Secret> {
    let told = |what: &str, e: std::io::Error| Error::internal(format!("cannot {what} {}: {e}", path.display()));
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let text = crate::auth::random_text();
            file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|e| told("write", e))?;
            Ok(Secret(text))
        }
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            let mode = fs::metadata(path).map_err(|e| told("read", e))?.permissions().mode();
            if mode & 0o077 != 0 {
                return Err(Error::internal(format!("{0} can be read by others: chmod 600 {0}", path.display())));
            }
            let text = fs::read_to_string(path).map_err(|e| told("read", e))?;
            match text.trim() {
                key if key.len() >= 32 => Ok(Secret(key.to_owned())),
                _ => Err(Error::internal(format!(
                    "{} holds no key of 32 characters or more; remove it for a new one",
                    path.display()
                ))),
            }
        }
        Err(e) => Err(told("make", e)),
    }
}
