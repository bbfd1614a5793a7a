//! What is needed to speak TLS to a peer: whom to believe, and the cryptography.

use crate::channel::ChannelError;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::BuilderVerifierExt;
use std::sync::Arc;

/// Believes the certificates of `ca_pem`, or else those that this machine does.
///
/// # Errors
/// Certificates that are none, or a library that would not start.
pub(in crate::channel) fn config(ca_pem: Option<&str>) -> Result<ClientConfig, ChannelError> {
    let wrong = |error: rustls::Error| ChannelError::Start(error.to_string());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().map_err(wrong)?;
    let config = match ca_pem {
        Some(pem) => {
            let bad = || ChannelError::Setting("ca_pem", "is not a certificate in PEM".to_owned());
            let mut roots = rustls::RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                roots.add(certificate.map_err(|_| bad())?).map_err(|_| bad())?;
            }
            if roots.is_empty() {
                return Err(bad());
            }
            builder.with_root_certificates(roots)
        }
        None => builder.with_platform_verifier().map_err(wrong)?,
    };
    Ok(config.with_no_client_auth())
}
