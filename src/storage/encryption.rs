//! Server-side encryption, as Argo has it: with the server's own keys, with a key management service's, with the customer's.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_sdk_s3::{
    operation::{
        get_object::builders::GetObjectFluentBuilder, head_object::builders::HeadObjectFluentBuilder,
        put_object::builders::PutObjectFluentBuilder,
    },
    types::ServerSideEncryption,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use md5::{Digest, Md5};
use tokio::sync::Semaphore;

use super::{Location, StorageError, Store};

/// How the server encrypts what it is given.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Encryption {
    /// As the bucket says.
    #[default]
    Bucket,
    /// With keys of the server's own (SSE-S3).
    Server,
    /// With a key of a key management service (SSE-KMS).
    Kms {
        /// The key's name.
        key: String,
        /// What goes with it: a JSON object of strings.
        context: Option<String>,
    },
    /// With a key for each object that is made of this password (SSE-C), as Argo makes it. Reading takes it as well.
    Customer {
        /// Any bytes.
        password: Vec<u8>,
    },
}

impl fmt::Debug for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bucket => "Bucket",
            Self::Server => "Server",
            Self::Kms { .. } => "Kms",
            Self::Customer { .. } => "Customer",
        })
    }
}

/// The customer's key of one object, as the headers have it.
struct CustomerKey {
    key: String,
    md5: String,
}

const CUSTOMER_ALGORITHM: &str = "AES256";
/// Argon2id with one pass over 64 MiB in four lanes: what Argo's S3 client makes keys with.
const PASSES: u32 = 1;
const MEMORY_KIB: u32 = 64 << 10;
const LANES: u32 = 4;
/// Keys are made one at a time, for each takes its 64 MiB.
static MAKING: Semaphore = Semaphore::const_new(1);

/// The key of an object. The salt is the bucket and the key, one after the other.
fn customer_key(password: &[u8], bucket: &str, key: &str) -> Option<CustomerKey> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, Some(32)).ok()?;
    let mut made = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(password, format!("{bucket}{key}").as_bytes(), &mut made)
        .ok()?;
    Some(CustomerKey {
        key: BASE64_STANDARD.encode(made),
        md5: BASE64_STANDARD.encode(Md5::digest(made)),
    })
}

impl Store {
    /// The customer's key of an object, where there is one.
    async fn customer_key(&self, what: &'static str, at: &Location) -> Result<Option<CustomerKey>, StorageError> {
        let Encryption::Customer { password } = &self.encryption else {
            return Ok(None);
        };
        let (password, place) = (password.clone(), at.clone());
        let _turn = MAKING.acquire().await;
        let made = tokio::task::spawn_blocking(move || customer_key(&password, place.bucket(), place.key())).await;
        match made.ok().flatten() {
            Some(made) => Ok(Some(made)),
            None => Err(self.attempt(what, at).refused("", 0)),
        }
    }

    /// A request that writes `at`, with what encryption needs.
    pub(super) async fn put_request(&self, at: &Location) -> Result<PutObjectFluentBuilder, StorageError> {
        let request = self.client.put_object().bucket(at.bucket()).key(at.key());
        Ok(match &self.encryption {
            Encryption::Bucket => request,
            Encryption::Server => request.server_side_encryption(ServerSideEncryption::Aes256),
            Encryption::Kms { key, context } => request
                .server_side_encryption(ServerSideEncryption::AwsKms)
                .ssekms_key_id(key)
                .set_ssekms_encryption_context(context.as_ref().map(|context| BASE64_STANDARD.encode(context))),
            Encryption::Customer { .. } => match self.customer_key("write", at).await? {
                None => request,
                Some(customer) => request
                    .sse_customer_algorithm(CUSTOMER_ALGORITHM)
                    .sse_customer_key(customer.key)
                    .sse_customer_key_md5(customer.md5),
            },
        })
    }

    /// A request that reads `at`, with what encryption needs.
    pub(super) async fn get_request(&self, at: &Location) -> Result<GetObjectFluentBuilder, StorageError> {
        let request = self.client.get_object().bucket(at.bucket()).key(at.key());
        Ok(match self.customer_key("read", at).await? {
            None => request,
            Some(customer) => request
                .sse_customer_algorithm(CUSTOMER_ALGORITHM)
                .sse_customer_key(customer.key)
                .sse_customer_key_md5(customer.md5),
        })
    }

    /// A request that looks at `at`, with what encryption needs.
    pub(super) async fn head_request(&self, at: &Location) -> Result<HeadObjectFluentBuilder, StorageError> {
        let request = self.client.head_object().bucket(at.bucket()).key(at.key());
        Ok(match self.customer_key("look at", at).await? {
            None => request,
            Some(customer) => request
                .sse_customer_algorithm(CUSTOMER_ALGORITHM)
                .sse_customer_key(customer.key)
                .sse_customer_key_md5(customer.md5),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    /// What Argo's S3 client (minio-go, `encrypt.DefaultPBKDF`) makes of the same.
    #[test]
    fn keys_are_those_that_argo_makes() {
        let made = customer_key(b"correct horse", "ml-data", "runs/a/1/metrics.json").unwrap();
        assert_eq!(made.key, "aHFp7h+9ox0IsykFD7mcqtrzV58QoF7dzd1XRgc0CB8=");
        assert_eq!(made.md5, "CnKXBASh6ZdR+kTOCORgmQ==");
        // Nothing that a trial has is that short.
        assert!(customer_key(b"p", "abc", "x").is_none());
    }

    #[test]
    fn passwords_are_not_shown() {
        let encryption = Encryption::Customer {
            password: b"treasure".to_vec(),
        };
        assert_eq!(format!("{encryption:?}"), "Customer");
    }
}
