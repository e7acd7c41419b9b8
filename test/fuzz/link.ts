/**
 * A station's socket for messages that are not right: any bytes as a text or a binary message.
 */
import { WebSocket } from 'ws'
import { versions, type Version } from '../../src/ocpp/version.ts'
import type { Message } from './expected.ts'

export type Link = {
  send(message: Message): void
  /** Settles with the close code, once. */
  readonly closed: Promise<number>
  close(): Promise<void>
}

/** @param onText called for each message of the bridge, but for its own question for the serial number */
export async function openLink(
  url: string,
  id: string,
  version: Version,
  onText: (text: string) => void,
): Promise<Link> {
  const ws = new WebSocket(`${url}/${encodeURIComponent(id)}`, [version], { perMessageDeflate: version !== 'ocpp1.6' })
  // The bridge asks a station that has not booted for it, on a slow machine also one that has just begun to send.
  const question = `"GetVariables",${versions['ocpp2.0.1'].serialNumberQuery.payload}]`
  ws.on('message', (data: Buffer) => {
    const text = data.toString()
    if (!text.endsWith(question)) onText(text)
  })
  const closed = new Promise<number>(resolve => ws.once('close', resolve))
  await new Promise<void>((resolve, reject) => {
    ws.once('open', resolve)
    ws.once('error', reject)
  })
  ws.on('error', () => undefined) // a write to a socket that the bridge has closed; `closed` tells of it
  return {
    send: ({ bytes, binary }) => ws.send(bytes, { binary }),
    closed,
    close: async () => {
      ws.close(1000)
      await closed
    },
  }
}

/** Settles as the promise does; rejects when that takes so long that the bridge must have forgotten it. */
export async function within<Value>(promise: Promise<Value>, what: string, ms = 60_000): Promise<Value> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`a hang: ${what}, for ${ms} ms`)), ms)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}
