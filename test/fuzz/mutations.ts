/**
 * Ways in which a message can be wrong. Each takes a right one, and may leave it right.
 */
import { Buffer } from 'node:buffer'
import type { Random } from './random.ts'

/** A frame as the JSON texts of its elements. */
export type Elements = readonly string[]

type OfElements = (elements: Elements, random: Random) => Elements
type OfText = (text: string, random: Random, other: string) => string
type OfBytes = (bytes: Buffer, random: Random) => Buffer

const deep = (depth: number, open = '[', close = ']'): string => `${open.repeat(depth)}1${close.repeat(depth)}`
const depths = [8, 29, 30, 31, 32, 33, 64, 1_000, 10_000]

const values = [
  'null', 'true', '0', '-1', '-0', '2', '1.50', '1e400', '-1e-400', '12345678901234567890', '0.1000000000000000055',
  '""', '"-1"', '"x"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"__proto__"', '"\\u2028"', '[]', '{}', '[[]]', '[{}]',
  '{"a":{}}', '{"__proto__":{"polluted":true}}', '{"constructor":{"prototype":{"polluted":true}}}', '{"a":1,"a":2}',
  '{"toString":null,"hasOwnProperty":1}', '"[2,\\"x\\",\\"Heartbeat\\",{}]"', '"}],[2,\\"x\\",{"', '{"":""}', ' null ',
] // prettier-ignore

const types = [
  '"2"',
  '2.0',
  '2e0',
  '20e-1',
  '0',
  '1',
  '3',
  '4',
  '5',
  '6',
  '7',
  '-2',
  '2.5',
  '1e999',
  '[2]',
  'null',
  'true',
]

/** What a channel class of Rails has, what JavaScript has, and what no version knows. */
const names = [
  'ack', 'Ack', 'error', 'Error', 'receive', 'Receive', 'subscribed', 'Subscribed', 'unsubscribed', 'Unsubscribed',
  'constructor', 'toString', '__proto__', 'hasOwnProperty', 'prototype', 'transmit', 'Transmit', 'stopAllStreams', 'reject',
  'Perform', 'send', 'instance_eval', 'Instance-Eval', 'exit!', 'Heart Beat', ' Heartbeat', 'Heartbeat ', 'heartbeat',
  'HEARTBEAT', 'boot_notification', 'BootNotification\n', 'Bootnotification', 'BootNotification.req',
  'BootNotificationRequest', 'Boot::Notification', 'Boot/Notification', 'RemoteStartTransaction', 'Reset',
  'RequestStartTransaction', 'SetDERControl', 'NotifyPeriodicEventStream', 'StartTransaction', 'TransactionEvent', 'BatterySwap',
  'X-Signed', '', '-', '2', 'Action"}', 'é', '中', '💥',
] // prettier-ignore

const ids = [
  '""', '"-1"', '-1', '0', '17', '-0', '1.0', '1e400', '12345678901234567890', 'null', 'true', '{}', '[]', '["x"]',
  '"__proto__"', '"constructor"', '"toString"', '"\\u0041\\u00e9"', '"\\ud800"', '"\\u0000"', '"\\"},{"', '" "', '"\\n"', '"💥"',
] // prettier-ignore
const idLengths = [36, 37, 255, 256, 5_000]

const ofElements: readonly OfElements[] = [
  (elements, random) => replaced(elements, 0, random.pick(types)),
  (elements, random) => replaced(elements, 1, random.pick(ids)),
  (elements, random) => replaced(elements, 1, random.chance(0.8) ? longId(random) : '9'.repeat(random.pick(idLengths))),
  (elements, random) => replaced(elements, 2, JSON.stringify(random.pick(names))),
  (elements, random) => replaced(elements, 2, JSON.stringify('A'.repeat(random.pick([64, 65, 255, 20_000])))),
  (elements, random) => replaced(elements, random.integer(elements.length), random.pick(values)),
  (elements, random) => replaced(elements, elements.length - 1, random.pick(values)),
  (elements, random) => {
    const nested = random.chance(0.5) ? deep(random.pick(depths)) : deep(random.pick(depths), '{"a":', '}')
    return replaced(elements, random.integer(elements.length), nested)
  },
  (elements, random) => replaced(elements, elements.length - 1, `{"vendorId":"V","data":${deep(random.pick(depths))}}`),
  (elements, random) => elements.filter((_, at) => at !== random.integer(elements.length)),
  (elements, random) => [...elements, random.pick(values)],
  (elements, random) => {
    const at = random.integer(elements.length)
    return [...elements.slice(0, at), random.pick(values), ...elements.slice(at)]
  },
  elements => [...elements].reverse(),
  (elements, random) => {
    const [one, other] = [random.integer(elements.length), random.integer(elements.length)]
    return replaced(replaced(elements, one, elements[other] ?? ''), other, elements[one] ?? '')
  },
  (elements, random) => replaced(elements, random.integer(elements.length), escaped(random.pick(elements))),
  (elements, random) => elements.map(text => `${space(random)}${text}${space(random)}`),
  inPayload((_, random) => random.pick(values)),
  inPayload((_, random) => deep(random.pick(depths))),
  inPayload(text => text.replace(/\d+/, digits => `${digits}${'0'.repeat(400)}`)),
  inPayload(text => `${text},"again":${text}`),
  inPayload((text, random) => `${text},"__proto__":${random.pick(values)}`),
  inPayload(() => '"unquoted'),
  inPayload(() => '1,"a":2,"a":3'),
]

