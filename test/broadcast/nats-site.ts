/** A NATS server with subscribers, as in the bridge, and publishers. */
import { EventEmitter, once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { connect, type ConnectionOptions } from 'nats'
import { type NatsOptions, type NatsSubscription, openNats } from '../../src/broadcast/nats.ts'
import { freePort } from '../support/ports.ts'
import { NatsServer } from './nats-server.ts'
import { RecordedLog } from './recorded-log.ts'

export const CHANNEL = '__anycable__'
export const SUBSCRIBED = 'subscribed to broadcasts'
export const RETRYING = 'retrying'

/** The delivered publications, with promises for future ones. */
class Delivered {
  readonly texts: string[] = []
  readonly #came = new EventEmitter()

  readonly deliver = (text: string): void => {
    this.texts.push(text)
    this.#came.emit('text')
  }

  async waitFor(count: number): Promise<string[]> {
    while (this.texts.length < count) await once(this.#came, 'text')
    return this.texts
  }
}

/** Arguments of a server that takes publications of 8 MiB; its default is 1 MiB. */
export function generous(t: TestContext): string[] {
  const file = join(temporaryFolder(t), 'nats.conf')
  writeFileSync(file, 'max_payload: 8388608\n')
  return ['--config', file]
}

export async function setUp(t: TestContext, ...args: readonly string[]): Promise<NatsServer> {
  const server = new NatsServer(await freePort())
  t.after(() => server.kill())
  await server.start(...args)
  return server
}

export async function open(t: TestContext, options: Partial<NatsOptions>, delivered = new Delivered()) {
  const log = new RecordedLog()
  const subscription: NatsSubscription = await openNats(
    { servers: [], channel: CHANNEL, dontRandomizeServers: false, ...options },
    delivered.deliver,
    log,
  )
  t.after(() => subscription.close())
  return { subscription, log, delivered }
}

export async function publish(
  url: string,
  texts: readonly string[],
  { channel = CHANNEL, ...auth }: ConnectionOptions & { readonly channel?: string } = {},
): Promise<void> {
  const connection = await connect({ servers: url, ...auth })
  for (const text of texts) connection.publish(channel, text)
  await connection.flush()
  await connection.close()
}

export function temporaryFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'nats-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}
