/**
 * The resource of the k6-operator, with the fields that our manifests may use. No npm package has its types.
 * Source: https://github.com/grafana/k6-operator/blob/main/api/v1alpha1/testrun_types.go
 */
import type { IObjectMeta } from '@kubernetes-models/apimachinery/apis/meta/v1/ObjectMeta'
import type { IEnvVar } from 'kubernetes-models/v1/EnvVar'
import type { IPodSecurityContext } from 'kubernetes-models/v1/PodSecurityContext'
import type { IResourceRequirements } from 'kubernetes-models/v1/ResourceRequirements'
import type { ISecurityContext } from 'kubernetes-models/v1/SecurityContext'
import type { IToleration } from 'kubernetes-models/v1/Toleration'

type Pod = {
  image?: string
  imagePullPolicy?: 'Always' | 'IfNotPresent' | 'Never'
  env?: IEnvVar[]
  /** A string, where pods have a boolean. */
  automountServiceAccountToken?: 'true' | 'false'
  serviceAccountName?: string
  nodeSelector?: Record<string, string>
  tolerations?: IToleration[]
  metadata?: { annotations?: Record<string, string>; labels?: Record<string, string> }
  resources?: IResourceRequirements
  securityContext?: IPodSecurityContext
  containerSecurityContext?: ISecurityContext
}

export type ITestRun = {
  apiVersion: 'k6.io/v1alpha1'
  kind: 'TestRun'
  metadata?: IObjectMeta
  spec: {
    parallelism: number
    script: { configMap: { name: string; file?: string } }
    arguments?: string
    separate?: boolean
    quiet?: 'true' | 'false'
    cleanup?: 'post'
    runner?: Pod
    initializer?: Pod
    starter?: Pod
  }
}
