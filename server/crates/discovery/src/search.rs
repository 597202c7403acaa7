//! The search: every way at once, then every server that was named is tried, then what was found is put in order.

use crate::{
    ask::{Asked, ask},
    autoconfig, autodiscover,
    candidate::{Candidate, within},
    probe::{Greeted, Prober, Unseen, is_tried},
    providers::{self, Provider, Server},
    rank::{self, Merged},
    records::{self, Records, Service},
    subject::Subject,
};
use futures::{
    FutureExt, StreamExt,
    future::{BoxFuture, join, join_all},
};
use gatepost_contract::{Discovery, LoginName, ProposalOrigin, SearchOutcome, Searched, Security, SourceType};
use gatepost_dns::Dns;
use gatepost_web::{Web, WebRequest};
use std::time::Duration;

/// How long the DNS may take.
const DNS_WITHIN: Duration = Duration::from_secs(6);
/// How long the web may take.
const WEB_WITHIN: Duration = Duration::from_secs(8);
/// How long trying one server may take.
const PROBE_WITHIN: Duration = Duration::from_secs(7);
/// The most servers that are tried.
const MOST_TRIED: usize = 12;
/// How many of them at once.
const TRIED_AT_ONCE: usize = 6;

/// What a search works with.
pub struct Means<'a> {
    /// Who answers questions about names; without it only the web and usual names are left.
    pub dns: Option<&'a Dns>,
    /// Who asks web servers.
    pub web: &'a dyn Web,
    /// Who tries servers.
    pub prober: &'a dyn Prober,
    /// Whether Thunderbird's public database is asked: it learns the domain's name.
    pub ispdb: bool,
}

/// What one way found.
struct Found {
    searched: Searched,
    candidates: Vec<Candidate>,
}

impl Found {
    fn of(way: ProposalOrigin, outcome: SearchOutcome, sentence: impl Into<String>) -> Self {
        Self { searched: Searched { way, outcome, sentence: sentence.into() }, candidates: Vec::new() }
    }

    fn with(way: ProposalOrigin, sentence: impl Into<String>, candidates: Vec<Candidate>) -> Self {
        let outcome = if candidates.is_empty() { SearchOutcome::Nothing } else { SearchOutcome::Found };
        Self { candidates, ..Self::of(way, outcome, sentence) }
    }
}

/// Looks for settings. Ends within half a minute, whoever does not answer.
pub fn discover<'a>(means: &'a Means<'a>, subject: &'a Subject) -> BoxFuture<'a, Discovery> {
    search(means, subject).boxed()
}

async fn search(means: &Means<'_>, subject: &Subject) -> Discovery {
    let domain = &subject.domain;
    let records = match means.dns {
        Some(dns) => tokio::time::timeout(DNS_WITHIN, records::look_up(dns, domain))
            .await
            .unwrap_or_else(|_| Records::unknown("The DNS did not answer in time.")),
        None => Records::unknown("No resolver is known, so the DNS was not asked (GATEPOST_DNS_RESOLVERS)."),
    };
    let mut found = vec![by_provider(&records), by_srv(&records, domain)];
    if records.exists != Some(false) {
        let web = join(
            join(autoconfig_of(means, subject, &records), ispdb(means, subject)),
            autodiscover_of(means, subject, &records),
        );
        let ((autoconfig, ispdb), autodiscover) = web.await;
        found.extend([autoconfig, ispdb, autodiscover]);
        found.push(guesses(&records, domain));
    }
    let (mut searched, mut candidates) = (Vec::new(), Vec::new());
    for one in found {
        searched.push(one.searched);
        candidates.extend(one.candidates);
    }
    let mut merged = rank::merge(candidates);
    merged.truncate(MOST_TRIED);
    let tried = try_all(means.prober, merged).await;
    guesses_came_to(&mut searched, &tried);
    Discovery {
        provider: records.mx.iter().find_map(|mx| providers::of_mx(mx)).map(|provider| provider.name.to_owned()),
        notes: notes(&records),
        mx: records.mx,
        domain: domain.clone(),
        proposals: rank::proposals(tried),
        searched,
    }
}

