/** etcd, the API server, the controllers and the scheduler, on one node. */
import { join } from 'node:path'
import type { Node } from './node.ts'

const options = (all: Record<string, string>) =>
  Object.entries(all).map(([name, value]) => `--${name}=${value}`)

/** @param pki is the folder of certificates. */
export function startApi(node: Node, bin: string, pki: string): void {
  const file = (name: string) => join(pki, name)
  const client = 'http://127.0.0.1:2379'
  const peer = 'http://127.0.0.1:2380'
  node.launch(
    join(bin, 'etcd'),
    ...options({
      'data-dir': join(node.dir, 'etcd'),
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peer,
      'initial-advertise-peer-urls': peer,
      'initial-cluster': `default=${peer}`,
      // Its data is deleted with the cluster.
      'unsafe-no-fsync': 'true',
    }),
  )
  node.launch(
    join(bin, 'kube-apiserver'),
    ...options({
      'etcd-servers': client,
      'advertise-address': node.address,
      'service-cluster-ip-range': '198.19.0.0/24',
      'authorization-mode': 'Node,RBAC',
      'enable-admission-plugins': 'NodeRestriction',
      'client-ca-file': file('ca.crt'),
      'tls-cert-file': file('apiserver.crt'),
      'tls-private-key-file': file('apiserver.key'),
      'kubelet-certificate-authority': file('ca.crt'),
      'kubelet-client-certificate': file('apiserver-kubelet.crt'),
      'kubelet-client-key': file('apiserver-kubelet.key'),
      'kubelet-preferred-address-types': 'InternalIP',
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': file('service-accounts.pub'),
      'service-account-signing-key-file': file('service-accounts.key'),
      // For the metrics API, which a pod serves.
      'requestheader-client-ca-file': file('ca.crt'),
      'requestheader-allowed-names': 'front-proxy-client',
      'requestheader-username-headers': 'X-Remote-User',
      'requestheader-group-headers': 'X-Remote-Group',
      'requestheader-extra-headers-prefix': 'X-Remote-Extra-',
      'proxy-client-cert-file': file('front-proxy.crt'),
      'proxy-client-key-file': file('front-proxy.key'),
      'enable-aggregator-routing': 'true',
    }),
  )
}

/** Call it when the API server is ready: they end if it refuses them. */
export function startControllers(node: Node, bin: string, pki: string): void {
  const file = (name: string) => join(pki, name)
  const as = (name: string) => ({
    kubeconfig: file(`${name}.kubeconfig`),
    'authentication-kubeconfig': file(`${name}.kubeconfig`),
    'authorization-kubeconfig': file(`${name}.kubeconfig`),
    'leader-elect': 'false',
    'bind-address': '127.0.0.1',
  })
  node.launch(
    join(bin, 'kube-controller-manager'),
    ...options({
      ...as('controllers'),
      'root-ca-file': file('ca.crt'),
      'service-account-private-key-file': file('service-accounts.key'),
      'use-service-account-credentials': 'true',
    }),
  )
  node.launch(join(bin, 'kube-scheduler'), ...options(as('scheduler')))
}
