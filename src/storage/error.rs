//! What can go wrong with S3, told apart by what to do about it. No message holds anything that a server's answer said.

use std::{io, path::PathBuf};

use aws_sdk_s3::{
    config::http::HttpResponse,
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_runtime_api::client::result::DispatchFailure;
use rustls::CertificateError;

use super::{
    Location,
    reach::{TooNear, cause},
};

/// Why something in S3 could not be done.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// The bucket is not there.
    #[error("the bucket `{0}` does not exist: create it, or name another one")]
    NoSuchBucket(String),
    /// The credentials do not suffice.
    #[error("{at}: the S3 server does not allow to {what}: check what the credentials may do")]
    AccessDenied {
        /// What was tried, as a verb.
        what: &'static str,
        /// Where.
        at: String,
    },
    /// The server does not know the credentials, or they are over.
    #[error(
        "{at}: the S3 server does not accept the credentials: check the access key, the secret key and their expiry"
    )]
    BadCredentials {
        /// Where.
        at: String,
    },
    /// The bucket is somewhere else.
    #[error("{at}: the bucket is in another region or at another endpoint: check both")]
    WrongRegion {
        /// Where.
        at: String,
    },
    /// An object is larger than what is read.
    #[error("{at} is larger than {max} bytes, the most that is read")]
    TooLarge {
        /// Where.
        at: String,
        /// The most that is read, in bytes.
        max: usize,
    },
    /// A condition (If-Match, If-None-Match) did not hold.
    #[error("{at} was changed by somebody else at the same time")]
    Changed {
        /// Where.
        at: String,
    },
    /// No answer, or none in time.
    #[error("{at}: the S3 server at {endpoint} cannot be reached, or does not answer in time")]
    Unreachable {
        /// Where.
        at: String,
        /// The server's address.
        endpoint: String,
    },
    /// There is no TLS with the server that can be relied on.
    #[error("{at}: the S3 server at {endpoint} cannot be trusted: {why}")]
    Untrusted {
        /// Where.
        at: String,
        /// The server's address.
        endpoint: String,
        /// Why, and what to do.
        why: &'static str,
    },
    /// The server's name leads to an address that is not connected to.
    #[error(
        "{at}: the S3 server at {endpoint} may not be used, for its name leads to a loopback or link-local address: \
         name another server, or have the controller's flag --allow-endpoint name this one"
    )]
    TooNear {
        /// Where.
        at: String,
        /// The server's address.
        endpoint: String,
    },
    /// The server is busy or broken for now.
    #[error("{at}: the S3 server could not {what} for now (status {status})")]
    Busy {
        /// What was tried, as a verb.
        what: &'static str,
        /// Where.
        at: String,
        /// The HTTP status.
        status: u16,
    },
    /// Any other refusal.
    #[error("{at}: the S3 server refused to {what} (status {status})")]
    Refused {
        /// What was tried, as a verb.
        what: &'static str,
        /// Where.
        at: String,
        /// The HTTP status; 0 where the request could not even be made.
        status: u16,
    },
    /// Objects are still there after they were deleted.
    #[error("{at}: {left} objects are still there after they were deleted")]
    StillThere {
        /// The folder.
        at: String,
        /// How many of those that were to go.
        left: usize,
    },
    /// Emptying or deleting a whole bucket was asked for, which never is what a study needs.
    #[error("{at} is a whole bucket, which is never emptied: give the study a folder in it")]
    WholeBucket {
        /// The bucket.
        at: String,
    },
    /// A key holds what cannot be the name of a file.
    #[error("an object below {at} has a name that cannot be a file's")]
    BadName {
        /// The folder.
        at: String,
    },
    /// A file on this machine.
    #[error("{path}: {source}")]
    Local {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl StorageError {
    /// Whether the same may well work later.
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Changed { .. } | Self::StillThere { .. }
        )
    }

    /// An error about a file on this machine.
    pub(super) fn local(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Local { path, source }
    }
}

/// What was tried, and where: what an error needs to be understood.
pub(super) struct Attempt<'a> {
    pub what: &'static str,
    pub at: &'a Location,
    pub endpoint: &'a str,
}

