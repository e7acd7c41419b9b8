/**
 * The session against a model: whatever stations, sockets and the app do, in any order, no CALL and no command is lost
 * or served twice, and no timer, stream or map entry is leaked.
 *
 * `MODEL_RUNS` sets the number of runs. `MODEL_SEED` and `MODEL_PATH` repeat a failure.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { happening, setups } from './model/commands.ts'
import { Scene, type Setup } from './model/scene.ts'

const maxSteps = 60
const numRuns = Number(process.env['MODEL_RUNS'] ?? 4_000)
const seed = Number(process.env['MODEL_SEED'] ?? 8)
const path = process.env['MODEL_PATH'] ?? ''

type Steps = Iterable<fc.AsyncCommand<Scene, Scene>>

test('each CALL gets one answer, each command one outcome, each session one Disconnect, and nothing is leaked', async t => {
  const property = fc.asyncProperty(
    setups,
    fc.commands([happening], { maxCommands: maxSteps, size: 'max', disableReplayLog: true }),
    async (setup: Setup, steps: Steps) => {
      const scene = new Scene(t, setup)
      try {
        await fc.asyncModelRun(() => ({ model: scene, real: scene }), steps)
        await scene.end()
        await scene.again()
      } finally {
        scene.close()
        t.mock.timers.reset()
      }
    },
  )
  const run = await fc.check(property, { numRuns, seed, path })
  if (!run.failed) return
  const [setup] = run.counterexample ?? []
  const again = `MODEL_SEED=${run.seed} MODEL_PATH=${run.counterexamplePath ?? ''}`
  assert.fail(`${again}, after ${run.numRuns} runs\n    ${JSON.stringify(setup)}\n    ${String(run.errorInstance)}`)
})
