//! An artifact repository as Argo's ConfigMaps describe it. Read as Argo reads it: what it does not know is passed over, names of
//! fields are the same in upper and lower case, and numbers are taken for texts.

use serde_json::{Map, Value};

use crate::api::{AddressingStyle, EncryptionOptions, S3, SecretKey};

/// An artifact repository in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Repository {
    /// The server and its credentials. The endpoint has been checked by nobody.
    pub s3: S3,
    /// The bucket.
    pub bucket: String,
    /// The role of Amazon's that is to be assumed.
    pub role: Option<String>,
    /// Whether the bucket is to be made where it is missing.
    pub create_bucket: bool,
}

/// Why it is no artifact repository in S3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotS3 {
    /// There is none.
    Empty,
    /// It is of another kind, e.g. `gcs`.
    Other(&'static str),
    /// It cannot be understood: what, and why.
    Invalid(String),
}

/// The other kinds, in the order in which Argo looks for them. All go before `s3`.
const OTHERS: [&str; 6] = ["artifactory", "azure", "gcs", "hdfs", "oss", "plugin"];

impl Repository {
    /// Reads the text of an artifact repository.
    pub fn read(text: &str) -> Result<Self, NotS3> {
        let value: Value = serde_saphyr::from_str(text).map_err(|e| {
            // What stands there is not repeated: who asks may not be allowed to see it.
            let place = e.location().map_or_else(String::new, |at| {
                format!(" (line {}, column {})", at.line(), at.column())
            });
            NotS3::Invalid(format!("it is no valid YAML{place}"))
        })?;
        let all = match &value {
            Value::Null => return Err(NotS3::Empty),
            Value::Object(all) => Fields(all),
            _ => return Err(NotS3::Invalid("it is no object".to_owned())),
        };
        if let Some(other) = OTHERS.into_iter().find(|kind| all.get(kind).is_some()) {
            return Err(NotS3::Other(other));
        }
        match all.get("s3") {
            None => Err(NotS3::Empty),
            Some(Value::Object(s3)) => Fields(s3).repository().map_err(|e| NotS3::Invalid(format!("s3.{e}"))),
            Some(_) => Err(NotS3::Invalid("`s3` is no object".to_owned())),
        }
    }
}

/// The fields of an object. Every method gives `None` for one that is missing, null or empty, and says what is wrong with one that is
/// of another type.
struct Fields<'a>(&'a Map<String, Value>);

impl<'a> Fields<'a> {
    fn get(&self, name: &str) -> Option<&'a Value> {
        let exact = self.0.get(name);
        let found = exact.or_else(|| {
            self.0
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case(name))
                .map(|(_, value)| value)
        });
        found.filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Result<Option<String>, String> {
        let text = match self.get(name) {
            None => return Ok(None),
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            Some(Value::Bool(flag)) => flag.to_string(),
            Some(_) => return Err(format!("{name} is no text")),
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn flag(&self, name: &str) -> Result<bool, String> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(flag)) => Ok(*flag),
            // The words of YAML 1.1, which Argo's parser knows.
            Some(Value::String(word)) => match word.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "y" => Ok(true),
                "false" | "no" | "off" | "n" => Ok(false),
                _ => Err(format!("{name} is neither true nor false")),
            },
            Some(_) => Err(format!("{name} is neither true nor false")),
        }
    }

    fn object(&self, name: &str) -> Result<Option<Fields<'a>>, String> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Object(fields)) => Ok(Some(Fields(fields))),
            Some(_) => Err(format!("{name} is no object")),
        }
    }

    /// A key of a Secret. Like Argo, takes one without a name for none.
    fn secret(&self, name: &str) -> Result<Option<SecretKey>, String> {
        let below = |e| format!("{name}.{e}");
        let Some(fields) = self.object(name)? else {
            return Ok(None);
        };
        let Some(secret) = fields.text("name").map_err(below)? else {
            return Ok(None);
        };
        match fields.text("key").map_err(below)? {
            Some(key) => Ok(Some(SecretKey { name: secret, key })),
            None => Err(format!("{name} has no `key`")),
        }
    }

    fn encryption(&self) -> Result<Option<EncryptionOptions>, String> {
        let name = "encryptionOptions";
        let Some(fields) = self.object(name)? else {
            return Ok(None);
        };
        let below = |e| format!("{name}.{e}");
        Ok(Some(EncryptionOptions {
            enable_encryption: fields.flag("enableEncryption").map_err(below)?,
            kms_key_id: fields.text("kmsKeyId").map_err(below)?,
            kms_encryption_context: fields.text("kmsEncryptionContext").map_err(below)?,
            server_side_customer_key_secret: fields.secret("serverSideCustomerKeySecret").map_err(below)?,
        }))
    }

    fn repository(&self) -> Result<Repository, String> {
        Ok(Repository {
            s3: S3 {
                endpoint: self.text("endpoint")?.ok_or("endpoint is missing")?,
                region: self.text("region")?,
                insecure: self.flag("insecure")?,
                addressing_style: match self.text("addressingStyle")?.as_deref() {
                    Some("path") => AddressingStyle::Path,
                    Some("virtual-hosted") => AddressingStyle::VirtualHost,
                    _ => AddressingStyle::Auto,
                },
                access_key_secret: self.secret("accessKeySecret")?,
                secret_key_secret: self.secret("secretKeySecret")?,
                session_token_secret: self.secret("sessionTokenSecret")?,
                use_sdk_creds: self.flag("useSDKCreds")?,
                ca_secret: self.secret("caSecret")?,
                encryption_options: self.encryption()?,
            },
            bucket: self.text("bucket")?.ok_or("bucket is missing")?,
            role: self.text("roleARN")?,
            create_bucket: self.object("createBucketIfNotPresent")?.is_some(),
        })
    }
}

#[cfg(test)]
mod tests;
