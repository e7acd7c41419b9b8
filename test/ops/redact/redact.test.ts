import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  cutBefore,
  cutFrame,
  redactBefore,
  redactDescription,
  redactFrame,
  redactWhole,
  secretsIn,
} from '../../../src/ops/redact/redact.ts'

const hexKey = 'ffee0123'.repeat(4)

const rows = [
  ['[2,"1","Authorize",{"idTag":"AB12"}]', '[2,"1","Authorize",{"idTag":"***"}]', '1.6: a tag'],
  [
    '[3,"1",{"idTagInfo":{"status":"Accepted","parentIdTag":"AB12"}}]',
    '[3,"1",{"idTagInfo":{"status":"Accepted","parentIdTag":"***"}}]',
    '1.6: the group of a tag',
  ],
  [
    '[2,"1","SendLocalList",{"listVersion":2,"localAuthorizationList":[{"idTag":"A"},{"idTag":"B","idTagInfo":{"parentIdTag":"C"}}]}]',
    '[2,"1","SendLocalList",{"listVersion":2,"localAuthorizationList":[{"idTag":"***"},{"idTag":"***","idTagInfo":{"parentIdTag":"***"}}]}]',
    '1.6: every tag of a list',
  ],
  [
    '[2,"1","Authorize",{"idToken":{"idToken":"AB12","type":"ISO14443","additionalInfo":[{"additionalIdToken":"X","type":"T"}]}}]',
    '[2,"1","Authorize",{"idToken":{"idToken":"***","type":"ISO14443","additionalInfo":[{"additionalIdToken":"***","type":"T"}]}}]',
    '2.x: a token, but not its type',
  ],
  [
    '[3,"1",{"idTokenInfo":{"status":"Accepted","groupIdToken":{"idToken":"G","type":"Central"}}}]',
    '[3,"1",{"idTokenInfo":{"status":"Accepted","groupIdToken":{"idToken":"***","type":"Central"}}}]',
    '2.x: the group of a token',
  ],
  [
    '[2, "1", "StopTransaction", { "idTag" : "A" , "meterStop": 1.50, "transactionId": 7 }]',
    '[2, "1", "StopTransaction", { "idTag" : "***" , "meterStop": 1.50, "transactionId": 7 }]',
    'the rest stays as it was written',
  ],
  ['[2,"1","Authorize",{"idTag":1234}]', '[2,"1","Authorize",{"idTag":"***"}]', 'a tag that is a number'],
  ['[2,"1","Authorize",{"IDTAG":"A"}]', '[2,"1","Authorize",{"IDTAG":"***"}]', 'a key in another case'],
  [String.raw`{"id\u0054ag":"A"}`, String.raw`{"id\u0054ag":"***"}`, 'a key with an escape'],
  [String.raw`{"idTag":"A\"B","x":1}`, '{"idTag":"***","x":1}', 'a quote within the value'],
  ['{"idTag":["A","B"]}', '{"idTag":["***","***"]}', 'tags in an array'],
  ['{"a":"idTag","b":"AB12"}', '{"a":"idTag","b":"AB12"}', 'a value that equals a secret key is not masked'],
  ['[",",":5",{"idTag":"A"}]', '[",",":5",{"idTag":"***"}]', 'punctuation inside strings is ignored'],
  [
    '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"00FF"}]',
    '[2,"1","ChangeConfiguration",{"key":"AuthorizationKey","value":"***"}]',
    '1.6: the password of a station',
  ],
  [
    '[2,"1","ChangeConfiguration",{"value":"00FF","key":"AuthorizationKey"}]',
    '[2,"1","ChangeConfiguration",{"value":"***","key":"AuthorizationKey"}]',
    'in whatever order',
  ],
  [
    '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"00FF"},{"key":"HeartbeatInterval","readonly":false,"value":"30"}]}]',
    '[3,"1",{"configurationKey":[{"key":"AuthorizationKey","readonly":false,"value":"***"},{"key":"HeartbeatInterval","readonly":false,"value":"30"}]}]',
    '1.6: other values are shown',
  ],
  [
    '[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"pw","component":{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"}},{"attributeValue":"30","component":{"name":"OCPPCommCtrlr"},"variable":{"name":"HeartbeatInterval"}}]}]',
    '[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"***","component":{"name":"SecurityCtrlr"},"variable":{"name":"BasicAuthPassword"}},{"attributeValue":"30","component":{"name":"OCPPCommCtrlr"},"variable":{"name":"HeartbeatInterval"}}]}]',
    '2.x: the name stands one object deeper',
  ],
  [
    '[2,"1","NotifyReport",{"reportData":[{"variable":{"name":"BasicAuthPassword"},"variableAttribute":[{"type":"Actual","value":"pw"}]},{"variable":{"name":"Model"},"variableAttribute":[{"value":"M1"}]}]}]',
    '[2,"1","NotifyReport",{"reportData":[{"variable":{"name":"BasicAuthPassword"},"variableAttribute":[{"type":"Actual","value":"***"}]},{"variable":{"name":"Model"},"variableAttribute":[{"value":"M1"}]}]}]',
    '2.x: the value stands in an array',
  ],
  [
    '{"connectionData":{"ocppCsmsUrl":"wss://h/ocpp","apn":{"apn":"internet","apnPassword":"p","simPin":1234},"vpn":{"server":"v","user":"u","password":"p","key":"psk","type":"IPSec"},"basicAuthPassword":"p"}}',
    '{"connectionData":{"ocppCsmsUrl":"wss://h/ocpp","apn":{"apn":"internet","apnPassword":"***","simPin":"***"},"vpn":{"server":"v","user":"u","password":"***","key":"***","type":"IPSec"},"basicAuthPassword":"***"}}',
    '2.x: a network profile',
  ],
  [
    String.raw`[2,"1","DataTransfer",{"vendorId":"V","data":"{\"idTag\":\"A\"}"}]`,
    '[2,"1","DataTransfer",{"vendorId":"V","data":"***"}]',
    'a JSON text inside a string',
  ],
  [
    '[2,"1","GetDiagnostics",{"location":"ftp://user:pa%20ss@h/in","retries":1}]',
    '[2,"1","GetDiagnostics",{"location":"ftp://***@h/in","retries":1}]',
    'credentials in a URL',
  ],
  [
    String.raw`{"location":"ftp:\/\/user:pass@h\/in"}`,
    String.raw`{"location":"ftp:\/\/***@h\/in"}`,
    'in a URL with escaped slashes too',
  ],
  ['{"location":"ftp://user:p@ss@h/in"}', '{"location":"ftp://***@h/in"}', 'an @ in the password of a URL'],
  ['{"location":"https://h/a@b"}', '{"location":"https://h/a@b"}', 'an @ in the path of a URL is not masked'],
  [
    `[4,"1","InternalError","AuthorizationKey ${hexKey} has a bad length",{"value":"short","info":"connector 1"}]`,
    '[4,"1","InternalError","***",{"value":"***","info":"connector 1"}]',
    'a CALLERROR that repeats a key in its description, and in its details by the name of the member',
  ],
  [
    `[4,"1","${hexKey}","no",{"info":["${hexKey}"],"${hexKey}":1,"value":{"of":["pw"]},"keyGiven":12,"e":"${hexKey}"}]`,
    '[4,"1","***","no",{"info":["***"],"***":1,"value":{"of":["***"]},"keyGiven":"***","e":"***"}]',
    'a CALLERROR that repeats it anywhere else',
  ],
  [
    String.raw`[4,"1","FormatViolation","the value ab\u0063def0123456789 is bad",{"attributeValue":"pw"}]`.replace(
      '\\\\',
      '\\',
    ),
    '[4,"1","FormatViolation","***",{"attributeValue":"***"}]',
    'a CALLERROR with an escape in the key',
  ],
  [
    `[4,"${hexKey}","GenericError","connector 1 is busy",{"idTag":"A","status":"Faulted"}]`,
    `[4,"${hexKey}","GenericError","connector 1 is busy",{"idTag":"***","status":"Faulted"}]`,
    'the rest of a CALLERROR is shown',
  ],
  [`[4,"1","A","",{},"${hexKey}"]`, '[4,"1","A","",{},"***"]', 'a CALLERROR with an element too many'],
  ['[5,"1","A","BasicAuthPassword pw",{}]', '[5,"1","A","***",{}]', 'a CALLRESULTERROR'],
  ['', '', 'an empty text'],
  ['\ufeff[2,"1","Authorize",{"idTag":"A"}]', '\ufeff[2,"1","Authorize",{"idTag":"***"}]', 'a byte order mark'],
  ['{"idTag"="AB12","meterStop":1}', '{"idTag"="***","meterStop":1}', 'one that is not JSON, as redactBroken does it'],
] as const
for (const [text, expected, because] of rows) {
  test(`a frame is redacted: ${because}`, () => {
    assert.equal(redactFrame(text), expected)
  })
}

