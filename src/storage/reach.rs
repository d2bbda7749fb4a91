//! Which addresses may be connected to, asked at the moment of connecting, so that a name that leads elsewhere later is no way around it.

use std::{
    error::Error,
    fmt, io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use aws_sdk_s3::config::{
    interceptors::InterceptorContext,
    retry::{ClassifyRetry, RetryAction},
};
use aws_smithy_runtime_api::client::{
    dns::{DnsFuture, ResolveDns, ResolveDnsError},
    retries::classifiers::RetryClassifierPriority,
};

/// Which addresses names may lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Any.
    Everywhere,
    /// None of this machine's own and of its link's, see [`is_near`].
    NotNear,
}

/// Whether an address is this machine's own or of its link only: loopback, link-local (cloud providers hand out credentials there),
/// unspecified, multicast; also where it is written as an IPv6 address.
pub fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_near_v4(v4),
        IpAddr::V6(v6) => {
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_unicast_link_local()
                || v6.is_multicast()
                // Amazon's metadata service.
                || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
                || embedded(v6).is_some_and(is_near_v4)
        }
    }
}

fn is_near_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    first == 0 || address.is_loopback() || address.is_link_local() || address.is_multicast() || address.is_broadcast()
}

/// The IPv4 address that an IPv6 address stands for: mapped, compatible, NAT64, 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match address.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(v4(high, low)),
        _ => address.to_ipv4(),
    }
}

/// Resolves names with the system's resolver, and leaves out addresses that may not be connected to.
#[derive(Clone, Debug)]
pub(super) struct Resolver(pub Reach);

impl ResolveDns for Resolver {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let found = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            let found: Vec<IpAddr> = found.map(|address| address.ip()).collect();
            if found.is_empty() {
                return Err(ResolveDnsError::new(io::Error::from(io::ErrorKind::NotFound)));
            }
            let allowed: Vec<IpAddr> = match self.0 {
                Reach::Everywhere => found,
                Reach::NotNear => found.into_iter().filter(|address| !is_near(*address)).collect(),
            };
            if allowed.is_empty() {
                return Err(ResolveDnsError::new(TooNear));
            }
            Ok(allowed)
        })
    }
}

/// A name leads to nothing that may be connected to.
#[derive(Debug)]
pub(super) struct TooNear;

impl fmt::Display for TooNear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a loopback or link-local address")
    }
}

impl Error for TooNear {}

/// The first error of that type among an error and its causes.
pub(super) fn cause<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        // What an I/O error was made of is not among its causes: they begin with that one's.
        let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// What is refused here is not tried again, nor at once what was not answered in time: whoever asked has to hear of it, and asks again.
#[derive(Debug)]
pub(super) struct NotAgain;

impl ClassifyRetry for NotAgain {
    fn classify_retry(&self, context: &InterceptorContext) -> RetryAction {
        let failed = context.output_or_error().and_then(Result::err);
        match failed.and_then(|e| e.as_connector_error()) {
            Some(error) if error.is_timeout() || cause::<TooNear>(error).is_some() => RetryAction::RetryForbidden,
            _ => RetryAction::NoActionIndicated,
        }
    }

    fn name(&self) -> &'static str {
        "refused addresses, and silence"
    }

    fn priority(&self) -> RetryClassifierPriority {
        RetryClassifierPriority::run_after(RetryClassifierPriority::transient_error_classifier())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn knows_what_is_near() {
        for near in [
            "127.0.0.1",
            "127.255.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "169.254.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "febf::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
            "fd00:ec2::254",
        ] {
            assert!(is_near(near.parse().unwrap()), "{near}");
        }
        for far in [
            "10.0.0.1",
            "192.168.1.1",
            "172.16.0.1",
            "100.64.0.1",
            "8.8.8.8",
            "128.0.0.1",
            "169.253.0.1",
            "fd00::1",
            "2001:db8::1",
            "::ffff:10.0.0.1",
            "64:ff9b::808:808",
            "2002:808:808::",
        ] {
            assert!(!is_near(far.parse().unwrap()), "{far}");
        }
    }

    #[tokio::test]
    async fn names_lead_to_what_may_be_reached() {
        let found = Resolver(Reach::Everywhere).resolve_dns("localhost").await.unwrap();
        assert!(found.iter().all(IpAddr::is_loopback));
        // The system's resolver knows more forms of addresses than `IpAddr`.
        for name in ["localhost", "127.1", "2130706433", "0x7f.1", "0"] {
            let refused = Resolver(Reach::NotNear).resolve_dns(name).await.unwrap_err();
            assert!(cause::<TooNear>(&refused).is_some(), "{name}: {refused}");
        }
    }

    #[test]
    fn causes_are_found_inside_of_io_errors() {
        let nested = io::Error::other(io::Error::other(TooNear));
        assert!(cause::<TooNear>(&nested).is_some());
        assert!(cause::<TooNear>(&io::Error::other("else")).is_none());
    }
}
