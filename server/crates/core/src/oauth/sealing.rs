//! Tokens, verifiers and application secrets as they lie in the database: sealed, and sealed anew when keys change.

use crate::{Error, Gatepost, Result};
use gatepost_contract::Secret;
use gatepost_store::{Conn, oauth_apps, oauth_requests, oauth_revocations, oauth_tokens};
use gatepost_vault::Sealed;

/// How often a rotation of keys goes over what others write at the same time.
const RESEALS: u32 = 3;

impl Gatepost {
    pub(super) fn seal_token(&self, token: &Secret) -> Vec<u8> {
        self.vault().seal(&Sealed::oauth_token(token.0.clone()))
    }

    pub(super) fn open_token(&self, blob: &[u8]) -> Result<Secret> {
        let sealed = self.vault().open(blob).map_err(|e| Error::conflict("vault", e.to_string()))?;
        let token =
            sealed.oauth_token.ok_or_else(|| Error::conflict("vault", "There is no token in what is sealed."))?;
        Ok(Secret(token.expose().to_owned()))
    }

    /// Seals everything of OAuth anew that was not sealed with the first key; how much that was.
    pub(crate) async fn reseal_oauth(&self, tx: &mut Conn) -> Result<u64> {
        let anew = |blob: &[u8]| -> Result<Option<Vec<u8>>> {
            let old = self.vault().needs_rotation(blob);
            let rotated = old.then(|| self.vault().rotate(blob)).transpose();
            rotated.map_err(|e| Error::conflict("vault", e.to_string()))
        };
        let mut count = 0;
        // What another process writes meanwhile is not sealed over; it is looked at again.
        for _ in 0..RESEALS {
            let mut missed = false;
            let mut done = |written: bool| {
                count += u64::from(written);
                missed |= !written;
            };
            for (id, read) in oauth_apps::sealed(tx).await? {
                if let Some(blob) = anew(&read)? {
                    done(oauth_apps::reseal(tx, id, &read, &blob).await?);
                }
            }
            for (id, subject, row) in oauth_tokens::all(tx).await? {
                let access = row.access_blob.as_deref().map(anew).transpose()?.flatten();
                let refresh = row.refresh_blob.as_deref().map(anew).transpose()?.flatten();
                if access.is_some() || refresh.is_some() {
                    let (access, refresh) = (access.or(row.access_blob.clone()), refresh.or(row.refresh_blob.clone()));
                    done(oauth_tokens::reseal(tx, id, &subject, &row, access.as_deref(), refresh.as_deref()).await?);
                }
            }
            for (place, read) in oauth_requests::sealed(tx).await? {
                if let Some(blob) = anew(&read)? {
                    done(oauth_requests::reseal(tx, &place, &read, &blob).await?);
                }
            }
            for (id, read) in oauth_revocations::sealed(tx).await? {
                if let Some(blob) = anew(&read)? {
                    done(oauth_revocations::reseal(tx, id, &read, &blob).await?);
                }
            }
            if !missed {
                break;
            }
        }
        Ok(count)
    }
}
