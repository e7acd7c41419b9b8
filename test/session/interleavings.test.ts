import assert from 'node:assert/strict'
import { test, type TestContext } from 'node:test'
import fc from 'fast-check'
import type { Version } from '../../src/ocpp/version.ts'
import {
  dataOf,
  FakeWorld,
  faults,
  quiet,
  transmitted,
  type FakeStation,
  type PerformData,
  type RpcCall,
  type Said,
} from '../support/fakes.ts'

const callTimeoutMs = 5_000
const versions: readonly Version[] = ['ocpp1.6', 'ocpp2.1']
const transactionActions = ['StartTransaction', 'StopTransaction', 'MeterValues', 'TransactionEvent']
const callActions = [...transactionActions, 'BootNotification', 'Heartbeat', 'Authorize', 'StatusNotification', 'Reset']
const outcomeNames = ['ack', 'error']
const commandActions = ['Reset', 'TriggerMessage', 'MakeCoffee']
const junk = [
  '',
  'no frame',
  '[no frame',
  '{}',
  '[]',
  '[2]',
  '[2,"junk","Authorize"]',
  '[2,"",null,{}]',
  '[3,"junk"]',
  '[9,"junk"]',
]
const appWords = ['no JSON', '{}', '{"command":"Ack","id":"unknown"}', '{"type":"ping"}']

const place = fc.nat({ max: versions.length - 1 })
const event = fc.oneof(
  { weight: 6, arbitrary: fc.record({ is: fc.constant('call'), at: place, what: fc.constantFrom(...callActions) }) },
  {
    weight: 4,
    arbitrary: fc.record({ is: fc.constant('command'), at: place, what: fc.constantFrom(...commandActions) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ is: fc.constant('answer'), at: place, what: fc.constantFrom('3', '4', '-1', '3 3') }),
  },
  { weight: 3, arbitrary: fc.record({ is: fc.constant('reply'), at: place, what: fc.constant('') }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('ack'), at: place, what: fc.constantFrom('Ack', 'Error') }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('rest'), at: place, what: fc.constant('') }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('junk'), at: place, what: fc.constantFrom(...junk) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('words'), at: place, what: fc.constantFrom(...appWords) }) },
  {
    weight: 1,
    arbitrary: fc.record({ is: fc.constant('time'), at: place, what: fc.constantFrom('100', '600', '5000') }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ is: fc.constant('socket'), at: place, what: fc.constantFrom('vanish', 'close', 'plug') }),
  },
)
type Event = { readonly is: string; readonly at: number; readonly what: string }

const outcome = fc.constantFrom(
  ...(['ack', 'ack', 'silent', 'silent', 'pending', 'pending', 'failure', 'command', 'disconnect'] as const),
  ...(['absent', 'lost', 'slow', 'raised'] as const),
)
type Outcome = 'ack' | 'silent' | 'pending' | 'failure' | 'command' | 'disconnect' | keyof typeof faults

/** A connection of a station, and its messages. */
type Connection = {
  readonly station: FakeStation
  /** The actions of the CALLs that the session received, by id, in order. */
  readonly calls: Map<string, string>
  /** The command that waits for the station's answer. */
  open: { readonly id: string; readonly sentAt: number } | null
}

/** Plays a list of events in a fake world, and records what the bridge does. */
class Scene {
  readonly world: FakeWorld
  readonly connections: Connection[] = []
  readonly commands: string[] = []
  readonly connected = new Set<string>()
  readonly faults: string[] = []
  readonly #outcomes: Outcome[]
  readonly #pending: (() => void)[] = []
  readonly #inFlight = new Map<string, RpcCall[]>()
  readonly #current: Connection[]
  #ids = 0

