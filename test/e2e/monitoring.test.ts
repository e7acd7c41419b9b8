/**
 * A real Prometheus scrapes real bridges, and each alert fires when what it is about goes wrong.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, test } from 'node:test'
import { hurried, openScenes } from '../drill/scenes.ts'
import { openBridge } from '../support/bridge.ts'
import { keepUntil } from '../support/keep.ts'
import { openPrometheus } from '../support/prometheus.ts'
import { openRawStation } from '../support/station.ts'

const keep = keepUntil(after)
const rules = readFileSync(new URL('../../examples/monitoring/alerts.yml', import.meta.url), 'utf8')
const names = [...rules.matchAll(/alert: (\w+)/g)].map(([, name = '']) => name)
const firesWithinMs = 60_000

test('each alert fires when what it is about goes wrong', { timeout: 180_000 }, async () => {
  const scenes = await openScenes(keep, () => Promise.resolve([]))
  const jobs = scenes.map(({ job, bridge }) => [job, [bridge.metricsPort]] as const)
  const prometheus = keep(await openPrometheus(Object.fromEntries(jobs), hurried(rules)))
  const fired: string[] = []
  await Promise.all(
    scenes.map(async ({ job, alerts }) => {
      for (const [name, provoke] of Object.entries(alerts)) {
        await provoke()
        await prometheus.firing(name, job, firesWithinMs)
        fired.push(name)
      }
    }),
  )
  assert.deepEqual(fired.sort(), names.sort())
})

test('no text that a station chooses becomes the value of a label', { timeout: 60_000 }, async () => {
  const bridge = keep(await openBridge(['--rpc_host=127.0.0.1:1', '--ocpp_validate_in=strict']))
  const station = keep(await openRawStation(bridge.url, 'EVIL-id'))
  for (let number = 0; number < 20; number++) {
    await station.call(`a${number}`, `EVIL${number}`)
    station.send(`[4,"x${number}","EVIL${number}","EVIL"]`)
    station.send(`EVIL${number}`)
  }
  await assert.rejects(openRawStation(`${bridge.url}/EVIL`, 'x'))
  await assert.rejects(openRawStation(bridge.url, 'CP1', { version: 'EVIL' }))
  const text = await (await fetch(`http://127.0.0.1:${bridge.metricsPort}/metrics`)).text()
  assert.match(text, /ocpp_call_total\{version="1.6",action="other",answer="\w+"\} 20/)
  assert.match(text, /ocpp_refused_total\{reason="identity"\} 1/)
  assert.match(text, /ocpp_refused_total\{reason="version"\} 1/)
  assert.doesNotMatch(text, /EVIL/i)
})
