//! Where an S3 server is, and who asks it.

use std::{fmt, net::IpAddr};

use super::Encryption;
use crate::api::AddressingStyle;

/// An S3 server, and who asks it how. Nothing is ever taken from the environment.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address with the scheme, e.g. `http://127.0.0.1:9000`.
    pub url: String,
    /// The region that requests are signed for.
    pub region: String,
    /// The access key.
    pub access_key: String,
    /// The secret key.
    pub secret_key: String,
    /// Of temporary credentials, their token.
    pub session_token: Option<String>,
    /// How the bucket stands in a request's address. A server that is named by an IP address, and a bucket whose name is no
    /// label of a host (with TLS: has a dot), always have it in the path.
    pub addressing: AddressingStyle,
    /// How the server encrypts what is written.
    pub encryption: Encryption,
}

impl Endpoint {
    /// Whether the bucket stands in the path.
    pub(super) fn is_by_path(&self) -> bool {
        match self.addressing {
            AddressingStyle::Path => true,
            AddressingStyle::VirtualHost => false,
            AddressingStyle::Auto => !is_amazon(host(&self.url)),
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No secrets in logs.
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}

/// A server without a scheme, as Argo and studies name it: `host` or `host:port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// The name in lower case, or the IP address; that of IPv6 in brackets.
    pub host: String,
    /// The port, where it is given.
    pub port: Option<u16>,
}

impl Server {
    /// Reads `host`, `host:port` or `[IPv6 address]:port`; `None` where it is neither.
    pub fn read(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = match port {
            None => None,
            Some(port) if port.bytes().all(|c| c.is_ascii_digit()) => {
                Some(port.parse::<u16>().ok().filter(|port| *port > 0)?)
            }
            Some(_) => return None,
        };
        let is_host = match host.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']')?.parse::<std::net::Ipv6Addr>().is_ok(),
            None => is_name(host),
        };
        is_host.then(|| Self {
            host: host.to_ascii_lowercase(),
            port,
        })
    }

    /// The IP address, where it is one.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.trim_matches(['[', ']']).parse().ok()
    }

    /// Its address with the scheme.
    pub fn url(&self, tls: bool) -> String {
        let scheme = if tls { "https" } else { "http" };
        match self.port {
            Some(port) => format!("{scheme}://{}:{port}", self.host),
            None => format!("{scheme}://{}", self.host),
        }
    }

    /// The region that an Amazon server's name gives away, e.g. of `s3.eu-west-1.amazonaws.com`.
    pub fn amazon_region(&self) -> Option<&str> {
        let rest = self
            .host
            .strip_suffix(".amazonaws.com")
            .or_else(|| self.host.strip_suffix(".amazonaws.com.cn"))?;
        let rest = rest.strip_prefix("s3")?.strip_prefix(['.', '-'])?;
        let rest = rest.strip_prefix("fips.").unwrap_or(rest);
        let region = rest.strip_prefix("dualstack.").unwrap_or(rest);
        let is_region = region.split('-').count() >= 3
            && !region.contains('.')
            && region.bytes().last().is_some_and(|c| c.is_ascii_digit());
        is_region.then_some(region)
    }

    /// Whether it is one of Amazon's own.
    pub fn is_amazon(&self) -> bool {
        is_amazon(&self.host)
    }

    /// Whether it is Amazon's S3, under a name that has no bucket in it.
    pub fn is_amazon_s3(&self) -> bool {
        self.host == "s3.amazonaws.com" || self.amazon_region().is_some()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether a host's name, or an IPv4 address, may look like that. Underscores stand in some names inside of clusters.
fn is_name(host: &str) -> bool {
    host.len() <= 253
        && host.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_'))
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
}

/// The host in a URL, with its port.
fn host(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or_default()
}

/// Whether a host is one of Amazon's own.
fn is_amazon(host: &str) -> bool {
    let name = host.split(':').next().unwrap_or_default().to_ascii_lowercase();
    ["amazonaws.com", "amazonaws.com.cn"]
        .iter()
        .any(|domain| name.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_servers() {
        for (text, host, port, url) in [
            ("minio", "minio", None, "https://minio"),
            (
                "MinIO.Storage:9000",
                "minio.storage",
                Some(9000),
                "https://minio.storage:9000",
            ),
            ("127.0.0.1:1", "127.0.0.1", Some(1), "https://127.0.0.1:1"),
            ("[::1]", "[::1]", None, "https://[::1]"),
            ("[FE80::1]:9000", "[fe80::1]", Some(9000), "https://[fe80::1]:9000"),
            ("my_s3.ns", "my_s3.ns", None, "https://my_s3.ns"),
        ] {
            let server = Server::read(text).unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port), "{text}");
            assert_eq!(server.url(true), url);
            assert_eq!(Server::read(&server.to_string()), Some(server));
        }
        for text in [
            "",
            ":9000",
            "http://minio",
            "minio/",
            "minio:",
            "minio:http",
            "minio:0",
            "minio:65536",
            "minio:+1",
            "mi nio",
            "user@minio",
            "::1",
            "[::1",
            "[minio]",
            "minio.",
            "a..b",
            "-a",
            "minio:1:2",
            "minio?x",
            "minio#x",
            "minio\n",
            "[::1]x",
        ] {
            assert_eq!(Server::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn only_amazon_has_the_bucket_in_the_host() {
        for (url, by_path) in [
            ("https://s3.amazonaws.com", false),
            ("https://S3.eu-west-1.amazonaws.com:443", false),
            ("https://s3.cn-north-1.amazonaws.com.cn", false),
            ("http://minio:9000", true),
            ("https://amazonaws.com.example.org", true),
            ("https://notamazonaws.com", true),
            ("https://storage.googleapis.com", true),
        ] {
            let mut endpoint = Endpoint {
                url: url.to_owned(),
                ..Endpoint::default()
            };
            assert_eq!(endpoint.is_by_path(), by_path, "{url}");
            endpoint.addressing = AddressingStyle::Path;
            assert!(endpoint.is_by_path());
            endpoint.addressing = AddressingStyle::VirtualHost;
            assert!(!endpoint.is_by_path());
        }
    }

    #[test]
    fn amazons_names_tell_the_region() {
        for (host, region) in [
            ("s3.amazonaws.com", None),
            ("s3.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3-eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("s3.dualstack.us-gov-west-1.amazonaws.com", Some("us-gov-west-1")),
            ("s3.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("s3-accelerate.amazonaws.com", None),
            ("s3-fips.us-east-2.amazonaws.com", Some("us-east-2")),
            ("other.s3.eu-west-1.amazonaws.com", None),
            ("s3.eu-west-1.example.com", None),
        ] {
            assert_eq!(Server::read(host).unwrap().amazon_region(), region, "{host}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_is_an_address_of_that_host_alone(text in "[a-zA-Z0-9.:\\[\\]@/?#%_-]{0,24}") {
            if let Some(server) = Server::read(&text) {
                let url: http::Uri = format!("{}/x", server.url(false)).parse().unwrap();
                prop_assert_eq!(url.host(), Some(server.host.as_str()));
                prop_assert_eq!(url.port_u16(), server.port);
                prop_assert_eq!(url.path(), "/x");
            }
        }
    }
}