fn notes(records: &Records) -> Vec<String> {
    let mut notes = Vec::new();
    if records.exists == Some(false) {
        notes.push("The domain does not exist in the DNS. Check its spelling.".to_owned());
    }
    if records.null_mx {
        notes.push("The domain says that it takes no mail (an MX of \".\", RFC 7505).".to_owned());
    }
    if let Some((mx, filter)) = records.mx.iter().find_map(|mx| Some((mx, providers::filter_of_mx(mx)?))) {
        notes.push(format!(
            "The MX {mx} belongs to {filter}, which filters or forwards mail: the mailboxes are elsewhere. Ask the customer \
             where people log in."
        ));
    }
    for provider in records.mx.iter().filter_map(|mx| providers::of_mx(mx)).take(1) {
        if provider.server == Server::None {
            notes.push(format!("The MX belongs to {}. {}", provider.name, provider.advice));
        }
    }
    notes.extend(records.failure.clone());
    notes
}

/// By whose the MX is, by where autodiscover leads, and by whom SPF lets send.
fn by_provider(records: &Records) -> Found {
    let way = ProposalOrigin::Provider;
    let mut candidates = Vec::new();
    if let Some((mx, provider)) = records.mx.iter().find_map(|mx| Some((mx, providers::of_mx(mx)?))) {
        candidates.extend(of_provider(provider, Some(mx), true, format!("The MX {mx} belongs to {}.", provider.name)));
    }
    let alias = records.autodiscover_alias.as_deref().filter(|alias| autodiscover::is_microsofts(alias));
    if let Some(alias) = alias {
        candidates.extend(microsoft(way, format!("The name autodiscover of the domain leads to {alias}.")));
    }
    if candidates.is_empty()
        && let Some(provider) = records.spf.as_deref().and_then(providers::of_spf)
    {
        let why =
            format!("The domain's SPF record lets {} send its mail, so that mailboxes may be there.", provider.name);
        candidates.extend(of_provider(provider, None, false, why));
    }
    let sentence = match (candidates.is_empty(), records.mx.first(), &records.failure) {
        (false, ..) => "The provider is known.".to_owned(),
        (true, Some(mx), _) => format!("The MX {mx} belongs to no provider whose settings are known here."),
        (true, None, Some(_)) => return Found::of(way, SearchOutcome::Failed, "The MX is not known."),
        (true, None, None) => "The domain has no MX.".to_owned(),
    };
    Found::with(way, sentence, candidates)
}

fn of_provider(provider: &Provider, mx: Option<&String>, responsible: bool, why: String) -> Option<Candidate> {
    let host = match provider.server {
        Server::Named(host) => host.to_owned(),
        Server::TheMx => mx?.clone(),
        Server::None => return None,
    };
    Some(Candidate {
        host,
        port: Security::Tls.default_port(),
        security: Security::Tls,
        login: provider.login,
        source_type: provider.source_type,
        origin: ProposalOrigin::Provider,
        responsible,
        why,
        advice: (!provider.advice.is_empty()).then(|| provider.advice.to_owned()),
    })
}

fn microsoft(origin: ProposalOrigin, why: String) -> Option<Candidate> {
    let provider = providers::of_mx("mail.protection.outlook.com")?;
    of_provider(provider, None, true, why).map(|candidate| Candidate { origin, ..candidate })
}

/// RFC 6186: a target outside of the domain could have been put there by whoever can forge an answer, so that it is only
/// half trusted (its section 6).
fn by_srv(records: &Records, domain: &str) -> Found {
    let way = ProposalOrigin::Srv;
    let of = |service: &Service, name: &str, security: Security| -> Vec<Candidate> {
        let one = |target: &records::Target| Candidate {
            host: target.host.clone(),
            port: target.port,
            security,
            login: LoginName::Address,
            source_type: SourceType::Imap,
            origin: way,
            responsible: within(&target.host, domain),
            why: format!("The SRV record {name}.{domain} names it."),
            advice: None,
        };
        service.targets.iter().map(one).collect()
    };
    let mut candidates = of(&records.imaps, "_imaps._tcp", Security::Tls);
    candidates.extend(of(&records.imap, "_imap._tcp", Security::Starttls));
    if !candidates.is_empty() {
        return Found::with(way, "The domain has SRV records for IMAP.", candidates);
    }
    if records.imaps.denied || records.imap.denied {
        return Found::of(way, SearchOutcome::Nothing, "The domain's SRV records say that it offers no IMAP.");
    }
    match records.failure {
        Some(_) => Found::of(way, SearchOutcome::Failed, "SRV records could not be asked for."),
        None => Found::of(way, SearchOutcome::Nothing, "The domain has no SRV records for IMAP."),
    }
}

