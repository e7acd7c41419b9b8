import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CommandCall, Identifier } from '../../src/cable/rpc.ts'
import { TracedRpc } from '../../src/rpc/traced.ts'
import { FakeRpc } from '../support/fakes.ts'

const never = new AbortController().signal
const headers = { traceparent: '00-1-2-01' }
const env = { url: '', headers: {}, cstate: {}, istate: {} }
const caller = { sid: 's1', env, connectionIdentifiers: '{}' }

test('each call has a span, whose headers go with it, and passes on the reply', async () => {
  const rpc = new FakeRpc()
  const names: string[] = []
  const traced = new TracedRpc(rpc, {
    ofRpc: (name, send) => {
      names.push(name)
      return send(headers)
    },
  })
  const command: CommandCall = { ...caller, command: 'message', identifier: '{}' as Identifier, data: '{"action":"x"}' }
  assert.equal((await traced.connect(caller, never)).status, 'success')
  assert.equal((await traced.command(command, never)).status, 'success')
  await traced.disconnect({ ...caller, subscriptions: [] }, never)
  assert.deepEqual(names, ['Connect', 'Command', 'Disconnect'])
  for (const name of names) assert.deepEqual((await rpc.made.next()).trace, headers, name)
})

test('all else is that of the RPC behind it', async () => {
  const rpc = new FakeRpc()
  const traced = new TracedRpc(rpc, { ofRpc: (_, send) => send({}) })
  rpc.pending = 3
  assert.deepEqual([traced.presence, traced.capacity, traced.pending], [rpc.presence, 28, 3])
  await traced.check()
  assert.equal(rpc.checks, 1)
})
