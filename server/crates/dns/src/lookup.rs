//! Single questions, for those who need an answer and not a picture of a whole domain.

use crate::{Dns, read::conclusive, text::target, upstream::Upstream};
use futures::{FutureExt, StreamExt, future::BoxFuture};
use gatepost_contract::{DnsAnswer, DnsRecord, LookupStatus, RecordType};

impl Dns {
    /// Asks these questions, several at once, each of one resolver after another until one can tell. The answers come in
    /// the order of the questions; one that nobody could answer is that of the last who was asked.
    pub async fn lookup(&self, questions: &[(String, RecordType)]) -> Vec<DnsAnswer> {
        let upstreams: Vec<Upstream> = self.upstreams();
        let mut asked: Vec<BoxFuture<'_, DnsAnswer>> = Vec::with_capacity(questions.len());
        for (name, kind) in questions {
            asked.push(first_of(&upstreams, name, *kind).boxed());
        }
        futures::stream::iter(asked).buffered(self.at_once()).collect().await
    }
}

async fn first_of(upstreams: &[Upstream], name: &str, kind: RecordType) -> DnsAnswer {
    let mut last = None;
    for upstream in upstreams {
        let answer = upstream.ask(name, kind).await;
        if conclusive(&answer) {
            return answer;
        }
        last = Some(answer);
    }
    last.unwrap_or_else(|| DnsAnswer {
        name: name.to_owned(),
        record_type: kind,
        resolver: String::new(),
        status: LookupStatus::Failed,
        records: Vec::new(),
        note: Some("there is no resolver to ask".to_owned()),
    })
}

/// Whether an answer says how things are, and not only that it could not be found out.
#[must_use]
pub const fn is_conclusive(answer: &DnsAnswer) -> bool {
    conclusive(answer)
}

/// The name that a record leads to (CNAME, MX, NS, SRV), in lower case and without its last dot; empty for the root.
#[must_use]
pub fn leads_to(record: &DnsRecord) -> Option<&str> {
    target(record)
}
