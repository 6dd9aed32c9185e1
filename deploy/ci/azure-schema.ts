/**
 * The subset of Azure Pipelines' YAML schema that our pipeline uses. An unknown key is an error here, as it is for Azure;
 * extend it from https://learn.microsoft.com/azure/devops/pipelines/yaml-schema when the pipeline needs another one.
 */
const text = { type: 'string' }
const textMap = { type: 'object', additionalProperties: text }
const list = (items: object) => ({ type: 'array', items, minItems: 1 })
const one = (...anyOf: object[]) => ({ anyOf })
const object = (properties: Record<string, object>, ...required: string[]) => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
})

const steps = list(
  one(
    object({ checkout: text, persistCredentials: text }, 'checkout'),
    object({ script: text, name: text, displayName: text, env: textMap }, 'script'),
    object({ publish: text, artifact: text }, 'publish', 'artifact'),
  ),
)
const limits = { condition: text, timeoutInMinutes: text }
const runOnce = object({ deploy: object({ steps }, 'steps') }, 'deploy')
const jobs = list(
  one(
    object({ job: text, ...limits, steps }, 'job', 'steps'),
    object(
      { deployment: text, ...limits, environment: text, strategy: object({ runOnce }, 'runOnce') },
      ...['deployment', 'environment', 'strategy'],
    ),
  ),
)
const variables = list(
  one(object({ group: text }, 'group'), object({ name: text, value: text }, 'name', 'value')),
)
const include = object({ include: list(text) }, 'include')

export const azureSchema = object(
  {
    trigger: object({ branches: include, tags: include }, 'branches'),
    pr: object({ branches: include }, 'branches'),
    pool: object({ vmImage: text }, 'vmImage'),
    stages: list(object({ stage: text, dependsOn: text, condition: text, variables, jobs }, 'stage', 'jobs')),
  },
  ...['trigger', 'pool', 'stages'],
)
