/**
 * The session against a model of it: whatever stations, sockets and the app do in whatever order, no CALL and no command
 * is lost or doubled, and nothing is left behind.
 *
 * `MODEL_RUNS` sets the number of runs, `MODEL_SEED` repeats one, and `MODEL_PATH` goes straight to what failed there.
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

test('each CALL has one answer, each command one end, each session one Disconnect, and nothing is left', async t => {
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