/// The domain's own file, then that of the domain that its MX lies in.
async fn autoconfig_of(means: &Means<'_>, subject: &Subject, records: &Records) -> Found {
    let domain = &subject.domain;
    let query = match subject.has_address() {
        true => url::form_urlencoded::Serializer::for_suffix(String::from("?"), 1)
            .append_pair("emailaddress", &subject.address())
            .finish(),
        false => String::new(),
    };
    let mut places: Vec<(String, String)> = Vec::new();
    let own = format!("autoconfig.{domain}");
    if records.has_address(&own) != Some(false) {
        places.push((format!("https://{own}/mail/config-v1.1.xml{query}"), format!("The file at {own}")));
    }
    if records.has_address(domain) != Some(false) {
        let url = format!("https://{domain}/.well-known/autoconfig/mail/config-v1.1.xml{query}");
        places.push((url, format!("The file at {domain}")));
    }
    // A stranger there: it is not told the address.
    if let Some(parent) = records.mx.first().and_then(|mx| parent(mx)).filter(|parent| !within(parent, domain)) {
        let host = format!("autoconfig.{parent}");
        places
            .push((format!("https://{host}/mail/config-v1.1.xml"), format!("The file of the mail provider at {host}")));
    }
    files(means, subject, ProposalOrigin::Autoconfig, places).await
}

/// The domain above an MX host, where it is one of its own and no registry's: `mx.old.example` lies in `old.example`,
/// while nothing is asked of `com.br`.
fn parent(mx: &str) -> Option<&str> {
    let (_, above) = mx.split_once('.')?;
    let mut labels = above.rsplit('.');
    let (top, second) = (labels.next()?, labels.next()?);
    let registry = labels.next().is_none() && top.len() == 2 && second.len() <= 3;
    (!registry).then_some(above)
}

async fn ispdb(means: &Means<'_>, subject: &Subject) -> Found {
    if !means.ispdb {
        let sentence = "Thunderbird's public database is not asked (GATEPOST_DISCOVERY_ISPDB).";
        return Found::of(ProposalOrigin::Ispdb, SearchOutcome::Skipped, sentence);
    }
    let url = format!("https://autoconfig.thunderbird.net/v1.1/{}", subject.domain);
    files(means, subject, ProposalOrigin::Ispdb, vec![(url, "Thunderbird's public database".to_owned())]).await
}

/// Asks for files at several places at once; what all of them say counts.
async fn files(means: &Means<'_>, subject: &Subject, way: ProposalOrigin, places: Vec<(String, String)>) -> Found {
    let mut asked: Vec<BoxFuture<'_, Heard>> = Vec::with_capacity(places.len());
    for (url, place) in &places {
        asked.push(file(means, subject, way, url, place).boxed());
    }
    heard(way, join_all(asked).await, "There is no such file.")
}

async fn file(means: &Means<'_>, subject: &Subject, way: ProposalOrigin, url: &str, place: &str) -> Heard {
    let asked = tokio::time::timeout(WEB_WITHIN, ask(means.web, WebRequest::get(url))).await;
    match asked.unwrap_or_else(|_| Asked::Failed(format!("{place} did not come in time."))) {
        Asked::Got(body) => match autoconfig::read(&body, subject, way, place) {
            Ok(said) => Heard { said: true, candidates: said.candidates, plain: said.plain, failure: None },
            Err(why) => Heard::failed(format!("{place} is of no use: {why}.")),
        },
        Asked::Nothing => Heard::default(),
        Asked::Failed(why) => Heard::failed(why),
    }
}

/// What one web server said.
#[derive(Default)]
struct Heard {
    said: bool,
    candidates: Vec<Candidate>,
    plain: usize,
    failure: Option<String>,
}

impl Heard {
    fn failed(why: String) -> Self {
        Self { failure: Some(why), ..Self::default() }
    }
}

