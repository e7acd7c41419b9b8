/** TLS handshakes for tests. */
import { once } from 'node:events'
import type { AddressInfo, Server as NetServer } from 'node:net'
import type { TestContext } from 'node:test'
import { connect, type ConnectionOptions } from 'node:tls'
import { newServer } from '../../src/server/http-server.ts'
import { Turnstile } from '../../src/server/limits/turnstile.ts'
import type { Tls } from '../../src/server/tls/tls.ts'

type Client = Omit<ConnectionOptions, 'servername'> & {
  /** `null`: the client names no host. */
  readonly servername: string | null
}

/** The fingerprint of the certificate that a client is served; `null` where the handshake fails. */
export async function servedBy(t: TestContext, tls: Tls, client: Client): Promise<string | null> {
  const turnstile = new Turnstile(() => performance.now())
  const server = newServer(
    { tls, turnstile },
    () => false,
    () => undefined,
  )
  t.after(() => server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return certificateOf(server, client)
}

/** The same, of a server that listens. */
export async function certificateOf(server: NetServer, { servername, ...client }: Client): Promise<string | null> {
  const { port } = server.address() as AddressInfo
  const named = servername === null ? {} : { servername }
  const socket = connect({
    port,
    host: '127.0.0.1',
    rejectUnauthorized: false,
    maxVersion: 'TLSv1.2',
    ...named,
    ...client,
  })
  try {
    await once(socket, 'secureConnect')
    return socket.getPeerCertificate().fingerprint256
  } catch {
    return null
  } finally {
    socket.destroy()
  }
}
