import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { errorCodeOf, errorCodes } from '../../src/ocpp/errors.ts'
import {
  callError,
  idKey,
  isUnreadableId,
  messageId,
  parseFrame,
  serializeFrame,
  type Frame,
  type MessageId,
} from '../../src/ocpp/frame.ts'
import { elementsOf, type JsonText } from '../../src/ocpp/json.ts'
import { versions, type Version } from '../../src/ocpp/version.ts'
import { allVersions } from './schemas.ts'

const text36 = 'd'.repeat(36)
const text37 = 'd'.repeat(37)
const text255 = 'd'.repeat(255)
const text256 = 'd'.repeat(256)
const json = (text: string): JsonText => text as JsonText
const id = (text: string): MessageId => text as MessageId
/** An object that makes its frame nest `depth` levels deep, including the frame itself. */
const nested = (depth: number): string => `${'{"a":'.repeat(depth - 2)}{}${'}'.repeat(depth - 2)}`

/**
 * The result of a message: `frame`, `ignored`, `silence` (malformed, but not answered), or `<id> <code>` of the
 * CALLERROR that goes out.
 */
function outcome(text: string, version: Version): string {
  const read = parseFrame(text, version)
  if (read.kind === 'ignored') return 'ignored'
  if (read.kind !== 'malformed') return 'frame'
  if (read.answer === null) return 'silence'
  const sent = serializeFrame(read.answer, version)
  const [type, , code, description, details] = JSON.parse(sent) as unknown[]
  assert.equal(type, 4)
  assert.equal(typeof description, 'string')
  assert.match(String(description), /^.{1,255}$/)
  assert.deepEqual(details, {})
  return `${elementsOf(sent)[1] ?? ''} ${String(code)}`
}

const unreadable = '"-1" RpcFrameworkError'

