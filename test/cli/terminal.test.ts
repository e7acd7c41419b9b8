/**
 * The process's own terminal, in processes of their own.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { test, type TestContext } from 'node:test'
import { openProcess, run } from '../support/process.ts'
import { temporaryDirectory } from '../support/store.ts'

const source = new URL('../../src/cli/terminal.ts', import.meta.url).href

/** A program with a terminal; `body` runs with it. */
function programOf(t: TestContext, body: string): string {
  const file = path.join(temporaryDirectory(t), 'program.mts')
  writeFileSync(
    file,
    `import { openTerminal } from ${JSON.stringify(source)}\nconst terminal = openTerminal()\n${body}\n`,
  )
  return `${process.execPath} --import ${import.meta.resolve('tsx')} ${file}`
}

const shell = (line: string) => run('bash', ['-o', 'pipefail', '-c', line])

test('a reader that goes away ends the program quietly', async t => {
  const program = programOf(t, "for (;;) await terminal.write('line\\n'.repeat(1000))")
  const { code, stdout, stderr } = await shell(`${program} | head -n 1`)
  assert.deepEqual([code, stdout, stderr], [0, 'line\n', ''])
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`${signal} ends the program with ${code}, and the screen is restored`, async t => {
    const body =
      "terminal.onExit('restored\\n')\nawait terminal.write('started\\n')\nsetInterval(() => undefined, 1000)"
    const [command = '', ...args] = programOf(t, body).split(' ')
    const child = openProcess(command, args)
    t.after(() => child.close())
    await child.line(/started/)
    child.signal(signal)
    assert.equal((await child.exited).code, code)
    assert.equal(child.lines.at(-1), 'restored')
  })
}

test('SIGINT ends a program whose reader does not read', async t => {
  // The pipe is full before the line: from then on, a write blocks.
  const body =
    "await terminal.write('x'.repeat(65536))\nterminal.warn('full')\nfor (;;) await terminal.write('x'.repeat(65536))"
  const [command = '', ...args] = programOf(t, body).split(' ')
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  t.after(() => child.kill('SIGKILL'))
  const ended = once(child, 'exit')
  await once(child.stderr, 'data')
  child.kill('SIGINT')
  assert.deepEqual(await ended, [null, 'SIGINT'])
})

test('readInput reads all of standard input', async t => {
  const { stdout } = await shell(`printf 'ä\\nb' | ${programOf(t, 'await terminal.write(await terminal.readInput())')}`)
  assert.equal(stdout, 'ä\nb\n')
})

const body = 'await terminal.write(JSON.stringify([terminal.isTerminal, terminal.hasColours, terminal.columns]))'
const screens = [
  ['', '[false,false,80]', 'a pipe', false],
  ['TERM=xterm ', '[true,true,77]', 'a terminal', true],
  ['NO_COLOR=1 TERM=xterm ', '[true,false,77]', 'a terminal with NO_COLOR', true],
  ['NO_COLOR= TERM=xterm ', '[true,true,77]', 'an empty NO_COLOR', true],
  ['TERM=dumb ', '[true,false,77]', 'a terminal without colours', true],
] as const
for (const [env, said, because, isTerminal] of screens) {
  test(`openTerminal knows ${because}`, async t => {
    const line = `${env}${programOf(t, body)}`
    const quoted = `stty cols 77; env ${line}`.replaceAll("'", "'\\''")
    const { stdout } = await shell(isTerminal ? `script -qec '${quoted}' /dev/null` : `env -u NO_COLOR ${line} | cat`)
    assert.equal(stdout.trim(), said)
  })
}
