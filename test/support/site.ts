/**
 * A whole site: the example app, the bridge, a real NATS between them, and a second publisher.
 */
import { connect, type NatsConnection } from 'nats'
import { openBridge, type Bridge } from './bridge.ts'
import { openNats } from './nats.ts'
import { openRails, type Rails } from './rails.ts'

export interface Site {
  readonly rails: Rails
  readonly bridge: Bridge
  readonly publisher: NatsConnection
  close(): Promise<void>
}

export async function openSite(): Promise<Site> {
  const opened: { close(): unknown }[] = []
  const keep = <Part extends { close(): unknown }>(part: Part): Part => (opened.push(part), part)
  const close = async (): Promise<void> => {
    for (const part of opened.reverse()) await part.close()
  }
  try {
    const nats = keep(await openNats())
    const rails = keep(await openRails({ natsUrl: nats.url }))
    const bridge = keep(await openBridge([`--rpc_host=127.0.0.1:${rails.rpcPort}`, `--nats_servers=${nats.url}`]))
    const publisher = keep(await connect({ servers: nats.url }))
    return { rails, bridge, publisher, close }
  } catch (error) {
    await close()
    throw error
  }
}
