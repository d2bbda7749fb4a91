mod support;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, api::PostParams};
use support::apiserver::ApiServer;
#[tokio::test]
async fn it() {
    let t = std::time::Instant::now();
    let c = ApiServer::shared().client();
    println!("{:?}", t.elapsed());
    let api: Api<CustomResourceDefinition> = Api::all(c);
    for crd in hyperstudy::api::schema::crds() {
        let x = api.create(&PostParams::default(), &crd).await;
        println!("{:#?}", x.map(|x| x.metadata.name));
    }
}
