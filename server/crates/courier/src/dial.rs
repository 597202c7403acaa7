//! From a URL to a TCP connection: what it names, what that resolves to, whether that may be connected to.

use async_trait::async_trait;
use gatepost_core::{Undelivered, may_connect, names_host};
use std::{
    io,
    net::{IpAddr, SocketAddr},
};
use tokio::net::TcpStream;
use url::{Host, Url};

/// How many addresses of a host are tried.
const TRIED: usize = 4;

/// What the settings allow beyond the rules for addresses.
pub struct Rules<'a> {
    /// Hosts, addresses and networks that may be used although they are private.
    pub allowed: &'a [String],
    /// The setting that names them, for sentences.
    pub setting: &'static str,
}

/// Finds the addresses of a host.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// The addresses of a host.
    ///
    /// # Errors
    /// Where it has none, or the DNS does not answer.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// The system's resolver.
#[derive(Clone, Copy, Debug)]
pub struct SystemResolver;

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}

/// What a URL names.
pub struct Target {
    /// The host without brackets; for the certificate and for sentences.
    pub host: String,
    /// The address, where the host is one.
    ip: Option<IpAddr>,
    port: u16,
    /// Host and port as the Host header writes them (RFC 9112 section 3.2).
    pub authority: String,
    /// Path and query.
    pub path: String,
    /// Whether TLS is spoken.
    pub tls: bool,
}

impl Target {
    /// Reads a URL. Plain http is for hosts that the settings name only.
    pub fn of(text: &str, rules: &Rules<'_>) -> Result<Self, Undelivered> {
        let target = Self::read(text)?;
        if !target.tls && !names_host(rules.allowed, &target.host) {
            return Err(Undelivered(format!(
                "The address is plain http, which is only for hosts that {} names exactly, and {} is not one.",
                rules.setting, target.host
            )));
        }
        Ok(target)
    }

    /// Reads a URL, whatever may be connected to.
    pub fn read(text: &str) -> Result<Self, Undelivered> {
        let broken = || Undelivered("The address is no http or https URL. Correct it.".to_owned());
        let url = Url::parse(text).map_err(|_| broken())?;
        let (host, ip) = match url.host().ok_or_else(broken)? {
            Host::Domain(name) => (name.to_owned(), None),
            Host::Ipv4(ip) => (ip.to_string(), Some(ip.into())),
            Host::Ipv6(ip) => (ip.to_string(), Some(ip.into())),
        };
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(broken()),
        };
        let written = url.host_str().ok_or_else(broken)?;
        let authority = url.port().map_or_else(|| written.to_owned(), |port| format!("{written}:{port}"));
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let port = url.port_or_known_default().ok_or_else(broken)?;
        Ok(Self { host, ip, port, authority, path, tls })
    }
}

/// Connects to a target. Every address of its host must be one that may be connected to.
pub async fn connect(target: &Target, resolver: &dyn Resolve, rules: &Rules<'_>) -> Result<TcpStream, Undelivered> {
    let host = &target.host;
    let judge = |ip: IpAddr| {
        if may_connect(rules.allowed, host, ip) {
            return Ok(());
        }
        Err(Undelivered(format!(
            "{host} leads to {ip}, which is a private, local or otherwise special address. If this is right, add {host} to \
             {}.",
            rules.setting
        )))
    };
    connect_where(target, resolver, &judge).await
}

/// Connects to a target, every address of which is judged before one is used.
pub async fn connect_where(
    target: &Target,
    resolver: &dyn Resolve,
    judge: &(dyn Fn(IpAddr) -> Result<(), Undelivered> + Sync),
) -> Result<TcpStream, Undelivered> {
    let host = &target.host;
    let addresses = match target.ip {
        Some(ip) => vec![SocketAddr::new(ip, target.port)],
        None => resolver.resolve(host, target.port).await.map_err(|error| {
            tracing::debug!(%host, %error, "a host was not resolved");
            Undelivered(format!("The host name {host} does not resolve to an address. Check its spelling and the DNS."))
        })?,
    };
    addresses.iter().try_for_each(|address| judge(address.ip()))?;
    let mut failure = format!("The host name {host} has no address.");
    for address in addresses.iter().take(TRIED) {
        // The port is ours: what a resolver says of it does not count.
        match TcpStream::connect((address.ip(), target.port)).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => failure = refused(target, &error),
        }
    }
    Err(Undelivered(failure))
}

fn refused(target: &Target, error: &io::Error) -> String {
    let Target { host, port, .. } = target;
    match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("Nothing answers at {host}, port {port}: the connection was refused.")
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            format!("{host}, port {port}, cannot be reached from this machine's network.")
        }
        _ => format!("No connection to {host}, port {port}: {error}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<Target, String> {
        let allowed = ["127.0.0.1".to_owned(), "desk.local".to_owned(), "10.0.0.0/8".to_owned()];
        Target::of(text, &Rules { allowed: &allowed, setting: "ALLOWED" }).map_err(|e| e.0)
    }

    #[test]
    fn a_url_names_host_port_and_path() {
        for (url, host, authority, path, port) in [
            ("https://hooks.example", "hooks.example", "hooks.example", "/", 443),
            ("https://hooks.example:8443/a/b?c=d", "hooks.example", "hooks.example:8443", "/a/b?c=d", 8443),
            ("https://[2606:4700::1]/x", "2606:4700::1", "[2606:4700::1]", "/x", 443),
            ("http://127.0.0.1:9/x", "127.0.0.1", "127.0.0.1:9", "/x", 9),
            ("https://b%C3%BCcher.example/ü", "xn--bcher-kva.example", "xn--bcher-kva.example", "/%C3%BC", 443),
        ] {
            let target = target(url).unwrap();
            assert_eq!((target.host.as_str(), target.authority.as_str()), (host, authority), "{url}");
            assert_eq!((target.path.as_str(), target.port), (path, port), "{url}");
        }
    }

    #[test]
    fn plain_http_is_for_hosts_that_are_named_only() {
        assert!(target("http://desk.local/x").is_ok());
        for url in [
            "http://hooks.example/x",
            "http://127.0.0.2/x",
            "http://10.1.2.3/x",
            "ftp://desk.local/x",
            "nonsense",
            "https://",
        ] {
            assert!(target(url).is_err(), "{url}");
        }
    }
}
