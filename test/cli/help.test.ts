import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { rowsOfFlags } from '../../src/cli/arguments.ts'
import { commands } from '../../src/cli/commands.ts'
import { commandHelp, commandList, commandsPage, exitsOf, usageOf } from '../../src/cli/help.ts'
import { nameOf } from '../../src/config/option.ts'

const named = (name: string) => {
  const found = commands.find(each => each.name === name)
  assert.ok(found)
  return found
}

const usages = [
  ['check', 'ocpp-cable check [--flag=value …]'],
  ['validate', 'ocpp-cable validate VERSION ACTION request|response [FILE]'],
  ['call', 'ocpp-cable call ID ACTION [PAYLOAD] [--flag=value …]'],
  ['outbox', 'ocpp-cable outbox list|show|export|retry|drop [NUMBER…] [--flag=value …]'],
] as const
for (const [name, usage] of usages) {
  test(`usageOf shows the arguments of ${name}`, () => {
    assert.equal(usageOf(named(name)), usage)
  })
}

for (const command of commands) {
  test(`the help of ${command.name} has its flags, exit codes and examples in 100 columns`, () => {
    const help = commandHelp(command)
    for (const row of rowsOfFlags(command.flags)) assert.ok(help.includes(`\n  --${nameOf(row)}`), nameOf(row))
    for (const [code, meaning] of exitsOf(command)) assert.match(help, new RegExp(`\n  ${code} +${meaning}\n`))
    for (const example of command.examples) assert.ok(help.includes(`\n  ${example}\n`), example)
    const long = help.split('\n').filter(line => line.length > 100)
    assert.deepEqual(long, command.examples.filter(example => example.length > 98).map(example => `  ${example}`)) // prettier-ignore
  })
}

test('the help of a command names the variables of the flags that have one', () => {
  const help = commandHelp(named('stations'))
  assert.match(help, /--admin_url <url>[^$]*\$XDG_RUNTIME_DIR\/ocpp-cable[^[]*\[[^[]*\$ANYCABLE_ADMIN_URL\]/)
  assert.doesNotMatch(help, /ANYCABLE_(JSON|WATCH|STATE\b)/)
})

test('exitsOf has the meanings of the command where it has one of its own', () => {
  assert.deepEqual(
    exitsOf(named('call')).map(([code]) => code),
    [0, 1, 2, 3, 4, 5, 6, 130],
  )
  assert.equal(exitsOf(named('validate'))[1]?.[1], 'the payload is invalid')
})

test('commandList has a line for each command', () => {
  const list = commandList(commands)
  for (const { name, about } of commands)
    assert.ok(list.some(line => line.includes(` ${name} `) && line.endsWith(about)))
})

test('docs/cli.md matches the table of commands', () => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')
  assert.equal(page, commandsPage(commands))
})