const descriptions = [
  ['AuthorizationKey abc is bad', '{}', '***', 'it names a secret'],
  [`${hexKey} is bad`, '{}', '***', 'it has a word that may be a key'],
  ['abc is bad', '{"key":"AuthorizationKey","value":"abc"}', '***', 'the CALL has a key'],
  [
    'abc is bad',
    '{"setVariableData":[{"attributeValue":"abc","variable":{"name":"BasicAuthPassword"}}]}',
    '***',
    'of 2.x',
  ],
  ['abc is bad', '{"location":"ftp://user:abc@h/in"}', '***', 'the CALL has a password in a URL'],
  ['no such host: ftp://user:abc@h/in', '{}', 'no such host: ftp://***@h/in', 'it has a password in a URL itself'],
  ['connector 1 is busy', '{"idTag":"A"}', 'connector 1 is busy', 'it is shown when neither has a secret'],
] as const
for (const [description, payload, expected, because] of descriptions) {
  test(`the description of a CALLERROR is kept as ${expected}: ${because}`, () => {
    assert.equal(redactDescription(description, payload), expected)
  })
}

test('a frame is truncated after 1,000 characters, with the number of omitted ones', () => {
  assert.equal(redactFrame('1'.repeat(1000)), '1'.repeat(1000))
  assert.equal(redactFrame('1'.repeat(1234)), `${'1'.repeat(1000)}...(234)`)
})

