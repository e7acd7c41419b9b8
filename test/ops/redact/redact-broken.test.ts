import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseJson } from '../../../src/ocpp/json.ts'
import { jsonFaultAt } from '../../../src/ocpp/json/fault.ts'
import { redactBefore, redactFrame, redactWhole } from '../../../src/ops/redact/redact.ts'
import { redactBroken, redactEnds } from '../../../src/ops/redact/redact-broken.ts'

/** A StopTransaction whose idTag is written in some way. */
const stop = (tag: string): string =>
  `[2,"s1","StopTransaction",{${tag},"meterStop":4242,"timestamp":"2026-01-02T03:04:05.678Z","transactionId":7}]`

/** [how the idTag is written, how it is shown, because] */
const tags: readonly (readonly [written: string, shown: string, because: string])[] = [
  ['"idTag" "SECRETTAG"', '"idTag" "***"', 'no colon'],
  ['"idTag"="SECRETTAG"', '"idTag"="***"', 'an equals sign'],
  ['"idTag:"SECRETTAG"', '"idTag:"***"', 'no quote behind the name'],
  ['idTag":"SECRETTAG"', 'idTag":"***"', 'no quote before the name'],
  ['"idTag":,"SECRETTAG"', '"idTag":,"***"', 'a comma too many'],
  ['"idTag":04:A2:SECRETTAG', '"idTag":***', 'no quotes around a tag with colons'],
  ['"idTag":04\\A2', '"idTag":***\\***', 'no quotes around a tag with a backslash'],
  ["'idTag':'04:A2:SECRET'", "'idTag':'***'", 'single quotes around a tag with colons'],
  ["'idTag':'SECRET,TAG'", "'idTag':'***'", 'single quotes around a tag with a comma'],
  ['idTag:SECRETTAG', 'idTag:***', 'no quotes'],
  ['"idTag":123456,', '"idTag":***,', 'a tag that is a number'],
  ['"idTag":"SECR"ETTAG"', '"idTag":"***"***"', 'a quote within the tag'],
  ['"idTag":"SECRETTAG', '"idTag":"***', 'no quote behind the tag'],
  ['"idTag":SECRETTAG"', '"idTag":***"', 'no quote before the tag'],
  ['"idTag":"SECRETTAG\\"', '"idTag":"***\\"', 'a backslash before the closing quote'],
  ['"IDTAG":"SECRETTAG";', '"IDTAG":"***";', 'a semicolon, and a name in another case'],
  ['"idTag":"SECRET TAG";', '"idTag":"***";', 'a space within the tag'],
  ['"cardNumber":"SECRETTAG";', '"***":"***";', 'a member that OCPP does not know'],
]
for (const [written, shown, because] of tags) {
  test(`a StopTransaction that is not JSON shows its energy, and no tag: ${because}`, () => {
    assert.equal(parseJson(stop(written)), undefined)
    assert.equal(redactWhole(stop(written)), stop(shown))
    assert.equal(redactFrame(stop(written)), stop(shown))
  })
}

/** [text, how it is shown, because] */
const texts: readonly (readonly [text: string, shown: string, because: string])[] = [
  ['', '', 'an empty text'],
  ['PING!\r\n', 'PING!\r\n', 'a single word'],
  ['alive 3', 'alive ***', 'a known word and a number'],
  ['idTag=SECRETTAG', 'idTag=***', 'no array'],
  ['idTag: SECRETTAG', 'idTag: ***', 'no quotes, and a space'],
  [']}{[,:"', ']}{[,:"', 'brackets that do not match'],
  ['{"idToken" "SECRETTAG","type":"ISO14443"', '{"idToken" "***","type":"ISO14443"', '2.x: a token, but not its type'],
  ['[2,"1","Authorize",{"idTag":"AB1', '[2,"1","Authorize",{"idTag":"***', 'a truncated CALL'],
  ["[2,'1','Authorize',{'idTag':'AB 12'}]", "[2,'1','Authorize',{'idTag':'***'}]", 'single quotes everywhere'],
  ['[3,"g",{"status":}]', '[3,"g",{"status":}]', 'an answer'],
  ['[2,"AB12","CD34"', '[2,"***","***"', 'an id that no action follows'],
  ['{"meterStop" 42,"meterStart":"17"', '{"meterStop" 42,"meterStart":"17"', 'a number without a colon, one in quotes'],
  ['{"meterStop":42x', '{"meterStop":***', 'a number that goes on'],
  ['{"meterStop":04:A2', '{"meterStop":***', 'a tag in the place of a number'],
  ['{"x":42,"value":42', '{"***":***,"value":***', 'numbers of other members, and the value of a configuration key'],
  ['{"sampledValue":[{"value":"42.5","unit":"Wh"}', '{"sampledValue":[{"value":"42.5","unit":"Wh"}', 'a meter value'],
  ['{"transactionId":"a-1","reason":"Local"', '{"transactionId":"***","reason":"Local"', '1.6: a text for an id'],
  [
    '{"transactionInfo":{"transactionId":"a-1","stoppedReason":"EVDisconnected"}',
    '{"transactionInfo":{"transactionId":"a-1","stoppedReason":"EVDisconnected"}',
    '2.x: the id of a transaction',
  ],
  ['{"location":"ftp://user:pa,ss@h/in"', '{"location":"***"', 'credentials in a URL'],
  ['{"key":"AuthorizationKey","value":"0123"', '{"key":"***","value":"***"', 'a password of digits'],
]
for (const [text, shown, because] of texts) {
  test(`${JSON.stringify(text.slice(0, 40))} is redacted: ${because}`, () => {
    assert.equal(redactBroken(text), shown)
  })
}

