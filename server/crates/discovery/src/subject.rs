//! For whom settings are looked for.

/// A domain, and an address in it where one is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    /// The domain, A-labels in lower case.
    pub domain: String,
    local: Option<String>,
}

impl Subject {
    /// A domain alone.
    #[must_use]
    pub fn of_domain(domain: &str) -> Self {
        Self { domain: domain.to_owned(), local: None }
    }

    /// An address whose domain is given as A-labels.
    #[must_use]
    pub fn of_address(address: &str, domain: &str) -> Self {
        let local = address.rsplit_once('@').map(|(local, _)| local.to_owned()).filter(|local| !local.is_empty());
        Self { domain: domain.to_owned(), local }
    }

    /// Whether an address is known.
    #[must_use]
    pub const fn has_address(&self) -> bool {
        self.local.is_some()
    }

    /// What stands before the `@`; for a domain alone the address that every domain has (RFC 5321 section 4.5.1).
    #[must_use]
    pub fn local(&self) -> &str {
        self.local.as_deref().unwrap_or("postmaster")
    }

    /// The address that is asked for.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}@{}", self.local(), self.domain)
    }
}