test('a value is masked when its key follows beyond the shown part of the frame', () => {
  const text = `{"value":"00FF","filler":"${'x'.repeat(2000)}","key":"AuthorizationKey"}`
  assert.match(redactFrame(text), /^\{"value":"\*\*\*","filler":"x+\.\.\.\(\d+\)$/)
})

test('values that may be secret are masked when the frame is longer than the scanned part', () => {
  const text = `{"value":"00FF","filler":"${'x'.repeat(20_000)}","key":"AuthorizationKey"}`
  assert.match(redactFrame(text), /^\{"value":"\*\*\*","filler":"x+\.\.\.\(\d+\)$/)
})

test('frames of the largest size and hostile shapes are redacted and truncated', () => {
  const size = 1024 * 1024
  const shapes = ['x', '[', '{', '"', '\\', '{"a":', '["idTag",', String.raw`"\"`, '://', ':"']
  for (const shape of shapes) {
    assert.ok(redactFrame(shape.repeat(size / shape.length)).length < 1100, shape)
    assert.ok(redactFrame(`{"idTag":"${shape.repeat(size / shape.length)}`).length < 1100, shape)
  }
})

test('a text is masked whole by redactWhole when it is longer than a frame that is logged', () => {
  const samples = `"samples":"${'1'.repeat(50_000)}"`
  assert.equal(redactWhole(`{${samples},"idTag":"AB12"}`), `{${samples},"idTag":"***"}`)
})

test('a text that repeats the name of a secret is searched in linear time', () => {
  const text = String.raw`{"data":"\"${'idTag'.repeat(200_000)}"}`
  assert.equal(redactWhole(text), text)
})

const manyValues: readonly (readonly [text: string, because: string])[] = [
  [`{"value":[${'1,'.repeat(300_000)}1],"idTag":"AB12"}`, 'in one list'],
  [`{"value":["",{"a":[${'{"value":"1"},'.repeat(70_000)}{}]}],"idTag":"AB12"}`, 'in one object each'],
]
for (const [text, because] of manyValues) {
  test(`a text with more values than fit on the stack is masked whole: ${because}`, { timeout: 20_000 }, () => {
    assert.equal(redactWhole(text), text.replace('AB12', '***'))
    const broken = redactWhole(`${text},`)
    assert.ok(broken.includes('"idTag":"***"') && broken.length < 2 * text.length)
  })
}

test('a text that nests deeper than any frame is masked as one that is not JSON', { timeout: 20_000 }, () => {
  const nested = (tag: string): string =>
    `{"value":${'['.repeat(100_000)}"${tag}"${']'.repeat(100_000)},"idTag":"${tag}"}`
  assert.equal(redactWhole(nested('AB12')), nested('***'))
})

const places: readonly (readonly [string, string, string])[] = [
  ['[2,"1","MeterValues",{"transactionId":', '[2,"1","MeterValues",{"transactionId":', 'a short text is shown whole'],
  [`${'{'.repeat(100)}"connectorId":`, `${'{'.repeat(46)}"connectorId":`, 'the last 60 characters are shown'],
  ['{"idTag":"AB', '{"idTag":"***', 'a tag that is not ended'],
  [`{"idTag":"${'A'.repeat(100)}`, '{"idTag":"***', 'a tag that is longer than what is shown'],
  ['{"value":"00FF"', '{"value":"***"', 'a value whose key may follow'],
  ['{"idTag":"AB","12"', '{"idTag":"***","***"', 'a name without a colon, which may be the rest of a tag'],
  [
    '[2,"1","StopTransaction",{"idTg":"AB","meterStop"',
    '[2,"1","StopTransaction",{"***":"***","meterStop"',
    'a misspelled name',
  ],
]
for (const [before, expected, because] of places) {
  test(`the text before a place is redacted: ${because}`, () => {
    assert.equal(redactBefore(`${before}⚡ and more`, before.length), expected)
  })
}

test('the text before a place is not shown when the place is beyond the scanned part', () => {
  assert.equal(redactBefore('x'.repeat(20_000), 16_385), '')
})

const certificates = [
  ['[2,"1","CertificateSigned",{"certificateChain":"PEM"}]', 'a chain'],
  ['[2,"1","InstallCertificate",{"certificateType":"CSMSRootCertificate","certificate":"PEM"}]', 'a certificate'],
  ['[2,"1","SignCertificate",{"csr":"PEM"}]', 'a request for one'],
  ['[2,"1","Get15118EVCertificate",{"exiRequest":"PEM"}]', 'a contract certificate'],
  [String.raw`[2,"1","DataTransfer",{"data":"{\"csr\":\"PEM\"}"}]`, 'a request in JSON in a string'],
  [
    String.raw`[2,"1","DataTransfer",{"data":"{\"a\":\"{\\\"idTag\\\":\\\"PEM\\\"}\"}"}]`,
    'a tag in JSON in JSON in a string',
  ],
] as const
for (const [frame, because] of certificates) {
  test(`redactFrame masks ${because}`, () => {
    assert.doesNotMatch(redactFrame(frame), /PEM/)
    assert.match(redactFrame(frame), /\*\*\*/)
  })
}

test('cutFrame and cutBefore truncate as the masked ones do, and mask nothing', () => {
  const frame = `[2,"1","Authorize",{"idTag":"TAG","x":"${'y'.repeat(1_000)}"}]`
  assert.equal(cutFrame('{"idTag":"TAG"}'), '{"idTag":"TAG"}')
  assert.equal(cutFrame(frame), `${frame.slice(0, 1_000)}...(${frame.length - 1_000})`)
  assert.equal(cutBefore('[2,"1","Authorize",{"idTag":"TAG"', 33), '[2,"1","Authorize",{"idTag":"TAG"')
  assert.equal(cutBefore(`${'z'.repeat(100)}TAG!`, 103), `${'z'.repeat(57)}TAG`)
})

test('the secrets in a message are the texts and numbers that a frame would have masked', () => {
  const message = {
    command: 'DataTransfer',
    payload: {
      idTag: 'A"B1',
      token: { idToken: 4711, type: 'Local', customData: null },
      data: '{"pin":"9876","meter":5}',
      note: 'password x',
      timestamp: '2026-01-02T03:04:05Z',
    },
  }
  const expected = ['A"B1', '4711', '{"pin":"9876","meter":5}', '9876', 'password x']
  assert.deepEqual(secretsIn(JSON.stringify(message)), expected)
  assert.deepEqual(secretsIn(''), [])
})
