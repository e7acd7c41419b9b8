import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasSecret, isSecretName, namesKey } from '../../../src/ops/redact/names.ts'
import { redactFrame } from '../../../src/ops/redact/redact.ts'

const secretKeys =
  'AuthorizationKey HttpPassword WifiPSK APNPassword SimPIN MasterIdTag FreeVendTag LocalIdTag Secret ApiToken api_key BasicAuthPassword VpnKey SharedSecret Token MasterPassGroupId VehicleId WifiPassphrase WifiPwd WebSocketPass'.split(
    ' ',
  )
const openKeys =
  'HeartbeatInterval AuthorizationCacheEnabled AuthorizeRemoteTxRequests DisableRemoteAuthorization LocalAuthListEnabled GetConfigurationMaxKeys MaxCertificateChainSize CertificateEntries AdditionalRootCertificateCheck PublicKeyWithSignedMeterValue PublicKey TokenType IdTokenMaxLength SecurityProfile Identity CpoName StopTransactionOnInvalidId MeterValuesSampledData BypassContactor ContactorBypass MasterPass PassThrough'.split(
    ' ',
  )
test('the value of a configuration key and of a variable is masked when its name is that of a secret', () => {
  const valueOf = (name: string): readonly string[] => [
    `[3,"1",{"configurationKey":[{"key":"${name}","readonly":false,"value":"AB12"}]}]`,
    `[2,"1","ChangeConfiguration",{"value":"AB12","key":"${name}"}]`,
    `[2,"1","SetVariables",{"setVariableData":[{"attributeValue":"AB12","variable":{"name":"${name}"}}]}]`,
    `[2,"1","NotifyEvent",{"eventData":[{"variable":{"name":"${name}"},"actualValue":"AB12"}]}]`,
  ]
  const isMasked = (name: string): boolean => {
    const masked = valueOf(name).filter(frame => !redactFrame(frame).includes('AB12')).length
    assert.ok(masked === 0 || masked === 4, name)
    return masked === 4
  }
  assert.deepEqual([...secretKeys, ...openKeys].filter(isMasked), secretKeys)
})

const secretMembers =
  'idTag id_tag id-tag IdToken idTokens parentIdTag tag token rfid cardNumber cert certificates csr privateKey pin Cookie Authorization proxy-authorization evccId eMAID'.split(
    ' ',
  )
const openMembers =
  'key configurationKey unknownKey unknown_key publicKey idTagInfo idTokenInfo certificateType voltage percentage mapping stage timestamp authorizationStatus'.split(
    ' ',
  )
test('a member is secret by the end of its name, in any case and spelling', () => {
  assert.deepEqual([...secretMembers, ...openMembers].filter(isSecretName), secretMembers)
})

const secretTexts = [
  'idTag=AB',
  'a=1&token=AB',
  'AuthorizationKey=AB',
  'id_tag : AB',
  '<idTag>AB</idTag>',
  '{"idTag":"AB"}',
  String.raw`{\"cert\":\"AB\"}`,
  "{'pin':12}",
  'Authorization: Basic AB',
  'Cookie: a=b',
  'Bearer AB',
  'unknown tag 04A2',
  'idTag is 04A2',
  'idTag -> AB',
  '["idTag","AB"]',
  String.raw`[\"idTag\", \"AB\"]`,
  '{"WebSocketPass":"AB"}',
  'pass=AB',
  'wifiPwd: AB',
  'password hunter',
  'PSK AB',
  '-----BEGIN CERTIFICATE-----',
  'OCMF|{"ID":"AB"}',
]
const openTexts = [
  'idTag',
  'unknown tag',
  'invalid certificate',
  'certificate of the server has expired',
  'unknown key: Foo',
  'the public key is missing',
  'voltage: 230',
  'at 12:30',
  'stage = 1',
  'idTag is unknown',
  'idTag, connectorId',
  'self-test pass: 3',
  'MasterPass: 1',
  'wss://h/ocpp',
  'OCMF',
]
test('a text has a secret when it has one beside its name', () => {
  assert.deepEqual([...secretTexts, ...openTexts].filter(hasSecret), secretTexts)
})

test('a text names a key by the word alone', () => {
  assert.deepEqual(['the passphrase', 'newSimPin', 'idTag', 'key'].filter(namesKey), ['the passphrase', 'newSimPin'])
})

/** [frame with the secret AB12 or 4711, because] */
const frames: readonly (readonly [frame: string, because: string])[] = [
  ['[2,"1","DataTransfer",{"vendorId":"V","data":"idTag=AB12"}]', 'name and value in a text'],
  ['[2,"1","DataTransfer",{"vendorId":"V","data":{"card":{"number":"AB12","id":4711}}}]', 'an object of a vendor'],
  ['[2,"1","Authorize",{"idTag":{"value":"AB12"}}]', 'an object in the place of a tag'],
  ['[2,"1","Authorize",{"idToken":{"customData":{"vendorId":"V","uid":["AB12"]}}}]', 'an object within a token'],
  ['[2,"1","NotifyCustomerInformation",{"data":"AB12","seqNo":0}]', 'the data of a customer'],
  ['{"data":"AB12","seqNo":0,"generatedAt":"2026-01-02T03:04:05Z"}', 'the same without its action'],
  ['[2,"1","SecurityEventNotification",{"type":"T","techInfo":"password AB12"}]', 'a key in a text'],
  ['[3,"1",{"status":"Rejected","statusInfo":{"additionalInfo":"unknown tag AB12"}}]', 'a tag in a text'],
  ['[2,"1","MeterValues",{"sampledValue":[{"value":"AB12","format":"SignedData"}]}]', '1.6: a signed meter value'],
]
for (const [frame, because] of frames) {
  test(`a frame is masked: ${because}`, () => {
    assert.doesNotMatch(redactFrame(frame), /AB12|4711/)
  })
}

test('the data of a DataTransfer and other meter values beside a signed one are shown', () => {
  for (const frame of [
    '[2,"1","DataTransfer",{"vendorId":"V","messageId":"M","data":"AB12"}]',
    '[2,"1","MeterValues",{"sampledValue":[{"value":"42","format":"Raw"}]}]',
  ])
    assert.equal(redactFrame(frame), frame)
})

test('hostile texts are searched in linear time', { timeout: 20_000 }, () => {
  for (const shape of [
    'tag',
    'tag ',
    'tag"',
    'tag \\"',
    '\\"',
    'key',
    'password',
    'a password',
    '     ',
    'tag  x',
    'tag is ',
    '"tag",',
    'pass"',
    '=',
  ])
    redactFrame(JSON.stringify({ data: shape.repeat(1_000_000 / shape.length) }))
  for (const shape of ['tag', 'tag ', 'tag"', 'tag \\"', 'key', 'card_', ' '])
    assert.equal(hasSecret(shape.repeat(1_000_000 / shape.length)), false, shape)
})
