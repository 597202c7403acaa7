//! The budgets of mail hosts: which limits are in force for a host, and one [`Budget`] for it that all runs share.
//! What is spent in a day is kept in the database, so that a restart and other workers know of it.

use crate::{Result, clock};
use gatepost_store::{Store, budgets};
use gatepost_transfer::{
    Budget, HostLimits,
    budget::{Bytes, size},
};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};
use time::{Date, OffsetDateTime};
use tokio_util::sync::CancellationToken;

/// How often what was spent is written down, and what others have spent is taken in.
const SYNC_EVERY: Duration = Duration::from_secs(5);
/// A process that has not been heard of for so many seconds takes no share of a host any more.
const ALIVE_SECONDS: i64 = 30;
/// For how many days what was spent is kept.
const KEEP_DAYS: i64 = 30;

/// What a host, or all hosts below a name, may be asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct HostRule {
    /// The host's name in lower case; `*.example.com` for all below that name, `*` for every host.
    pub name: String,
    /// Whether each account of the host has these limits for itself.
    pub per_account: bool,
    /// The limits.
    pub limits: HostLimits,
}

impl HostRule {
    /// A rule without limits.
    #[must_use]
    pub fn unlimited(name: &str) -> Self {
        Self { name: name.to_owned(), per_account: false, limits: HostLimits::default() }
    }

    fn fits(&self, host: &str) -> bool {
        match self.name.strip_prefix('*') {
            Some("") => true,
            Some(below) => host.len() > below.len() && host.ends_with(below),
            None => host == self.name,
        }
    }
}

impl fmt::Display for HostRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let l = &self.limits;
        let mut parts: Vec<String> = Vec::new();
        parts.extend(l.connections.map(|n| format!("{n} connections")));
        parts.extend(l.messages_per_second.map(|n| format!("{n} messages a second")));
        parts.extend(l.bytes_per_day.map(|n| format!("{} a day", size(n))));
        parts.extend(l.download_per_day.map(|n| format!("{} a day read", size(n))));
        parts.extend(l.upload_per_day.map(|n| format!("{} a day written", size(n))));
        parts.extend(l.hours.map(|(from, to)| {
            format!("from {:02}:{:02} to {:02}:{:02} UTC", from.hour(), from.minute(), to.hour(), to.minute())
        }));
        if parts.is_empty() {
            parts.push("no limits".to_owned());
        }
        let each = if self.per_account { ", for each account" } else { "" };
        write!(f, "{}: {}{each}", self.name, parts.join(", "))
    }
}

/// The limits that providers publish for every account of theirs, and that hold where the settings say nothing else.
#[must_use]
pub fn known_hosts() -> Vec<HostRule> {
    let known = |name: &str, limits: HostLimits| HostRule { name: name.to_owned(), per_account: true, limits };
    // Google Workspace Admin Help, "Gmail bandwidth limits" (support.google.com/a/answer/1071518): 2,500 MB a day by
    // IMAP down, 500 MB up. Gmail Help, "Add Gmail to another email client" (support.google.com/mail/answer/7126229):
    // 15 connections for each account at a time. Of these some are left to the account's owner.
    let gmail = HostLimits {
        connections: Some(10),
        download_per_day: Some(2_500_000_000),
        upload_per_day: Some(500_000_000),
        ..HostLimits::default()
    };
    // Microsoft, "Exchange Online throttling and limits FAQ" (blogs.msdn.microsoft.com/exchangedev, 2011-06-23): 20 IMAP
    // connections for each user; an Exchange server's own default is 16 (learn.microsoft.com, "Set connection limits
    // for IMAP4"). Of these some are left to the account's owner.
    let exchange = HostLimits { connections: Some(12), ..HostLimits::default() };
    vec![
        known("imap.gmail.com", gmail.clone()),
        known("imap.googlemail.com", gmail),
        known("outlook.office365.com", exchange.clone()),
        known("outlook.office.com", exchange.clone()),
        known("imap-mail.outlook.com", exchange),
    ]
}

