//! Putting side by side what several have said, and saying how sure each proposal is.

use crate::{
    candidate::Candidate,
    probe::{Greeted, Unseen},
};
use gatepost_contract::{Confidence, LoginName, Proposal, ProposalOrigin, Security, SourceType};

/// The candidates for one server, and what came of trying it.
#[derive(Clone, Debug)]
pub struct Merged {
    /// Who names it, the most trustworthy first.
    pub named_by: Vec<Candidate>,
    /// What it said; nothing where it was not tried.
    pub seen: Option<Result<Greeted, Unseen>>,
}

/// Puts candidates for the same server together, in the order in which they came.
#[must_use]
pub fn merge(candidates: Vec<Candidate>) -> Vec<Merged> {
    let mut all: Vec<Merged> = Vec::new();
    for candidate in candidates {
        let same = |merged: &&mut Merged| {
            merged.named_by.first().is_some_and(|first| {
                (&first.host, first.port, first.security) == (&candidate.host, candidate.port, candidate.security)
            })
        };
        match all.iter_mut().find(same) {
            Some(merged) => merged.named_by.push(candidate),
            None => all.push(Merged { named_by: vec![candidate], seen: None }),
        }
    }
    for merged in &mut all {
        // Who is responsible has the first word on how one logs in. The sort is stable.
        merged.named_by.sort_by_key(|candidate| (!candidate.responsible, rank(candidate.origin)));
    }
    all
}

const fn rank(origin: ProposalOrigin) -> u8 {
    match origin {
        ProposalOrigin::Provider => 0,
        ProposalOrigin::Autoconfig => 1,
        ProposalOrigin::Autodiscover => 2,
        ProposalOrigin::Srv => 3,
        ProposalOrigin::Ispdb => 4,
        ProposalOrigin::Guess => 5,
    }
}

/// The proposals, the surest first. A guess that nobody answers is none.
#[must_use]
pub fn proposals(all: Vec<Merged>) -> Vec<Proposal> {
    let mut proposals: Vec<Proposal> = all.into_iter().filter_map(proposal).collect();
    proposals.sort_by_key(|p| {
        let weak = usize::MAX - p.origins.len();
        (certainty(p.confidence), p.security != Security::Tls, p.origins.first().copied().map_or(9, rank), weak)
    });
    proposals
}

const fn certainty(confidence: Confidence) -> u8 {
    match confidence {
        Confidence::Sure => 0,
        Confidence::Likely => 1,
        Confidence::Possible => 2,
    }
}

