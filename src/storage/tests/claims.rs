//! Whose a folder is, and what goes with it.

use super::*;

impl Lab {
    /// That `runs/a` is `new`'s, and no longer being cleared.
    fn is_of_the_new_study(&self) {
        let mark = fs::read_to_string(self.path("runs/a/.owner")).unwrap();
        assert_eq!(mark, r#"{"uid":"uid-of-new","name":"new"}"#);
    }
}

#[tokio::test]
async fn a_study_claims_its_folder_once() {
    let lab = lab().await;
    let folder = at("s3://studies/runs/a");
    lab.store.claim(&folder, &owner("a"), false).await.unwrap();
    lab.write(&["runs/a/1/metrics.json", "runs/a/study_results.csv"]);
    for overwrite in [false, true] {
        lab.store.claim(&folder, &owner("a"), overwrite).await.unwrap();
    }
    assert_eq!(lab.keys("s3://studies/runs/a").await.len(), 3);
    assert_eq!(lab.store.owner_of(&folder).await.unwrap(), Some(owner("a")));

    let error = lab.store.claim(&folder, &owner("b"), false).await.unwrap_err();
    assert!(
        matches!(&error, ClaimError::Owned { other, .. } if other == "the study `a`"),
        "{error}"
    );
    // Not inside another's folder, however deep, and whatever `overwrite` says; but beside it.
    for inside in ["s3://studies/runs/a/b", "s3://studies/runs/a/1/deep/b"] {
        for overwrite in [false, true] {
            let error = lab.store.claim(&at(inside), &owner("b"), overwrite).await.unwrap_err();
            assert!(
                matches!(&error, ClaimError::Inside { parent, .. } if parent == "s3://studies/runs/a"),
                "{error}"
            );
        }
    }
    lab.store
        .claim(&at("s3://studies/runs/b"), &owner("b"), false)
        .await
        .unwrap();
    lab.store
        .claim(&at("s3://studies/runs/aa"), &owner("c"), false)
        .await
        .unwrap();

    lab.write(&["other/x/notes.txt"]);
    let error = lab
        .store
        .claim(&at("s3://studies/other/x"), &owner("b"), false)
        .await
        .unwrap_err();
    assert!(matches!(error, ClaimError::NotEmpty { .. }), "{error}");
    // A whole bucket that is a study's folder is a parent as well.
    lab.write(&[".owner"]);
    let error = lab
        .store
        .claim(&at("s3://studies/new"), &owner("b"), false)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, ClaimError::Inside { parent, other, .. } if parent == "s3://studies" && other == "another study")
    );
}

#[tokio::test]
async fn overwriting_removes_numbered_folders_and_results_only() {
    let lab = lab().await;
    let folder = at("s3://studies/runs/a");
    lab.store.claim(&folder, &owner("old"), false).await.unwrap();
    let kept = [
        "runs/a/notes.txt",
        "runs/a/1x/y",
        "runs/a/data/1/z",
        "runs/a/12",
        "runs/a/0/x",
        "runs/a/007/m",
        "runs/a/99999999999/x",
        "runs/b/1/x",
        "runs/a2/1/x",
    ];
    lab.write(&kept);
    lab.write(&[
        "runs/a/1/m",
        "runs/a/10/deep/m",
        "runs/a/study_config.json",
        "runs/a/study_results.csv",
        "runs/a/best_result.json",
        "runs/a/report.html",
    ]);
    lab.store.claim(&folder, &owner("new"), true).await.unwrap();
    let mut expected: Vec<_> = kept.iter().map(ToString::to_string).collect();
    expected.push("runs/a/.owner".to_owned());
    expected.sort();
    assert_eq!(lab.keys("s3://studies").await, expected);
    assert_eq!(lab.store.owner_of(&folder).await.unwrap(), Some(owner("new")));
    // A folder that nobody owns, and one whose `.owner` is rubbish.
    lab.write(&["runs/c/3/m"]);
    lab.store
        .claim(&at("s3://studies/runs/c"), &owner("new"), true)
        .await
        .unwrap();
    fs::write(lab.path("runs/c/.owner"), vec![b'x'; 100_000]).unwrap();
    assert!(matches!(
        lab.store.claim(&at("s3://studies/runs/c"), &owner("new"), false).await,
        Err(ClaimError::Owned { .. })
    ));
    lab.store
        .claim(&at("s3://studies/runs/c"), &owner("new"), true)
        .await
        .unwrap();
    assert_eq!(lab.keys("s3://studies/runs/c").await, ["runs/c/.owner"]);
}

#[tokio::test]
async fn an_interrupted_overwrite_goes_on() {
    let lab = lab().await;
    let folder = at("s3://studies/runs/a");
    lab.write(&["runs/a/1/m", "runs/a/notes.txt"]);
    fs::write(
        lab.path("runs/a/.owner"),
        r#"{"uid":"uid-of-new","name":"new","clearing":true}"#,
    )
    .unwrap();
    lab.store.claim(&folder, &owner("new"), true).await.unwrap();
    assert_eq!(
        lab.keys("s3://studies/runs/a").await,
        ["runs/a/.owner", "runs/a/notes.txt"]
    );
    lab.is_of_the_new_study();
    // A study that has trials by now says so, and none of them goes.
    lab.write(&["runs/a/1/m"]);
    let torn = r#"{"uid":"uid-of-new","name":"new","clearing":true,"after":"x"}"#;
    fs::write(lab.path("runs/a/.owner"), torn).unwrap();
    lab.store.claim(&folder, &owner("new"), false).await.unwrap();
    assert_eq!(lab.keys("s3://studies/runs/a").await.len(), 3);
    lab.is_of_the_new_study();
}

#[tokio::test]
async fn of_two_programs_that_clear_a_folder_for_one_study_one_goes_on() {
    let lab = lab().await;
    let folder = at("s3://studies/runs/a");
    lab.store.claim(&folder, &owner("old"), false).await.unwrap();
    let keys: Vec<String> = (1..20).map(|number| format!("runs/a/{number}/m")).collect();
    lab.write(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let new = owner("new");
    let (first, second) = tokio::join!(
        lab.store.claim(&folder, &new, true),
        lab.store.claim(&folder, &new, true)
    );
    assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
    for one in [first, second] {
        assert!(matches!(one, Ok(()) | Err(ClaimError::Contested { .. })), "{one:?}");
    }
    assert_eq!(lab.keys("s3://studies/runs/a").await, ["runs/a/.owner"]);
    // What was written since is nobody's leftover, whoever tries again.
    lab.write(&["runs/a/1/m"]);
    lab.store.claim(&folder, &new, true).await.unwrap();
    assert_eq!(lab.keys("s3://studies/runs/a").await.len(), 2);
    lab.is_of_the_new_study();
}

#[tokio::test]
async fn of_two_that_claim_at_once_one_gets_it() {
    let lab = lab().await;
    for overwrite in [false, true] {
        let folder = at(&format!("s3://studies/{overwrite}/a"));
        let (one, two) = (owner("one"), owner("two"));
        let (first, second) = tokio::join!(
            lab.store.claim(&folder, &one, overwrite),
            lab.store.claim(&folder, &two, overwrite)
        );
        let who = lab.store.owner_of(&folder).await.unwrap().unwrap();
        assert!(first.is_ok() || second.is_ok(), "{first:?} {second:?}");
        assert!(if who == one { first.is_ok() } else { second.is_ok() });
    }
}
