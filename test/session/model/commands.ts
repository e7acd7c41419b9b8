/**
 * The steps of a run, as commands of fast-check. Each describes itself, so that a failure can be read.
 */
import fc from 'fast-check'
import { families, replies, type Family, type Mood } from './app.ts'
import type { AnswerKind, Scene, Setup } from './scene.ts'

type Step = fc.AsyncCommand<Scene, Scene>

/** @param rests whether the step waits until nothing more happens */
function step(
  words: string,
  rests: boolean,
  act: (scene: Scene) => void | Promise<void>,
  isPossible: (scene: Scene) => boolean = () => true,
): Step {
  const title = rests ? words : `${words}, and at once`
  return {
    check: isPossible,
    run: async (_, scene) => {
      scene.begin(title)
      await act(scene)
      if (rests) await scene.rest()
      scene.check()
    },
    toString: () => title,
  }
}

/** Actions that only the app can answer, actions with a silent answer, and actions that are rejected. */
const actions = [
  ...['Heartbeat', 'BootNotification', 'BootNotification', 'StatusNotification', 'Authorize', 'DataTransfer'],
  ...['StartTransaction', 'StopTransaction', 'MeterValues', 'MeterValues', 'TransactionEvent', 'TransactionEvent'],
  ...['Reset', 'MakeCoffee', 'toString'],
]
const rubbish = [
  ...[
    '',
    '\ufeff',
    'no frame',
    '[no frame',
    '[2,"junk",',
    '{}',
    '[]',
    '[2]',
    '[2,"junk"]',
    '[2,"junk","Authorize"]',
    '[2,"",null,{}]',
  ],
  ...['[2,"junk","Authorize",[]]', '[3,"junk"]', '[3,"junk",[]]', '[4,"junk"]', '[4,"junk","GenericError","",{}]'],
  ...['[3,"junk",{}]', '[5,"junk","GenericError","",{}]', '[6,"junk"]', '[9,"junk",{}]', '["2","junk","Authorize",{}]'],
]
const appWords = ['no JSON', '{}', '{"command":"Ack","id":"nobody"}', '{"type":"ping"}', '{"command":7}', '[1]']

const place = fc.nat({ max: 1 })
const rests = fc.boolean().chain(first => (first ? fc.constant(true) : fc.boolean()))
const isOld = fc.nat({ max: 5 }).map(n => n === 0)
const hasLine = (at: number, old: boolean) => (scene: Scene) => scene.line(at, old) !== undefined
const by = (at: number, old: boolean): string => (old ? `CP${at} on its old connection` : `CP${at}`)

const calls = fc
  .tuple(place, fc.constantFrom(...actions), isOld, rests)
  .map(([at, action, old, rest]) =>
    step(`${by(at, old)} calls ${action}`, rest, scene => scene.call(at, action, old), hasLine(at, old)),
  )

const repeats = fc
  .tuple(place, fc.nat({ max: 3 }), isOld, rests)
  .map(([at, back, old, rest]) =>
    step(
      `${by(at, old)} repeats its ${back === 0 ? 'last CALL' : `CALL before the last ${back}`}`,
      rest,
      scene => scene.repeat(at, back, old),
      hasLine(at, old),
    ),
  )

const reuses = fc
  .tuple(place, fc.constantFrom(...actions), isOld, rests)
  .map(([at, action, old, rest]) =>
    step(
      `${by(at, old)} calls ${action} under the id of its last CALL`,
      rest,
      scene => scene.reuse(at, action, old),
      hasLine(at, old),
    ),
  )

const floods = fc.tuple(place, fc.constantFrom(...actions), fc.constantFrom(3, 10, 70)).map(([at, action, times]) =>
  step(
    `CP${at} calls ${action} ${times} times without waiting`,
    true,
    scene => {
      for (let time = 0; time < times; time++) scene.call(at, action, false)
    },
    hasLine(at, false),
  ),
)

const sends = fc
  .tuple(place, fc.constantFrom('NotifyPeriodicEventStream', 'MeterValues'), rests)
  .map(([at, action, rest]) =>
    step(`CP${at} sends ${action}`, rest, scene => scene.sendUnanswered(at, action), hasLine(at, false)),
  )