  constructor(t: TestContext, outcomes: readonly Outcome[]) {
    this.world = new FakeWorld(t, { sn: 'station_id', callTimeoutMs, callQueue: 3 }, { ratePerSecond: 1_000 })
    this.world.rpc.otherwise(call => this.#say(call))
    this.#outcomes = [...outcomes]
    this.#current = versions.map((_, at) => this.plug(at))
  }

  plug(at: number): Connection {
    const station = this.world.plug(`CP${at}`, { version: versions[at] ?? 'ocpp1.6' })
    const connection: Connection = { station, calls: new Map(), open: null }
    const send = station.socket.send.bind(station.socket)
    station.socket.send = text => {
      this.#watch(connection, text)
      send(text)
    }
    this.connections.push(connection)
    return connection
  }

  async play(events: readonly Event[]): Promise<void> {
    for (const { is, at, what } of events) {
      const connection = this.#current[at]
      if (connection === undefined) continue
      if (is === 'rest') await quiet()
      else if (is === 'time') await this.world.pass(Number(what), 500)
      else if (is === 'socket') this.#onSocket(at, connection, what)
      else this.#happen(is, connection, what)
    }
  }

  /** Replies to every pending RPC, and waits until nothing more happens. */
  async settle(): Promise<void> {
    this.#outcomes.length = 0
    for (let round = 0; round < 8; round++) {
      for (const reply of this.#pending.splice(0)) reply()
      await this.world.pass(500, 500)
    }
  }

  #onSocket(at: number, { station }: Connection, what: string): void {
    const connectionIdentifiers = JSON.stringify({ station_id: `CP${at}` })
    if (what === 'vanish') station.vanish()
    if (what === 'close') this.world.hub.deliver({ kind: 'disconnect', connectionIdentifiers })
    this.#current[at] = this.plug(at)
  }

  #happen(is: string, connection: Connection, what: string): void {
    const { station } = connection
    switch (is) {
      case 'call': {
        const id = String(++this.#ids)
        if (!station.session.isClosed) connection.calls.set(id, what)
        return void station.call(what, { status: 'x' }, id)
      }
      case 'answer':
        return this.#answer(connection, what)
      case 'reply':
        return this.#pending.shift()?.()
      case 'junk':
        return station.says(what)
      case 'words':
        return this.#broadcast(connection, what)
      case 'ack': {
        const id = [...connection.calls.keys()].at(-1) ?? 'none'
        return this.#broadcast(connection, { command: what, id, payload: { status: 'Accepted' } })
      }
      case 'command': {
        const id = `command ${++this.#ids}`
        const missed = this.world.meter.total('ocpp_dropped_total', { reason: 'no_station' })
        this.#broadcast(connection, { command: what, id, payload: { requestedMessage: 'Heartbeat' } })
        const isTaken = this.world.meter.total('ocpp_dropped_total', { reason: 'no_station' }) === missed
        if (isTaken) this.commands.push(id)
      }
    }
  }

  #broadcast({ station }: Connection, message: object | string): void {
    this.world.broadcast(station.handshake.stationId, message)
  }

  #answer(connection: Connection, what: string): void {
    const id = connection.open?.id ?? 'nothing'
    connection.open = null
    for (const kind of what.split(' ')) {
      if (kind === '3') connection.station.says([3, id, {}])
      else connection.station.says([4, kind === '-1' ? '-1' : id, 'GenericError', '', {}])
    }
  }

  #watch(connection: Connection, text: string): void {
    const [type, id] = JSON.parse(text) as [number, string]
    if (type !== 2) return
    const sentAt = Date.now()
    if (connection.open !== null && sentAt - connection.open.sentAt < callTimeoutMs)
      this.faults.push(`two commands open: ${id}`)
    connection.open = { id, sentAt }
  }

  async #say(call: RpcCall): Promise<Said> {
    const { sid } = call
    const others = this.#inFlight.get(sid) ?? []
    const isEndOfMany = this.#hasLeft(sid) && [call, ...others].every(({ name }) => outcomeNames.includes(name))
    if (others.length > 0 && !isEndOfMany) this.faults.push(`two RPCs in flight for ${sid}: ${call.name}`)
    this.#inFlight.set(sid, [...others, call])
    try {
      let next = this.#outcomes.shift() ?? 'silent'
      if (next === 'pending') {
        await new Promise<void>(reply => this.#pending.push(reply))
        next = this.#outcomes.shift() ?? 'silent'
      }
      return this.#saidOf(next, call)
    } finally {
      this.#inFlight.set(
        sid,
        (this.#inFlight.get(sid) ?? []).filter(other => other !== call),
      )
    }
  }

  /** From then on the outcomes of a station's commands are performed several at a time. */
  #hasLeft(sid: string): boolean {
    return this.connections.some(({ station }) => station.sid === sid && station.session.isClosed)
  }

  /** Calls that never reached the app, and may be retried. */
  readonly notSent = new Set<RpcCall>()

  #saidOf(next: Outcome, call: RpcCall): Said {
    if (next === 'absent') this.notSent.add(call)
    if (next in faults) throw faults[next as keyof typeof faults]
    if (call.name === 'connect' && next !== 'failure') this.connected.add(call.sid)
    if (next === 'failure') return { status: 'failure' }
    if (call.command !== 'message') return {}
    const { id } = dataOf(call)
    if (next === 'disconnect') return { disconnect: true }
    if (next === 'ack') return transmitted({ command: 'Ack', id, payload: { status: 'Accepted' } })
    // Not in the reply to an outcome, or each command would lead to another one.
    if (next === 'command' && call.name !== 'error' && call.name !== 'ack') return transmitted({ command: 'Reset' })
    return {}
  }
}

