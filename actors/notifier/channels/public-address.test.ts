import { expect, test } from 'vitest'
import { isPublicAddress, resolveHost } from './public-address.ts'

test.each([
  '0.0.0.0',
  '10.1.2.3',
  '100.64.0.1',
  '127.0.0.1',
  '168.63.129.16',
  '169.254.169.254',
  '172.31.255.255',
  '192.168.1.1',
  '224.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:8.8.8.8',
  '64:ff9b::a00:1',
  'fe80::1',
  'fd00::1',
  '2001:db8::1',
  '2002:7f00:1::',
  'ff02::1',
  'not an address',
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})

test.each(['8.8.8.8', '172.32.0.1', '1.1.1.1', '2606:4700:4700::1111', '2a00:1450::1'])(
  '%s is public',
  (address) => {
    expect(isPublicAddress(address)).toBe(true)
  },
)

test('a name with a private address is refused, unless that is allowed', async () => {
  await expect(resolveHost('localhost', false)).rejects.toThrow('its address is not public')
  await expect(resolveHost('[::1]', false)).rejects.toThrow('its address is not public')
  expect(await resolveHost('127.0.0.1', true)).toEqual(['127.0.0.1'])
  expect(await resolveHost('[::1]', true)).toEqual(['::1'])
})
