/** containerd, the kubelet, kube-proxy and the enforcer of policies: the part of Kubernetes that each node has. */
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { clusterImage } from './images.ts'
import type { Node } from './node.ts'

const services = '198.19.0.0/24'

export type KubeletOptions = { bin: string; pki: string; archives: string[] }

export async function startKubelet(node: Node, { bin, pki, archives }: KubeletOptions): Promise<void> {
  const { dir, name, number } = node
  const file = (path: string) => join(dir, path)
  await mkdir(file('cni'), { recursive: true })
  // JSON is YAML, too.
  const write = (path: string, content: object) => writeFile(file(path), JSON.stringify(content, null, 2))
  await writeFile(file('containerd.toml'), containerdConfig(dir, bin))
  await write('cni/10-pods.conflist', podNetwork(dir, number))
  await write('kubelet.yaml', kubeletConfig(node, pki))
  await write('proxy.yaml', proxyConfig(name, pki))
  await writeFile(file('resolv.conf'), '')

  node.launch(join(bin, 'containerd'), '--config', file('containerd.toml'))
  const ctr = [join(bin, 'ctr'), '--address', file('containerd.sock'), '--namespace', 'k8s.io']
  await untilAnswered(() => node.run(...ctr, 'version'))
  for (const archive of archives) await node.run(...ctr, 'images', 'import', '--local', archive)

  node.launch(
    join(bin, 'kubelet'),
    ...['--config', file('kubelet.yaml'), '--kubeconfig', join(pki, `${name}.kubeconfig`)],
    ...['--root-dir', file('kubelet'), '--hostname-override', name, '--node-ip', node.address],
  )
  node.launch(join(bin, 'kube-proxy'), '--config', file('proxy.yaml'))
}

/** Call it when the API server knows the node. The enforcer reads the pods, namespaces and policies of all namespaces. */
export function enforcePolicies(node: Node, { bin, pki }: KubeletOptions): void {
  node.launch(join(bin, 'network-policies'), node.name, join(pki, 'admin.kubeconfig'), services)
}

async function untilAnswered(ask: () => Promise<unknown>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await ask()
      return
    } catch (error) {
      if (attempt === 60) throw error
      await delay(500)
    }
  }
}

const containerdConfig = (dir: string, bin: string) => `version = 3
root = '${dir}/containerd'
state = '${dir}/containerd-state'
[grpc]
  address = '${dir}/containerd.sock'
[plugins.'io.containerd.cri.v1.images'.pinned_images]
  sandbox = '${clusterImage}'
[plugins.'io.containerd.cri.v1.runtime']
  # The machine may not let a container have a better score than itself.
  restrict_oom_score_adj = true
  disable_apparmor = true
  netns_mounts_under_state_dir = true
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    bin_dirs = ['${bin}']
    conf_dir = '${dir}/cni'
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = 'io.containerd.runc.v2'
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      SystemdCgroup = false
`

/** Each node has a subnet for its pods; `node/network.sh` has the routes between them. */
const podNetwork = (dir: string, number: number) => ({
  cniVersion: '1.0.0',
  name: 'pods',
  plugins: [
    {
      type: 'ptp',
      ipMasq: false,
      ipam: {
        type: 'host-local',
        dataDir: join(dir, 'addresses'),
        routes: [{ dst: '0.0.0.0/0' }],
        ranges: [[{ subnet: `198.18.${number}.0/24` }]],
      },
    },
  ],
})

const kubeletConfig = ({ dir, name, cgroup }: Node, pki: string) => ({
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  authentication: {
    x509: { clientCAFile: join(pki, 'ca.crt') },
    webhook: { enabled: true },
    anonymous: { enabled: false },
  },
  authorization: { mode: 'Webhook' },
  tlsCertFile: join(pki, `${name}.crt`),
  tlsPrivateKeyFile: join(pki, `${name}.key`),
  containerRuntimeEndpoint: `unix://${dir}/containerd.sock`,
  cgroupDriver: 'cgroupfs',
  cgroupRoot: `/${cgroup}`,
  failCgroupV1: false,
  failSwapOn: false,
  clusterDomain: 'cluster.local',
  clusterDNS: ['198.19.0.10'],
  resolvConf: join(dir, 'resolv.conf'),
  podLogsDir: join(dir, 'pod-logs'),
  volumePluginDir: join(dir, 'volume-plugins'),
  maxPods: 60,
  nodeStatusReportFrequency: '10s',
  oomScoreAdj: 0,
  // Nodes share a disk with the machine, and images are not pulled again.
  imageGCHighThresholdPercent: 100,
  evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '1Gi', 'imagefs.available': '1Gi' },
})

const proxyConfig = (name: string, pki: string) => ({
  apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
  kind: 'KubeProxyConfiguration',
  clientConnection: { kubeconfig: join(pki, 'proxy.kubeconfig') },
  hostnameOverride: name,
  mode: 'iptables',
  clusterCIDR: '198.18.0.0/16',
  // Limits of the whole machine stay as they are.
  conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
})