/// The rules in force: those of the settings, then those of known hosts that the settings do not name.
#[must_use]
pub fn in_force(settings: &[HostRule]) -> Vec<HostRule> {
    let named = |rule: &HostRule| settings.iter().any(|r| r.name == rule.name);
    settings.iter().cloned().chain(known_hosts().into_iter().filter(|rule| !named(rule))).collect()
}

/// A budget and the name under which it is kept.
#[derive(Clone, Debug)]
pub(crate) struct Kept {
    /// None where nothing is limited.
    key: Option<String>,
    /// The budget.
    pub budget: Arc<Budget>,
}

impl Kept {
    /// For what nobody limits: files on this machine.
    pub fn unlimited() -> Self {
        Self { key: None, budget: Budget::unlimited() }
    }
}

/// The budgets of this process. What a host may be asked for is the same for all who ask here.
#[derive(Debug)]
pub(crate) struct Budgets {
    rules: Vec<HostRule>,
    worker: String,
    made: Mutex<HashMap<String, Weak<Budget>>>,
}

impl Budgets {
    /// With the rules of the settings; `worker` names this process to others.
    pub fn new(settings: &[HostRule], worker: String) -> Self {
        Self { rules: in_force(settings), worker, made: Mutex::default() }
    }

    /// The rule for a host: its own, or that of the longest name that it is below.
    fn rule(&self, host: &str) -> Option<&HostRule> {
        let exact = self.rules.iter().find(|r| r.name == host);
        exact.or_else(|| self.rules.iter().filter(|r| r.fits(host)).max_by_key(|r| r.name.len()))
    }

    /// Lets messages pass to a host at this rate at most.
    pub fn slow_down(&mut self, host: &str, messages_per_second: f64) {
        let host = host.trim_end_matches('.').to_lowercase();
        let mut rule = self.rule(&host).cloned().unwrap_or_else(|| HostRule::unlimited(&host));
        rule.name = host;
        let rate = &mut rule.limits.messages_per_second;
        *rate = Some(rate.map_or(messages_per_second, |rate| rate.min(messages_per_second)));
        self.rules.insert(0, rule);
    }

    fn made(&self) -> MutexGuard<'_, HashMap<String, Weak<Budget>>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The budget of a host for an account.
    pub async fn of(&self, store: &Store, host: &str, account: &str) -> Result<Kept> {
        let host = host.trim_end_matches('.').to_lowercase();
        let rule = self.rule(&host).filter(|rule| rule.limits != HostLimits::default());
        let Some(rule) = rule else { return Ok(Kept::unlimited()) };
        let (key, name) = if rule.per_account {
            (format!("{host} {}", account.to_lowercase()), format!("{account} at {host}"))
        } else {
            (host.clone(), host.clone())
        };
        if let Some(budget) = self.made().get(&key).and_then(Weak::upgrade) {
            return Ok(Kept { key: Some(key), budget });
        }
        let today = OffsetDateTime::now_utc().date();
        let spent = budgets::usage(&mut *store.reader().await?, &key, &today.to_string()).await?;
        let new = Budget::new(&name, rule.limits.clone(), bytes(spent));
        let mut made = self.made();
        made.retain(|_, budget| budget.strong_count() > 0);
        // Another run may have been quicker: there is one for all.
        let budget = match made.get(&key).and_then(Weak::upgrade) {
            Some(budget) => budget,
            None => {
                made.insert(key.clone(), Arc::downgrade(&new));
                new
            }
        };
        Ok(Kept { key: Some(key), budget })
    }

