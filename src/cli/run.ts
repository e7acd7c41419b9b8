/**
 * Runs one subcommand: reads its arguments, loads its file, and turns failures into one line and an exit code.
 */
import { didYouMean } from '../config/nearest.ts'
import { readArguments } from './arguments.ts'
import { CommandError, exits, UsageError, type Command, type Terminal } from './command.ts'
import { commands } from './commands.ts'
import { commandHelp } from './help.ts'
import { escaped } from './show/escape.ts'

/** @returns the exit code */
export async function runCommand([name = '', ...argv]: readonly string[], terminal: Terminal): Promise<number> {
  const found = commands.find(each => each.name === name)
  if (found === undefined) {
    const hint = didYouMean(
      name,
      commands.map(each => each.name),
    )
    terminal.warn(`${JSON.stringify(name)}: unknown command${hint}\nSee ocpp-cable --help.\n`)
    return exits.usage
  }
  try {
    return await runFound(found, argv, terminal)
  } catch (error) {
    if (error instanceof UsageError) {
      terminal.keepCode(exits.usage)
      terminal.warn(`${escaped(error.message, { keepsLines: true })}\nSee ocpp-cable ${name} --help.\n`)
      return exits.usage
    }
    if (!(error instanceof CommandError)) throw error
    terminal.keepCode(error.exit)
    // One line: a line break in it comes from a station or the app, and would look like a line of this program.
    terminal.warn(`${escaped(error.message)}\n`)
    return error.exit
  }
}

async function runFound(found: Command, argv: readonly string[], terminal: Terminal): Promise<number> {
  const { words, flags, bridgeFlags, wantsHelp } = readArguments(found, argv, terminal.env)
  if (wantsHelp) {
    await terminal.write(commandHelp(found))
    return exits.done
  }
  const run = await found.load()
  return await run({ words, flags, bridgeFlags, terminal, commands })
}
