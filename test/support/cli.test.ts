import assert from 'node:assert/strict'
import { join } from 'node:path'
import { test } from 'node:test'
import { cliWith } from './cli.ts'
import { temporaryDirectory } from './store.ts'

test('a generated key may be printed once: a command that writes it again rejects, however it runs', async t => {
  const cli = cliWith({})
  const key = await cli.newKey('add', 'CP1', `--ocpp_auth_file=${join(temporaryDirectory(t), 'keys')}`)
  const found = /the bridge has written the secret/
  // An unknown command is repeated in the message.
  await assert.rejects(cli.run(key), found)
  await assert.rejects(cli.open(key).exited, found)
  await assert.rejects(cli.onTerminal([key]), found)
})