/** [message, result in 1.6, in 2.0.1, in 2.1, because] */
const badFrames = [
  ['[hello', 'silence', unreadable, unreadable, 'not JSON: 1.6 has no rule for it, 2.x answers "-1" (Part 4 §4.2.3)'],
  ['[3,"1",{"currentTime":"2026', 'silence', 'silence', 'silence', 'a truncated answer is not answered'],
  ['[4,"1","GenericError","a\u0000b",{}]', 'silence', 'silence', 'silence', 'an answer with a NUL in a string'],
  [' [ 5 , oops', 'silence', unreadable, 'silence', 'the beginning of a CALLRESULTERROR, which only 2.1 has'],
  [' [ 6 , oops', 'silence', unreadable, 'silence', 'the beginning of a SEND'],
  ["[2,'1','Heartbeat',{}]", 'silence', unreadable, unreadable, 'single quotes'],
  [
    '{"id":"1","action":"BootNotification","payload":{"chargePointVendor":"V"}}',
    'silence',
    unreadable,
    unreadable,
    'not an array (§4.2)',
  ],
  ['x'.repeat(65), 'silence', unreadable, unreadable, '65 bytes are more than a sign of life'],
  ['é'.repeat(33), 'silence', unreadable, unreadable, '66 bytes in 33 characters'],
  ['[]', 'silence', unreadable, unreadable, 'an empty array'],
  [
    '["2","1","Heartbeat",{}]',
    'silence',
    '"1" RpcFrameworkError',
    '"1" RpcFrameworkError',
    'a type that is a string, with a readable id',
  ],
  ['["CALL","1","Heartbeat",{}]', 'silence', '"1" RpcFrameworkError', '"1" RpcFrameworkError', 'a type by its name'],
  ['[null,"1","Heartbeat",{}]', 'silence', '"1" RpcFrameworkError', '"1" RpcFrameworkError', 'a type that is null'],
  ['[[2],"1","Heartbeat",{}]', 'silence', '"1" RpcFrameworkError', '"1" RpcFrameworkError', 'a type that is a list'],
  [
    '[true,7,"Heartbeat",{}]',
    'silence',
    '7 RpcFrameworkError',
    '7 RpcFrameworkError',
    'no type, with a number as the id',
  ],
  ['["2",{},"Heartbeat",{}]', 'silence', unreadable, unreadable, 'neither a type nor an id'],
  ['["2"]', 'silence', unreadable, unreadable, 'a string alone'],
  [`["2","${text256}"]`, 'silence', unreadable, unreadable, 'no type, and an id too long to echo'],
  [
    '[1,"1","Heartbeat",{}]',
    'ignored',
    '"1" MessageTypeNotSupported',
    'ignored',
    'an unknown type (1.6 and 2.1 ignore it, 2.0.1 Part 4 §4.4)',
  ],
  ['[7,"1",{}]', 'ignored', '"1" MessageTypeNotSupported', 'ignored', 'the lowest type that no version has'],
  ['[0]', 'ignored', '"-1" MessageTypeNotSupported', 'ignored', 'an unknown type without an id'],
  ['[-2,"1","Heartbeat",{}]', 'ignored', '"1" MessageTypeNotSupported', 'ignored', 'a negative type'],
  ['[2.5,"1","Heartbeat",{}]', 'ignored', '"1" MessageTypeNotSupported', 'ignored', 'a type that is a fraction'],
  ['[1e400,"1","Heartbeat",{}]', 'ignored', '"1" MessageTypeNotSupported', 'ignored', 'a type that overflows'],
  ['[9,null]', 'ignored', '"-1" MessageTypeNotSupported', 'ignored', 'an unknown type, with an unreadable id'],
  ['[9,17]', 'ignored', '17 MessageTypeNotSupported', 'ignored', 'an unknown type, with a number as the id'],
  [
    `[9,"${text256}"]`,
    'ignored',
    '"-1" MessageTypeNotSupported',
    'ignored',
    'an unknown type, with an id too long to echo',
  ],
  ['[2]', 'silence', unreadable, unreadable, 'a CALL without an id'],
  ['[2,null,"Heartbeat",{}]', 'silence', unreadable, unreadable, 'an id that is null'],
  ['[2,{},"Heartbeat",{}]', 'silence', unreadable, unreadable, 'an id that is an object'],
  ['[2,["1"],"Heartbeat",{}]', 'silence', unreadable, unreadable, 'an id that is a list'],
  ['[2,true,"Heartbeat",{}]', 'silence', unreadable, unreadable, 'an id that is a word'],
  [`[2,"${text256}","Heartbeat",{}]`, 'silence', unreadable, unreadable, 'an id of 256 characters is not echoed'],
  [`[2,${'1'.repeat(256)},"Heartbeat",{}]`, 'silence', unreadable, unreadable, 'nor a number of 256 digits'],
  [
    '[2,"","Heartbeat",{}]',
    '"" FormationViolation',
    '"" RpcFrameworkError',
    '"" RpcFrameworkError',
    'an empty id is echoed',
  ],
  ['[2,"1"]', '"1" FormationViolation', '"1" RpcFrameworkError', '"1" RpcFrameworkError', 'a CALL with only an id'],
  [
    '[2,"1","Heartbeat"]',
    '"1" FormationViolation',
    '"1" RpcFrameworkError',
    '"1" RpcFrameworkError',
    'no version allows a CALL without a payload',
  ],
  [
    '[2,"1","Heartbeat",{},{}]',
    '"1" FormationViolation',
    '"1" RpcFrameworkError',
    '"1" RpcFrameworkError',
    'a CALL with five elements',
  ],
  [
    '[2,"1",{},"Heartbeat"]',
    '"1" FormationViolation',
    '"1" RpcFrameworkError',
    '"1" RpcFrameworkError',
    'action and payload in reverse order',
  ],
  [
    '[2,"1",null,{}]',
    '"1" FormationViolation',
    '"1" RpcFrameworkError',
    '"1" RpcFrameworkError',
    'an action that is null',
  ],
  [
    '[2,"1",7,{}]',
    '"1" FormationViolation',
    '"1" RpcFrameworkError',
    '"1" RpcFrameworkError',
    'an action that is a number',
  ],
  [
    '[2,1,"Heartbeat"]',
    '1 FormationViolation',
    '1 RpcFrameworkError',
    '1 RpcFrameworkError',
    'a numeric id is echoed unchanged',
  ],
  [
    `[2,"${text255}","Heartbeat"]`,
    `"${text255}" FormationViolation`,
    `"${text255}" RpcFrameworkError`,
    `"${text255}" RpcFrameworkError`,
    'an id of 255 characters is echoed',
  ],
  [
    '[2,"1","Heartbeat",[]]',
    '"1" FormationViolation',
    '"1" FormatViolation',
    '"1" FormatViolation',
    'a payload that is a list',
  ],
  [
    '[2,"1","Heartbeat","{}"]',
    '"1" FormationViolation',
    '"1" FormatViolation',
    '"1" FormatViolation',
    'a payload that is a JSON string',
  ],
  [
    '[2,"1","Heartbeat",0]',
    '"1" FormationViolation',
    '"1" FormatViolation',
    '"1" FormatViolation',
    'a payload that is a number',
  ],
  [
    '[2,"1","Heartbeat",false]',
    '"1" FormationViolation',
    '"1" FormatViolation',
    '"1" FormatViolation',
    'a payload that is a boolean',
  ],
  [
    `[2,"1","Heartbeat",${nested(33)}]`,
    '"1" FormationViolation',
    '"1" FormatViolation',
    '"1" FormatViolation',
    'a payload nested too deeply',
  ],
  [
    `[2,"1","Heartbeat",${'['.repeat(9000)}${']'.repeat(9000)}]`,
    '"1" FormationViolation',
    '"1" FormatViolation',
    '"1" FormatViolation',
    'a payload nested extremely deeply',
  ],
  [
    `[2,${'['.repeat(9000)}${']'.repeat(9000)},"Heartbeat",{}]`,
    'silence',
    unreadable,
    unreadable,
    'an id nested extremely deeply',
  ],
  ['[3]', 'silence', 'silence', 'silence', 'a CALLRESULT without an id is not answered'],
  ['[3,null,{}]', 'silence', 'silence', 'silence', 'a CALLRESULT whose id is null is not answered'],
  [`[3,"${text256}",{}]`, 'silence', 'silence', 'silence', 'a CALLRESULT whose id is too long is not answered'],
  ['[3,"1"]', 'silence', 'silence', 'silence', 'a CALLRESULT without a payload is not answered'],
  ['[3,"1",{},{}]', 'silence', 'silence', 'silence', 'a CALLRESULT with four elements is not answered'],
  ['[3,"1",[]]', 'silence', 'silence', 'silence', 'a CALLRESULT whose payload is a list is not answered'],
  ['[3,"1","Accepted"]', 'silence', 'silence', 'silence', 'a CALLRESULT whose payload is a string is not answered'],
  [`[3,"1",${nested(33)}]`, 'silence', 'silence', 'silence', 'a CALLRESULT nested too deeply is not answered'],
  ['[4]', 'silence', 'silence', 'silence', 'a CALLERROR without an id is not answered'],
  ['[4,"1"]', 'silence', 'silence', 'silence', 'a CALLERROR without a code is not answered'],
  ['[4,"1",500,"",{}]', 'silence', 'silence', 'silence', 'a CALLERROR whose code is a number is not answered'],
  [
    '[4,{},"InternalError","",{}]',
    'silence',
    'silence',
    'silence',
    'a CALLERROR whose id is an object is not answered',
  ],
  ['[4,"1","InternalError","",{},1]', 'silence', 'silence', 'silence', 'a CALLERROR with six elements is not answered'],
  [
    `[4,"1","InternalError","",${nested(33)}]`,
    'silence',
    'silence',
    'silence',
    'a CALLERROR nested too deeply is not answered',
  ],
  [
    '[5,"1","FormatViolation","",{}]',
    'ignored',
    '"1" MessageTypeNotSupported',
    'frame',
    'only 2.1 has CALLRESULTERROR',
  ],
  ['[5]', 'ignored', '"-1" MessageTypeNotSupported', 'silence', 'a malformed CALLRESULTERROR'],
  ['[5,"1"]', 'ignored', '"1" MessageTypeNotSupported', 'silence', 'a malformed CALLRESULTERROR with an id'],
  ['[6,"1","NotifyPeriodicEventStream",{}]', 'ignored', '"1" MessageTypeNotSupported', 'frame', 'only 2.1 has SEND'],
  ['[6]', 'ignored', '"-1" MessageTypeNotSupported', 'silence', 'a malformed SEND is not answered (P2.1 FR.07)'],
  [
    '[6,"1","NotifyPeriodicEventStream"]',
    'ignored',
    '"1" MessageTypeNotSupported',
    'silence',
    'a SEND without a payload is not answered',
  ],
  [
    '[6,"1","NotifyPeriodicEventStream",[]]',
    'ignored',
    '"1" MessageTypeNotSupported',
    'silence',
    'a SEND whose payload is a list is not answered',
  ],
  [
    `[6,"1","NotifyPeriodicEventStream",${nested(33)}]`,
    'ignored',
    '"1" MessageTypeNotSupported',
    'silence',
    'a SEND nested too deeply is not answered',
  ],
  ['', 'ignored', 'ignored', 'ignored', 'an empty message, which some stations send'],
  [' \r\n\t', 'ignored', 'ignored', 'ignored', 'whitespace'],
  ['\ufeff', 'ignored', 'ignored', 'ignored', 'a byte order mark alone'],
  ['\ufeff \n', 'ignored', 'ignored', 'ignored', 'a byte order mark and whitespace'],
  [' '.repeat(64), 'ignored', 'ignored', 'ignored', '64 spaces'],
  [' '.repeat(65), 'silence', unreadable, unreadable, '65 spaces are more than a sign of life'],
  ...['ping', 'PONG\r\n', 'HeartBeat', '{}', '"Heartbeat"', 'null', '2', '.', '\u0000', '{"ping":1757000000}'].map(
    text => [text, 'ignored', 'ignored', 'ignored', 'a sign of life in the words of a station'] as const,
  ),
  ['x'.repeat(64), 'ignored', 'ignored', 'ignored', '64 bytes, the longest sign of life'],
  ['é'.repeat(32), 'ignored', 'ignored', 'ignored', '64 bytes in 32 characters'],
] as const