/// What several web servers said together.
fn heard(way: ProposalOrigin, all: Vec<Heard>, nothing: &str) -> Found {
    let (mut candidates, mut plain, mut said, mut failure) = (Vec::new(), 0, false, None);
    for one in all {
        said |= one.said;
        plain += one.plain;
        candidates.extend(one.candidates);
        failure = failure.or(one.failure);
    }
    let sentence = match (candidates.len(), plain, said, &failure) {
        (1.., 0, ..) => "It names IMAP servers.".to_owned(),
        (1.., ..) => "It names IMAP servers; those without TLS are left out.".to_owned(),
        (0, 1.., ..) => {
            "It names IMAP servers without TLS only, where passwords would go over the network in the clear: they are \
             left out."
                .to_owned()
        }
        (0, 0, true, _) => "It names no IMAP server.".to_owned(),
        (0, 0, false, Some(why)) => return Found::of(way, SearchOutcome::Failed, why.clone()),
        (0, 0, false, None) => nothing.to_owned(),
    };
    Found::with(way, sentence, candidates)
}

async fn autodiscover_of(means: &Means<'_>, subject: &Subject, records: &Records) -> Found {
    let way = ProposalOrigin::Autodiscover;
    let domain = &subject.domain;
    let own = format!("autodiscover.{domain}");
    let mut places: Vec<String> = Vec::new();
    let microsofts = records.autodiscover_alias.as_deref().is_some_and(autodiscover::is_microsofts);
    // Microsoft's own hosts have no certificate for the customer's name.
    if records.has_address(&own) != Some(false) && !microsofts {
        places.push(own.clone());
    }
    if records.has_address(domain) != Some(false) {
        places.push(domain.clone());
    }
    // The domain's owner names it (a host elsewhere is usual there), and its certificate must be its own.
    places.extend(records.autodiscover.targets.iter().take(1).map(|target| match target.port {
        443 => target.host.clone(),
        port => format!("{}:{port}", target.host),
    }));
    places.dedup();
    let mut posts: Vec<BoxFuture<'_, Heard>> = Vec::with_capacity(places.len());
    for host in &places {
        posts.push(pox(means, subject, host).boxed());
    }
    let evidence = microsofts || records.mx.iter().any(|mx| within(mx, "outlook.com") || within(mx, "mx.microsoft"));
    let (mut all, online) = join(join_all(posts), exchange_online(means, subject, evidence)).await;
    all.extend(online);
    heard(way, all, "There is no autodiscover service.")
}

/// What a host says to the old XML request.
async fn pox(means: &Means<'_>, subject: &Subject, host: &str) -> Heard {
    let said = tokio::time::timeout(WEB_WITHIN, post(means, subject, host)).await;
    said.unwrap_or_else(|_| Heard::failed(format!("{host} did not answer in time.")))
}

/// Posts the request, once more where the answer leads elsewhere.
async fn post(means: &Means<'_>, subject: &Subject, host: &str) -> Heard {
    let place = format!("Autodiscover at {host}");
    let mut url = format!("https://{host}/autodiscover/autodiscover.xml");
    for _ in 0..2 {
        let request = WebRequest::post(url.as_str(), "text/xml; charset=utf-8", autodiscover::request(subject));
        let body = match ask(means.web, request).await {
            Asked::Got(body) => body,
            // Exchange wants a log-in, which nobody here has.
            Asked::Nothing => return Heard::default(),
            Asked::Failed(why) => return Heard::failed(why),
        };
        match autodiscover::read(&body, subject, &place) {
            Ok(said) => match said.elsewhere {
                Some(next) if next.starts_with("https://") => url = next,
                _ => return Heard { said: true, candidates: said.candidates, plain: said.plain, failure: None },
            },
            Err(why) => return Heard::failed(format!("{place} is of no use: {why}.")),
        }
    }
    Heard::default()
}

/// Asks Exchange Online whether an address is its own, where the DNS says already that the domain is: nobody else is told
/// who is being moved.
async fn exchange_online(means: &Means<'_>, subject: &Subject, evidence: bool) -> Option<Heard> {
    if !evidence || !subject.has_address() {
        return None;
    }
    let mut url = url::Url::parse("https://outlook.office365.com/autodiscover/autodiscover.json/v1.0/").ok()?;
    url.path_segments_mut().ok()?.pop_if_empty().push(&subject.address());
    url.query_pairs_mut().append_pair("Protocol", "AutodiscoverV1");
    let asked = tokio::time::timeout(WEB_WITHIN, ask(means.web, WebRequest::get(url.as_str()))).await.ok()?;
    let Asked::Got(body) = asked else { return None };
    if !autodiscover::is_exchange_online(&body) {
        return None;
    }
    let why = format!("Exchange Online says that {} is one of its mailboxes.", subject.address());
    let candidates = microsoft(ProposalOrigin::Autodiscover, why).into_iter().collect();
    Some(Heard { said: true, candidates, ..Heard::default() })
}

