//! The whole search: a real DNS server, a web of stand-ins, servers that answer or do not.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use async_trait::async_trait;
use gatepost_contract::{Confidence, Discovery, LoginName, ProposalOrigin, SearchOutcome, Security, SourceType};
use gatepost_discovery::{Greeted, Means, Prober, Subject, Unseen, discover};
use gatepost_dns::{Dns, Options};
use gatepost_testkit::{DnsServer, Mischief};
use gatepost_web::{Web, WebError, WebReply, WebRequest};
use std::{collections::BTreeMap, sync::Mutex, time::Duration};

/// A web of a few pages. Every other host does not answer.
#[derive(Default)]
struct Pages {
    pages: BTreeMap<String, WebReply>,
    asked: Mutex<Vec<String>>,
}

fn reply(status: u16, location: Option<&str>, body: &[u8]) -> WebReply {
    WebReply {
        status,
        content_type: "text/xml".to_owned(),
        location: location.map(str::to_owned),
        retry_after: None,
        body: body.to_vec(),
    }
}

impl Pages {
    fn with(mut self, url: &str, body: &str) -> Self {
        self.pages.insert(url.to_owned(), reply(200, None, body.as_bytes()));
        self
    }

    fn redirect(mut self, url: &str, location: &str) -> Self {
        self.pages.insert(url.to_owned(), reply(302, Some(location), b""));
        self
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

#[async_trait]
impl Web for Pages {
    async fn ask(&self, request: &WebRequest) -> Result<WebReply, WebError> {
        self.asked.lock().unwrap().push(request.url.clone());
        match self.pages.get(&request.url) {
            Some(reply) => Ok(reply.clone()),
            None if self.pages.keys().any(|known| host(known) == host(&request.url)) => Ok(reply(404, None, b"")),
            None => Err(WebError(format!("Nothing answers at {}.", host(&request.url)))),
        }
    }
}

fn host(url: &str) -> &str {
    url.split('/').nth(2).unwrap_or_default()
}

/// Servers that answer; all others refuse.
struct Answering(&'static [&'static str]);

#[async_trait]
impl Prober for Answering {
    async fn probe(&self, host: &str, port: u16, security: Security) -> Result<Greeted, Unseen> {
        let key = format!("{host}:{port}:{security}");
        if self.0.contains(&key.as_str()) {
            return Ok(Greeted { greeting: Some("* OK ready".to_owned()), capabilities: vec!["IMAP4REV1".to_owned()] });
        }
        Err(Unseen::Failed(format!("{host} refuses connections.")))
    }
}

async fn look(server: &DnsServer, web: &Pages, answering: Answering, subject: &Subject) -> Discovery {
    look_within(Duration::from_secs(60), server, web, answering, subject).await
}

/// The same where each question is given up after a while.
async fn look_within(
    timeout: Duration,
    server: &DnsServer,
    web: &Pages,
    answering: Answering,
    subject: &Subject,
) -> Discovery {
    let dns = Dns::new(vec![server.address()], Options { timeout, ..Options::default() });
    discover(&Means { dns: Some(&dns), web, prober: &answering, ispdb: false }, subject).await
}

fn outcome(found: &Discovery, way: ProposalOrigin) -> SearchOutcome {
    found.searched.iter().find(|one| one.way == way).map(|one| one.outcome).unwrap()
}

const FILE: &str = "<clientConfig version='1.1'><emailProvider id='x'><incomingServer type='imap'>\
    <hostname>imap.old.example</hostname><port>993</port><socketType>SSL</socketType>\
    <username>%EMAILLOCALPART%</username></incomingServer></emailProvider></clientConfig>";

#[tokio::test]
async fn what_several_ways_agree_on_is_one_sure_proposal() {
    let server = DnsServer::start().unwrap();
    server.zone(
        "moved.example 300 MX 10 mx.old.example.\n_imaps._tcp.moved.example 300 SRV 0 1 993 imap.old.example.\n\
         autoconfig.moved.example 300 A 192.0.2.1",
    );
    let web = Pages::default()
        .with("https://autoconfig.moved.example/mail/config-v1.1.xml?emailaddress=ana%40moved.example", FILE);
    let subject = Subject::of_address("ana@moved.example", "moved.example");
    let found = look(&server, &web, Answering(&["imap.old.example:993:tls"]), &subject).await;
    let first = &found.proposals[0];
    assert_eq!((first.host.as_str(), first.port, first.confidence), ("imap.old.example", 993, Confidence::Sure));
    assert_eq!(first.origins, [ProposalOrigin::Autoconfig, ProposalOrigin::Srv]);
    assert_eq!((first.login, first.user_of("ana@moved.example").as_deref()), (LoginName::Local, Some("ana")));
    assert_eq!(found.mx, ["mx.old.example"]);
    let told: Vec<String> = web.asked().into_iter().filter(|url| url.contains("emailaddress")).collect();
    assert!(
        told.iter().all(|url| host(url).ends_with("moved.example")),
        "the address goes to its own domain: {told:?}"
    );
}

#[tokio::test]
async fn known_providers_are_proposed_and_guesses_that_nobody_answers_are_not() {
    let server = DnsServer::start().unwrap();
    server.zone(
        "moved.example 300 MX 1 aspmx.l.google.com.\nimap.moved.example 300 A 192.0.2.1\n\
         corp.example 300 MX 0 corp-example.mail.protection.outlook.com.",
    );
    let web = Pages::default();
    let found = look(&server, &web, Answering(&["imap.gmail.com:993:tls"]), &Subject::of_domain("moved.example")).await;
    assert_eq!(found.provider.as_deref(), Some("Google Workspace"));
    let hosts: Vec<&str> = found.proposals.iter().map(|p| p.host.as_str()).collect();
    assert_eq!(hosts, ["imap.gmail.com"]);
    assert!(found.proposals[0].advice.as_deref().is_some_and(|advice| advice.contains("app password")));
    let found = look(&server, &web, Answering(&[]), &Subject::of_domain("corp.example")).await;
    let first = &found.proposals[0];
    assert_eq!((first.source_type, first.confidence), (SourceType::ImapOauth, Confidence::Possible));
    assert!(first.why.contains("in vain"), "{}", first.why);
}

#[tokio::test]
async fn behind_a_filter_the_records_of_the_domain_lead_to_the_provider() {
    let server = DnsServer::start().unwrap();
    server.zone(
        "moved.example 300 MX 10 eu-smtp-inbound-1.mimecast.com.\n\
         autodiscover.moved.example 300 CNAME autodiscover.outlook.com.\nautodiscover.outlook.com 300 A 192.0.2.1\n\
         other.example 300 MX 10 mx1.pphosted.com.\nother.example 300 TXT \"v=spf1 include:_spf.google.com -all\"",
    );
    let web = Pages::default().with(
        "https://outlook.office365.com/autodiscover/autodiscover.json/v1.0/ana@moved.example?Protocol=AutodiscoverV1",
        r#"{"Protocol":"AutodiscoverV1","Url":"https://outlook.office365.com/autodiscover/autodiscover.xml"}"#,
    );
    let subject = Subject::of_address("ana@moved.example", "moved.example");
    let found = look(&server, &web, Answering(&["outlook.office365.com:993:tls"]), &subject).await;
    assert_eq!(
        (found.proposals[0].host.as_str(), found.proposals[0].confidence),
        ("outlook.office365.com", Confidence::Sure)
    );
    assert_eq!(found.proposals[0].origins, [ProposalOrigin::Provider, ProposalOrigin::Autodiscover]);
    assert!(found.notes.iter().any(|note| note.contains("Mimecast")), "{:?}", found.notes);
    let found = look(&server, &web, Answering(&["imap.gmail.com:993:tls"]), &Subject::of_domain("other.example")).await;
    assert_eq!(
        (found.proposals[0].host.as_str(), found.proposals[0].confidence),
        ("imap.gmail.com", Confidence::Likely)
    );
    assert!(!web.asked().iter().any(|url| url.contains("other.example") && url.contains("office365")));
}

#[tokio::test]
async fn autodiscover_of_a_hosting_panel_and_redirections_are_followed_over_tls_only() {
    let server = DnsServer::start().unwrap();
    server.zone(
        "moved.example 300 MX 10 mail.moved.example.\nmoved.example 300 A 192.0.2.1\n\
         autoconfig.moved.example 300 A 192.0.2.1\nautodiscover.moved.example 300 A 192.0.2.1",
    );
    let answer = "<Autodiscover><Response><Account><Action>settings</Action><Protocol><Type>IMAP</Type>\
        <Server>panel.old.example</Server><Port>993</Port><SSL>on</SSL></Protocol></Account></Response></Autodiscover>";
    let web = Pages::default()
        .redirect("https://autodiscover.moved.example/autodiscover/autodiscover.xml", "/next.xml")
        .with("https://autodiscover.moved.example/next.xml", answer)
        .redirect("https://autoconfig.moved.example/mail/config-v1.1.xml", "http://plain.example/config.xml")
        .redirect("https://moved.example/.well-known/autoconfig/mail/config-v1.1.xml", "https://moved.example/loop")
        .redirect("https://moved.example/loop", "https://moved.example/loop");
    let found =
        look(&server, &web, Answering(&["panel.old.example:993:tls"]), &Subject::of_domain("moved.example")).await;
    assert_eq!(
        (found.proposals[0].host.as_str(), found.proposals[0].confidence),
        ("panel.old.example", Confidence::Sure)
    );
    assert!(!web.asked().iter().any(|url| url.starts_with("http://")), "{:?}", web.asked());
    assert!(web.asked().iter().filter(|url| url.ends_with("/loop")).count() <= 3);
    assert_eq!(outcome(&found, ProposalOrigin::Autoconfig), SearchOutcome::Failed);
}

#[tokio::test]
async fn hostile_answers_end_the_way_and_not_the_search() {
    let server = DnsServer::start().unwrap();
    server.zone(
        "moved.example 300 MX 10 mx.old.example.\nautoconfig.moved.example 300 A 192.0.2.1\n\
         moved.example 300 A 192.0.2.1\nautodiscover.moved.example 300 A 192.0.2.1\n\
         _imaps._tcp.moved.example 300 SRV 0 1 25 mail.moved.example.",
    );
    let bomb = "<!DOCTYPE l [<!ENTITY a \"ha\">]><clientConfig>&a;</clientConfig>";
    let deep = "<a>".repeat(30_000);
    let web = Pages::default()
        .with("https://autoconfig.moved.example/mail/config-v1.1.xml", bomb)
        .with("https://moved.example/.well-known/autoconfig/mail/config-v1.1.xml", "<html>not found</html>")
        .with("https://autodiscover.moved.example/autodiscover/autodiscover.xml", &deep);
    let found =
        look(&server, &web, Answering(&["mail.moved.example:25:tls"]), &Subject::of_domain("moved.example")).await;
    assert_eq!(outcome(&found, ProposalOrigin::Autoconfig), SearchOutcome::Failed);
    assert_eq!(outcome(&found, ProposalOrigin::Autodiscover), SearchOutcome::Failed);
    assert_eq!(outcome(&found, ProposalOrigin::Ispdb), SearchOutcome::Skipped);
    let srv = &found.proposals[0];
    assert_eq!((srv.port, srv.confidence), (25, Confidence::Likely));
    assert!(srv.why.contains("no port of IMAP") && srv.greeting.is_none(), "it was not tried: {}", srv.why);
}

#[tokio::test]
async fn a_domain_that_does_not_exist_or_takes_no_mail_is_told_so_and_silence_too() {
    let server = DnsServer::start().unwrap();
    server.zone("null.example 300 MX 0 .");
    let web = Pages::default();
    let found = look(&server, &web, Answering(&[]), &Subject::of_domain("nowhere.example")).await;
    assert!(found.proposals.is_empty() && web.asked().is_empty(), "{:?}", web.asked());
    assert!(found.notes[0].contains("does not exist"), "{:?}", found.notes);
    let found = look(&server, &web, Answering(&[]), &Subject::of_domain("null.example")).await;
    assert!(found.notes[0].contains("takes no mail"), "{:?}", found.notes);
    server.mischief(Some(Mischief::Silent));
    let (answering, silent) = (Answering(&["imap.silent.example:993:tls"]), Subject::of_domain("silent.example"));
    let found = look_within(Duration::from_secs(2), &server, &web, answering, &silent).await;
    assert_eq!(outcome(&found, ProposalOrigin::Srv), SearchOutcome::Failed);
    assert_eq!(found.proposals[0].host, "imap.silent.example", "usual names are tried all the same");
}
