#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;

fn settings(rule: Option<&str>) -> Settings {
    Settings {
        ambient_credentials: rule.map(|rule| rule.parse().unwrap()).into_iter().collect(),
        ..Settings::default()
    }
}

fn keys() -> Ambient {
    Ambient::of(&settings(Some("*=s3://bucket")), |name| Some(format!("my {name}")))
}

#[tokio::test]
async fn the_environment_is_asked_only_where_it_is_allowed() {
    let nothing = Ambient::of(&settings(None), |name| panic!("asked for {name}"));
    assert!(matches!(nothing, Ambient::Nothing));
    let Ambient::Proof(service) = keys() else { panic!() };
    let found = service.credentials(None).await.unwrap();
    assert_eq!(found.access_key, "my AWS_ACCESS_KEY_ID");
    assert_eq!(found.session_token.as_deref(), Some("my AWS_SESSION_TOKEN"));
    let of = |set: &'static [&str]| {
        Ambient::of(&settings(Some("*=s3://bucket")), |name| {
            set.contains(&name).then(|| "x".to_owned())
        })
    };
    assert!(matches!(of(&[]), Ambient::Nothing));
    assert!(matches!(of(&["AWS_ACCESS_KEY_ID"]), Ambient::Nothing));
    assert!(matches!(of(&["AWS_WEB_IDENTITY_TOKEN_FILE"]), Ambient::Nothing));
    assert!(matches!(
        of(&["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"]),
        Ambient::Proof(_)
    ));
    assert!(matches!(of(&["AWS_CONTAINER_CREDENTIALS_FULL_URI"]), Ambient::Indirect));
}

#[tokio::test]
async fn own_credentials_serve_only_what_was_allowed() {
    let at = |text: &str| text.parse::<Location>().unwrap();
    let (one, two) = (at("s3://bucket/runs/a"), at("s3://bucket/other"));
    let s3 = |use_sdk_creds, insecure| S3 {
        use_sdk_creds,
        insecure,
        ..S3::default()
    };
    let (wanted, nothing) = (s3(true, false), s3(false, false));
    let (none, rule) = (settings(None), settings(Some("ml=s3://bucket/runs")));
    let amazon = "s3.eu-west-1.amazonaws.com";
    let refused = Some("CredentialsNotAllowed");
    for (settings, ambient, s3, role, namespace, output, server, reason) in [
        (&rule, keys(), &wanted, None, "ml", &one, amazon, None),
        // As Argo: nothing said is the same.
        (&rule, keys(), &nothing, None, "ml", &one, amazon, None),
        (&rule, keys(), &wanted, None, "ml", &two, amazon, refused),
        (&rule, keys(), &wanted, None, "other", &one, amazon, refused),
        (&none, keys(), &wanted, None, "ml", &one, amazon, refused),
        (
            &none,
            keys(),
            &nothing,
            None,
            "ml",
            &one,
            amazon,
            Some("CredentialsMissing"),
        ),
        (&none, keys(), &nothing, Some("arn:x"), "ml", &one, amazon, refused),
        (&rule, keys(), &nothing, Some("arn:x"), "ml", &two, amazon, refused),
        // Servers that anybody may have named.
        (
            &rule,
            keys(),
            &wanted,
            None,
            "ml",
            &one,
            "other.s3.amazonaws.com",
            refused,
        ),
        (&rule, keys(), &wanted, None, "ml", &one, "minio.storage", refused),
        (&rule, keys(), &s3(true, true), None, "ml", &one, amazon, refused),
        (
            &rule,
            keys(),
            &nothing,
            Some("arn:x"),
            "ml",
            &one,
            "minio.storage",
            refused,
        ),
        (
            &rule,
            Ambient::Nothing,
            &wanted,
            None,
            "ml",
            &one,
            amazon,
            Some("CredentialsMissing"),
        ),
        (
            &rule,
            Ambient::Indirect,
            &wanted,
            None,
            "ml",
            &one,
            amazon,
            Some("CredentialsNotSupported"),
        ),
    ] {
        let server = Server::read(server).unwrap();
        let to = Use {
            namespace,
            output,
            server: &server,
            origin: "it",
        };
        let found = own(settings, &ambient, s3, role, &to).await;
        let found = found.err().map(|e| e.reason);
        assert_eq!(found.as_deref(), reason, "{namespace} {output} {server}");
    }
}
