/**
 * Customers' webhooks may only lead to addresses of the public internet, never into our own network.
 * Sources: the IANA special-purpose address registries for IPv4 and IPv6.
 */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'

const notPublic = new BlockList()
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  // Azure's platform services.
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv4')
}
/** Within 2000::/3, the only IPv6 range in public use, these are tunnels to IPv4 or for documentation. */
for (const [network, prefix] of [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
] as const) {
  notPublic.addSubnet(network, prefix, 'ipv6')
}
const globalUnicast = new BlockList()
globalUnicast.addSubnet('2000::', 3, 'ipv6')

export function isPublicAddress(address: string): boolean {
  const family = isIP(address)
  if (family === 4) return !notPublic.check(address, 'ipv4')
  return family === 6 && globalUnicast.check(address, 'ipv6') && !notPublic.check(address, 'ipv6')
}

export class PrivateAddressError extends Error {
  override name = 'PrivateAddressError'
  constructor() {
    super('its address is not public')
  }
}

/** Like `lookup` of node:dns/promises, but returns every address. */
export type Lookup = (hostname: string) => Promise<string[]>

const lookupAll: Lookup = async (hostname) => (await lookup(hostname, { all: true })).map((it) => it.address)

/**
 * Resolves a URL's host once. The connection goes to the address that was checked, so a name cannot resolve to a public
 * address first and to a private one later.
 * @returns its addresses, in the order to try them.
 * @throws {PrivateAddressError} when any of them is not public and `allowPrivate` is false.
 */
export async function resolveHost(
  hostname: string,
  allowPrivate: boolean,
  lookup = lookupAll,
): Promise<[string, ...string[]]> {
  const literal = hostname.replace(/^\[(.*)\]$/, '$1')
  const [first, ...others] = isIP(literal) ? [literal] : await lookup(literal)
  if (first === undefined) throw Object.assign(new Error('The host has no address'), { code: 'ENODATA' })
  const addresses: [string, ...string[]] = [first, ...others]
  if (!allowPrivate && !addresses.every(isPublicAddress)) throw new PrivateAddressError()
  return addresses
}
