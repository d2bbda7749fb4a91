//! Many studies at once.

use std::collections::BTreeMap;

use hyperstudy::api::StudyPhase;
use serde_json::json;

use crate::support::{
    argo::{End, Play},
    lab::Lab,
};

const STUDIES: usize = 50;
const TRIALS: u32 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn fifty_studies_do_not_disturb_one_another() {
    let lab = Lab::start("many").await;
    lab.argo.play("train", |job| {
        // Every fifth study has trials that fail, each its own value.
        let number: f64 = job.study.trim_start_matches("study-").parse().unwrap();
        let play = Play::loss(number + f64::from(job.number));
        if number % 5.0 == 0.0 && job.number == 2 {
            play.ending(End::Fail("no luck".into()))
        } else {
            play
        }
    });
    let mut controller = lab.controller();
    controller.ready().await;
    let names: Vec<String> = (0..STUDIES).map(|n| format!("study-{n}")).collect();
    for name in &names {
        let spec = json!({"parallelism": 2, "budget": {"trials": TRIALS}, "algorithm": {"seed": 7}});
        lab.create_study(name, &json!({"spec": spec})).await;
    }
    let mut configurations = BTreeMap::new();
    for (index, name) in names.iter().enumerate() {
        let status = lab.finished(name).await.status.unwrap();
        assert_eq!(status.phase, StudyPhase::Succeeded);
        let failed = u32::from(index % 5 == 0);
        assert_eq!(
            (status.trials.succeeded, status.trials.failed),
            (TRIALS - failed, failed)
        );
        let best = status.best.unwrap();
        #[allow(clippy::cast_precision_loss)]
        let least = index as f64 + 1.0;
        assert_eq!((best.number, best.objectives[0]), (1, least));
        assert!(lab.argo.journal().most_active(name) <= 2);
        let trials = lab.trials_of(name).await;
        let parameters: Vec<_> = trials.into_iter().map(|t| t.spec.parameters).collect();
        configurations.insert(name, parameters);
    }
    // The same seed, the same configurations, whatever else goes on.
    let first = &configurations[&names[0]];
    assert!(configurations.values().all(|c| c == first), "{configurations:#?}");
}
