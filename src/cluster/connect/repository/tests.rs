#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;

fn secret(name: &str, key: &str) -> Option<SecretKey> {
    Some(SecretKey {
        name: name.to_owned(),
        key: key.to_owned(),
    })
}

#[test]
fn reads_everything_that_argo_knows() {
    let text = r#"
archiveLogs: true
s3:
  endpoint: minio.storage:9000
  bucket: ml-data
  region: eu-west-1
  insecure: true
  accessKeySecret: {name: keys, key: access}
  secretKeySecret: {name: keys, key: secret, optional: false}
  sessionTokenSecret: {name: keys, key: token}
  roleARN: arn:aws:iam::1:role/x
  useSDKCreds: true
  createBucketIfNotPresent: {objectLocking: true}
  encryptionOptions:
    enableEncryption: true
    kmsKeyId: arn:x
    kmsEncryptionContext: '{"a": "b"}'
    serverSideCustomerKeySecret: {name: keys, key: customer}
  caSecret: {name: ca, key: ca.crt}
  addressingStyle: virtual-hosted
  keyFormat: "x/{{workflow.name}}"
  keyPrefix: y
"#;
    let expected = Repository {
        s3: S3 {
            endpoint: "minio.storage:9000".to_owned(),
            region: Some("eu-west-1".to_owned()),
            insecure: true,
            addressing_style: AddressingStyle::VirtualHost,
            access_key_secret: secret("keys", "access"),
            secret_key_secret: secret("keys", "secret"),
            session_token_secret: secret("keys", "token"),
            use_sdk_creds: true,
            ca_secret: secret("ca", "ca.crt"),
            encryption_options: Some(EncryptionOptions {
                enable_encryption: true,
                kms_key_id: Some("arn:x".to_owned()),
                kms_encryption_context: Some(r#"{"a": "b"}"#.to_owned()),
                server_side_customer_key_secret: secret("keys", "customer"),
            }),
        },
        bucket: "ml-data".to_owned(),
        role: Some("arn:aws:iam::1:role/x".to_owned()),
        create_bucket: true,
    };
    assert_eq!(Repository::read(text), Ok(expected));
}

#[test]
fn reads_what_argo_reads() {
    let small = |more: &str| Repository::read(&format!("s3: {{endpoint: s3.amazonaws.com, bucket: b{more}}}"));
    let plain = small("").unwrap();
    assert!(!plain.s3.insecure && !plain.create_bucket && plain.s3.access_key_secret.is_none() && plain.role.is_none());
    for (more, is) in [
        (", insecure: false", false),
        (", insecure: null", false),
        (", insecure: yes", true),
        (", Insecure: true", true),
    ] {
        assert_eq!(small(more).unwrap().s3.insecure, is, "{more}");
    }
    for more in [
        ", accessKeySecret: null",
        ", accessKeySecret: {}",
        ", accessKeySecret: {name: '', key: x}",
        ", accessKeySecret: {key: x}",
        ", unknown: [1]",
        ", region: ''",
        ", addressingStyle: ''",
        ", addressingStyle: other",
    ] {
        assert_eq!(small(more), Ok(plain.clone()), "{more}");
    }
    assert_eq!(small(", roleArn: x").unwrap().role.as_deref(), Some("x"));
    assert_eq!(small(", region: 7").unwrap().s3.region.as_deref(), Some("7"));
    assert!(small(", createBucketIfNotPresent: {}").unwrap().create_bucket);
    assert_eq!(
        small(", addressingStyle: path").unwrap().s3.addressing_style,
        AddressingStyle::Path
    );
    let json = r#"{"s3":{"endpoint":"s3.amazonaws.com","bucket":"b"}}"#;
    assert_eq!(Repository::read(json), Ok(plain));
}

#[test]
fn says_what_is_wrong() {
    for kind in OTHERS {
        // As Argo does, also where there is an `s3` beside it.
        let text = format!("{{s3: {{endpoint: x, bucket: b}}, {kind}: {{}}}}");
        assert_eq!(Repository::read(&text), Err(NotS3::Other(kind)));
    }
    for empty in ["", "{}", "archiveLogs: true", "s3: null", "null", "# nothing"] {
        assert_eq!(Repository::read(empty), Err(NotS3::Empty), "{empty}");
    }
    for (text, what) in [
        ("treasure", "no object"),
        ("[1]", "no object"),
        ("s3: treasure", "`s3` is no object"),
        ("s3: {bucket: b}", "s3.endpoint is missing"),
        ("s3: {endpoint: x}", "s3.bucket is missing"),
        ("s3: {endpoint: [treasure], bucket: b}", "s3.endpoint is no text"),
        (
            "s3: {endpoint: x, bucket: b, insecure: treasure}",
            "s3.insecure is neither",
        ),
        (
            "s3: {endpoint: x, bucket: b, accessKeySecret: treasure}",
            "s3.accessKeySecret is no object",
        ),
        (
            "s3: {endpoint: x, bucket: b, caSecret: {name: x}}",
            "s3.caSecret has no `key`",
        ),
        (
            "s3: {endpoint: x, bucket: b, caSecret: {name: {}}}",
            "s3.caSecret.name is no text",
        ),
        (
            "s3: {endpoint: x, bucket: b, encryptionOptions: {enableEncryption: 3}}",
            "s3.encryptionOptions.enableEncryption",
        ),
        ("s3:\n  endpoint: 'treasure\n", "no valid YAML"),
        ("treasure: [", "no valid YAML"),
        ("a: *treasure", "no valid YAML"),
    ] {
        match Repository::read(text) {
            Err(NotS3::Invalid(why)) => {
                assert!(why.contains(what) && !why.contains("treasure"), "{text}: {why}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "[a-z0-9:{}\\[\\], \n'\"&*!|>#%-]{0,60}") {
        let _ = Repository::read(&text);
        let _ = Repository::read(&format!("s3: {text}"));
    }
}
