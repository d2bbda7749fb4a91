#!/bin/sh
# Builds helm, kubeconform and kustomize from their Go modules into the folder $1. Needs go.
set -eu
mkdir -p "$1"
GOBIN=$(cd "$1" && pwd)
export GOBIN CGO_ENABLED=0
go install -ldflags '-s -w' github.com/yannh/kubeconform/cmd/kubeconform@v0.8.0
go install -ldflags '-s -w' sigs.k8s.io/kustomize/kustomize/v5@v5.8.2
go install -ldflags '-s -w' helm.sh/helm/v3/cmd/helm@v3.22.0