/** CALLs whose JSON is broken, but not before the id `"m1"`. */
const brokenCalls = [
  [
    '[2,"m1","MeterValues",{"connectorId":1,"transactionId":,"meterValue":[]}]',
    'a value left out, as by a real product',
  ],
  ['[2,"m1","Heartbeat",{}', 'a truncated message'],
  ['[2,"m1"', 'a message truncated after its id'],
  ['[2,"m1","StopTransaction",{"meterStop":1', 'a message truncated within its payload'],
  ['[2,"m1","Heartbeat",{},]', 'a trailing comma in the frame'],
  ['[2,"m1","Heartbeat",{"a":1,}]', 'a trailing comma in the payload'],
  ['[2,"m1","Heartbeat",{}][2,"m2","Heartbeat",{}]', 'two frames in one message'],
  ['[2,"m1","Heartbeat",{}]]', 'one closing bracket too many'],
  ['[2,"m1","Heartbeat",{]}', 'brackets in the wrong order'],
  ['[2,"m1","DataTransfer",{"data":"a\tb"}]', 'a control character that is not escaped'],
  ['[2,"m1","DataTransfer",{"data":"a\u0000"}]', 'a NUL in a string'],
  ['[2,"m1","DataTransfer",{"data":"\\x41"}]', 'an escape that JSON does not have'],
  ['[2,"m1","DataTransfer",{"data":"say "hi""}]', 'quotes that are not escaped'],
  ['[2,"m1",\'Heartbeat\',{}]', 'single quotes behind the id'],
  ['[2,"m1","MeterValues",{"value":NaN}]', 'NaN'],
  ['[2,"m1","MeterValues",{"value":-Infinity}]', 'Infinity'],
  ['[2,"m1","MeterValues",{"value":1,5}]', 'a decimal comma'],
  ['[2,"m1","MeterValues",{"connectorId":01}]', 'a leading zero'],
  ['[2,"m1",Heartbeat,{}]', 'an action without quotes'],
  ['[2,"m1","Heartbeat",{}] // end', 'a comment'],
  ['\ufeff\ufeff[2,"m1","Heartbeat",{}]', 'two byte order marks'],
] as const
for (const [text, because] of brokenCalls) {
  test(`${JSON.stringify(text)} gets a CALLERROR under its id: ${because}`, () => {
    const outcomes = allVersions.map(version => outcome(text, version))
    assert.deepEqual(outcomes, ['"m1" FormationViolation', '"m1" RpcFrameworkError', '"m1" RpcFrameworkError'])
  })
}

