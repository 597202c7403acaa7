//! Applications that are registered with providers. An ops lead or a super admin registers them here too.

use super::{giving_back::give_up_of_app, registered::Registered};
use crate::{Actor, Error, Gatepost, Result, audit::Entry, clock, users::checked_page, validate::Checker};
use gatepost_contract::{
    ConsentWay, NewOauthApp, OauthApp, OauthAppId, OauthAppPatch, OauthProof, OauthProvider, Page, PageQuery, Secret,
};
use gatepost_oauth::{OauthError, ServiceAccount};
use gatepost_store::{
    Conn,
    oauth_apps::{self, AppRow, StoredApp},
    oauth_consents, oauth_tokens,
};
use gatepost_vault::Sealed;
use time::macros::format_description;

/// Where Microsoft 365 lets mail programs in.
const MICROSOFT_HOSTS: [&str; 2] = ["outlook.office365.com", "outlook.office.com"];
/// Where Google does.
const GOOGLE_HOSTS: [&str; 2] = ["imap.gmail.com", "imap.googlemail.com"];
/// Hosts whose key files name Google's own end point.
const GOOGLE_TOKENS: [&str; 3] = ["oauth2.googleapis.com", "accounts.google.com", "www.googleapis.com"];
/// Mail servers that a custom application may name.
const MAX_HOSTS: usize = 20;
/// Days before its end at which a secret is worth a warning.
const SOON: time::Duration = time::Duration::days(30);
/// Below this path of the Desk browsers come back.
const CALLBACK: &str = "/oauth/callback";

impl Gatepost {
    /// Lists the applications. `host` is where the caller reached the Desk, for the redirect address where no public
    /// URL is configured.
    pub async fn list_oauth_apps(&self, actor: &Actor, page: PageQuery, host: Option<&str>) -> Result<Page<OauthApp>> {
        actor.staff()?;
        let page = oauth_apps::list(&mut *self.store().reader().await?, &checked_page(page)?).await?;
        let redirect = self.oauth_redirect(host);
        Ok(page.map(|app| shown(app, &redirect)))
    }

    /// One of them.
    pub async fn get_oauth_app(&self, actor: &Actor, id: OauthAppId, host: Option<&str>) -> Result<OauthApp> {
        actor.staff()?;
        let app = stored(&mut *self.store().reader().await?, id).await?;
        Ok(shown(app, &self.oauth_redirect(host)))
    }

    /// Registers an application here.
    ///
    /// # Errors
    /// Wrong fields, one by one; a name that another has.
    pub async fn create_oauth_app(&self, actor: &Actor, new: NewOauthApp, host: Option<&str>) -> Result<OauthApp> {
        actor.approve()?;
        let draft = Draft::of_new(new);
        let row = self.checked_app(draft)?;
        let mut tx = self.store().begin().await?;
        let id = oauth_apps::insert(&mut tx, &row, &actor.label(), &clock::now()).await.map_err(same_name)?;
        let app = shown(stored(&mut tx, id).await?, &self.oauth_redirect(host));
        Entry::new(actor, "oauth_app.create", format!("oauth_app/{id}")).after(&app).write(&mut tx).await?;
        tx.commit().await?;
        Ok(app)
    }

