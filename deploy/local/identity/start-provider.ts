/** Starts the local provider, for pages at a port that is known before. */
import { join } from 'node:path'
import { type Child, startChild } from '../processes/child.ts'
import { onPort } from '../processes/free-port.ts'
import { root } from '../root.ts'
import { compileCache, programOf } from '../service.ts'

const startupMaxMs = 20_000

export type LocalProvider = Child & { port: number; url: string }

type ProviderOptions = {
  /** 0 is any free one. */
  port: number
  clientSecret: string
  /** The origin of the pages, as browsers see it. */
  pagesUrl: string
  /** The file of its signing key. Without one the key is in memory. */
  keyFile?: string
  onLine?: (line: string) => void
}

/** The runtime of the starter: a machine with Deno may have no Node. */
const [program, ...flags] = 'Deno' in globalThis ? [programOf.deno, 'run', '-A'] : [programOf.node]

/** @param last started before; its port is used again. */
export const startProvider = (options: ProviderOptions, last?: LocalProvider): Promise<LocalProvider> =>
  onPort(last?.port ?? options.port, async (port) => {
    const { clientSecret, pagesUrl, keyFile = '', onLine = () => {} } = options
    const child = await startChild({
      name: 'provider',
      command: program,
      args: [...flags, join(root, 'deploy/local/identity/provider.ts')],
      env: {
        ...compileCache,
        PORT: String(port),
        CLIENT_SECRET: clientSecret,
        PAGES_URL: pagesUrl,
        KEY_FILE: keyFile,
      },
      onLine,
    })
    await child.line(/^listening$/, startupMaxMs)
    return { ...child, port, url: `http://localhost:${port}` }
  })