test('a numeric id is echoed when the JSON behind it is broken', () => {
  assert.equal(outcome('[2,17,"Heartbeat",{', 'ocpp1.6'), '17 FormationViolation')
})

const brokenElsewhere = [
  ['[[2,"m1","Heartbeat",{}]', 'one opening bracket too many'],
  ['[[2,"m1","Heartbeat",{}]]', 'a frame in a list'],
  ["[2,'m1','Heartbeat',{}]", 'single quotes around the id'],
  ['[2,m1,"Heartbeat",{}]', 'an id without quotes'],
  ['[2,"m1', 'a message truncated in its id'],
  ['[2,"m\u00001","Heartbeat",{}]', 'a NUL in the id'],
  ['[2 "m1","Heartbeat",{}]', 'no comma before the id'],
] as const
for (const [text, because] of brokenElsewhere) {
  test(`${JSON.stringify(text)} has no id that can be read: ${because}`, () => {
    const outcomes = allVersions.map(version => outcome(text, version))
    assert.deepEqual(outcomes, ['silence', unreadable, unreadable])
  })
}

for (const [text, in16, in201, in21, because] of badFrames) {
  const shown = text.length > 60 ? `${text.slice(0, 57)}...` : text
  test(`${JSON.stringify(shown)} is not a frame: ${because}`, () => {
    const outcomes = allVersions.map(version => outcome(text, version))
    assert.deepEqual(outcomes, [in16, in201, in21])
  })
}