/// Usual names that have an address, and the MX itself: on a small server it is the same machine.
fn guesses(records: &Records, domain: &str) -> Found {
    let names = [format!("imap.{domain}"), format!("mail.{domain}"), domain.to_owned()];
    let mut hosts: Vec<String> = names.into_iter().filter(|name| records.has_address(name) != Some(false)).collect();
    let mx = records.mx.first().filter(|mx| providers::of_mx(mx).is_none() && providers::filter_of_mx(mx).is_none());
    hosts.extend(mx.filter(|mx| !hosts.contains(mx)).cloned().into_iter().collect::<Vec<_>>());
    let guess = |host: &String, security: Security| Candidate {
        host: host.clone(),
        port: security.default_port(),
        security,
        login: LoginName::Address,
        source_type: SourceType::Imap,
        origin: ProposalOrigin::Guess,
        responsible: false,
        why: "It is a usual name.".to_owned(),
        advice: None,
    };
    let mut candidates: Vec<Candidate> = hosts.iter().map(|host| guess(host, Security::Tls)).collect();
    candidates.extend(hosts.iter().take(2).map(|host| guess(host, Security::Starttls)));
    Found::with(ProposalOrigin::Guess, "Usual names were tried.", candidates)
}

/// A guess is found when somebody answers it.
fn guesses_came_to(searched: &mut [Searched], tried: &[Merged]) {
    let Some(way) = searched.iter_mut().find(|one| one.way == ProposalOrigin::Guess) else { return };
    let guessed = |merged: &&Merged| merged.named_by.iter().any(|one| one.origin == ProposalOrigin::Guess);
    let answered = tried.iter().filter(guessed).filter(|merged| matches!(merged.seen, Some(Ok(_)))).count();
    if answered > 0 {
        (way.outcome, way.sentence) = (SearchOutcome::Found, "IMAP servers answer at usual names.".to_owned());
    } else {
        (way.outcome, way.sentence) =
            (SearchOutcome::Nothing, "No IMAP server with a fitting certificate answers at a usual name.".to_owned());
    }
}

async fn try_all(prober: &dyn Prober, merged: Vec<Merged>) -> Vec<Merged> {
    let mut tries: Vec<BoxFuture<'_, Merged>> = Vec::with_capacity(merged.len());
    for mut one in merged {
        tries.push(
            async move {
                if let Some(first) = one.named_by.first() {
                    one.seen = Some(try_one(prober, first).await);
                }
                one
            }
            .boxed(),
        );
    }
    futures::stream::iter(tries).buffered(TRIED_AT_ONCE).collect().await
}

async fn try_one(prober: &dyn Prober, candidate: &Candidate) -> Result<Greeted, Unseen> {
    let Candidate { host, port, security, .. } = candidate;
    if !is_tried(*port) {
        return Err(Unseen::NotTried(format!("It was not tried, because port {port} is no port of IMAP.")));
    }
    tokio::time::timeout(PROBE_WITHIN, prober.probe(host, *port, *security)).await.unwrap_or_else(|_| {
        Err(Unseen::Failed(format!("{host}, port {port}, did not answer within {} seconds.", PROBE_WITHIN.as_secs())))
    })
}

#[cfg(test)]
mod tests {
    use super::parent;

    #[test]
    fn no_registry_is_asked_for_a_file() {
        for (mx, above) in [
            ("mx.old.example", Some("old.example")),
            ("mx1.mail.old.com.br", Some("mail.old.com.br")),
            ("old.com.br", None),
            ("old.co.uk", None),
            ("mx.old.de", None),
            ("mx.provider.de", Some("provider.de")),
            ("old.example", None),
            ("mx", None),
        ] {
            assert_eq!(parent(mx).filter(|p| p.contains('.')), above, "{mx}");
        }
    }
}
