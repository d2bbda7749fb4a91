//! The environment of a trial's process.

use std::ffi::{OsStr, OsString};

use crate::{api::ParameterMap, expr};

use super::orphans;

/// What of the caller's environment would send a trial's S3 client elsewhere than to the server beside it.
const MISLEADING: [&str; 16] = [
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
    "AWS_USE_FIPS_ENDPOINT",
    "AWS_USE_DUALSTACK_ENDPOINT",
    "AWS_CA_BUNDLE",
    "AWS_SERVICES",
    "AWS_CREDENTIAL_EXPIRATION",
];

/// The prefix of what the program itself sets.
const OWN: &str = "HYPERSTUDY_";

/// The S3 server as a trial's process finds it.
#[derive(Clone, Debug)]
pub struct S3<'a> {
    /// Its address.
    pub url: &'a str,
    /// Its region.
    pub region: &'a str,
    /// The access key.
    pub access_key: &'a str,
    /// The secret key.
    pub secret_key: &'a str,
}

/// An attempt as its process finds it.
#[derive(Debug)]
pub struct Attempt<'a> {
    /// The trial's number.
    pub number: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// The configuration.
    pub parameters: &'a ParameterMap,
    /// The trial's output folder as a path.
    pub output_dir: &'a OsStr,
    /// The same as an S3 address.
    pub output_path: &'a str,
}

/// What is the same for all attempts.
#[derive(Debug)]
pub struct Environment {
    set: Vec<(OsString, OsString)>,
    remove: Vec<OsString>,
    mark: String,
}

impl Environment {
    /// The environment of trials that are to use `s3`, the caller's being `caller`; `mark` is what all their processes are known by.
    pub fn new(s3: &S3<'_>, caller: impl Iterator<Item = (OsString, OsString)>, mark: String) -> Self {
        let mut remove: Vec<OsString> = MISLEADING.iter().map(OsString::from).collect();
        let mut proxied = false;
        let mut unproxied = Vec::new();
        for (name, value) in caller {
            match name.to_str().unwrap_or_default() {
                own if own.starts_with(OWN) => remove.push(name),
                "http_proxy" | "HTTP_PROXY" | "all_proxy" | "ALL_PROXY" => proxied = true,
                "no_proxy" | "NO_PROXY" => unproxied.push(value),
                _ => {}
            }
        }
        let mut set: Vec<(OsString, OsString)> = [
            ("AWS_ENDPOINT_URL", s3.url),
            ("AWS_ENDPOINT_URL_S3", s3.url),
            ("AWS_ACCESS_KEY_ID", s3.access_key),
            ("AWS_SECRET_ACCESS_KEY", s3.secret_key),
            ("AWS_REGION", s3.region),
            ("AWS_DEFAULT_REGION", s3.region),
            ("AWS_EC2_METADATA_DISABLED", "true"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .into();
        if proxied {
            // A proxy cannot reach this machine's loopback.
            unproxied.push("127.0.0.1".into());
            let list = unproxied.join(OsStr::new(","));
            set.extend(["no_proxy", "NO_PROXY"].map(|name| (name.into(), list.clone())));
        }
        Self { set, remove, mark }
    }

    /// What is taken away of the caller's.
    pub fn removed(&self) -> &[OsString] {
        &self.remove
    }

    /// What is set for an attempt.
    pub fn of(&self, attempt: &Attempt<'_>) -> Vec<(OsString, OsString)> {
        let mut set = self.set.clone();
        let json = serde_json::to_string(attempt.parameters).unwrap_or_default();
        set.extend([
            ("HYPERSTUDY_OUTPUT_DIR".into(), attempt.output_dir.to_owned()),
            ("HYPERSTUDY_OUTPUT_PATH".into(), attempt.output_path.into()),
            ("HYPERSTUDY_TRIAL".into(), attempt.number.to_string().into()),
            ("HYPERSTUDY_PARAMETERS".into(), json.into()),
            (
                orphans::VARIABLE.into(),
                format!("{}/{}-{}", self.mark, attempt.number, attempt.attempt).into(),
            ),
        ]);
        let one = |(name, value)| (format!("HYPERSTUDY_PARAM_{name}").into(), expr::text(value).into());
        set.extend(attempt.parameters.iter().map(one));
        set
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use super::*;

    #[test]
    fn a_trial_finds_its_own_and_nothing_that_misleads() {
        let s3 = S3 {
            url: "http://127.0.0.1:1",
            region: "r",
            access_key: "a",
            secret_key: "s",
        };
        let caller = [
            ("HYPERSTUDY_PARAM_old", "1"),
            ("HTTP_PROXY", "p"),
            ("no_proxy", "x"),
            ("PATH", "/bin"),
        ];
        let caller = caller.into_iter().map(|(n, v)| (n.into(), v.into()));
        let environment = Environment::new(&s3, caller, "u".to_owned());
        assert!(environment.removed().iter().any(|n| n == "AWS_PROFILE"));
        assert!(environment.removed().iter().any(|n| n == "HYPERSTUDY_PARAM_old"));
        assert!(!environment.removed().iter().any(|n| n == "PATH"));
        let parameters = [("lr".to_owned(), 0.5.into()), ("opt".to_owned(), "adam".into())].into();
        let set = environment.of(&Attempt {
            number: 3,
            attempt: 2,
            parameters: &parameters,
            output_dir: OsStr::new("/d/3"),
            output_path: "s3://b/3",
        });
        let get = |name: &str| set.iter().find(|(n, _)| n == name).map(|(_, v)| v.to_str().unwrap());
        for (name, value) in [
            ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
            ("NO_PROXY", "x,127.0.0.1"),
            ("HYPERSTUDY_TRIAL", "3"),
            ("HYPERSTUDY_PARAMETERS", r#"{"lr":0.5,"opt":"adam"}"#),
            ("HYPERSTUDY_PARAM_lr", "0.5"),
            ("HYPERSTUDY_PARAM_opt", "adam"),
            ("HYPERSTUDY_ATTEMPT", "u/3-2"),
            ("HYPERSTUDY_OUTPUT_DIR", "/d/3"),
            ("HYPERSTUDY_OUTPUT_PATH", "s3://b/3"),
        ] {
            assert_eq!(get(name), Some(value), "{name}");
        }
    }
}