const frames: readonly (readonly [string, Frame, string])[] = [
  [
    '[2,"19223201","BootNotification",{"chargePointVendor":"V"}]',
    { kind: 'call', id: id('"19223201"'), action: 'BootNotification', payload: json('{"chargePointVendor":"V"}') },
    'a CALL (OCPP-J 1.6 §4.2.1)',
  ],
  [
    ' [ 2 , "1" ,\n"MeterValues" , { "v" : 2935.600 , "v" : 1 } ] ',
    { kind: 'call', id: id('"1"'), action: 'MeterValues', payload: json('{ "v" : 2935.600 , "v" : 1 }') },
    'the payload keeps its text, including whitespace and equal keys',
  ],
  [
    '[2.0,"1","Heartbeat",{}]',
    { kind: 'call', id: id('"1"'), action: 'Heartbeat', payload: json('{}') },
    '2.0 equals 2 in JSON',
  ],
  [
    '[2,"1","Heartbeat",null]',
    { kind: 'call', id: id('"1"'), action: 'Heartbeat', payload: json('{}') },
    'null is a legal spelling of "no payload" (OCPP-J 1.6 §4.2.1, 2.0.1 Part 4 §4.1.5)',
  ],
  [
    '\ufeff[2,"1","Heartbeat",{}]',
    { kind: 'call', id: id('"1"'), action: 'Heartbeat', payload: json('{}') },
    'a byte order mark is skipped',
  ],
  [
    String.raw`[2,"\u0031","Heart\u0062eat",{"\u0061":"\u00e9"}]`,
    { kind: 'call', id: id(String.raw`"\u0031"`), action: 'Heartbeat', payload: json(String.raw`{"\u0061":"\u00e9"}`) },
    'the action is unescaped, id and payload keep their text',
  ],
  [
    '[2,"1","constructor",{"__proto__":{}}]',
    { kind: 'call', id: id('"1"'), action: 'constructor', payload: json('{"__proto__":{}}') },
    'the action is not checked here',
  ],
  [
    `[2,"1","DataTransfer",${nested(32)}]`,
    { kind: 'call', id: id('"1"'), action: 'DataTransfer', payload: json(nested(32)) },
    'the deepest nesting allowed',
  ],
  [
    '[3,"1",{"status":"Accepted"}]',
    { kind: 'callResult', id: id('"1"'), payload: json('{"status":"Accepted"}') },
    'a CALLRESULT',
  ],
  ['[3,"1",null]', { kind: 'callResult', id: id('"1"'), payload: json('{}') }, 'one with no payload'],
  ['[3,"",{}]', { kind: 'callResult', id: id('""'), payload: json('{}') }, 'an empty id is valid in an answer'],
  [
    '[4,"1","InternalError","broken",{"a":1.0}]',
    { kind: 'callError', id: id('"1"'), code: 'InternalError', description: 'broken', details: json('{"a":1.0}') },
    'a CALLERROR',
  ],
  [
    '[4,"-1","RpcFrameworkError","",{}]',
    { kind: 'callError', id: id('"-1"'), code: 'RpcFrameworkError', description: '', details: json('{}') },
    'the station could not read the bridge’s message',
  ],
  [
    '[4,"1","InternalError"]',
    { kind: 'callError', id: id('"1"'), code: 'InternalError', description: '', details: json('{}') },
    'a CALLERROR may lack its last two elements',
  ],
  [
    '[4,"1","InternalError","broken"]',
    { kind: 'callError', id: id('"1"'), code: 'InternalError', description: 'broken', details: json('{}') },
    'a CALLERROR may lack its last element',
  ],
  [
    '[4,"1","InternalError",null,null]',
    { kind: 'callError', id: id('"1"'), code: 'InternalError', description: '', details: json('{}') },
    'the last two elements may be null',
  ],
  [
    '[4,"1","InternalError",7]',
    { kind: 'callError', id: id('"1"'), code: 'InternalError', description: '7', details: json('{}') },
    'a description of the wrong type keeps its text',
  ],
  [
    '[4,"1","OutOfCoffee","",{}]',
    { kind: 'callError', id: id('"1"'), code: 'OutOfCoffee', description: '', details: json('{}') },
    'an unknown error code is kept',
  ],
]
/** A frame as it is parsed: a CALL or a SEND has its payload's value. */
function asParsed(frame: Frame): Frame {
  return 'action' in frame ? { ...frame, value: JSON.parse(frame.payload) as unknown } : frame
}

for (const [text, expected, because] of frames) {
  test(`${text.slice(0, 60)} is a ${expected.kind}: ${because}`, () => {
    for (const version of allVersions) assert.deepEqual(parseFrame(text, version), asParsed(expected))
  })
}

for (const details of ['"locked by \\u0041"', '[ "a" ]', '1.50', 'false', '""']) {
  test(`the errorDetails ${details} keep their text: they are not an object`, () => {
    for (const version of allVersions)
      assert.deepEqual(parseFrame(`[4,"1","InternalError","", ${details} ]`, version), {
        ...{ kind: 'callError', id: '"1"', code: 'InternalError', description: '' },
        ...{ details: '{}', otherDetails: details },
      })
  })
}

test('2.1 has CALLRESULTERROR and SEND', () => {
  assert.deepEqual(parseFrame('[5,"1","FormatViolation","bad",{}]', 'ocpp2.1'), {
    kind: 'callResultError',
    id: '"1"',
    code: 'FormatViolation',
    description: 'bad',
    details: '{}',
  })
  assert.deepEqual(parseFrame('[6,"1","NotifyPeriodicEventStream",{"id":1.50}]', 'ocpp2.1'), {
    kind: 'send',
    id: '"1"',
    action: 'NotifyPeriodicEventStream',
    payload: '{"id":1.50}',
    value: { id: 1.5 },
  })
})

const ids = [
  ['"1"', 'a short id'],
  [`"${text36}"`, '36 characters, the most that the specs allow'],
  [`"${text37}"`, '37 characters, as some stations send'],
  [`"${text255}"`, '255 characters, the most that are accepted'],
  [`"${'\\u0064'.repeat(255)}"`, '255 escaped characters'],
  [`"${'⚡'.repeat(255)}"`, '255 characters beyond ASCII'],
  ['7', 'a number'],
  ['-1', 'a negative number'],
  ['1.50', 'a number with a trailing zero'],
  ['1757000000000000001', 'a number beyond double precision'],
  ['1e400', 'a number beyond double range'],
  [String.raw`"\u0041"`, 'an escaped character'],
  [String.raw`"a\"],[b\\"`, 'quotes, brackets and backslashes'],
  ['" "', 'a space'],
  ['"é⚡"', 'letters beyond ASCII'],
  ['"__proto__"', 'the name of an inherited property'],
] as const
for (const [text, because] of ids) {
  test(`the id ${text.slice(0, 40)} is echoed unchanged: ${because}`, () => {
    for (const version of allVersions) {
      const call = parseFrame(`[2, ${text} ,"Heartbeat",{}]`, version)
      assert.ok(call.kind === 'call', 'a CALL')
      assert.equal(call.id, text)
      const answer: Frame = { kind: 'callResult', id: call.id, payload: json('{}') }
      assert.equal(serializeFrame(answer, version), `[3,${text},{}]`)
    }
  })
}

