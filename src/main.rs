//! The command line.
fn main() {
    use kube::CustomResourceExt;
    println!(
        "{}",
        serde_json::to_string_pretty(&hyperstudy::api::HyperparameterStudy::crd()).unwrap_or_default()
    );
}
