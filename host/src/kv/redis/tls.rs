//! Certificates, from the files that options of a URL name.

use std::fs;

use redis::{ClientTlsConfig, TlsCertificates};

use super::super::OpenError;

/// The files that options name.
#[derive(Default)]
pub(super) struct Files {
    pub(super) ca: Option<String>,
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
}

impl Files {
    /// Reads them; `None` without TLS.
    pub(super) fn read(&self, tls: bool) -> Result<Option<TlsCertificates>, OpenError> {
        if !tls {
            return Ok(None);
        }
        let read = |option, path: &String| {
            fs::read(path).map_err(|error| OpenError::File {
                option,
                path: path.clone(),
                reason: format!("{error}; name a PEM file that can be read"),
            })
        };
        let client_tls = match (&self.cert, &self.key) {
            (None, None) => None,
            (Some(cert), Some(key)) => Some(ClientTlsConfig {
                client_cert: read("cert", cert)?,
                client_key: read("key", key)?,
            }),
            (Some(path), None) | (None, Some(path)) => {
                return Err(OpenError::File {
                    option: if self.cert.is_some() { "cert" } else { "key" },
                    path: path.clone(),
                    reason: "a certificate and its key go together: give cert and key".into(),
                });
            }
        };
        let root_cert = self.ca.as_ref().map(|ca| read("ca", ca)).transpose()?;
        Ok(Some(TlsCertificates { client_tls, root_cert }))
    }
}
