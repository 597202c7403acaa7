//! A certificate authority and a server certificate for each test server, made on the spot.

use std::fs;
use std::path::Path;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::error::{Result, Tried as _};

/// Which certificate a server shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Certificate {
    /// For `localhost` and 127.0.0.1, signed by the server's CA.
    #[default]
    Valid,
    /// For another host's name.
    WrongName,
    /// Ran out yesterday.
    Expired,
}

/// Writes `ca.pem`, `server.pem` and `server.key`; keeps those of an earlier start.
pub(super) fn write(certificate: Certificate, dir: &Path) -> Result<()> {
    let (ca_file, cert_file, key_file) = (dir.join("ca.pem"), dir.join("server.pem"), dir.join("server.key"));
    if ca_file.exists() && cert_file.exists() && key_file.exists() {
        return Ok(());
    }
    let now = OffsetDateTime::now_utc();
    let mut ca = CertificateParams::new(Vec::<String>::new())?;
    ca.distinguished_name.push(DnType::CommonName, "Gatepost test CA");
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.not_before = now - Duration::days(30);
    ca.not_after = now + Duration::days(3650);
    let ca_key = KeyPair::generate()?;
    let ca_cert = ca.self_signed(&ca_key)?;
    let issuer = Issuer::new(ca, ca_key);

    let names = match certificate {
        Certificate::Valid | Certificate::Expired => vec!["localhost".to_owned(), "127.0.0.1".to_owned()],
        Certificate::WrongName => vec!["other.example".to_owned()],
    };
    let mut server = CertificateParams::new(names.clone())?;
    server.distinguished_name.push(DnType::CommonName, names[0].as_str());
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.not_before = now - Duration::days(20);
    // 397 days: some clients refuse certificates that are valid for longer.
    server.not_after =
        if certificate == Certificate::Expired { now - Duration::days(1) } else { now + Duration::days(370) };
    let server_key = KeyPair::generate()?;
    let server_cert = server.signed_by(&server_key, &issuer)?;
    for (file, pem) in
        [(&ca_file, ca_cert.pem()), (&cert_file, server_cert.pem()), (&key_file, server_key.serialize_pem())]
    {
        fs::write(file, pem).tried(|| format!("writing {}", file.display()))?;
    }
    Ok(())
}
