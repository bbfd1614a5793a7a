//! What must be fetched to believe a callback: a certificate, and the address with which a vendor makes sure of us. Both come
//! in by callback, so only addresses that a manifest allows are asked, and never one of our own network.

use crate::channel::{ChannelError, egress};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;

/// How long a fetch may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest certificate, in bytes.
const LARGEST: usize = 32 * 1024;
/// Certificates kept, and addresses remembered as called; a stranger who names ever new ones finds the memory full.
const KEPT: usize = 64;
/// Fetches at once.
const AT_ONCE: usize = 4;

/// Fetches, and remembers what it fetched.
#[derive(Debug)]
pub struct Fetcher {
    client: reqwest::Client,
    certificates: Mutex<BTreeMap<String, String>>,
    called: Mutex<BTreeSet<String>>,
    places: Semaphore,
}

impl Fetcher {
    /// One that calls the open internet only.
    ///
    /// # Errors
    /// What kept the client library from starting.
    pub fn new() -> Result<Self, ChannelError> {
        Ok(Self {
            client: egress::client(PATIENCE)?,
            certificates: Mutex::default(),
            called: Mutex::default(),
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// The certificate at an address that the manifest allows, in PEM.
    pub async fn certificate(&self, address: &str) -> Option<String> {
        let known = self.certificates.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned();
        if known.is_some() {
            return known;
        }
        let _place = self.places.acquire().await.ok()?;
        let mut answer =
            self.client.get(address).send().await.ok().filter(|answer| answer.status().is_success())?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.ok()? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return None;
            }
        }
        let pem = String::from_utf8(body).ok().filter(|pem| pem.contains("BEGIN CERTIFICATE"))?;
        let mut kept = self.certificates.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.len() >= KEPT {
            kept.pop_first();
        }
        kept.insert(address.to_owned(), pem.clone());
        Some(pem)
    }

    /// Calls an address once, for a vendor that wants to see it called. True if it answered that all is well.
    pub async fn call(&self, address: &str) -> bool {
        if self.called.lock().unwrap_or_else(PoisonError::into_inner).contains(address) {
            return true;
        }
        let Ok(_place) = self.places.acquire().await else { return false };
        let answer = self.client.get(address).send().await;
        let well = answer.is_ok_and(|answer| answer.status().is_success());
        if well {
            let mut called = self.called.lock().unwrap_or_else(PoisonError::into_inner);
            while called.len() >= KEPT {
                called.pop_first();
            }
            called.insert(address.to_owned());
        }
        well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_of_our_own_network_is_asked() {
        let fetcher = Fetcher::new().expect("fetcher");
        for address in ["https://localhost/cert.pem", "not an address"] {
            assert_eq!(fetcher.certificate(address).await, None, "{address}");
            assert!(!fetcher.call(address).await, "{address}");
        }
    }
}
