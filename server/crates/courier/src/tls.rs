//! TLS towards receivers: whom we trust, and what a failed handshake means in words.

use crate::dial::Target;
use gatepost_core::Undelivered;
use std::{
    error::Error,
    io,
    path::Path,
    sync::{Arc, LazyLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, CertificateError, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

/// The system's certificates; reading them takes long enough to do it once.
static SYSTEM_ROOTS: LazyLock<RootCertStore> = LazyLock::new(|| {
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!("a certificate of the system could not be read: {error}");
    }
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    roots
});

/// Makes a connection a TLS connection to the host that the URL names. There is no way to switch the check off.
pub async fn handshake(
    target: &Target,
    ca_file: Option<&Path>,
    tcp: TcpStream,
) -> Result<TlsStream<TcpStream>, Undelivered> {
    let host = &target.host;
    let config = config(ca_file)?;
    let name = ServerName::try_from(host.clone())
        .map_err(|_| Undelivered(format!("{host} cannot stand in a certificate. Check the address.")))?;
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|error| sentence(host, &error))
}

fn config(ca_file: Option<&Path>) -> Result<ClientConfig, Undelivered> {
    let mut roots = SYSTEM_ROOTS.clone();
    if let Some(file) = ca_file {
        add(&mut roots, file).map_err(|e| Undelivered(format!("GATEPOST_CA_FILE cannot be read: {e}.")))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Undelivered(format!("TLS cannot be set up: {e}.")))?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<(), Box<dyn Error>> {
    for certificate in CertificateDer::pem_file_iter(file)? {
        roots.add(certificate?)?;
    }
    Ok(())
}

fn sentence(host: &str, error: &io::Error) -> Undelivered {
    let said = match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                format!("The certificate of {host} has expired. Have it renewed.")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!("The certificate of {host} is for another name. Use the name that it was made for.")
            }
            CertificateError::UnknownIssuer => format!(
                "The certificate of {host} was issued by somebody this machine does not trust. Name the issuer's \
                 certificate in GATEPOST_CA_FILE."
            ),
            other => format!("The certificate of {host} does not verify: {other}."),
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("{host} does not answer in TLS. Check the port of the address.")
        }
        Some(other) => format!("TLS with {host} failed: {other}."),
        None => format!("{host} closed the connection during the TLS handshake. Check the port of the address."),
    };
    Undelivered(said)
}