const junk = fc
  .tuple(place, fc.constantFrom(...rubbish), fc.constantFrom(1, 1, 1, 19), rests)
  .map(([at, text, times, rest]) =>
    step(
      `CP${at} says ${JSON.stringify(text)}${times === 1 ? '' : ` ${times} times`}`,
      rest,
      scene => scene.rubbish(at, text, times),
      hasLine(at, false),
    ),
  )

const answered: readonly (readonly AnswerKind[])[] = [
  ...([['result'], ['result'], ['result'], ['error'], ['broken result'], ['broken error']] as const),
  ...([
    ['result', 'result'],
    ['result', 'error'],
    ['error', 'result'],
  ] as const),
]
const answers = fc
  .tuple(
    place,
    fc.constantFrom(...answered),
    fc.constantFrom(...(['open', 'open', 'open', 'late', 'unreadable', 'nothing'] as const)),
    rests,
  )
  .map(([at, kinds, whose, rest]) =>
    step(
      `CP${at} answers ${whose === 'nothing' ? 'what nobody asked' : `the ${whose} command`} with ${kinds.join(' and ')}`,
      rest,
      scene => scene.answer(at, kinds, whose),
      scene => {
        const line = scene.line(at)
        if (line === undefined || (whose === 'late' && line.late.length === 0)) return false
        return whose !== 'open' || line.open !== null
      },
    ),
  )

const refusals = fc
  .tuple(place, rests)
  .map(([at, rest]) =>
    step(`CP${at} cannot read its last answer`, rest, scene => scene.refuseAnswer(at), hasLine(at, false)),
  )

const sockets = fc
  .tuple(place, fc.constantFrom('vanishes', 'vanishes and connects again', 'connects again'), isOld, rests)
  .map(([at, what, old, rest]) =>
    step(
      `${by(at, old && what === 'vanishes')} ${what}`,
      rest,
      scene => {
        if (what !== 'connects again') scene.vanish(at, old && what === 'vanishes')
        if (what !== 'vanishes') scene.plug(at)
      },
      what === 'connects again' ? () => true : hasLine(at, old && what === 'vanishes'),
    ),
  )

/** A station that got no answer in time. */
const returns = fc.tuple(place, fc.nat({ max: 1 }), rests).map(([at, back, rest]) =>
  step(
    `CP${at} loses its connection and repeats its ${back === 0 ? 'last CALL' : 'CALL before the last'} on a new one`,
    rest,
    scene => {
      scene.vanish(at, false)
      scene.plug(at)
      scene.repeat(at, back, false)
    },
    hasLine(at, false),
  ),
)

/** A station that has left connects again, or most later steps would be impossible. */
const plugs = fc.tuple(place, rests).map(([at, rest]) =>
  step(
    `CP${at} connects`,
    rest,
    scene => scene.plug(at),
    scene => scene.line(at) === undefined,
  ),
)

const appReplies = fc.tuple(fc.nat({ max: 3 }), fc.constantFrom(...replies), rests).map(([which, reply, rest]) =>
  step(
    `the app replies to call ${which} of those that wait: ${reply}`,
    rest || reply === 'command',
    async scene => {
      // The reply is applied before the next step, while its station is connected.
      if (reply === 'command') await scene.rest()
      scene.reply(which, reply)
    },
    scene => scene.app.pending.length > 0,
  ),
)

const lastingMoods = replies.filter(reply => reply !== 'command' && reply !== 'close')
const mood: fc.Arbitrary<Mood> = fc.oneof(
  { weight: 4, arbitrary: fc.constant('held' as const) },
  { weight: 4, arbitrary: fc.constantFrom('silent' as const, 'ack' as const) },
  { weight: 2, arbitrary: fc.constantFrom(...lastingMoods) },
)
const moods = fc
  .tuple(fc.constantFrom<Family>('perform', 'perform', ...families), mood)
  .map(([family, said]) =>
    step(`from now on the app says to ${family}: ${said}`, true, scene => void (scene.app.moods[family] = said)),
  )

