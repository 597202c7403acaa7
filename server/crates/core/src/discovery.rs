//! Settings of old servers, found from a domain or an address. They are proposed and never applied: a person takes one of
//! them into a form, looks at it and stores it.

use crate::{Actor, Error, Gatepost, Outbound, Result, validate::Checker};
use gatepost_contract::{Discovery, DiscoveryQuery, Proposal};
use gatepost_discovery::{Means, Subject, discover};
use gatepost_dns::{Dns, Options};
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

/// How many searches are under way at once in this process: each speaks to a dozen servers.
const AT_ONCE: usize = 4;
/// How long what was found is kept, so that the form that takes a proposal does not search again.
const KEPT: Duration = Duration::from_secs(600);
/// How many results are kept.
const MOST_KEPT: usize = 200;

/// What was found a short while ago.
pub(crate) struct Searches {
    kept: Mutex<HashMap<String, (Instant, Discovery)>>,
    turns: Semaphore,
}

impl Default for Searches {
    fn default() -> Self {
        Self { kept: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }
}

impl Searches {
    fn get(&self, key: &str) -> Option<Discovery> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(at, _)| at.elapsed() < KEPT).map(|(_, found)| found.clone())
    }

    fn keep(&self, key: String, found: &Discovery) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| at.elapsed() < KEPT);
        if kept.len() < MOST_KEPT {
            kept.insert(key, (Instant::now(), found.clone()));
        }
    }
}

impl Gatepost {
    /// Looks for the settings of a domain's mail server: asks the DNS, the web and the servers that are named, which takes
    /// up to half a minute. What was found within the last ten minutes is given again.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is neither a domain nor an address.
    pub async fn discover(&self, actor: &Actor, query: &DiscoveryQuery) -> Result<Discovery> {
        actor.manage()?;
        let (key, subject) = subject(query)?;
        if let Some(found) = self.searches().get(&key) {
            return Ok(found);
        }
        let _turn = self.searches().turns.acquire().await.map_err(Error::internal)?;
        // Whoever had the turn before may have searched for the same.
        if let Some(found) = self.searches().get(&key) {
            return Ok(found);
        }
        let config = self.config();
        let dns = (!config.dns_resolvers.is_empty()).then(|| {
            Dns::new(config.dns_resolvers.clone(), Options { timeout: Duration::from_secs(3), ..Options::default() })
        });
        let outbound = Outbound { ca_file: config.ca_file.clone(), allowed_hosts: config.allowed_hosts.clone() };
        let prober = self.drivers().prober(outbound);
        let means = Means { dns: dns.as_ref(), web: &**self.web(), prober: &*prober, ispdb: config.discovery_ispdb };
        let found = discover(&means, &subject).await;
        self.searches().keep(key, &found);
        Ok(found)
    }

    /// The proposal that a person has chosen among those for a domain or an address: only what was really found can be
    /// taken, whatever a link says.
    ///
    /// # Errors
    /// [`Error::NotFound`] where it is none of them.
    pub async fn proposal(&self, actor: &Actor, query: &DiscoveryQuery, key: &str) -> Result<Proposal> {
        let found = self.discover(actor, query).await?;
        found.proposals.into_iter().find(|one| one.key() == key).ok_or(Error::NotFound("proposal"))
    }
}

/// For whom to search, and under which key it is kept.
fn subject(query: &DiscoveryQuery) -> Result<(String, Subject)> {
    let given = |text: &Option<String>| text.as_deref().map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned);
    let mut checker = Checker::new();
    let found = match (given(&query.email), given(&query.domain)) {
        (Some(_), Some(_)) => {
            checker.error("domain", "means nothing beside an email; give one of the two");
            None
        }
        (None, None) => {
            checker.error("domain", "must be a domain, or give an email");
            None
        }
        (Some(email), None) => {
            let email = checker.email("email", &email);
            let domain = email.rsplit_once('@').map(|(_, domain)| domain.to_owned()).unwrap_or_default();
            let subject = Subject::of_address(&email, &domain);
            Some((email, subject))
        }
        (None, Some(domain)) => {
            let domain = checker.domain("domain", &domain);
            let subject = Subject::of_domain(&domain);
            Some((domain, subject))
        }
    };
    checker.finish()?;
    found.ok_or_else(|| Error::field("domain", "must be a domain"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_or_an_address_is_searched_for_and_not_both() {
        let query = |domain: &str, email: &str| DiscoveryQuery {
            domain: Some(domain.to_owned()).filter(|text| !text.is_empty()),
            email: Some(email.to_owned()).filter(|text| !text.is_empty()),
        };
        for (domain, email, expect) in [
            ("Moved.Example.", "", Some("moved.example")),
            ("b\u{fc}cher.example", "", Some("xn--bcher-kva.example")),
            ("", "Ana@Moved.Example", Some("Ana@moved.example")),
            ("moved.example", "ana@moved.example", None),
            ("", "", None),
            ("localhost", "", None),
            ("moved.example/x", "", None),
            ("", "ana", None),
        ] {
            let found = subject(&query(domain, email)).ok().map(|(key, _)| key);
            assert_eq!(found.as_deref(), expect, "{domain:?} {email:?}");
        }
    }
}
