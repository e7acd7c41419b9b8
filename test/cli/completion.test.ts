/**
 * The scripts run in real shells, where these are installed; bash is everywhere.
 */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { before, test, type TestContext } from 'node:test'
import { runCommand } from '../../src/cli/run.ts'
import { installPackages, run } from '../support/process.ts'
import { temporaryDirectory } from '../support/store.ts'
import { FakeTerminal } from '../support/terminal.ts'

before(() => installPackages('zsh', 'fish'))

async function scriptOf(t: TestContext, shell: string): Promise<string> {
  const terminal = new FakeTerminal()
  assert.equal(await runCommand(['completion', shell], terminal), 0)
  const file = path.join(temporaryDirectory(t), `completion.${shell}`)
  writeFileSync(file, terminal.out)
  return file
}

/** The line up to the cursor, and what is offered: all, or some of it. */
const rows = [
  ['ocpp-cable ', ['call', 'check', 'stations', 'tail'], [], 'the commands'],
  ['ocpp-cable st', ['station', 'stations'], ['tail'], 'those that begin so'],
  ['ocpp-cable --rpc_h', ['--rpc_host='], ['--port='], 'the flags of the bridge'],
  ['ocpp-cable stations --', ['--watch', '--admin_url='], ['--rpc_host=', '--errors'], 'the flags of a command'],
  ['ocpp-cable check --', ['--station=', '--rpc_host='], ['--watch'], 'those of the bridge besides its own'],
  ['ocpp-cable log CP1 ', ['debug', 'default'], ['bash'], 'the words of an argument'],
  ['ocpp-cable validate ', ['1.6', '2.0.1', '2.1'], ['request'], 'the words of the first argument'],
  ['ocpp-cable validate 1.6 Reset re', ['request', 'response'], ['1.6'], 'the words of the third'],
  ['ocpp-cable call CP1 Res', ['Reset', 'ReserveNow'], ['SendLocalList'], 'the actions of all versions'],
] as const

const bash = `
source "$1"
line=$2
COMP_WORDS=($line)
[[ $line == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((\${#COMP_WORDS[@]} - 1))
compopt() { :; }
$(complete -p ocpp-cable | sed 's/.*-F \\([^ ]*\\) .*/\\1/')
printf '%s\\n' "\${COMPREPLY[@]}"
`

for (const [line, offered, not, because] of rows) {
  test(`bash completes "${line}" with ${because}`, async t => {
    const { stdout, stderr } = await run('bash', ['-c', bash, 'bash', await scriptOf(t, 'bash'), line])
    assert.equal(stderr, '')
    const found = new Set(stdout.split('\n'))
    assert.deepEqual([...offered].filter(word => !found.has(word)), []) // prettier-ignore
    assert.deepEqual([...not].filter(word => found.has(word)), []) // prettier-ignore
  })

  test(`fish completes "${line}" with ${because}`, async t => {
    if (await isMissing(t, 'fish')) return
    const file = await scriptOf(t, 'fish')
    const { stdout, stderr } = await run('fish', ['-c', `source ${file}; complete --do-complete '${line}'`])
    assert.equal(stderr, '')
    // `word<TAB>description`; fish writes a flag with a value without the =
    const found = new Set(stdout.split('\n').map(each => each.split('\t')[0]))
    assert.deepEqual([...offered].map(word => word.replace(/=$/, '')).filter(word => !found.has(word)), []) // prettier-ignore
    assert.deepEqual([...not].map(word => word.replace(/=$/, '')).filter(word => found.has(word)), []) // prettier-ignore
  })

  test(`zsh completes "${line}" with ${because}`, async t => {
    if (await isMissing(t, 'zsh')) return
    // The functions of its editor are replaced by ones that print what they get.
    const zsh = `
      compdef() { :; }
      compadd() { while [[ $1 == -* && $1 != -- ]]; do [[ $1 == -S ]] && shift; shift; done; shift; print -l -- $@ }
      _files() { :; }
      source "$1"
      words=(\${=2})
      [[ $2 == *' ' ]] && words+=('')
      CURRENT=$#words
      _ocpp_cable`
    const { stdout, stderr } = await run('zsh', ['-f', '-c', zsh, 'zsh', await scriptOf(t, 'zsh'), line])
    assert.equal(stderr, '')
    const found = stdout.split('\n')
    const [, last = ''] = /(\S*)$/.exec(line) ?? []
    assert.deepEqual([...offered].filter(word => !found.includes(word)), []) // prettier-ignore
    // zsh itself leaves out what does not begin as the word does
    assert.deepEqual([...not].filter(word => word.startsWith(last) && found.includes(word)), []) // prettier-ignore
  })
}

async function isMissing(t: TestContext, shell: string): Promise<boolean> {
  if ((await run(shell, ['--version'])).code === 0) return false
  t.skip(`${shell} is not installed: its script is not checked on this machine`)
  return true
}

test('completion of another shell is wrong usage', async () => {
  const terminal = new FakeTerminal()
  assert.equal(await runCommand(['completion', 'constructor'], terminal), 2)
  assert.match(terminal.err, /^"constructor": expected bash or zsh or fish\n/)
})