const messages: readonly (readonly [text: string, tag: string])[] = [
  [stop('"idTag":"SECRETTAG"'), 'SECRETTAG'],
  [stop('"idTag":"0F:A2:5E:C1"'), '0F:A2:5E:C1'],
  [
    '[2,"e1","TransactionEvent",{"eventType":"Ended","timestamp":"2026-01-02T03:04:05Z","idToken":{"idToken":"SECRETTAG","type":"ISO14443"},"seqNo":4242,"transactionInfo":{"transactionId":"t-1"}}]',
    'SECRETTAG',
  ],
]
for (const [text, tag] of messages) {
  test(`no damage of a few characters makes the log show the tag of ${text}`, () => {
    const pieces = Array.from(tag, (_, at) => tag.slice(at, at + 3)).filter(piece => piece.length === 3)
    const damaged = Array.from(text).flatMap((_, at) => [
      ...[1, 2, 9].map(length => text.slice(0, at) + text.slice(at + length)),
      ...Array.from(`"',:=\\{}[] \n0`, character => text.slice(0, at) + character + text.slice(at)),
      text.slice(0, at),
    ])
    for (const each of damaged.filter(one => parseJson(one) === undefined)) {
      const lines = [redactWhole(each), redactBefore(each, jsonFaultAt(each))]
      const shows = pieces.find(piece => lines.some(line => line.includes(piece)))
      assert.equal(shows, undefined, `${each}\n${lines.join('\n')}`)
    }
  })
}

test('texts of the largest size and hostile shapes are redacted in no time', { timeout: 20_000 }, () => {
  const size = 1024 * 1024
  const shapes = [
    'x',
    ' ',
    '[',
    '"',
    '\\',
    '{"a":',
    '["idTag",',
    ',',
    ':"',
    '1,',
    '"value":1,',
    '2026-01-02T03:04:05Z',
    '***,',
  ]
  for (const shape of shapes) {
    for (const start of ['', '[2,', '{"sampledValue":'])
      assert.ok(redactBroken(start + shape.repeat(size / shape.length)).length < 2 * size, shape)
  }
})

const ends = [
  '[2,"s1","StopTransaction",{"idTag":"SECRETTAG","meterStop":4242,"transactionData":[',
  ',"SECRETTAG"],"transactionId":7}]',
] as const

test('a long text keeps its head and its tail, masked, with the number of characters left out between', () => {
  const text = ends.join('{"value":"1"},'.repeat(5_000))
  const shown = redactEnds(text)
  const [, head = '', left = '', tail = ''] = /^(.*)\.\.\.\((\d+)\)(.*)$/s.exec(shown) ?? []
  assert.ok(head.startsWith(ends[0].replace('SECRETTAG', '***')))
  assert.ok(tail.endsWith(ends[1].replace('SECRETTAG', '***')))
  assert.ok(Number(left) > text.length - 16_400)
})

test('no number is shown in part where a long text is cut', () => {
  for (let shift = 0; shift < 40; shift++) {
    const shown = redactEnds(
      `[2,"s1","StopTransaction",{${' '.repeat(shift)}${'"meterStop":1234567890123456,'.repeat(1_000)}`,
    )
    for (const [, number] of shown.matchAll(/meterStop":(\d+)/g)) assert.equal(number, '1234567890123456')
  }
})

test('the tail of a long text is not taken for a single word', () => {
  assert.ok(redactEnds(`{"idTag":"${' '.repeat(20_000)}SECRETTAG`).endsWith(' ***'))
})

test('what is shown of the largest text is short, whatever its shape', () => {
  for (const shape of ['\n', '\\n', '1,', '"', 'a b ', '[]', '{"a":', 'x', '"value":1,'])
    for (const start of ['', ends[0]])
      assert.ok(redactEnds(start + shape.repeat(2 ** 20 / shape.length)).length < 50_000)
})
