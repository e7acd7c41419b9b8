/**
 * The built bridge passes payloads on byte for byte in both directions, over real sockets.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test, type TestContext } from 'node:test'
import { versions } from '../../src/ocpp/version.ts'
import { allVersions } from '../ocpp/schemas.ts'
import { ScriptedApp } from '../support/app.ts'
import { openBridge, streamOf, type Bridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { Performs } from '../support/performs.ts'
import { openRawStation, type RawStation } from '../support/station.ts'

let app: ScriptedApp
let bridge: Bridge
/** The app's Ack or Error by the id of its CALL: the text of the `message`. */
const answers = new Map<unknown, string>()
const performs = new Performs()

const keep = keepUntil(after)

before(async () => {
  app = keep(await ScriptedApp.start())
  app.always(performs.script(({ id }) => answers.get(id) ?? null))
  // These payloads violate their schemas; the data would then name the violations, too.
  bridge = keep(await openBridge([`--rpc_host=${app.host}`, '--ocpp_validate_in=off', '--ocpp_validate_out=off']))
})

async function connect(t: TestContext, version: string, id: string): Promise<RawStation> {
  const station = await openRawStation(bridge.url, id, { version })
  t.after(() => station.close())
  await station.call('hello', 'Heartbeat')
  return station
}

/** The text of the next perform with a message's id. An outcome's `sid` is cut: it differs each time. */
const performed = async (id: unknown): Promise<string> =>
  (await performs.next(id)).text.replace(/,"sid":"[\da-f-]{36}"}$/, '}')

/** The app encodes the data twice; the station gets it encoded once. */
const broadcast = (id: string, data: string): Promise<void> => bridge.broadcast({ stream: streamOf(id), data })

const deep = (open: string, close: string) => `${open.repeat(28)}1${close.repeat(28)}`

/** [a payload of DataTransfer, whether it is valid by the schema of 1.6, because] */
const payloads: readonly (readonly [string, boolean, string])[] = [
  [
    '{"vendorId":"V","data":{"limit":2935.600,"one":1.0,"zero":-0,"e":1E+2,"small":1e-7}}',
    false,
    'decimals as written',
  ],
  ['{"vendorId":"V","data":[12345678901234567890,0.1000000000000000055,1e400]}', false, 'more than a double holds'],
  ['{"vendorId":"V","vendorId":"W"}', true, 'a key twice'],
  ['{"vendorId":"V","data":{"a":1,"b":2,"a":{"a":3,"a":4}}}', false, 'a key twice, deeper'],
  ['{"messageId":"2","vendorId":"1"}', true, 'the order of the keys'],
  [
    '{"vendorId":"V","data":{"2":0,"1":0,"__proto__":{"toString":null},"constructor":[]}}',
    false,
    'keys that JavaScript knows',
  ],
  [String.raw`{"vendorId":"\u0056\/\\\"\t","data":"\u00e9é\ud83d\udd0c🔌\u0000\u2028\u007f"}`, true, 'escapes'],
  [String.raw`{"vendorId":"\u003c\u0026\u003e","data":"Zo\u00EB \b\f\n\r"}`, true, 'escapes as Rails makes them'],
  [String.raw`{"vendorId":"V","data":"\ud800"}`, true, 'half of a surrogate pair'],
  ['{"vendorId":"V","data":"\u2028\u2029\u007f\ufeff"}', true, 'characters that need no escape'],
  ['{"vendorId":"V","data":"}],[2,\\"x\\",{"}', true, 'brackets in a text'],
  ['{ "vendorId"\t:\n"V" ,\r\n "data" : "" }', true, 'white space'],
  [
    '{\n  "vendorId": "V",\n  "data": [ ],\n  "customData": { "vendorId": "V" }\n}',
    false,
    'white space as people write it',
  ],
  [`{"vendorId":"V","data":${deep('[', ']')}}`, false, 'arrays in arrays'],
  [`{"vendorId":"V","data":${deep('{"a":', '}')}}`, false, 'objects in objects'],
  [`{"vendorId":"V","data":"${'é'.repeat(40_000)}"}`, true, 'a long one'],
]

