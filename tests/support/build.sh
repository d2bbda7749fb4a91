#!/bin/sh
# Builds servers that tests talk to, those named after it, from their Go modules into the folder $1. Needs go.
# From nothing on two cores: all of them in about 8 minutes; with Go's caches warm: about one.
set -eu
kubernetes=1.34.4
etcd=v3.6.16
versitygw=v1.8.0
mkdir -p "$1"
into=$(cd "$1" && pwd)
shift
programs=" $* "
export CGO_ENABLED=0
modules=$(mktemp -d)
trap 'rm -rf "$modules"' EXIT

# A throw-away module to build one program in.
module() {
    mkdir "$modules/$1"
    cd "$modules/$1"
    printf 'module build\n\ngo 1.26.0\n' >go.mod
}

wanted() {
    case $programs in
    *" $1 "*) true ;;
    *) false ;;
    esac
}

build() {
    go build -o "$into/$1" -ldflags "$3" "$2"
}

if wanted kube-apiserver || wanted kube-controller-manager; then
    module kubernetes
    go mod download "k8s.io/kubernetes@v$kubernetes"
    # Kubernetes replaces its parts by folders of its own repository; as modules they have versions of their own.
    file=$(go env GOMODCACHE)/cache/download/k8s.io/kubernetes/@v/v$kubernetes.mod
    for part in $(awk '$1 ~ /^k8s\.io\// && $2 == "=>" {print $1}' "$file"); do
        go mod edit "-replace=$part=$part@v0.${kubernetes#1.}"
    done
    go mod edit "-require=k8s.io/kubernetes@v$kubernetes"
    cat >tools.go <<TOOLS
//go:build tools

package tools

import (
	_ "k8s.io/kubernetes/cmd/kube-apiserver"
	_ "k8s.io/kubernetes/cmd/kube-controller-manager"
)
TOOLS
    go mod tidy
    for program in kube-apiserver kube-controller-manager; do
        wanted "$program" || continue
        build "$program" "k8s.io/kubernetes/cmd/$program" \
            "-s -w -X k8s.io/component-base/version.gitVersion=v$kubernetes \
            -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34"
    done
fi

if wanted etcd; then
    module etcd
    go get -tool "go.etcd.io/etcd/server/v3@$etcd"
    build etcd go.etcd.io/etcd/server/v3 '-s -w'
fi

if wanted versitygw; then
    module versitygw
    go get -tool "github.com/versity/versitygw/cmd/versitygw@$versitygw"
    build versitygw github.com/versity/versitygw/cmd/versitygw '-s -w'
fi