fn proposal(merged: Merged) -> Option<Proposal> {
    let Merged { named_by, seen } = merged;
    let first = named_by.first()?;
    let responsible = named_by.iter().any(|candidate| candidate.responsible);
    let guessed = named_by.iter().all(|candidate| candidate.origin == ProposalOrigin::Guess);
    let answered = matches!(seen, Some(Ok(_)));
    if guessed && !answered {
        return None;
    }
    let refused = matches!(seen, Some(Err(Unseen::Failed(_))));
    let confidence = match (responsible, answered, refused) {
        (true, true, _) => Confidence::Sure,
        (true, false, false) | (false, true, _) => Confidence::Likely,
        _ => Confidence::Possible,
    };
    let mut origins: Vec<ProposalOrigin> = Vec::new();
    let mut sentences: Vec<String> = Vec::new();
    for candidate in &named_by {
        if !origins.contains(&candidate.origin) {
            origins.push(candidate.origin);
        }
        if !sentences.contains(&candidate.why) {
            sentences.push(candidate.why.clone());
        }
    }
    let (greeting, capabilities) = match seen {
        Some(Ok(greeted)) => {
            sentences.push("An IMAP server answers there, and its certificate fits.".to_owned());
            (greeted.greeting, greeted.capabilities)
        }
        Some(Err(Unseen::NotTried(why))) => {
            sentences.push(why);
            (None, Vec::new())
        }
        Some(Err(Unseen::Failed(why))) => {
            sentences.push(format!("But it was tried in vain: {why}"));
            (None, Vec::new())
        }
        None => (None, Vec::new()),
    };
    let has = |name: &str| capabilities.iter().any(|c| c == name);
    let oauth = has("AUTH=XOAUTH2") || has("AUTH=OAUTHBEARER");
    let no_password = has("LOGINDISABLED") && !has("AUTH=PLAIN") && !has("AUTH=LOGIN") && oauth;
    let said = named_by.iter().find(|candidate| candidate.origin != ProposalOrigin::Guess).unwrap_or(first);
    Some(Proposal {
        host: first.host.clone(),
        port: first.port,
        security: first.security,
        source_type: if no_password { SourceType::ImapOauth } else { said.source_type },
        login: named_by
            .iter()
            .map(|c| c.login)
            .find(|login| *login != LoginName::Address)
            .unwrap_or(LoginName::Address),
        origins,
        confidence,
        why: sentences.join(" "),
        advice: named_by.iter().find_map(|candidate| candidate.advice.clone()),
        greeting,
        capabilities,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(host: &str, origin: ProposalOrigin, responsible: bool) -> Candidate {
        Candidate {
            host: host.to_owned(),
            port: 993,
            security: Security::Tls,
            login: LoginName::Address,
            source_type: SourceType::Imap,
            origin,
            responsible,
            why: format!("{origin} names it."),
            advice: None,
        }
    }

    #[test]
    fn how_sure_a_proposal_is_depends_on_who_names_it_and_on_who_answers() {
        let good = || Some(Ok(Greeted::default()));
        let bad = || Some(Err(Unseen::Failed("Refused.".to_owned())));
        let untried = || Some(Err(Unseen::NotTried("A private address.".to_owned())));
        for (responsible, origin, seen, expect) in [
            (true, ProposalOrigin::Autoconfig, good(), Some(Confidence::Sure)),
            (true, ProposalOrigin::Autoconfig, untried(), Some(Confidence::Likely)),
            (true, ProposalOrigin::Autoconfig, None, Some(Confidence::Likely)),
            (true, ProposalOrigin::Autoconfig, bad(), Some(Confidence::Possible)),
            (false, ProposalOrigin::Srv, good(), Some(Confidence::Likely)),
            (false, ProposalOrigin::Srv, bad(), Some(Confidence::Possible)),
            (false, ProposalOrigin::Guess, good(), Some(Confidence::Likely)),
            (false, ProposalOrigin::Guess, bad(), None),
            (false, ProposalOrigin::Guess, untried(), None),
        ] {
            let merged = Merged { named_by: vec![candidate("a.example", origin, responsible)], seen: seen.clone() };
            let found = proposals(vec![merged]);
            assert_eq!(found.first().map(|p| p.confidence), expect, "{responsible} {origin} {seen:?}");
        }
    }

    #[test]
    fn one_server_is_one_proposal_whoever_names_it() {
        let mut local = candidate("a.example", ProposalOrigin::Autodiscover, true);
        local.login = LoginName::Local;
        let all = vec![
            candidate("a.example", ProposalOrigin::Guess, false),
            local,
            candidate("b.example", ProposalOrigin::Provider, true),
            candidate("a.example", ProposalOrigin::Autoconfig, true),
        ];
        let mut merged = merge(all);
        assert_eq!(merged.len(), 2);
        for one in &mut merged {
            one.seen = Some(Ok(Greeted::default()));
        }
        let found = proposals(merged);
        let a = found.iter().find(|p| p.host == "a.example").expect("it is proposed");
        assert_eq!(a.origins, [ProposalOrigin::Autoconfig, ProposalOrigin::Autodiscover, ProposalOrigin::Guess]);
        assert_eq!(a.login, LoginName::Local);
        assert_eq!(found[0].host, "b.example", "the provider's word comes first");
    }

    #[test]
    fn a_server_that_takes_no_password_asks_for_oauth() {
        let capabilities = ["IMAP4REV1", "LOGINDISABLED", "AUTH=XOAUTH2"].map(str::to_owned).to_vec();
        let seen = Some(Ok(Greeted { greeting: None, capabilities }));
        let merged = Merged { named_by: vec![candidate("a.example", ProposalOrigin::Guess, false)], seen };
        assert_eq!(proposals(vec![merged])[0].source_type, SourceType::ImapOauth);
    }
}
