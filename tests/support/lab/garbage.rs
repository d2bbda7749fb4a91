//! Kubernetes' own controllers.

use tokio::sync::OnceCell;

use crate::support::{
    apiserver::{ApiServer, User},
    crds,
    programs::{self, Running},
};

/// Kubernetes' own controllers, as far as tests need them: the garbage collector, and what empties deleted namespaces. Started once for a test program.
pub async fn garbage_collector() {
    static STARTED: OnceCell<Running> = OnceCell::const_new();
    let start = async || {
        let server = ApiServer::shared();
        // It learns of kinds that come later only after half a minute.
        let client = server.client();
        crds::ours(&client).await;
        crds::argo(&client).await;
        let own = programs::own_folder().unwrap();
        let kubeconfig = own.join("kubeconfig");
        std::fs::write(&kubeconfig, server.kubeconfig(User::Kubernetes)).unwrap();
        let arguments = [
            format!("--kubeconfig={}", kubeconfig.display()),
            "--leader-elect=false".to_owned(),
            "--controllers=garbage-collector-controller,namespace-controller".to_owned(),
            "--secure-port=0".to_owned(),
            "--kube-api-qps=200".to_owned(),
            "--kube-api-burst=400".to_owned(),
        ];
        Running::start(&programs::server("kube-controller-manager"), &arguments, &own).unwrap()
    };
    STARTED.get_or_init(start).await;
}