/// The code and the status of an error that a server sent; `None` where it sent none.
pub(super) fn sent<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<(&str, u16)> {
    match error {
        SdkError::ServiceError(e) => Some((e.err().code().unwrap_or_default(), e.raw().status().as_u16())),
        _ => None,
    }
}

/// Whether an answer says that the object is not there, and not something else that a server knows nothing of.
pub(super) fn is_missing<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    // An answer without a body, as to HEAD, has no code of its own: a missing bucket looks like a missing object.
    matches!(
        sent(error),
        Some(("NoSuchKey" | "NoSuchVersion" | "NotFound" | "", 404))
    )
}

impl Attempt<'_> {
    /// What an error of the client means.
    pub fn failed<E: ProvideErrorMetadata>(&self, error: &SdkError<E, HttpResponse>) -> StorageError {
        match error {
            SdkError::ServiceError(_) => {
                let (code, status) = sent(error).unwrap_or_default();
                self.refused(code, status)
            }
            SdkError::ResponseError(e) => self.refused("", e.raw().status().as_u16()),
            SdkError::DispatchFailure(e) if e.is_user() => self.refused("", 0),
            SdkError::DispatchFailure(e) => self.unconnected(e),
            SdkError::ConstructionFailure(_) => self.refused("", 0),
            _ => self.unreachable(),
        }
    }

    /// What an error code with an HTTP status means. The code comes from the server: it is compared, never shown.
    pub fn refused(&self, code: &str, status: u16) -> StorageError {
        let (what, at) = (self.what, self.at.to_string());
        match (code, status) {
            ("NoSuchBucket", _) => StorageError::NoSuchBucket(self.at.bucket().to_owned()),
            (
                "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "NotSignedUp"
                | "TokenRefreshRequired"
                // versitygw's word for an access key that it does not know, with the status of a missing object.
                | "XAdminUserNotFound",
                _,
            ) => StorageError::BadCredentials { at },
            ("PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed", _) | (_, 300..=399) => {
                StorageError::WrongRegion { at }
            }
            ("PreconditionFailed" | "ConditionalRequestConflict", _) | (_, 409 | 412) => StorageError::Changed { at },
            ("RequestTimeTooSkewed", _) => StorageError::Refused { what, at, status },
            ("AccessDenied", _) | (_, 401 | 403) => StorageError::AccessDenied { what, at },
            (_, 501) => StorageError::Refused { what, at, status },
            ("SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" | "OperationAborted", _)
            | (_, 408 | 429 | 500..=599) => StorageError::Busy { what, at, status },
            // A success that cannot be read: something between here and the server cut it.
            (_, 200..=299) => self.unreachable(),
            _ => StorageError::Refused { what, at, status },
        }
    }

    /// No connection, or one that broke off.
    fn unconnected(&self, failure: &DispatchFailure) -> StorageError {
        let (at, endpoint) = (self.at.to_string(), self.endpoint.to_owned());
        let Some(error) = failure.as_connector_error() else {
            return self.unreachable();
        };
        if cause::<TooNear>(error).is_some() {
            return StorageError::TooNear { at, endpoint };
        }
        match cause::<rustls::Error>(error).map(distrust) {
            Some(why) => StorageError::Untrusted { at, endpoint, why },
            None => self.unreachable(),
        }
    }

    /// No answer, or one that broke off.
    pub fn unreachable(&self) -> StorageError {
        StorageError::Unreachable {
            at: self.at.to_string(),
            endpoint: self.endpoint.to_owned(),
        }
    }
}

/// Why a server is not trusted, without anything that it said.
fn distrust(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
            "its certificate is of an authority that is not trusted; give that authority's certificate as `caSecret`"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "its certificate is for another name; name the server as its certificate does",
        rustls::Error::InvalidCertificate(
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. },
        ) => "its certificate has expired, or is not valid yet",
        rustls::Error::InvalidCertificate(_) => "its certificate cannot be verified",
        rustls::Error::InvalidMessage(_) => "it does not speak TLS; where it should not, say `insecure: true`",
        _ => "it and hyperstudy find no way to speak TLS with one another",
    }
}
