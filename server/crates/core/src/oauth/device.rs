//! Consents by a code that the owner types in at the provider's page (RFC 8628). The workers ask whether that was done.

use super::{apps, consents::consent, granting::By, refused, registered::Registered};
use crate::{Actor, Error, Gatepost, Result, clock};
use gatepost_contract::{Consent, ConsentId, ConsentState, ConsentWay, Secret};
use gatepost_oauth::OauthError;
use gatepost_store::{
    oauth_consents::{self, Standing},
    oauth_requests::{self, DeviceRow},
};
use std::time::Duration as Pause;
use time::{Duration, OffsetDateTime};

/// How often the workers look for codes that may be asked about.
const LOOK: Pause = Pause::from_secs(1);
/// RFC 8628 section 3.5.
const SLOWER: i64 = 5;
/// A provider that does not answer is asked less and less, but at least so often.
const SLOWEST: i64 = 60;

impl Gatepost {
    /// Asks the provider for a code. The one before is of no use any more.
    ///
    /// # Errors
    /// What the provider said; [`Error::Conflict`] for a consent that is given in another way.
    pub async fn begin_device_consent(&self, actor: &Actor, id: ConsentId) -> Result<Consent> {
        let before = self.changeable(actor, id).await?;
        if before.way != ConsentWay::Device {
            return Err(Error::conflict("not_by_code", "This consent is not given by a code that is typed in."));
        }
        let app = apps::stored(&mut *self.store().reader().await?, before.app_id).await?;
        let app = self.registered(&app, &before).and_then(Registered::app).map_err(|error| refused(&error))?;
        let code = match gatepost_oauth::device_begin(&**self.web(), &app).await {
            Ok(code) => code,
            Err(error) => {
                self.note_failure(&before, &error).await?;
                return Err(refused(&error));
            }
        };
        let interval = i64::try_from(code.interval.as_secs()).unwrap_or(SLOWEST).clamp(1, SLOWEST);
        let ends = OffsetDateTime::now_utc() + Duration::try_from(code.expires_in).unwrap_or(Duration::MINUTE);
        let device = DeviceRow {
            consent_id: id,
            device_blob: self.seal_token(&code.device),
            user_code: code.user_code,
            verification_url: code.verify_at,
            interval_seconds: interval,
            next_poll_at: seconds_on(interval),
            expires_at: clock::text(ends),
            asked_by: actor.label(),
            any_account: actor.approve().is_ok(),
        };
        let mut tx = self.store().begin().await?;
        oauth_requests::put_device(&mut tx, &device).await?;
        if before.state == ConsentState::Failed {
            let standing = Standing { state: ConsentState::Pending, error: None };
            oauth_consents::stand(&mut tx, id, standing, &clock::now()).await?;
        }
        let after = consent(&mut tx, id).await?;
        tx.commit().await?;
        Ok(after)
    }

    /// Asks about codes until the process ends.
    pub(crate) async fn watch_devices(&self) {
        while !self.crew().stopping().is_cancelled() {
            if let Err(error) = self.ask_about_devices().await {
                // Logs what lies behind.
                let _ = gatepost_contract::Problem::from(error);
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.crew().stopping().cancelled() => {}
            }
        }
    }

    async fn ask_about_devices(&self) -> Result<()> {
        let due = oauth_requests::due_devices(&mut *self.store().reader().await?, &clock::now()).await?;
        let asked = due.into_iter().map(|id| self.ask_about_device(id));
        for error in futures::future::join_all(asked).await.into_iter().filter_map(Result::err) {
            // Logs what lies behind.
            let _ = gatepost_contract::Problem::from(error);
        }
        Ok(())
    }

    async fn ask_about_device(&self, id: ConsentId) -> Result<()> {
        let mut tx = self.store().begin().await?;
        // Far enough for the answer: nobody else asks meanwhile.
        let device = oauth_requests::take_device(&mut tx, id, &seconds_on(SLOWEST), &clock::now()).await?;
        tx.commit().await?;
        let Some(device) = device else { return Ok(()) };
        let before = consent(&mut *self.store().reader().await?, id).await?;
        let answer = match self.poll_device(&before, &device).await {
            Err(OauthError::Pending | OauthError::Unreachable { .. } | OauthError::SlowDown)
                if device.expires_at <= clock::now() =>
            {
                Err(OauthError::Expired)
            }
            other => other,
        };
        let interval = match &answer {
            Ok(tokens) => {
                let by = By { label: &device.asked_by, link: None, any_account: device.any_account };
                match self.grant_consent(&before, "", tokens, &by).await {
                    // The reason stands with the consent; the code has served.
                    Err(Error::Conflict { .. }) => return self.drop_code(id).await,
                    other => return other.map(drop),
                }
            }
            Err(OauthError::Pending) => device.interval_seconds,
            Err(OauthError::SlowDown) => device.interval_seconds + SLOWER,
            Err(OauthError::Unreachable { .. }) => (device.interval_seconds * 2).min(SLOWEST),
            Err(error) => {
                self.drop_code(id).await?;
                return self.note_failure(&before, error).await;
            }
        };
        let mut tx = self.store().begin().await?;
        oauth_requests::put_off(&mut tx, id, interval, &seconds_on(interval)).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn drop_code(&self, id: ConsentId) -> Result<()> {
        let mut tx = self.store().begin().await?;
        oauth_requests::drop_device(&mut tx, id).await?;
        Ok(tx.commit().await?)
    }

    async fn poll_device(
        &self,
        before: &Consent,
        device: &DeviceRow,
    ) -> std::result::Result<gatepost_oauth::Tokens, OauthError> {
        let setup = |error: Error| OauthError::Setup(error.to_string());
        let app = {
            let mut conn = self.store().reader().await.map_err(|error| setup(error.into()))?;
            apps::stored(&mut conn, before.app_id).await.map_err(setup)?
        };
        let app = self.registered(&app, before).and_then(Registered::app)?;
        let code: Secret = self.open_token(&device.device_blob).map_err(setup)?;
        gatepost_oauth::device_poll(&**self.web(), &app, &code).await
    }
}

fn seconds_on(seconds: i64) -> String {
    clock::text(OffsetDateTime::now_utc() + Duration::seconds(seconds))
}