const idPairs = [
  ['"1"', '"1"', true, 'the same text'],
  ['"1"', '"2"', false, 'a different text'],
  [String.raw`"\u0041"`, '"A"', true, 'the app may escape characters'],
  ['"<"', String.raw`"\u003c"`, true, 'Rails escapes characters'],
  ['7', '"7"', true, 'the app may quote a number'],
  ['"7"', '"07"', false, 'leading zeros count'],
  ['"a"', '"A"', false, 'ids are case-sensitive'],
  ['"1"', '" 1"', false, 'whitespace counts'],
  ['1757000000000000001', '1757000000000000002', false, 'two numbers with the same double'],
  ['1757000000000000001', '"1757000000000000001"', true, 'a number beyond double precision, quoted by the app'],
  ['1e400', '1e401', false, 'two numbers beyond double range'],
] as const
for (const [one, other, expected, because] of idPairs) {
  test(`the ids ${one} and ${other} are ${expected ? 'equal' : 'different'}: ${because}`, () => {
    assert.equal(idKey(json(one)) === idKey(json(other)), expected)
  })
}

test('isUnreadableId recognises "-1"', () => {
  const rows = [
    ['"-1"', true],
    ['-1', true],
    ['"1"', false],
    ['""', false],
  ] as const
  for (const [text, expected] of rows) assert.equal(isUnreadableId(id(text)), expected)
})

test('messageId quotes an id', () => {
  assert.equal(messageId('a"b\\'), String.raw`"a\"b\\"`)
})

const pair = '⚡'.repeat(254) + '🔌'
const sent: readonly (readonly [Frame, Version, string, string])[] = [
  [
    { kind: 'call', id: id('"u1"'), action: 'Reset', payload: json('{ "type" : "Soft" }') },
    'ocpp1.6',
    '[2,"u1","Reset",{ "type" : "Soft" }]',
    'the payload is sent unchanged',
  ],
  [
    { kind: 'call', id: id('"u1"'), action: 'A"\n', payload: json('{}') },
    'ocpp1.6',
    String.raw`[2,"u1","A\"\n",{}]`,
    'the action is escaped',
  ],
  [
    { kind: 'callResult', id: id('7'), payload: json('{"v":2935.600,"v":1}') },
    'ocpp2.0.1',
    '[3,7,{"v":2935.600,"v":1}]',
    'numbers and equal keys are sent unchanged',
  ],
  [
    { kind: 'send', id: id('"1"'), action: 'NotifyPeriodicEventStream', payload: json('{}') },
    'ocpp2.1',
    '[6,"1","NotifyPeriodicEventStream",{}]',
    'a SEND',
  ],
  [
    callError(id('"1"'), 'FormatViolation', 'x'),
    'ocpp1.6',
    '[4,"1","FormationViolation","x",{}]',
    '1.6 has its own spelling',
  ],
  [
    callError(id('"1"'), 'FormatViolation', 'x'),
    'ocpp2.0.1',
    '[4,"1","FormatViolation","x",{}]',
    '2.x has the canonical spelling',
  ],
  [
    callError(id('"1"'), 'OccurrenceConstraintViolation', ''),
    'ocpp1.6',
    '[4,"1","OccurenceConstraintViolation","",{}]',
    '1.6 spells it with one r',
  ],
  [
    callError(id('"1"'), 'OccurrenceConstraintViolation', ''),
    'ocpp2.1',
    '[4,"1","OccurrenceConstraintViolation","",{}]',
    '2.x spells it with two r',
  ],
  [
    callError(id('"1"'), 'RpcFrameworkError', ''),
    'ocpp1.6',
    '[4,"1","FormationViolation","",{}]',
    '1.6 has no RpcFrameworkError',
  ],
  [
    callError(id('"1"'), 'MessageTypeNotSupported', ''),
    'ocpp1.6',
    '[4,"1","NotSupported","",{}]',
    '1.6 has no MessageTypeNotSupported',
  ],
  [
    { kind: 'callError', id: id('"1"'), code: 'FormationViolation', description: '', details: json('{}') },
    'ocpp2.0.1',
    '[4,"1","FormatViolation","",{}]',
    'a 1.6 code of the app is respelled for 2.0.1',
  ],
  [
    { kind: 'callError', id: id('"1"'), code: 'OutOf"Coffee', description: 'a"\n', details: json('{ "a": 1.0 }') },
    'ocpp1.6',
    String.raw`[4,"1","OutOf\"Coffee","a\"\n",{ "a": 1.0 }]`,
    'an unknown code is sent unchanged',
  ],
  [
    { kind: 'callResultError', id: id('"1"'), code: 'FormationViolation', description: 'x', details: json('{}') },
    'ocpp2.1',
    '[5,"1","FormatViolation","x",{}]',
    'a CALLRESULTERROR',
  ],
  [
    callError(id('"1"'), 'GenericError', text255),
    'ocpp1.6',
    `[4,"1","GenericError","${text255}",{}]`,
    'a description of 255 characters',
  ],
  [
    callError(id('"1"'), 'GenericError', text256),
    'ocpp1.6',
    `[4,"1","GenericError","${text255}",{}]`,
    'a description of 256 characters is truncated',
  ],
  [
    callError(id('"1"'), 'GenericError', pair),
    'ocpp2.1',
    `[4,"1","GenericError","${'⚡'.repeat(254)}",{}]`,
    'a surrogate pair is not split, as half of one is not UTF-8',
  ],
]
for (const [frame, version, expected, because] of sent) {
  test(`${version} sends ${expected.slice(0, 60)}: ${because}`, () => {
    assert.equal(serializeFrame(frame, version), expected)
  })
}

