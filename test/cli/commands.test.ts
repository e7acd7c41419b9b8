import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readArguments, rowsOfFlags } from '../../src/cli/arguments.ts'
import { commands } from '../../src/cli/commands.ts'
import { envFlags } from '../../src/cli/flags.ts'
import { nameOf } from '../../src/config/option.ts'
import { programRows, rows } from '../../src/config/options.ts'
import { resolve } from '../../src/config/resolve.ts'
import { blocksOf } from '../support/pages.ts'

/** The words of the program's own part of a pipeline: quoted texts are one word. */
function wordsOf(line: string): string[] {
  const command = line.split(' | ').find(each => each.startsWith('ocpp-cable')) ?? ''
  return [...command.matchAll(/(?:'[^']*'|[^\s'])+/g)].map(([word]) => word.replaceAll("'", ''))
}

for (const command of commands) {
  test(`the examples of ${command.name} are lines that it accepts`, () => {
    assert.ok(command.examples.length > 0)
    for (const example of command.examples.filter(each => !each.startsWith('source') && !each.includes('>'))) {
      const [program, name, ...argv] = wordsOf(example)
      assert.deepEqual([program, name], ['ocpp-cable', command.name])
      assert.doesNotThrow(() => readArguments(command, argv, {}), example)
    }
  })

  test(`the file of ${command.name} runs it`, async () => {
    assert.equal(typeof (await command.load()), 'function')
  })

  test(`the flags of ${command.name} are spelled as those of the bridge, and none of them has two meanings`, () => {
    const bridge = new Set([...rows, ...programRows].map(nameOf))
    const shared = rowsOfFlags(command.flags)
      .map(nameOf)
      .filter(name => bridge.has(name))
    assert.deepEqual(
      shared.filter(name => !envFlags.has(name)),
      [],
    )
  })

  test(`the exit codes of ${command.name} have one meaning each`, () => {
    const codes = command.exits.map(([code]) => code)
    assert.equal(new Set(codes).size, codes.length)
  })
}

test('commands have distinct names', () => {
  assert.equal(new Set(commands.map(({ name }) => name)).size, commands.length)
})

test('only the last argument of a command repeats, and no argument is needed after an optional one', () => {
  for (const { name, args } of commands) {
    assert.ok(
      args.slice(0, -1).every(({ isMany }) => isMany !== true),
      name,
    )
    const firstOptional = args.findIndex(({ isOptional }) => isOptional === true)
    assert.ok(firstOptional === -1 || args.slice(firstOptional).every(({ isOptional }) => isOptional === true), name)
  }
})

for (const page of ['README.md', 'docs/how-to/stations.md']) {
  test(`the commands in ${page} are lines that the program accepts`, () => {
    const lines = blocksOf(page)
      .filter(({ language }) => language === 'console')
      .flatMap(({ text }) => [...text.matchAll(/^\$ (.*)$/gm)].map(([, line = '']) => line))
    assert.ok(lines.length > 0)
    for (const line of lines) {
      const [program, name, ...argv] = wordsOf(line)
      assert.equal(program, 'ocpp-cable')
      const found = commands.find(each => each.name === name)
      assert.ok(found, line)
      const { bridgeFlags } = readArguments(found, argv, {})
      assert.ok(resolve({ argv: bridgeFlags, env: {}, file: null, nodeId: '' }).ok, line)
    }
  })
}
