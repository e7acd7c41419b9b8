import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hintFor } from '../../../src/session/app/hints.ts'

/** The message of the gem. */
const incompatible = (spoken: string, ours: string): string =>
  `Incompatible AnyCable RPC client.\nCurrent server version: ${spoken}.\nClient supported versions: ${ours}.`

const errors: readonly [message: string, expected: RegExp | null, because: string][] = [
  [
    'Channel not found: OCPPChannel',
    /no channel class OCPPChannel:.*inflect\.acronym "OCPP" .*--ocpp_channel/,
    'the class of the documentation, in an app without the acronym',
  ],
  [
    'Channel not found: EV::OCPPChannel',
    /EV::OCPPChannel:.*acronym "EV"/,
    'the first of two acronyms, which is the first that fails',
  ],
  ['Channel not found: StationOCPP', /acronym "OCPP"/, 'an acronym at the end'],
  ['Channel not found: OCPP16Channel', /acronym "OCPP"/, 'an acronym before a digit'],
  ['Channel not found: Nope', /no channel class Nope: define it, or set --ocpp_channel/, 'a name without an acronym'],
  ['Channel not found: Nope"\n<script>', null, 'not a class name'],
  [
    'the reply has more than 1000 transmissions, streams and state keys',
    /refused a reply .* transmit less in one action/,
    'a reply that the bridge refuses',
  ],
  ["undefined method `x' for Channel not found: Nope", null, 'another error that only mentions the words'],
  [
    incompatible('v2', 'v1'),
    /gem speaks version v2 of the RPC protocol, the bridge speaks v1: install/,
    'the gem is newer',
  ],
  [incompatible('v2', 'v1,v1.1').replace('.1.', '.'), /the bridge speaks v1,v1/, 'the bridge speaks several versions'],
  [incompatible('v1', 'unknown'), /protov does not reach/, 'the metadata did not arrive'],
  ['Incompatible something', null, 'an error that the gem does not write'],
  ["undefined method `charge!' for nil", null, 'the message of an exception needs no hint'],
  ['', null, 'an empty message'],
]
for (const [message, expected, because] of errors) {
  test(`the error ${JSON.stringify(message).slice(0, 60)} ${expected === null ? 'has no hint' : 'has a hint'}: ${because}`, () => {
    const hint = hintFor({ kind: 'error', message })
    if (expected === null) assert.equal(hint, null)
    else assert.match(hint?.text ?? '', expected)
  })
}

test('a rejected Connect hints at the Authorization header only when the header was withheld', () => {
  assert.match(hintFor({ kind: 'connect', withheld: true })?.text ?? '', /add authorization to --headers/)
  assert.equal(hintFor({ kind: 'connect', withheld: false }), null)
})

test('a rejected subscribe hints at `reject` when the reply says so, and else at callbacks', () => {
  assert.match(hintFor({ kind: 'subscribe', said: true })?.text ?? '', /called `reject` in `subscribed`/)
  assert.match(hintFor({ kind: 'subscribe', said: false })?.text ?? '', /before_command/)
})

test('each hint is one line, and its key depends only on the kind of hint', () => {
  const hints = [
    ...errors.map(([message]) => hintFor({ kind: 'error', message })),
    hintFor({ kind: 'connect', withheld: true }),
    hintFor({ kind: 'subscribe', said: true }),
    hintFor({ kind: 'subscribe', said: false }),
  ].filter(hint => hint !== null)
  for (const { text } of hints) assert.doesNotMatch(text, /\n/)
  assert.deepEqual([...new Set(hints.map(({ key }) => key))].toSorted(), [
    'hint aborted',
    'hint channel',
    'hint headers',
    'hint items',
    'hint protov',
    'hint rejected',
  ])
})
