//! Whatever web servers answer to those who look for settings, it is read without a panic, and what comes of it is
//! bounded and protected: hosts are names, ports are ports, nothing goes without TLS.
#![no_main]

use gatepost_contract::{ProposalOrigin, Security};
use gatepost_discovery::{Candidate, Subject, autoconfig, autodiscover, host, xml};
use libfuzzer_sys::fuzz_target;

fn depth(element: &xml::Element) -> usize {
    1 + element.children.iter().map(depth).max().unwrap_or(0)
}

fn judge(candidates: &[Candidate]) {
    assert!(candidates.len() <= 6);
    for one in candidates {
        assert_eq!(host(&one.host).as_deref(), Some(one.host.as_str()));
        assert!(one.port > 0 && one.security != Security::Plain);
    }
}

fuzz_target!(|bytes: &[u8]| {
    let subject = Subject::of_address("ana@moved.example", "moved.example");
    if let Ok(document) = xml::read(bytes) {
        assert!(depth(&document) <= 26);
    }
    if let Ok(said) = autoconfig::read(bytes, &subject, ProposalOrigin::Autoconfig, "It") {
        judge(&said.candidates);
    }
    if let Ok(said) = autodiscover::read(bytes, &subject, "It") {
        judge(&said.candidates);
    }
    let _ = autodiscover::is_exchange_online(bytes);
    if let Some(name) = std::str::from_utf8(bytes).ok().and_then(host) {
        assert_eq!(host(&name).as_deref(), Some(name.as_str()), "a host is its own name");
    }
});
