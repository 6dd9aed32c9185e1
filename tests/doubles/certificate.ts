/** A certificate for servers on this machine, and the authority that signed it. */
import selfsigned from 'selfsigned'

export type Certificate = {
  /** The certificate authority to trust. */
  ca: string
  key: string
  cert: string
}

export async function makeCertificate(...names: string[]): Promise<Certificate> {
  const authority = await selfsigned.generate([{ name: 'commonName', value: 'Authority of a test' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'basicConstraints', cA: true, critical: true }],
  })
  const dns = ['localhost', ...names].map((value) => ({ type: 2 as const, value }))
  const { private: key, cert } = await selfsigned.generate([{ name: 'commonName', value: 'localhost' }], {
    keyType: 'ec',
    algorithm: 'sha256',
    ca: { key: authority.private, cert: authority.cert },
    extensions: [{ name: 'subjectAltName', altNames: [...dns, { type: 7, ip: '127.0.0.1' }] }],
  })
  return { ca: authority.cert, key, cert }
}
