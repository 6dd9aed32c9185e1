#!/bin/sh
# The authority of the cluster, a certificate and a kubeconfig for each of its parts: certificates.sh DIR API_URL
# They are valid for two days.
set -eu
dir=$1 api=$2
mkdir -p "$dir"
chmod 700 "$dir"
cd "$dir"

new_key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# NAME SUBJECT [ALTERNATIVE_NAMES]
certificate() {
  new_key "$1"
  openssl req -new -key "$1.key" -subj "$2" -out "$1.csr"
  {
    echo basicConstraints=CA:FALSE
    echo keyUsage=digitalSignature,keyEncipherment
    echo extendedKeyUsage=serverAuth,clientAuth
    if [ -n "${3:-}" ]; then echo "subjectAltName=$3"; fi
  } >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile "$1.ext" -out "$1.crt" 2>log
}

# NAME [URL]
kubeconfig() {
  cat >"$1.kubeconfig" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: books, cluster: {server: "$api", certificate-authority: $dir/ca.crt}}]
users: [{name: $1, user: {client-certificate: $dir/$1.crt, client-key: $dir/$1.key}}]
contexts: [{name: books, context: {cluster: books, user: $1}}]
current-context: books
YAML
}

new_key ca
openssl req -x509 -new -key ca.key -subj /CN=books -days 2 -out ca.crt
openssl genrsa -out service-accounts.key 2048 2>log
openssl rsa -in service-accounts.key -pubout -out service-accounts.pub 2>log

in_cluster=DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local
certificate apiserver /CN=kube-apiserver "$in_cluster,IP:127.0.0.1,IP:198.18.0.1,IP:198.19.0.1"
certificate apiserver-kubelet /O=system:masters/CN=kube-apiserver-kubelet-client
certificate front-proxy /CN=front-proxy-client
certificate admin /O=system:masters/CN=admin
certificate controllers /CN=system:kube-controller-manager
certificate scheduler /CN=system:kube-scheduler
certificate proxy /CN=system:kube-proxy
certificate n1 /O=system:nodes/CN=system:node:n1 DNS:n1,IP:198.18.0.1
certificate n2 /O=system:nodes/CN=system:node:n2 DNS:n2,IP:198.18.0.2
for who in admin controllers scheduler proxy n1 n2; do kubeconfig "$who"; done
