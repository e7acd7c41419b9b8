/**
 * Plain unary calls of grpc-js, with the method, metadata, deadline and bodies of the bridge's performs, a number of
 * them at a time, to the same stub app. This process is measured.
 */
import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js'
import { serveTasks } from './children.ts'
import { measure, type Speed, type Window } from './measure.ts'
import { rpcService } from './proto.ts'
import { idPlace } from './station.ts'

export type Task = { readonly outstanding: number; readonly window: Window }

/** The default timeout of the bridge's performs. */
const timeoutMs = 3_000

const [port = ''] = process.argv.slice(2)
const client = new Client(`127.0.0.1:${port}`, credentials.createInsecure())
const { path, requestSerialize, responseDeserialize } = rpcService()['Command'] as MethodDefinition<object, unknown>

serveTasks(async ({ outstanding, window }: Task): Promise<Speed> => {
  let calls = 0
  let isOver = false
  const loops = Array.from({ length: outstanding }, async (_, number) => {
    const sn = `acked-${number}`
    const sid = `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`
    while (!isOver) {
      await perform(sn, sid)
      calls++
    }
  })
  const speed = await measure(process.pid, window, () => calls)
  isOver = true
  await Promise.all(loops)
  return speed
})

function perform(sn: string, sid: string): Promise<unknown> {
  const metadata = new Metadata()
  metadata.set('sid', sid)
  metadata.set('protov', 'v1')
  const deadline = Date.now() + timeoutMs
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      requestFor(sn),
      metadata,
      { deadline },
      (error, reply) => (error === null ? resolve(reply) : reject(error)),
    )
  })
}

function requestFor(sn: string): object {
  const payload = '{"connectorId":1,"errorCode":"NoError","status":"Available"}'
  return {
    command: 'message',
    identifier: `{"channel":"OCPPChannel","sn":"${sn}"}`,
    connection_identifiers: `{"station_id":"${sn}"}`,
    data: `{"action":"status_notification","id":"${idPlace}","command":"StatusNotification","payload":${payload}}`,
    env: {
      url: `http://127.0.0.1:${port}/ocpp/${sn}`,
      headers: { REMOTE_ADDR: '127.0.0.1', 'sec-websocket-protocol': 'ocpp1.6' },
      cstate: {},
      istate: {},
    },
  }
}