    /// Changes an application. What was consented to stays, as far as the provider sees it so; tokens that were taken are
    /// taken anew. Owners are asked again where the application asks elsewhere, or its tokens may go to other servers.
    ///
    /// # Errors
    /// As [`create_oauth_app`](Self::create_oauth_app).
    pub async fn update_oauth_app(
        &self,
        actor: &Actor,
        id: OauthAppId,
        patch: OauthAppPatch,
        host: Option<&str>,
    ) -> Result<OauthApp> {
        actor.approve()?;
        let redirect = self.oauth_redirect(host);
        let mut tx = self.store().begin().await?;
        let before = stored(&mut tx, id).await?;
        let elsewhere = |new: &Option<String>, old: &Option<String>| {
            new.as_deref().is_some_and(|new| new.trim() != old.as_deref().unwrap_or_default())
        };
        // A stored secret goes only where the person who gave it meant it to go.
        let no_secret = patch.client_secret.is_none() && patch.private_key.is_none() && patch.service_account.is_none();
        let moved = elsewhere(&patch.token_url, &before.row.token_url)
            || elsewhere(&patch.device_url, &before.row.device_url)
            || elsewhere(&patch.revoke_url, &before.row.revoke_url);
        if moved && no_secret && before.row.proof != OauthProof::Nothing {
            return Err(Error::field(
                "client_secret",
                "must be entered again, because it would be sent to another address",
            ));
        }
        let row = self.checked_app(Draft::of_patch(patch, before.row.clone()))?;
        oauth_apps::update(&mut tx, id, &row, &clock::now()).await.map_err(same_name)?;
        // Nor do refresh tokens go to another address, or what comes of them to other mail servers.
        let further = row.mail_hosts.iter().any(|host| !before.row.mail_hosts.contains(host));
        let moved = moved || row.authorize_url != before.row.authorize_url;
        if moved || further || row.client_id != before.row.client_id {
            let why = "The addresses, mail servers or id of its application have been changed.";
            oauth_consents::end_of_app(&mut tx, id, why, &clock::now()).await?;
            // What is to be given back still may go where it was to go.
            if moved || row.client_id != before.row.client_id {
                give_up_of_app(&mut tx, actor, id, why).await?;
            }
        } else if row.scopes != before.row.scopes {
            oauth_tokens::forget_access(&mut tx, id).await?;
        }
        let after = shown(stored(&mut tx, id).await?, &redirect);
        Entry::new(actor, "oauth_app.update", format!("oauth_app/{id}"))
            .before(&shown(before, &redirect))
            .after(&after)
            .write(&mut tx)
            .await?;
        tx.commit().await?;
        self.forgive_renewals();
        Ok(after)
    }

