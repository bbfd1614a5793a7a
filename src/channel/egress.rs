//! Where we do not call: addresses that are not the open internet's.
//!
//! Upstream chooses where webhooks go, so an address there must not lead into our own network (CWE-918). A name is
//! judged by what it resolves to, at the moment of connecting.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

/// Whether an address is one of the open internet (IANA special-purpose registries, RFC 6890).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b)) // shared address space, RFC 6598
        || (a == 192 && b == 0 && c == 0) // protocol assignments
        || (a == 192 && b == 88 && c == 99) // 6to4 relays
        || (a == 198 && (18..20).contains(&b)); // benchmarking, RFC 2544
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Addresses that carry an IPv4 address are as public as that one: mapped, NAT64 (RFC 6052), 6to4.
    let embedded = match segments {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some((high, low)),
        [0x2002, high, low, ..] => Some((high, low)),
        _ => None,
    };
    if let Some((high, low)) = embedded {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    // Global unicast is 2000::/3; of it, not Teredo and the other protocol assignments, nor documentation.
    let global = segments[0] & 0xe000 == 0x2000;
    let assigned = segments[0] == 0x2001 && segments[1] < 0x200;
    let documentation = (segments[0] == 0x2001 && segments[1] == 0xdb8) || segments[0] & 0xfff0 == 0x3ff0;
    global && !assigned && !documentation
}

/// Resolves names for a client, and gives it only public addresses.
#[derive(Clone, Debug, Default)]
pub struct PublicOnly;

/// A name that leads nowhere we may call.
#[derive(Debug, thiserror::Error)]
#[error("the address does not lead to the open internet")]
pub struct NotPublic;

impl reqwest::dns::Resolve for PublicOnly {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let public: Vec<SocketAddr> = found.filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err(NotPublic.into());
            }
            let addresses: reqwest::dns::Addrs = Box::new(public.into_iter());
            Ok(addresses)
        })
    }
}

/// Whether a webhook may go to this address, as far as can be seen without resolving: `https`, and a host that is
/// either a name or a public address.
///
/// # Errors
/// [`NotPublic`]; names are judged again by [`PublicOnly`] when they are resolved.
pub fn check(url: &url::Url) -> Result<(), NotPublic> {
    let public = match url.host() {
        Some(url::Host::Ipv4(address)) => is_public_v4(address),
        Some(url::Host::Ipv6(address)) => is_public_v6(address),
        Some(url::Host::Domain(_)) => true,
        None => false,
    };
    if public && url.scheme() == "https" { Ok(()) } else { Err(NotPublic) }
}

/// A client that calls the open internet only, follows no redirect and waits a bounded time.
///
/// # Errors
/// What kept the client library from starting.
pub fn client(timeout: std::time::Duration) -> Result<reqwest::Client, crate::channel::ChannelError> {
    public_only()
        .timeout(timeout)
        .build()
        .map_err(|error| crate::channel::ChannelError::Start(error.to_string()))
}

/// The beginnings of a client that resolves names to public addresses only.
pub fn public_only() -> reqwest::ClientBuilder {
    anywhere().dns_resolver(Arc::new(PublicOnly))
}

/// The beginnings of a client that may call our own network too.
pub fn anywhere() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_internet_is_public() {
        for good in ["8.8.8.8", "198.20.0.1", "2606:4700::1111", "64:ff9b::808:808"] {
            assert!(is_public(good.parse().expect(good)), "{good}");
        }
        for bad in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
            "ff02::1",
            "203.0.113.9",
        ] {
            assert!(!is_public(bad.parse().expect(bad)), "{bad}");
        }
    }

    #[test]
    fn webhook_addresses_are_checked_before_they_are_resolved() {
        for (url, good) in [
            ("https://collections.example/hooks", true),
            ("http://collections.example/hooks", false),
            ("https://127.0.0.1/hooks", false),
            ("https://[::1]/hooks", false),
            ("https://0x7f000001/hooks", false),
            ("https://2130706433/hooks", false),
        ] {
            assert_eq!(check(&url.parse().expect(url)).is_ok(), good, "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_called() {
        let client = client(std::time::Duration::from_secs(2)).expect("client");
        let error = client.get("https://localhost/hooks").send().await.expect_err("refused");
        assert!(error.is_connect(), "{error:?}");
    }
}
