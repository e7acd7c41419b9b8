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

/** Runs a program with one of its outputs in a pipe whose reader has gone, or on a disk without space. */
const unwritable = {
  pipe: (fd: 1 | 2, program: string) => shell(`exec 3> >(true); wait $!; ${program} ${fd}>&3`),
  disk: (fd: 1 | 2, program: string) => shell(`${program} ${fd}>/dev/full`),
}

const codes = [
  ['pipe', 1, '', 0, 'its output has no reader before it has a result'],
  ['pipe', 1, 'terminal.keepCode(4)', 4, 'its output has no reader'],
  ['pipe', 2, 'terminal.keepCode(4)', 4, 'its errors have no reader'],
  ['pipe', 2, '', 4, 'its errors have no reader before it has a result'],
  ['disk', 1, '', 1, 'the disk of its output is full'],
  ['disk', 1, 'terminal.keepCode(0)', 1, 'the disk is full and all else went well'],
  ['disk', 1, 'terminal.keepCode(4)', 4, 'the disk of its output is full'],
  ['disk', 2, 'terminal.keepCode(4)', 4, 'the disk of its errors is full'],
] as const
for (const [where, fd, known, expected, because] of codes) {
  test(`a program ${known === '' ? '' : `with ${known} `}ends with ${expected} when ${because}`, async t => {
    const out = "await terminal.write('x'.repeat(100_000))\nterminal.warn('warned\\n')\n"
    // A turn of the event loop: errors of a stream come after the write.
    const later = 'await new Promise(setImmediate)\nprocess.exitCode = 4'
    const { code, stdout, stderr } = await unwritable[where](fd, programOf(t, `${known}\n${out}${later}`))
    assert.equal(code, expected, stderr)
    if (fd === 2) assert.match(stdout, /^x{100000}$/m)
    else if (where === 'disk') assert.match(stderr, /^(warned\n)?the output cannot be written: ENOSPC[^\n]*\n$/)
    else if (known !== '') assert.equal(stderr, 'warned\n')
  })
}

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
