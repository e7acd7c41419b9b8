/**
 * What an option is: a kind of value, a default, a description, and the names it goes by.
 *
 * Pure. A kind is both ways between a value and its text; everything else about an option is derived from its row.
 */

/** A value as TOML writes it. */
export type TomlValue = string | number | boolean | readonly TomlValue[] | { readonly [key: string]: TomlValue }

/** Told of a part of a value that is not accepted: where it is, as TOML would go on (`[1].mode`), and what is wrong. */
export type OnFault = (at: string, problem: string) => void

/** One kind of value. What it cannot read comes back as `undefined`, never as a throw. */
export interface Kind<T> {
  /** What stands for the value in `--help`. */
  readonly placeholder: string
  /** What is accepted, to follow "it takes". */
  readonly accepts: string
  /**
   * `switch`: the flag alone means true. `many`: a flag given again adds to the list.
   * `table`: no text can hold it, so that it has neither flag nor variable, and its TOML key stands at the top.
   */
  readonly shape: 'one' | 'many' | 'switch' | 'table'
  /** For a table, which a page has to show to make it plain. */
  readonly example?: TomlValue
  /** Reads the text of a flag or of an environment variable. */
  parse(text: string): T | undefined
  /** @param fault  told of each part that is not accepted; of none where it is the value as a whole */
  fromToml(value: unknown, fault: OnFault): T | undefined
  /** `null`: there is nothing to write, the option is not set. */
  toToml(value: T): TomlValue | null
  /** Whether a text holds a secret, and so must not be shown. */
  hides(text: string): boolean
}

/** Where an option's names do not follow from its group and key. */
export type Naming = {
  readonly flag?: string
  /** Dotted: the section, then the key. */
  readonly toml?: string
  /** Another flag or environment variable for it, in good standing. */
  readonly alsoFlag?: string
  readonly alsoEnv?: string
  /** A spelling that is accepted still, with a warning. */
  readonly old?: { readonly flag: string; readonly toml: string }
}

export type Option<T> = {
  readonly kind: Kind<T>
  readonly default: T
  /** For an operator: what it is for and what happens. What is accepted, the kind says. */
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

/** An option in its place, with all its names. */
export type Row = {
  readonly group: string
  readonly key: string
  readonly option: Option<unknown>
  /** The first is the one to use; later ones are accepted, with a warning if they are old. */
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

/** The name by which rules and warnings call an option. */
export function nameOf(row: Row): string {
  const [{ flag, toml }] = row.spellings
  return flag ?? toml ?? row.key
}

/** A value as a flag would give it, or a table in one line; empty if it is not set. */
export function textOf<T>(kind: Kind<T>, value: T): string {
  const written = kind.toToml(value)
  if (written === null) return ''
  if (typeof written !== 'object') return String(written)
  return Array.isArray(written) && kind.shape === 'many' ? written.join(',') : JSON.stringify(written)
}

/** What to say of a value that a kind could not read; a secret is not shown in it. */
export function notAccepted(kind: Pick<Kind<unknown>, 'accepts' | 'hides'>, raw: unknown): string {
  const json = typeof raw === 'number' ? String(raw) : JSON.stringify(raw)
  const hidden = kind.hides(typeof raw === 'string' ? raw : json)
  return `${hidden ? 'the value given (not shown)' : cut(json)} is not accepted; it takes ${kind.accepts}`
}

/** Reads a value of TOML; everything that is not accepted is told to `fault`, and then the value is `undefined`. */
export function readWith<T>(kind: Kind<T>, raw: unknown, fault: OnFault): T | undefined {
  let told = 0
  const value = kind.fromToml(raw, (at, problem) => {
    told++
    fault(at, problem)
  })
  if (value === undefined && told === 0) fault('', notAccepted(kind, raw))
  return told === 0 ? value : undefined
}

/** A value may be a whole file, by mistake. */
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

/** `requestTimeoutMs` is written `request_timeout`: the unit is part of the value there. */
function snakeCase(key: string): string {
  return key.replace(/Ms$/, '').replace(/[A-Z]/g, capital => `_${capital.toLowerCase()}`)
}

function envOf(flag: string): string {
  return `ANYCABLE_${flag.replaceAll('-', '_').toUpperCase()}`
}