    /// Forgets an application that no consent was asked for with.
    ///
    /// # Errors
    /// [`Error::Conflict`] while there are consents to it.
    pub async fn delete_oauth_app(&self, actor: &Actor, id: OauthAppId) -> Result<()> {
        actor.approve()?;
        let mut tx = self.store().begin().await?;
        let before = stored(&mut tx, id).await?;
        if before.consents > 0 {
            return Err(Error::conflict(
                "in_use",
                format!("{} consents were asked for with this application. Withdraw them first.", before.consents),
            ));
        }
        give_up_of_app(&mut tx, actor, id, "The application was removed.").await?;
        oauth_apps::delete(&mut tx, id).await?;
        Entry::new(actor, "oauth_app.delete", format!("oauth_app/{id}"))
            .before(&shown(before, &self.oauth_redirect(None)))
            .write(&mut tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The address that browsers come back to, as the provider must know it.
    #[must_use]
    pub fn oauth_redirect(&self, host: Option<&str>) -> String {
        format!("{}{CALLBACK}", self.base(host))
    }

    /// Reads what was entered into what is stored; the protocol's crate has the last word.
    fn checked_app(&self, draft: Draft) -> Result<AppRow> {
        let mut checker = Checker::new();
        let mut row = draft.row;
        row.name = checker.text("name", &row.name, 1..=100, false);
        let custom = row.provider == OauthProvider::Custom;
        self.check_app_secret(&draft.secrets, &mut row, &mut checker);
        row.client_id = checker.text("client_id", &row.client_id, 1..=300, false);
        row.directory = filled(row.directory);
        if row.directory.is_some() && row.provider != OauthProvider::Microsoft {
            checker.error("directory", "is Microsoft's; leave it out");
        }
        row.secret_expires_on = filled(row.secret_expires_on);
        if let Some(day) = &row.secret_expires_on
            && time::Date::parse(day, format_description!("[year]-[month]-[day]")).is_err()
        {
            checker.error("secret_expires_on", "must be a day such as 2027-11-21");
        }
        row.scopes = row.scopes.split_whitespace().collect::<Vec<_>>().join(" ");
        checker.text("scopes", &row.scopes, 0..=2000, false);
        for (field, url) in [
            ("authorize_url", &mut row.authorize_url),
            ("token_url", &mut row.token_url),
            ("device_url", &mut row.device_url),
            ("revoke_url", &mut row.revoke_url),
        ] {
            *url = filled(url.take());
            match url {
                Some(_) if !custom => checker.error(field, "is known of this provider; leave it out"),
                Some(text) => self.check_end_point(field, text, &mut checker),
                None if custom && field == "token_url" && row.proof != OauthProof::ServiceAccount => {
                    checker.error(field, "is needed");
                }
                None => {}
            }
        }
        if !custom && !row.scopes.is_empty() {
            checker.error("scopes", "are known of this provider; leave them out");
        }
        row.mail_hosts = mail_hosts(row.provider, &row.mail_hosts, &mut checker);
        checker.finish()?;
        let whole = self.registered_row(&row, None).map_err(|error| match error {
            OauthError::Setup(why) => Error::field(place_of(&row, &why), why),
            other => super::refused(&other),
        })?;
        if ways(&row).is_empty() {
            return Err(Error::field(
                "authorize_url",
                "or device_url is needed, or a secret: with none of them nobody can consent",
            ));
        }
        if let Registered::Service(account, _) = &whole {
            let google = account.token.host_str().is_some_and(|host| GOOGLE_TOKENS.contains(&host));
            if row.provider == OauthProvider::Google && !google || !self.may_ask(&account.token) {
                return Err(Error::field("service_account", "names a token end point that is not the provider's"));
            }
        }
        Ok(row)
    }

    /// Seals the secret that was entered, and says what it proves.
    fn check_app_secret(&self, given: &Secrets, row: &mut AppRow, checker: &mut Checker) {
        let said = [given.client_secret.is_some(), given.certificate.is_some(), given.service_account.is_some()];
        if said.iter().filter(|said| **said).count() > 1 {
            checker.error("client_secret", "or a certificate or the key of a service account: one of them");
            return;
        }
        let long = |field: &str, secret: &Secret, checker: &mut Checker| {
            if secret.0.len() > 16_384 || secret.0.contains('\0') {
                checker.error(field, "must have at most 16,384 bytes and no NUL");
            }
        };
        let seal = |secret: &Secret| Some(self.vault().seal(&Sealed::password(secret.0.trim().to_owned())));
        if let Some(secret) = &given.client_secret {
            checker.secret("client_secret", secret);
            row.proof = OauthProof::Secret;
            (row.secret_blob, row.certificate) = (seal(secret), None);
        }
        match (&given.certificate, &given.private_key) {
            (Some(certificate), Some(key)) => {
                long("private_key", key, checker);
                long("certificate", &Secret(certificate.clone()), checker);
                row.proof = OauthProof::Certificate;
                (row.secret_blob, row.certificate) = (seal(key), Some(certificate.trim().to_owned()));
            }
            (None, None) => {}
            (Some(_), None) => checker.error("private_key", "is needed with the certificate"),
            (None, Some(_)) => checker.error("certificate", "is needed with its key"),
        }
        if let Some(file) = &given.service_account {
            long("service_account", file, checker);
            if row.provider == OauthProvider::Microsoft {
                checker.error("service_account", "is not Microsoft's; enter a client secret or a certificate");
            }
            row.proof = OauthProof::ServiceAccount;
            (row.secret_blob, row.certificate) = (seal(file), None);
            match ServiceAccount::from_json(&file.0) {
                Ok(account) if row.client_id.trim().is_empty() => {
                    row.client_id = account.client_id.unwrap_or(account.email);
                }
                Ok(_) => {}
                Err(error) => checker.error("service_account", error.to_string()),
            }
        }
        if row.provider == OauthProvider::Google && row.proof != OauthProof::ServiceAccount {
            if row.proof == OauthProof::Nothing {
                checker.error("client_secret", "or the key of a service account is needed");
            } else if row.proof == OauthProof::Certificate {
                checker.error(
                    "certificate",
                    "is not what Google takes; enter a client secret or the key of a service account",
                );
            }
        }
    }

    fn check_end_point(&self, field: &str, text: &str, checker: &mut Checker) {
        match url::Url::parse(text) {
            Ok(url) if text.len() <= 2000 && self.may_ask(&url) => {}
            Ok(url) if url.scheme() == "http" => {
                checker.error(field, "must begin with https://, or its host must be named in MIGRATION_ALLOWED_HOSTS");
            }
            _ => checker.error(field, "must be an address that begins with https://"),
        }
    }
}

/// The secrets of a form.
struct Secrets {
    client_secret: Option<Secret>,
    certificate: Option<String>,
    private_key: Option<Secret>,
    service_account: Option<Secret>,
}

/// An application as it was entered.
struct Draft {
    row: AppRow,
    secrets: Secrets,
}

impl Draft {
    fn of_new(new: NewOauthApp) -> Self {
        Self {
            secrets: Secrets {
                client_secret: new.client_secret,
                certificate: filled(new.certificate),
                private_key: new.private_key,
                service_account: new.service_account,
            },
            row: AppRow {
                name: new.name,
                provider: new.provider,
                client_id: new.client_id,
                proof: OauthProof::Nothing,
                secret_blob: None,
                certificate: None,
                directory: new.directory,
                authorize_url: new.authorize_url,
                token_url: new.token_url,
                device_url: new.device_url,
                revoke_url: new.revoke_url,
                scopes: new.scopes,
                mail_hosts: new.mail_hosts,
                secret_expires_on: new.secret_expires_on,
            },
        }
    }

    fn of_patch(patch: OauthAppPatch, before: AppRow) -> Self {
        // The hosts of the large providers are not entered.
        let known = if before.provider == OauthProvider::Custom { before.mail_hosts } else { Vec::new() };
        Self {
            secrets: Secrets {
                client_secret: patch.client_secret,
                certificate: filled(patch.certificate),
                private_key: patch.private_key,
                service_account: patch.service_account,
            },
            row: AppRow {
                name: patch.name.unwrap_or(before.name),
                client_id: patch.client_id.unwrap_or(before.client_id),
                directory: patch.directory.or(before.directory),
                authorize_url: patch.authorize_url.or(before.authorize_url),
                token_url: patch.token_url.or(before.token_url),
                device_url: patch.device_url.or(before.device_url),
                revoke_url: patch.revoke_url.or(before.revoke_url),
                scopes: patch.scopes.unwrap_or(before.scopes),
                mail_hosts: patch.mail_hosts.unwrap_or(known),
                secret_expires_on: patch.secret_expires_on.or(before.secret_expires_on),
                ..before
            },
        }
    }
}

fn filled(text: Option<String>) -> Option<String> {
    text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// The hosts that tokens may be shown to.
fn mail_hosts(provider: OauthProvider, given: &[String], checker: &mut Checker) -> Vec<String> {
    let known: &[&str] = match provider {
        OauthProvider::Microsoft => &MICROSOFT_HOSTS,
        OauthProvider::Google => &GOOGLE_HOSTS,
        OauthProvider::Custom => &[],
    };
    let given: Vec<&str> = given.iter().map(|host| host.trim()).filter(|host| !host.is_empty()).collect();
    if !known.is_empty() {
        if !given.is_empty() {
            checker.error("mail_hosts", "are known of this provider; leave them out");
        }
        return known.iter().map(|host| (*host).to_owned()).collect();
    }
    if given.is_empty() {
        checker.error("mail_hosts", "must name the mail servers that tokens may be shown to");
    } else if given.len() > MAX_HOSTS {
        checker.error("mail_hosts", format!("may be {MAX_HOSTS} at most"));
    }
    let mut hosts: Vec<String> = given.iter().map(|host| mail_host(host, checker)).collect();
    hosts.sort();
    hosts.dedup();
    hosts
}

/// One of them: `HOST`, or `HOST:PORT` where it listens at another port than IMAP's.
fn mail_host(text: &str, checker: &mut Checker) -> String {
    let split = text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'));
    let Some((host, port)) = split else { return checker.host("mail_hosts", text) };
    let host = checker.host("mail_hosts", host);
    match port.parse::<u16>() {
        Ok(port) if port > 0 && host.contains(':') => format!("[{host}]:{port}"),
        Ok(port) if port > 0 => format!("{host}:{port}"),
        _ => {
            checker.error("mail_hosts", "must be names such as imap.example.com or imap.example.com:1143");
            host
        }
    }
}

/// The field that a refusal of the protocol's crate is about.
fn place_of(row: &AppRow, why: &str) -> &'static str {
    match row.proof {
        _ if why.contains("tenant") => "directory",
        _ if why.contains("authorization end point") => "authorize_url",
        _ if why.contains("device end point") => "device_url",
        _ if why.contains("revocation end point") => "revoke_url",
        _ if why.contains("token end point") && row.proof != OauthProof::ServiceAccount => "token_url",
        OauthProof::ServiceAccount => "service_account",
        OauthProof::Certificate if why.contains("key") => "private_key",
        OauthProof::Certificate => "certificate",
        _ => "client_secret",
    }
}

/// How people can consent to an application.
fn ways(row: &AppRow) -> Vec<ConsentWay> {
    if row.proof == OauthProof::ServiceAccount {
        return vec![ConsentWay::ServiceAccount];
    }
    let proved = row.proof != OauthProof::Nothing;
    let possible = match row.provider {
        OauthProvider::Microsoft => [true, true, proved],
        // Google gives no code of a device for mail.
        OauthProvider::Google => [true, false, false],
        OauthProvider::Custom => [row.authorize_url.is_some(), row.device_url.is_some(), proved],
    };
    let all = [ConsentWay::Code, ConsentWay::Device, ConsentWay::Client];
    all.into_iter().zip(possible).filter_map(|(way, possible)| possible.then_some(way)).collect()
}

/// An application as people see it.
pub(super) fn shown(app: StoredApp, redirect: &str) -> OauthApp {
    let ways = ways(&app.row);
    let soon = (time::OffsetDateTime::now_utc() + SOON).date().to_string();
    let row = app.row;
    OauthApp {
        id: app.id,
        name: row.name,
        provider: row.provider,
        client_id: row.client_id,
        proof: row.proof,
        directory: row.directory,
        authorize_url: row.authorize_url,
        token_url: row.token_url,
        device_url: row.device_url,
        revoke_url: row.revoke_url,
        scopes: row.scopes,
        mail_hosts: row.mail_hosts,
        secret_ends_soon: row.secret_expires_on.as_ref().is_some_and(|day| *day <= soon),
        secret_expires_on: row.secret_expires_on,
        ways,
        redirect_url: redirect.to_owned(),
        consents: app.consents,
        created_by: app.created_by,
        created_at: app.created_at,
        updated_at: app.updated_at,
    }
}

/// An application that must exist.
pub(super) async fn stored(conn: &mut Conn, id: OauthAppId) -> Result<StoredApp> {
    oauth_apps::get(conn, id).await?.ok_or(Error::NotFound("application"))
}

fn same_name(error: gatepost_store::Error) -> Error {
    match error {
        gatepost_store::Error::Exists { .. } => Error::field("name", "is that of another application"),
        other => other.into(),
    }
}