/** Each CALL is answered at most once, and exactly once if its connection is still open at the end. */
function checkAnswers({ connections }: Scene): void {
  for (const { station, calls } of connections) {
    for (const [id, action] of calls) {
      const answers = station.got.filter(([type, answered]) => type !== 2 && answered === id).length
      if (station.socket.closed === null && !station.session.isClosed) assert.equal(answers, 1, `${id} ${action}`)
      else assert.ok(answers <= 1, `${id} ${action}: ${answers} answers`)
    }
    assert.equal(station.socket.closed?.code === 1011, false, 'a bug in the bridge')
  }
}

/** Each command that reached a session has one outcome, and a late one only after a CallTimeout. */
function checkCommands({ world, commands, notSent }: Scene): void {
  const outcomes = performs(world, outcomeNames, null, notSent)
  for (const id of commands) {
    const [end, ...more] = outcomes.filter(outcome => outcome.id === id)
    if (end === undefined) {
      // The app was away when the connection ended: the outcome was attempted, and counted as dropped.
      assert.ok(
        [...notSent].some(call => call.command === 'message' && dataOf(call).id === id),
        `${id} has no outcome`,
      )
      continue
    }
    assert.equal(end['late'], undefined)
    assert.ok(more.length <= (end['code'] === 'CallTimeout' ? 1 : 0), `${id} has another outcome`)
    for (const { late } of more) assert.equal(late, true)
  }
}

/** Performs are in the order of arrival; only a transaction message is retried, and only before the next message. */
function checkOrder({ world, connections, notSent }: Scene): void {
  for (const { station, calls } of connections) {
    const ids = performs(world, null, station.sid, notSent).filter(({ id }) => calls.has(String(id)))
    for (const [at, { id, command }] of ids.entries()) {
      const before = Number(ids[at - 1]?.id ?? 0)
      if (Number(id) === before) assert.ok(transactionActions.includes(command), `${command} was performed again`)
      else assert.ok(Number(id) > before, `${id} came before ${before}`)
    }
  }
}

/** Connect comes first, and Disconnect last, once for each session that the app has accepted. */
function checkEnds({ world, connections, connected, notSent }: Scene): void {
  for (const { station } of connections) {
    const { sid } = station
    const isConnected = connected.has(sid)
    const [missed, made] = [true, false].map(isMissed =>
      world.rpc.made.all.filter(
        call => call.name === 'disconnect' && call.sid === sid && notSent.has(call) === isMissed,
      ),
    )
    // A Disconnect that did not reach the app is retried, unless the station is back and waits for it.
    if (missed?.length === 0) assert.equal(made?.length, isConnected ? 1 : 0)
    else assert.ok((made?.length ?? 0) <= 1, 'the app gets two Disconnects')
    if (isConnected) assert.equal(world.rpc.names(sid).at(-1), 'disconnect')
  }
  assert.equal(world.hub.size, 0)
  assert.equal(world.hub.streamCount, 0)
  assert.equal(world.disconnects.size, 0)
}

function performs(
  { rpc }: FakeWorld,
  names: readonly string[] | null,
  sid: string | null,
  notSent: ReadonlySet<RpcCall>,
): PerformData[] {
  return rpc.made.all
    .filter(call => call.command === 'message' && !notSent.has(call) && (sid === null || call.sid === sid))
    .filter(({ name }) => names === null || names.includes(name))
    .map(call => dataOf(call))
}

test('each CALL gets one answer, each command one outcome and each session one Disconnect, whatever the order of events', async t => {
  const property = fc.asyncProperty(
    fc.array(event, { minLength: 1, maxLength: 40 }),
    fc.array(outcome, { maxLength: 40 }),
    fc.boolean(),
    async (events, outcomes, isDrained) => {
      // Two stations are accepted first, so that most events meet an accepted station.
      const scene = new Scene(t, ['silent', 'silent', 'silent', 'silent', ...outcomes])
      await scene.play([0, 1].map(at => ({ is: 'call', at, what: 'StatusNotification' })))
      await scene.play(events)
      await scene.settle()
      checkAnswers(scene)
      if (isDrained) void scene.world.hub.drain(10_000)
      else for (const { station } of scene.connections) station.vanish()
      await scene.settle()
      // When a Disconnect got no reply, the next one may wait for half a minute.
      for (let second = 0; second < 60 && scene.world.disconnects.size > 0; second++) await scene.world.pass(1_000, 500)
      await Promise.all(scene.connections.map(({ station }) => station.ended()))
      assert.deepEqual(scene.faults, [])
      checkAnswers(scene)
      checkCommands(scene)
      checkOrder(scene)
      checkEnds(scene)
      const { station } = scene.plug(0)
      assert.equal((await station.boot())[0], 3, 'the station can connect again')
    },
  )
  await fc.assert(property, { numRuns: 300 })
})
