import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodeMessage, rpcErrorFor, rpcErrorForHttp, rpcErrorForReset } from '../../../src/rpc/grpc/status.ts'
import { rpcError } from '../../contract/rpc.ts'
import { ofApp } from './statuses.ts'

for (const [code, details, expected, outcome, because] of ofApp) {
  test(`rpcErrorFor makes status ${code} "${details}" ${expected}, ${outcome}: ${because}`, () => {
    assert.ok(rpcError(expected, outcome, /./)(rpcErrorFor({ code, details })), 'it is another error')
  })
}

const https = [
  [404, 'application', 'notRun', 'another service listens there'],
  [418, 'application', 'unknown', 'any other status is UNKNOWN'],
  [429, 'unavailable', 'unknown', 'a proxy limits calls'],
  [502, 'unavailable', 'unknown', 'a proxy has lost the app'],
  [503, 'unavailable', 'unknown', 'a proxy has lost the app'],
  [504, 'unavailable', 'unknown', 'a proxy has lost the app'],
] as const
for (const [status, expected, outcome, because] of https) {
  test(`rpcErrorForHttp makes HTTP ${status} ${expected}, ${outcome}: ${because}`, () => {
    const isRight = rpcError(expected, outcome, new RegExp(`HTTP status code ${status}$`))
    assert.ok(isRight(rpcErrorForHttp(status)), 'it is another error')
  })
}

const resets = [
  [0, 'unavailable', /without a gRPC status/, 'the stream ended'],
  [2, 'unavailable', /HTTP\/2 code 2$/, 'INTERNAL_ERROR'],
  [8, 'unavailable', /HTTP\/2 code 8$/, 'CANCEL'],
  [12, 'application', /HTTP\/2 code 12$/, 'INADEQUATE_SECURITY: a retry would not help'],
] as const
for (const [code, expected, message, because] of resets) {
  test(`rpcErrorForReset makes code ${code} ${expected}, unknown: ${because}`, () => {
    assert.ok(rpcError(expected, 'unknown', message)(rpcErrorForReset(code)), 'it is another error')
  })
}

const messages = [
  ['boom%20%E2%9A%A1', 'boom ⚡', 'percent-encoded'],
  ['100%', '100%', 'not percent-encoded'],
  ['', '', 'none'],
] as const
for (const [text, expected, because] of messages) {
  test(`decodeMessage reads "${text}" as "${expected}": ${because}`, () => {
    assert.equal(decodeMessage(text), expected)
  })
}