/** Random frames of a version, as `parseFrame` returns them. */
const idText = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 255 }).map(text => JSON.stringify(text)),
  fc
    .string({ unit: fc.constantFrom('"', '\\', '[', ']', ','), minLength: 1, maxLength: 36 })
    .map(text => JSON.stringify(text)),
  fc.integer().map(String),
)
const payloadText = fc.oneof(
  fc
    .dictionary(fc.string({ unit: 'binary' }), fc.jsonValue({ maxDepth: 4 }))
    .map(object => JSON.stringify(object, null, 1)),
  fc.constantFrom('{}', '{ }', '{"v":2935.600,"v":1}', String.raw`{"\u0061":"],\"\\"}`),
)
const asked = fc.record({ id: idText, action: fc.string({ unit: 'binary' }), payload: payloadText })
const refused = fc.record({
  id: idText,
  code: fc.oneof(fc.constantFrom(...Object.keys(errorCodes)), fc.string()),
  description: fc.string({ unit: 'grapheme', maxLength: 40 }),
  details: payloadText,
})
const frame = fc.oneof(
  asked.map(fields => ({ kind: 'call', ...fields })),
  asked.map(fields => ({ kind: 'send', ...fields })),
  fc.record({ id: idText, payload: payloadText }).map(fields => ({ kind: 'callResult', ...fields })),
  refused.map(fields => ({ kind: 'callError', ...fields })),
  refused.map(fields => ({ kind: 'callResultError', ...fields })),
) as fc.Arbitrary<Frame>
const version = fc.constantFrom(...allVersions)
const isOf21 = (kind: Frame['kind']): boolean => kind === 'send' || kind === 'callResultError'

test('a serialized frame parses as the same frame', () => {
  fc.assert(
    fc.property(frame, version, (original, spoken) => {
      fc.pre(spoken === 'ocpp2.1' || !isOf21(original.kind))
      const read = parseFrame(serializeFrame(original, spoken), spoken)
      if (!('code' in original)) return assert.deepEqual(read, asParsed(original))
      const code = errorCodeOf(original.code)
      assert.deepEqual(read, { ...original, code: code === null ? original.code : versions[spoken].spell(code) })
    }),
    { numRuns: 500 },
  )
})

/** Removes, duplicates or changes one element or one character. */
const mutated = fc
  .tuple(frame, fc.constantFrom('gone', 'doubled', 'changed'), fc.boolean(), fc.nat(), fc.jsonValue())
  .map(([original, change, byElement, where, other]) => {
    const text = serializeFrame(original, 'ocpp2.1')
    const parts: string[] = byElement ? elementsOf(text) : text.split('')
    const at = where % parts.length
    const part = parts[at] ?? ''
    const instead = { gone: [], doubled: [part, part], changed: [JSON.stringify(other)] }[change as 'gone']
    parts.splice(at, 1, ...instead)
    return byElement ? `[${parts.join(',')}]` : parts.join('')
  })
const anyText = fc.oneof(
  mutated,
  fc.string({ unit: 'binary' }),
  fc.json(),
  fc.array(fc.jsonValue(), { maxLength: 6 }).map(parts => JSON.stringify(parts)),
  fc
    .array(fc.oneof(fc.constantFrom(2, 3, 4, 5, 6, '2'), fc.string(), fc.object()), { maxLength: 6 })
    .map(parts => JSON.stringify(parts)),
)

test('parseFrame never throws, never answers an answer, and produces only valid answers', () => {
  fc.assert(
    fc.property(anyText, version, (text, spoken) => {
      const read = parseFrame(text, spoken)
      if (read.kind !== 'malformed' || read.answer === null) return
      const type = (/^\s*\[\s*([3-6])\s*[,\]]/.exec(text) ?? [])[1]
      let isJson = true
      try {
        JSON.parse(text)
      } catch {
        isJson = false
      }
      // Invalid JSON has no type, and 2.0.1 answers types that it does not have.
      if (isJson && type !== undefined)
        assert.ok(spoken === 'ocpp2.0.1' && Number(type) > 4, `an answer was answered: ${text}`)
      const answer = parseFrame(serializeFrame(read.answer, spoken), spoken)
      if (elementsOf(serializeFrame(read.answer, spoken))[1] !== '""') assert.equal(answer.kind, 'callError')
    }),
    { numRuns: 2000 },
  )
})