const toStation = ['Reset', 'TriggerMessage', 'RemoteStartTransaction', 'GetLog']
const remote = fc
  .tuple(
    place,
    fc.constantFrom(...toStation),
    fc.constantFrom(
      ...([
        'an id',
        'an id',
        'no id',
        'the same id twice',
        'no payload',
        'too long an id',
        'an unknown action',
      ] as const),
      'a flood' as const,
    ),
    rests,
  )
  .map(([at, action, how, rest]) =>
    step(`the app asks CP${at} for ${action} with ${how}`, rest, scene => {
      const id = scene.newCommandId()
      if (how === 'no id') scene.command(at, { action })
      else if (how === 'no payload') scene.command(at, { id, action, payload: [] })
      else if (how === 'too long an id') scene.command(at, { id: `${id} ${'x'.repeat(40)}`, action })
      else if (how === 'an unknown action') scene.command(at, { id: `unknown ${id}`, action: 'MakeCoffee' })
      else if (how === 'a flood') for (let n = 0; n < 6; n++) scene.command(at, { id: `${id}.${n}`, action })
      else scene.command(at, { id, action })
      if (how === 'the same id twice') scene.command(at, { id, action: 'ClearCache' })
    }),
  )

const acks = fc
  .tuple(place, fc.constantFrom('Ack', 'Error'), rests)
  .map(([at, command, rest]) =>
    step(`the app broadcasts an ${command} for the CALL of CP${at} that it saw last`, rest, scene =>
      scene.ack(at, command),
    ),
  )

const words = fc
  .tuple(place, fc.constantFrom(...appWords))
  .map(([at, text]) => step(`the app broadcasts ${text} to CP${at}`, true, scene => scene.words(at, text)))

const closes = fc
  .tuple(place, rests)
  .map(([at, rest]) => step(`the app closes CP${at} remotely`, rest, scene => scene.closeRemotely(at)))

const times = fc
  .constantFrom(100, 600, 600, 1_000, 3_000, 5_000, 10_000, 20_000, 30_000, 35_000, 16 * 60_000)
  .map(ms => step(`${ms / 1000} s pass`, true, scene => scene.clock.pass(ms)))

/** Weighted by how often each happens in the field. */
export const happening: fc.Arbitrary<Step> = fc.oneof(
  { weight: 16, arbitrary: calls },
  { weight: 6, arbitrary: repeats },
  { weight: 3, arbitrary: reuses },
  { weight: 1, arbitrary: floods },
  { weight: 2, arbitrary: sends },
  { weight: 2, arbitrary: junk },
  { weight: 9, arbitrary: answers },
  { weight: 1, arbitrary: refusals },
  { weight: 3, arbitrary: sockets },
  { weight: 3, arbitrary: returns },
  { weight: 2, arbitrary: plugs },
  { weight: 16, arbitrary: appReplies },
  { weight: 4, arbitrary: moods },
  { weight: 9, arbitrary: remote },
  { weight: 3, arbitrary: acks },
  { weight: 1, arbitrary: words },
  { weight: 1, arbitrary: closes },
  { weight: 5, arbitrary: times },
)

const version = fc.constantFrom('ocpp1.6' as const, 'ocpp2.0.1' as const, 'ocpp2.1' as const)
const mostly = (usual: Mood): fc.Arbitrary<Mood> =>
  fc.oneof({ weight: 6, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: mood })

export const setups: fc.Arbitrary<Setup> = fc.record({
  versions: fc.tuple(version, version),
  hasCredentials: fc.boolean(),
  settings: fc.record({
    sn: fc.constantFrom('serial' as const, 'station_id' as const),
    granularActions: fc.nat({ max: 3 }).map(n => n > 0),
    silentAck: fc.constantFrom('safe' as const, 'safe' as const, 'anycable' as const, 'off' as const),
    takeover: fc.constantFrom('newest' as const, 'newest' as const, 'newest' as const, 'refuse' as const),
    ackTimeoutMs: fc.constantFrom(0, 0, 2_000),
    forwardHeartbeats: fc.boolean(),
  }),
  moods: fc.record({
    connect: mostly('silent'),
    subscribe: mostly('silent'),
    unsubscribe: mostly('silent'),
    perform: mood,
    outcome: mostly('silent'),
    disconnect: mostly('silent'),
  }),
  restsFirst: fc.boolean(),
  ending: fc.constantFrom('drained' as const, 'vanish' as const, 'closed by the app' as const),
})