    /// Does the work, and meanwhile keeps these budgets and the database in step.
    pub async fn in_step<T>(&self, store: &Store, kept: [&Kept; 2], work: impl Future<Output = T>) -> T {
        if kept.iter().all(|k| k.key.is_none()) {
            return work.await;
        }
        let through = CancellationToken::new();
        let working = async {
            let result = work.await;
            through.cancel();
            result
        };
        // Not in turn: the work may hold what the other waits for.
        let keeping = async {
            while !through.is_cancelled() {
                self.sync(store, kept).await;
                tokio::select! {
                    () = tokio::time::sleep(SYNC_EVERY) => {}
                    () = through.cancelled() => {}
                }
            }
            self.sync(store, kept).await;
        };
        tokio::join!(working, keeping).0
    }

    async fn sync(&self, store: &Store, kept: [&Kept; 2]) {
        for (n, kept_here) in kept.iter().enumerate() {
            let Some(key) = &kept_here.key else { continue };
            // A host that is both sides has one budget.
            if n > 0 && kept[0].key.as_ref() == Some(key) {
                continue;
            }
            let budget = &kept_here.budget;
            let taken = budget.take_unsaved();
            match self.write(store, key, budget.limits(), &taken).await {
                Ok(written) => {
                    for (day, taken, total) in written.days {
                        budget.saved(day, taken, total);
                    }
                    budget.share(written.sharers);
                }
                Err(error) => {
                    tracing::warn!(host = %key, %error, "what was spent of a host's budget could not be written down");
                    for (day, taken) in taken {
                        budget.not_saved(day, taken);
                    }
                }
            }
        }
    }

    async fn write(&self, store: &Store, key: &str, limits: &HostLimits, taken: &[(Date, Bytes)]) -> Result<Written> {
        let today = OffsetDateTime::now_utc().date();
        let mut written = Written { days: Vec::new(), sharers: 1 };
        let mut tx = store.begin().await?;
        for (day, spent) in taken {
            let more = budgets::Usage { downloaded: whole(spent.down), uploaded: whole(spent.up) };
            let total = budgets::spend(&mut tx, key, &day.to_string(), more).await?;
            written.days.push((*day, *spent, bytes(total)));
        }
        if limits.counts_bytes() && !taken.iter().any(|(day, _)| *day == today) {
            let total = budgets::usage(&mut tx, key, &today.to_string()).await?;
            written.days.push((today, Bytes::default(), bytes(total)));
        }
        if !taken.is_empty() {
            let old = today - time::Duration::days(KEEP_DAYS);
            budgets::forget_before(&mut tx, &old.to_string()).await?;
        }
        if limits.connections.is_some() || limits.messages_per_second.is_some() {
            let now = clock::seconds();
            let sharers = budgets::at_work(&mut tx, key, &self.worker, now, now - ALIVE_SECONDS).await?;
            written.sharers = u32::try_from(sharers).unwrap_or(1);
        }
        tx.commit().await?;
        Ok(written)
    }
}

/// What was written down.
struct Written {
    /// By day: what was added, and what everybody together has spent.
    days: Vec<(Date, Bytes, Bytes)>,
    /// How many processes work with the host.
    sharers: u32,
}

fn bytes(usage: budgets::Usage) -> Bytes {
    let count = |n: i64| u64::try_from(n).unwrap_or_default();
    Bytes { down: count(usage.downloaded), up: count(usage.uploaded) }
}

