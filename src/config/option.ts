/**
 * What an option is: a kind of value, a default, a description, and its names.
 *
 * Pure. A kind converts between a value and its text, both ways; everything else about an option derives from its row.
 */

/** A value as TOML writes it. */
export type TomlValue = string | number | boolean | readonly TomlValue[] | { readonly [key: string]: TomlValue }

/** Reports an invalid part of a value: its path within the value, in TOML's notation (`[1].mode`), and the problem. */
export type OnFault = (at: string, problem: string) => void

/** One kind of value. Invalid input reads as `undefined`; nothing throws. */
export interface Kind<T> {
  /** The placeholder of the value in `--help`. */
  readonly placeholder: string
  /** What is accepted, as a phrase that follows "expected". */
  readonly accepts: string
  /**
   * `switch`: the flag alone means true. `many`: a repeated flag adds to the list.
   * `table`: only TOML can write it, so there is no flag and no variable; its key is at the top level.
   */
  readonly shape: 'one' | 'many' | 'switch' | 'table'
  /** For a table: the example in docs/configuration.md. */
  readonly example?: TomlValue
  /** Reads the text of a flag or of an environment variable. */
  parse(text: string): T | undefined
  /** @param fault  called for each invalid part, but not when the value is invalid as a whole */
  fromToml(value: unknown, fault: OnFault): T | undefined
  /** `null`: the option is not set. */
  toToml(value: T): TomlValue | null
  /** Whether a text contains a secret, and must not be shown. */
  hides(text: string): boolean
}

/** The names of an option that do not follow from its group and key. */
export type Naming = {
  readonly flag?: string
  /** Dotted: the section, then the key. */
  readonly toml?: string
  /** A second flag or environment variable, not deprecated. */
  readonly alsoFlag?: string
  readonly alsoEnv?: string
  /** A deprecated spelling, accepted with a warning. */
  readonly old?: { readonly flag: string; readonly toml: string }
}

export type Option<T> = {
  readonly kind: Kind<T>
  readonly default: T
  /** The description in `--help` and docs/configuration.md. The kind describes the accepted values. */
  readonly about: string
  readonly naming: Naming
}

export type Group = { readonly title: string; readonly options: Readonly<Record<string, Option<unknown>>> }

/** The values of a table of groups, by group and key. */
export type ValuesOf<Groups extends Readonly<Record<string, Group>>> = {
  readonly [G in keyof Groups]: {
    readonly [K in keyof Groups[G]['options']]: Groups[G]['options'][K] extends Option<infer T> ? T : never
  }
}

/** An option with its group, its key and all its names. */
export type Row = {
  readonly group: string
  readonly key: string
  readonly option: Option<unknown>
  /** The first is canonical; the others are accepted too, with a warning if they are old. */
  readonly spellings: readonly [Spelling, ...Spelling[]]
}

export type Spelling = { readonly flag?: string; readonly env?: string; readonly toml?: string; readonly old: boolean }

export function option<T>(kind: Kind<T>, initial: NoInfer<T>, about: string, naming: Naming = {}): Option<T> {
  return { kind, default: initial, about, naming }
}

export function group<const Options extends Group['options']>(title: string, options: Options) {
  return { title, options }
}

/** The rows of a table, in its order. */
export function rowsOf(groups: Readonly<Record<string, Group>>): readonly Row[] {
  return Object.entries(groups).flatMap(([name, { options }]) =>
    Object.entries(options).map(([key, row]) => ({
      group: name,
      key,
      option: row,
      spellings: spellingsOf(name, key, row),
    })),
  )
}

/** The name of an option in rules and warnings. */
export function nameOf(row: Row): string {
  const [{ flag, toml }] = row.spellings
  return flag ?? toml ?? row.key
}

/** A value as a flag would give it, or a table on one line; empty if not set. */
export function textOf<T>(kind: Kind<T>, value: T): string {
  const written = kind.toToml(value)
  if (written === null) return ''
  if (typeof written !== 'object') return String(written)
  return Array.isArray(written) && kind.shape === 'many' ? written.join(',') : JSON.stringify(written)
}

/** The problem with a value that a kind could not read. Hides secrets. */
export function notAccepted(kind: Pick<Kind<unknown>, 'accepts' | 'hides'>, raw: unknown): string {
  const json = typeof raw === 'number' ? String(raw) : JSON.stringify(raw)
  const hidden = kind.hides(typeof raw === 'string' ? raw : json)
  return `invalid value ${hidden ? '(not shown)' : cut(json)}; expected ${kind.accepts}`
}

/** Reads a TOML value. Reports every invalid part to `fault`; the result is then `undefined`. */
export function readWith<T>(kind: Kind<T>, raw: unknown, fault: OnFault): T | undefined {
  let faults = 0
  const value = kind.fromToml(raw, (at, problem) => {
    faults++
    fault(at, problem)
  })
  if (value === undefined && faults === 0) fault('', notAccepted(kind, raw))
  return faults === 0 ? value : undefined
}

/** Keeps the line short when the value is a whole file, given by mistake. */
function cut(text: string): string {
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}

function spellingsOf(groupName: string, key: string, { naming, kind }: Option<unknown>): Row['spellings'] {
  const { flag, toml, alsoFlag, alsoEnv, old } = naming
  const name = snakeCase(key)
  const own = flag ?? `${groupName}_${name}`
  if (kind.shape === 'table') return [{ toml: own, old: false }]
  return [
    { flag: own, env: envOf(own), toml: toml ?? `${groupName}.${name}`, old: false },
    ...(alsoFlag === undefined ? [] : [{ flag: alsoFlag, old: false }]),
    ...(alsoEnv === undefined ? [] : [{ env: alsoEnv, old: false }]),
    ...(old === undefined ? [] : [{ ...old, env: envOf(old.flag), old: true }]),
  ]
}

/** `requestTimeoutMs` becomes `request_timeout`: outside the code, the value carries the unit. */
function snakeCase(key: string): string {
  return key.replace(/Ms$/, '').replace(/[A-Z]/g, capital => `_${capital.toLowerCase()}`)
}

function envOf(flag: string): string {
  return `ANYCABLE_${flag.replaceAll('-', '_').toUpperCase()}`
}