for (const version of allVersions) {
  describe(version, { timeout: 60_000 }, () => {
    const id = `CP-${version}`
    const told = `"version":"${versions[version].number}"`

    test("a station's CALL and the app's answer arrive byte for byte", async t => {
      const station = await connect(t, version, id)
      for (const [at, [payload, , because]] of payloads.entries()) {
        const callId = `call-${at}`
        answers.set(callId, `{"command":"Ack","id":"${callId}","payload":${payload}}`)
        assert.equal(await station.call(callId, 'DataTransfer', payload), `[3,"${callId}",${payload}]`, because)
        const data = `{"action":"data_transfer","id":"${callId}","command":"DataTransfer","payload":${payload},${told}}`
        assert.equal(await performed(callId), data, because)
      }
    })

    test("a command of the app and the station's answer arrive byte for byte", async t => {
      const station = await connect(t, version, id)
      for (const [at, [payload, isIn16, because]] of payloads.entries()) {
        if (version === 'ocpp1.6' && !isIn16) continue
        const callId = `command-${at}`
        await broadcast(id, `{"command":"DataTransfer","id":"${callId}","payload":${payload}}`)
        const call = await station.message(new RegExp(`^\\[2,"${callId}",`))
        assert.equal(call, `[2,"${callId}","DataTransfer",${payload}]`, because)
        station.send(`[3,"${callId}",${payload}]`)
        const data = `{"action":"ack","id":"${callId}","command":"Ack","payload":${payload},"request":"DataTransfer",${told}}`
        assert.equal(await performed(callId), data, because)
      }
    })

    test('the details of an error arrive byte for byte in both directions', async t => {
      const station = await connect(t, version, id)
      const details = '{ "a" : 1.50, "a" : [ ] }'
      const error = `"code":"GenericError","message":"no \\"relay\\"","payload":${details}`
      answers.set('wrong', `{"command":"Error","id":"wrong",${error}}`)
      const text = `[4,"wrong","GenericError","no \\"relay\\"",${details}]`
      assert.equal(await station.call('wrong', 'DataTransfer', '{"vendorId":"V"}'), text)
      await broadcast(id, '{"command":"ClearCache","id":"asked","payload":{}}')
      await station.message(/^\[2,"asked",/)
      station.send(`[4,"asked","GenericError","no \\"relay\\"",${details}]`)
      assert.equal(
        await performed('asked'),
        `{"action":"error","id":"asked","command":"Error",${error},"request":"ClearCache",${told}}`,
      )
    })

    test('white space around the elements of a frame is not forwarded', async t => {
      const station = await connect(t, version, id)
      const payload = '{ "vendorId": "V" }'
      answers.set('spaced', ` { "payload" : ${payload} , "id" : "spaced" , "command" : "Ack" } `)
      station.send(`\n[ 2 ,\t"spaced" , "DataTransfer" , ${payload} ]\r\n`)
      assert.equal(await station.message(/spaced/), `[3,"spaced",${payload}]`)
      const data = `{"action":"data_transfer","id":"spaced","command":"DataTransfer","payload":${payload},${told}}`
      assert.equal(await performed('spaced'), data)
    })

    for (const [messageId, because] of [
      [String.raw`"\u0041\/b"`, 'escapes'],
      ['"Zoë 🔌"', 'more than ASCII'],
      ['4711', 'a number'],
      [`"${'x'.repeat(255)}"`, 'a long one'],
    ] as const) {
      test(`an answer has the id of its message byte for byte: ${because}`, async t => {
        const station = await connect(t, version, id)
        const payload = '{"vendorId":"V"}'
        const key = JSON.parse(messageId) as unknown
        answers.set(key, `{"command":"Ack","id":${JSON.stringify(key)},"payload":{}}`)
        station.send(`[2,${messageId},"DataTransfer",${payload}]`)
        assert.equal(await station.message(/^\[[34],(?!"hello")/), `[3,${messageId},{}]`)
        const data = `{"action":"data_transfer","id":${messageId},"command":"DataTransfer","payload":${payload},${told}}`
        assert.equal(await performed(key), data)
      })
    }
  })
}

test('a charging profile of 1.6 keeps its decimals as written', { timeout: 60_000 }, async t => {
  const station = await connect(t, 'ocpp1.6', 'CP-profile')
  const period = '{"startPeriod":0,"limit":16.0,"numberPhases":3}'
  const schedule = `{"chargingRateUnit":"A","chargingSchedulePeriod":[${period}],"minChargingRate":0.10}`
  const kind = '"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Relative"'
  const payload = `{"connectorId":1,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,${kind},"chargingSchedule":${schedule}}}`
  await broadcast('CP-profile', `{"command":"SetChargingProfile","id":"profile","payload":${payload}}`)
  assert.equal(await station.message(/"profile"/), `[2,"profile","SetChargingProfile",${payload}]`)
})

test("a boot answer is completed without a change to the app's own values", { timeout: 60_000 }, async t => {
  const station = await openRawStation(bridge.url, 'CP-boot', { version: 'ocpp2.0.1' })
  t.after(() => station.close())
  const values = [
    String.raw`"\u0041ccepted"`,
    '{ "vendorId" : "V", "rate" : 1.50, "rate" : 12345678901234567890 }',
  ] as const
  answers.set('boot', `{"command":"Ack","id":"boot","payload":{"status":${values[0]},"customData":${values[1]}}}`)
  const boot = '{"reason":"PowerUp","chargingStation":{"model":"M","vendorName":"V"}}'
  const answer = await station.call('boot', 'BootNotification', boot)
  const [, currentTime = ''] = /"currentTime":"([^"]+)"/.exec(answer) ?? []
  assert.match(currentTime, /Z$/)
  const own = `"currentTime":"${currentTime}","interval":30`
  assert.equal(answer, `[3,"boot",{"status":${values[0]},"customData":${values[1]},${own}}]`)
})

test('a SEND of 2.1 reaches the app byte for byte and is not answered', { timeout: 60_000 }, async t => {
  const station = await connect(t, 'ocpp2.1', 'CP-send')
  const payload = '{"id":1, "pending":0,"basetime":"2026-01-02T03:04:05Z","data":[{"t":0.10,"v":"1.50"}]}'
  station.send(`[6,"send","NotifyPeriodicEventStream",${payload}]`)
  const name = 'NotifyPeriodicEventStream'
  assert.equal(
    await performed('send'),
    `{"action":"notify_periodic_event_stream","id":"send","command":"${name}","payload":${payload},"version":"2.1"}`,
  )
  await station.call('after', 'Heartbeat')
  assert.equal(station.received.length, 2) // the answers to the two Heartbeats
})
