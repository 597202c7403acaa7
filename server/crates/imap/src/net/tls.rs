//! TLS: whom we trust, and what a failed handshake means in words.

use crate::account::Account;
use gatepost_transfer::{Fault, FaultKind};
use std::{
    io,
    sync::{Arc, LazyLock},
};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        self, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
        client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
        pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
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

/// Makes a connection a TLS connection.
pub(super) async fn handshake(account: &Account, server: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Fault> {
    let config = config(account)?;
    let host = account.host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(host.clone())
        .map_err(|e| Fault::new(FaultKind::Tls, format!("{host:?} cannot stand in a certificate.")).because(e))?;
    TlsConnector::from(Arc::new(config)).connect(name, tcp).await.map_err(|e| fault(server, &host, e))
}

fn config(account: &Account) -> Result<ClientConfig, Fault> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|e| Fault::new(FaultKind::Internal, "TLS cannot be set up.").because(e))?;
    if account.insecure_tls {
        let verifier = Arc::new(AcceptAny(provider));
        return Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth());
    }
    let mut roots = SYSTEM_ROOTS.clone();
    if let Some(file) = &account.ca_file {
        let broken = |e: Box<dyn std::error::Error + Send + Sync>| {
            Fault::new(FaultKind::Tls, format!("The CA file {} cannot be read: {e}.", file.display())).because(e)
        };
        let certificates = CertificateDer::pem_file_iter(file).map_err(|e| broken(e.into()))?;
        let mut count = 0;
        for certificate in certificates {
            roots.add(certificate.map_err(|e| broken(e.into()))?).map_err(|e| broken(e.into()))?;
            count += 1;
        }
        if count == 0 {
            return Err(broken("it holds no PEM certificate".into()));
        }
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// A failed handshake in words.
fn fault(server: &str, host: &str, error: io::Error) -> Fault {
    let sentence = match error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => match reason {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => format!(
                "The certificate of {server} has expired. Have it renewed, or switch certificate checks off for this host."
            ),
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                format!("The certificate of {server} is not valid yet. Check this machine's clock.")
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => format!(
                "The certificate of {server} is not for the name {host}. Use the host name that it was made for, or switch \
                 certificate checks off for this host."
            ),
            CertificateError::UnknownIssuer => format!(
                "The certificate of {server} was issued by somebody this machine does not trust. Name the issuer's \
                 certificate as CA file, or switch certificate checks off for this host."
            ),
            CertificateError::Revoked => format!("The certificate of {server} was revoked. Do not use this server."),
            other => format!(
                "The certificate of {server} does not verify: {other}. If it is self-signed, name it as CA file, or switch \
                 certificate checks off for this host."
            ),
        },
        Some(rustls::Error::InvalidMessage(_)) => {
            format!("{server} does not answer in TLS on this port. If it is a port for plain text, use STARTTLS.")
        }
        Some(rustls::Error::AlertReceived(alert)) => {
            format!("{server} refused the TLS handshake: {alert:?}. It may be too old for TLS 1.2.")
        }
        Some(other) => format!("TLS with {server} failed: {other}."),
        None if error.kind() == io::ErrorKind::UnexpectedEof || error.kind() == io::ErrorKind::ConnectionReset => {
            format!("{server} closed the connection during the TLS handshake. Check the port and the security.")
        }
        None => format!("The connection to {server} failed during the TLS handshake: {error}."),
    };
    Fault::new(FaultKind::Tls, sentence).because(error)
}

/// Takes any certificate, but only from somebody who has its key. For hosts whose checks were switched off.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