const tokens = [
  '"', '\\', '[', ']', '{', '}', ',', ':', '\0', '\ufeff', '\n', '\t', '\u2028', '//', '/**/', "'", 'NaN', 'Infinity', '-', '+1',
  '01', '0x2', '\\u', '\\ud800', '\u007f', 'undefined', '💥', '\ud800', '1e', '.5', ']]', '[[',
] // prettier-ignore

const ofText: readonly OfText[] = [
  (text, random) => text.slice(0, random.integer(text.length)),
  (text, random) => text.slice(random.integer(text.length)),
  (text, random) => spliced(text, random, (before, cut, after) => before + after.slice(cut.length)),
  (text, random) => spliced(text, random, (before, cut, after) => before + cut + cut + after),
  (text, random) => spliced(text, random, (before, _, after) => before + random.pick(tokens) + after),
  (text, random) =>
    spliced(text, random, (before, cut, after) => before + random.pick(tokens) + after.slice(cut.length)),
  (text, random, other) => text.slice(0, random.integer(text.length)) + other.slice(random.integer(other.length)),
  (text, random, other) => text + space(random) + other,
  text => `\ufeff${text}`,
  text => `\ufeff\ufeff${text}`,
  (text, random) => space(random) + text + space(random),
  text => `[${text}]`,
  text => JSON.stringify(text),
  text => text.replaceAll(',', ',,'),
  text => text.replace(/\]$/, ',]'),
  (text, random) => text.replaceAll(/\d+/g, digits => (random.chance(0.3) ? random.pick(values) : digits)),
  text => text.toUpperCase(),
  (_, random) =>
    random.pick([
      '',
      ' ',
      '\n',
      '\ufeff',
      '\0',
      'null',
      '2',
      '"x"',
      '{}',
      '[]',
      '[2]',
      '[[]]',
      '[2,"x"]',
      'hello',
      '[,]',
    ]),
  (_, random) => `[${Array.from({ length: 1 + random.integer(6) }, () => random.pick(values)).join(',')}]`,
]

const ofBytes: readonly OfBytes[] = [
  (bytes, random) => changed(bytes, random, byte => byte ^ (1 << random.integer(7))),
  (bytes, random) => changed(bytes, random, () => random.integer(128)),
  (bytes, random) => changed(bytes, random, () => random.pick([0x00, 0xff, 0xc0, 0xed, 0x80])),
  (bytes, random) => bytes.subarray(0, random.integer(bytes.length)),
  (_, random) => Buffer.from(Array.from({ length: random.integer(40) }, () => random.integer(256))),
]

/** One to four changes, and the text that comes out. `other` is a right message to be mixed in. */
export function mutated(elements: Elements, other: string, random: Random): Buffer {
  const changes = random.chance(0.7) ? 1 : 2 + random.integer(3)
  let [parts, text, bytes]: [Elements, string | null, Buffer | null] = [elements, null, null]
  for (let change = 0; change < changes; change++) {
    const kind = random.next()
    if (bytes === null && text === null && parts.length > 0 && kind < 0.6)
      parts = random.pick(ofElements)(parts, random)
    else if (bytes === null && kind < 0.92) text = random.pick(ofText)(text ?? frameOf(parts), random, other)
    else bytes = random.pick(ofBytes)(bytes ?? Buffer.from(text ?? frameOf(parts)), random)
  }
  return bytes ?? Buffer.from(text ?? frameOf(parts))
}

export function frameOf(elements: Elements): string {
  return `[${elements.join(',')}]`
}

function replaced(elements: Elements, at: number, text: string): Elements {
  return elements.map((element, index) => (index === at ? text : element))
}

function longId(random: Random): string {
  return JSON.stringify(random.pick(['i', 'é', '中', '"']).repeat(random.pick(idLengths)))
}

function space(random: Random): string {
  return random.pick(['', '', ' ', '\n', '\r\n', '\t', '    '])
}

/** The same text of JSON with every character of its strings as an escape. */
function escaped(text: string): string {
  return text.replaceAll(/[a-z]/gi, (letter, at: number) =>
    text.startsWith('"') && text[at - 1] !== '\\' && !/\\u[\da-f]{0,3}$/i.test(text.slice(0, at))
      ? `\\u00${letter.charCodeAt(0).toString(16)}`
      : letter,
  )
}

/** Changes the value of one member somewhere in the payload, in its text. */
function inPayload(change: (value: string, random: Random) => string): OfElements {
  return (elements, random) => {
    const payload = elements.at(-1) ?? ''
    const members = [...payload.matchAll(/(?<=":)("(?:[^"\\]|\\.)*"|[\d.eE+-]+|true|false|null|\{\}|\[\])/g)]
    if (members.length === 0) return replaced(elements, elements.length - 1, random.pick(values))
    const { 0: value, index } = random.pick(members)
    const text = payload.slice(0, index) + change(value, random) + payload.slice(index + value.length)
    return replaced(elements, elements.length - 1, text)
  }
}

function spliced(text: string, random: Random, join: (before: string, cut: string, after: string) => string): string {
  const at = random.integer(text.length + 1)
  const cut = text.slice(at, at + 1 + random.integer(random.chance(0.7) ? 3 : 60))
  return join(text.slice(0, at), cut, text.slice(at))
}

function changed(bytes: Buffer, random: Random, change: (byte: number) => number): Buffer {
  const copy = Buffer.from(bytes)
  for (let times = random.pick([1, 1, 1, 2, 8]); times > 0 && copy.length > 0; times--) {
    const at = random.integer(copy.length)
    copy[at] = change(copy[at] ?? 0)
  }
  return copy
}
