//! Asks web servers for protocols on top of HTTP. What such an answer means is not known here.

use crate::{
    Answered, Resolve, Rules, SystemResolver,
    dial::{self, Target},
    exchange, tls,
};
use async_trait::async_trait;
use bytes::Bytes;
use gatepost_core::{Outbound, Undelivered};
use gatepost_web::{Method, Web, WebError, WebReply, WebRequest};
use http::{HeaderMap, HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::timeout;

/// Asks by HTTP/1.1, over TLS wherever the settings do not name the host.
pub struct HttpWeb {
    outbound: Outbound,
    resolver: Arc<dyn Resolve>,
    limit: Duration,
}

impl fmt::Debug for HttpWeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpWeb").field("outbound", &self.outbound).finish_non_exhaustive()
    }
}

impl HttpWeb {
    /// How long an answer may take from the first look into the DNS to the last byte.
    pub const LIMIT: Duration = Duration::from_secs(20);
    /// The setting that names hosts which may be used although their addresses are private.
    const SETTING: &str = "MIGRATION_ALLOWED_HOSTS";

    /// One that asks the system's resolver.
    #[must_use]
    pub fn new(outbound: Outbound) -> Self {
        Self::with(outbound, Arc::new(SystemResolver), Self::LIMIT)
    }

    /// One with a resolver and a time limit of its own.
    #[must_use]
    pub fn with(outbound: Outbound, resolver: Arc<dyn Resolve>, limit: Duration) -> Self {
        Self { outbound, resolver, limit }
    }

    async fn whole(
        &self,
        target: &Target,
        request: Request<Full<Bytes>>,
        most: usize,
    ) -> Result<WebReply, Undelivered> {
        let rules = Rules { allowed: &self.outbound.allowed_hosts, setting: Self::SETTING };
        let tcp = dial::connect(target, &*self.resolver, &rules).await?;
        let Answered { response, connection: _held } = if target.tls {
            let stream = tls::handshake(target, self.outbound.ca_file.as_deref(), tcp).await?;
            exchange(target, stream, request).await?
        } else {
            exchange(target, tcp, request).await?
        };
        let status = response.status().as_u16();
        let headers = response.headers();
        let content_type = text(headers, header::CONTENT_TYPE).unwrap_or_default();
        let content_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let location = text(headers, header::LOCATION);
        let retry_after = text(headers, header::RETRY_AFTER).and_then(|text| text.trim().parse().ok());
        let body = body(&target.host, response.into_body(), most).await?;
        Ok(WebReply { status, content_type, location, retry_after, body })
    }
}

#[async_trait]
impl Web for HttpWeb {
    async fn ask(&self, request: &WebRequest) -> Result<WebReply, WebError> {
        let rules = Rules { allowed: &self.outbound.allowed_hosts, setting: Self::SETTING };
        let said = |error: Undelivered| WebError(error.0);
        let target = Target::of(&request.url, &rules).map_err(said)?;
        let most = request.most;
        let request = written(&target, request).map_err(said)?;
        timeout(self.limit, self.whole(&target, request, most))
            .await
            .map_err(|_| {
                let (host, seconds) = (&target.host, self.limit.as_secs_f64());
                WebError(format!("{host} did not answer whole within {seconds} seconds."))
            })?
            .map_err(said)
    }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text.chars().take(2000).collect())
}

fn written(target: &Target, asked: &WebRequest) -> Result<Request<Full<Bytes>>, Undelivered> {
    let unwritable = || Undelivered(format!("The address at {} cannot be written as an HTTP request.", target.host));
    let mut request = match asked.method {
        Method::Get => Request::get(target.path.as_str()),
        Method::Post => Request::post(target.path.as_str()),
    };
    request = request
        .header(header::HOST, target.authority.as_str())
        .header(header::USER_AGENT, concat!("Gatepost/", env!("CARGO_PKG_VERSION")))
        .header(header::CONNECTION, "close");
    if let Some(content_type) = asked.content_type {
        request = request.header(header::CONTENT_TYPE, content_type);
    }
    if let Some(accept) = asked.accept {
        request = request.header(header::ACCEPT, accept);
    }
    if let Some(authorization) = &asked.authorization {
        let mut value = HeaderValue::from_str(&authorization.0).map_err(|_| unwritable())?;
        value.set_sensitive(true);
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(Full::new(Bytes::from(asked.body.0.clone()))).map_err(|_| unwritable())
}

/// The whole body, unless it is longer than `most`.
async fn body(host: &str, mut body: Incoming, most: usize) -> Result<Vec<u8>, Undelivered> {
    let long = || Undelivered(format!("{host} sends more than the {most} bytes that its answer may have."));
    if body.size_hint().lower() > most as u64 {
        return Err(long());
    }
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Undelivered(format!("{host} broke off in the middle of its answer.")))?;
        if let Some(data) = frame.data_ref() {
            if data.len() > most - bytes.len() {
                return Err(long());
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}