fn whole(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Vec<HostRule> {
        let limited = |name: &str, connections| HostRule {
            limits: HostLimits { connections: Some(connections), bytes_per_day: Some(1_000), ..HostLimits::default() },
            ..HostRule::unlimited(name)
        };
        vec![limited("mail.example.com", 1), limited("*.example.com", 2), limited("*", 3), limited("imap.gmail.com", 4)]
    }

    fn here(worker: &str) -> Budgets {
        Budgets::new(&rules(), worker.to_owned())
    }

    #[test]
    fn the_closest_rule_counts_and_the_settings_count_before_what_is_known() {
        let budgets = here("a");
        for (host, connections) in [
            ("mail.example.com", 1),
            ("imap.example.com", 2),
            ("a.b.example.com", 2),
            ("example.com", 3),
            ("notexample.com", 3),
            ("imap.gmail.com", 4),
            ("imap.googlemail.com", 10),
        ] {
            let rule = budgets.rule(host).unwrap();
            assert_eq!(rule.limits.connections, Some(connections), "{host}: {rule}");
        }
        assert!(Budgets::new(&[], "a".into()).rule("mail.example.com").is_none());
    }

    #[tokio::test]
    async fn runs_share_a_hosts_budget_and_accounts_do_where_they_have_none_of_their_own() {
        let store = Store::in_memory().await.unwrap();
        let budgets = here("a");
        let of = async |host, account| budgets.of(&store, host, account).await.unwrap().budget;
        let (ana, rui) = (of("MAIL.example.com.", "ana").await, of("mail.example.com", "rui").await);
        assert!(Arc::ptr_eq(&ana, &rui));
        let (ana, rui) = (of("imap.googlemail.com", "ana").await, of("imap.googlemail.com", "rui").await);
        assert!(!Arc::ptr_eq(&ana, &rui));
        assert!(Arc::ptr_eq(&ana, &of("imap.googlemail.com", "Ana").await));
    }

    #[tokio::test]
    async fn what_was_spent_outlives_the_process_and_is_seen_by_others() {
        let store = Store::in_memory().await.unwrap();
        let none = Kept { key: None, budget: Budget::unlimited() };
        let (first, second) = (here("a"), here("b"));
        let mine = first.of(&store, "mail.example.com", "ana").await.unwrap();
        let theirs = second.of(&store, "mail.example.com", "rui").await.unwrap();
        let down = async |kept: &Kept| Budget::pass(&kept.budget, &none.budget, 300).await;
        let up = async |kept: &Kept| Budget::pass(&none.budget, &kept.budget, 300).await;
        first.in_step(&store, [&mine, &none], down(&mine)).await.unwrap();
        second.in_step(&store, [&none, &theirs], up(&theirs)).await.unwrap();
        let both = Bytes { down: 300, up: 300 };
        assert_eq!(theirs.budget.spent_today(), both);
        first.in_step(&store, [&mine, &none], async {}).await;
        assert_eq!(mine.budget.spent_today(), both);
        let after_a_restart = here("c").of(&store, "mail.example.com", "ana").await.unwrap();
        assert_eq!(after_a_restart.budget.spent_today(), both);
        down(&after_a_restart).await.unwrap();
        assert!(down(&after_a_restart).await.is_err(), "the 1,000 bytes of the day are spent");
    }

    #[tokio::test]
    async fn processes_that_work_with_a_host_share_its_connections() {
        let store = Store::in_memory().await.unwrap();
        let none = Kept { key: None, budget: Budget::unlimited() };
        let (first, second) = (here("a"), here("b"));
        let mine = first.of(&store, "imap.gmail.com", "ana").await.unwrap();
        let theirs = second.of(&store, "imap.gmail.com", "ana").await.unwrap();
        let most = |kept: &Kept| {
            let any = Budget::unlimited();
            let granted: Vec<_> = std::iter::from_fn(|| Budget::try_connections(&kept.budget, &any)).take(9).collect();
            granted.len()
        };
        assert_eq!(most(&mine), 4);
        first.in_step(&store, [&mine, &none], async {}).await;
        second.in_step(&store, [&none, &theirs], async {}).await;
        first.in_step(&store, [&mine, &none], async {}).await;
        assert_eq!((most(&mine), most(&theirs)), (2, 2));
    }

    #[test]
    fn a_rule_reads_as_a_sentence() {
        let known = known_hosts();
        assert_eq!(
            known[0].to_string(),
            "imap.gmail.com: 10 connections, 2.5 GB a day read, 500 MB a day written, for each account"
        );
        assert_eq!(HostRule::unlimited("mail.example").to_string(), "mail.example: no limits");
    }
}
