//! Care of the installation: readiness, backup, key rotation.

use crate::{Actor, Error, Gatepost, Result, audit::Entry};
use gatepost_contract::Scope;
use gatepost_store::{budgets, credentials};
use std::path::Path;

impl Gatepost {
    /// Whether an actor may read the measurements: staff, or a token with `metrics:read`.
    pub fn may_read_measurements(&self, actor: &Actor) -> Result<()> {
        actor.read(Scope::MetricsRead)
    }

    /// Whether the database answers and the data path can be written.
    pub async fn ready(&self) -> Result<()> {
        self.store().ping().await?;
        let probe = self.config().data_path.join("work").join(format!(".ready-{}", uuid::Uuid::new_v4()));
        tokio::fs::write(&probe, b"").await.map_err(Error::internal)?;
        tokio::fs::remove_file(&probe).await.map_err(Error::internal)
    }

    /// What was read from and written to the hosts with a budget today (UTC), in bytes, the most first.
    pub async fn spent_today(&self) -> Result<Vec<(String, u64, u64)>> {
        let today = time::OffsetDateTime::now_utc().date().to_string();
        let spent = budgets::usage_of_day(&mut *self.store().reader().await?, &today).await?;
        let count = |n: i64| u64::try_from(n).unwrap_or_default();
        Ok(spent.into_iter().map(|(host, usage)| (host, count(usage.downloaded), count(usage.uploaded))).collect())
    }

    /// A consistent copy of the database, made while the server runs. Returns its size in bytes.
    ///
    /// # Errors
    /// [`Error::Conflict`] where the file exists already.
    pub async fn backup(&self, actor: &Actor, path: &Path) -> Result<u64> {
        actor.admin()?;
        if path.exists() {
            return Err(Error::conflict("exists", format!("{} exists already; choose another name.", path.display())));
        }
        self.store().backup(path).await?;
        Ok(std::fs::metadata(path).map_err(Error::internal)?.len())
    }

    /// Seals every secret anew with the first key. Returns how many needed it.
    pub async fn rotate_vault(&self, actor: &Actor) -> Result<u64> {
        actor.admin()?;
        let mut tx = self.store().begin().await?;
        let mut count = 0;
        for row in credentials::all(&mut tx).await? {
            if self.vault().needs_rotation(&row.secret_blob) {
                let sealed =
                    self.vault().rotate(&row.secret_blob).map_err(|e| Error::conflict("vault", e.to_string()))?;
                credentials::replace(&mut tx, &row.id, &sealed).await?;
                count += 1;
            }
        }
        count += self.reseal_webhooks(&mut tx).await?;
        count += self.reseal_oauth(&mut tx).await?;
        Entry::new(actor, "vault.rotate", "vault".into()).after(&count).write(&mut tx).await?;
        tx.commit().await?;
        Ok(count)
    }
}
