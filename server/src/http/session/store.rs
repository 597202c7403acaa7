//! tower-sessions' records in the database. The row is named by a digest of the cookie's value, so that a copy of the
//! database opens no session.

use async_trait::async_trait;
use gatepost_core::Gatepost;
use gatepost_store::sessions;
use std::{fmt, time::Duration};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;
use tower_sessions::{
    SessionStore,
    session::{Id, Record},
    session_store::{Error, Result},
};

/// Expired rows are removed this often.
const CLEAN_EVERY: Duration = Duration::from_secs(600);

/// The session store.
#[derive(Clone)]
pub struct Sessions(Gatepost);

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sessions")
    }
}

impl Sessions {
    /// Sessions in the service's database.
    pub fn new(core: Gatepost) -> Self {
        Self(core)
    }
}

fn name(id: Id) -> String {
    blake3::hash(&id.0.to_be_bytes()).to_hex().to_string()
}

fn data(record: &Record) -> Result<Vec<u8>> {
    serde_json::to_vec(&record.data).map_err(|error| Error::Encode(error.to_string()))
}

fn backend(error: impl fmt::Display) -> Error {
    Error::Backend(error.to_string())
}

#[async_trait]
impl SessionStore for Sessions {
    async fn create(&self, record: &mut Record) -> Result<()> {
        let data = data(record)?;
        let expires = record.expiry_date.unix_timestamp();
        let mut tx = self.0.store().begin().await.map_err(backend)?;
        while !sessions::create(&mut tx, &name(record.id), &data, expires).await.map_err(backend)? {
            record.id = Id::default();
        }
        tx.commit().await.map_err(backend)
    }

    async fn save(&self, record: &Record) -> Result<()> {
        let data = data(record)?;
        let mut tx = self.0.store().begin().await.map_err(backend)?;
        sessions::save(&mut tx, &name(record.id), &data, record.expiry_date.unix_timestamp()).await.map_err(backend)?;
        tx.commit().await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let mut reader = self.0.store().reader().await.map_err(backend)?;
        let Some(row) = sessions::load(&mut reader, &name(*id), now).await.map_err(backend)? else { return Ok(None) };
        let data = serde_json::from_slice(&row.data).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date =
            OffsetDateTime::from_unix_timestamp(row.expires_at).map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        let mut tx = self.0.store().begin().await.map_err(backend)?;
        sessions::delete(&mut tx, &name(*id)).await.map_err(backend)?;
        tx.commit().await.map_err(backend)
    }
}

/// Removes expired rows until the server ends.
pub async fn forget_expired(core: Gatepost, ending: CancellationToken) {
    loop {
        if let Err(error) = forget(&core).await {
            tracing::warn!(%error, "expired sessions could not be removed");
        }
        tokio::select! {
            () = tokio::time::sleep(CLEAN_EVERY) => {}
            () = ending.cancelled() => return,
        }
    }
}

async fn forget(core: &Gatepost) -> gatepost_store::Result<()> {
    let mut tx = core.store().begin().await?;
    sessions::delete_expired(&mut tx, OffsetDateTime::now_utc().unix_timestamp()).await?;
    tx.commit().await
}