const brokenResults: readonly [string, string | null, string][] = [
  ['[3,"a"]', '"a"', 'a CALLRESULT without a payload'],
  ['[3,"a",[]]', '"a"', 'a payload that is not an object'],
  ['[3,"a",{},{}]', '"a"', 'a CALLRESULT with four elements'],
  ['[3,17,"x"]', '17', 'an id that is a number'],
  ['[3,"a",{"status":"Acc', '"a"', 'a truncated CALLRESULT'],
  ['[ 3 , "a\\u0062" , {"x": nul', '"a\\u0062"', 'a CALLRESULT truncated after an escaped id'],
  ['[3,17,{', '17', 'a CALLRESULT truncated after a numeric id'],
  ['[3,"a', null, 'it breaks off in the id'],
  ['[3,{},{}]', null, 'its id cannot be read'],
  ['[3,"a\\q",{', null, 'its id is no JSON'],
  [`[3,"${'a'.repeat(256)}",{`, null, 'its id is absurdly long'],
  ['[4,"a"]', '"a"', 'a CALLERROR without a code'],
  ['[4,"a",null,"",{}]', '"a"', 'a CALLERROR whose code is not a string'],
  ['[4,"a","GenericError","",{},1]', '"a"', 'a CALLERROR with six elements'],
  ['[4,"a","Gene', '"a"', 'a truncated CALLERROR'],
  ['[3,"a",[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[', '"a"', 'an answer nested extremely deeply'],
  ['[3,"a",{},1,2,3,4,5,6,7]', '"a"', 'an answer with ten elements'],
  ['[2,"a","Reset",[]]', null, 'a CALL'],
]
for (const [text, id, because] of brokenResults) {
  test(`${text.slice(0, 40)} ends the CALL ${String(id)}: ${because}`, () => {
    const read = parseFrame(text, 'ocpp2.1')
    assert.equal(read.kind === 'malformed' ? (read.brokenAnswer?.id ?? null) : read.kind, id)
  })
}

/** A message of nearly 1 MiB, the largest that a station may send by default. */
const mebibyteOf = (head: string, item: string, tail: string): string => {
  const count = Math.floor((1024 * 1024 - head.length - tail.length) / (item.length + 1))
  return head + Array.from({ length: count }, () => item).join(',') + tail
}
const callOfNumbers = (count: number): string =>
  `[2,"1","DataTransfer",{"vendorId":"v","data":[${'1,'.repeat(count - 1)}1]}]`
const largest = [
  [
    mebibyteOf(
      '[2,"1","StopTransaction",{"transactionId":1,"meterStop":9,"timestamp":"2026-01-02T03:04:05Z","transactionData":[',
      '{"timestamp":"2026-01-02T03:04:05Z","sampledValue":[{"value":"1234"}]}',
      ']}]',
    ),
    'call',
    'a transaction with 14,000 meter values',
  ],
  [
    mebibyteOf(
      '[2,"1","NotifyReport",{"requestId":1,"generatedAt":"2026-01-02T03:04:05Z","seqNo":0,"reportData":[',
      '{"component":{"name":"EVSE","evse":{"id":1}},"variable":{"name":"Power"},"variableAttribute":[{"type":"Actual","value":"1","mutability":"ReadOnly"}],"variableCharacteristics":{"dataType":"decimal","supportsMonitoring":false}}',
      ']}]',
    ),
    'call',
    'a report of every variable in one part',
  ],
  [mebibyteOf('[2,"1","DataTransfer",{"vendorId":"v","data":[', '{}', ']}]'), 'malformed', 'empty objects'],
  [mebibyteOf('[2,"1","DataTransfer",{"vendorId":"v","data":[', '1', ']}]'), 'malformed', 'numbers'],
  [mebibyteOf('[2,"1","DataTransfer",{"vendorId":"v","data":"', String.raw`\"`, '"}]'), 'call', 'a text of quotes'],
  [
    `[2,"1","DataTransfer",{${Array.from({ length: 5_000 }, (_, n) => `"name${n}":1`).join(',')}}]`,
    'malformed',
    '5,000 different names',
  ],
  [callOfNumbers(79_994), 'call', '80,000 values, six of them around the numbers'],
  [callOfNumbers(79_995), 'malformed', 'one value more'],
] as const
for (const [text, kind, because] of largest) {
  test(`a message of ${text.length} bytes is a ${kind}: ${because}`, () => {
    const frame = parseFrame(text, 'ocpp2.0.1')
    assert.equal(frame.kind, kind)
    if (frame.kind === 'malformed') assert.deepEqual([frame.fault, frame.answer?.id], ['outOfBounds', '"1"'])
  })
}
