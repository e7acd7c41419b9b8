/**
 * The production dependencies that have an install script, why they work without it, and a program that shows it in a
 * folder where they are installed without scripts.
 */
export const installScripts: ReadonlyMap<string, { readonly why: string; readonly program: string }> = new Map([
  [
    '@photostructure/sqlite',
    {
      why: 'its script compiles where its package has no binary for the system; state_dir then needs a compiler',
      program: 'new (require("@photostructure/sqlite").DatabaseSync)(":memory:").close()',
    },
  ],
  [
    'protobufjs',
    {
      why: 'its script warns about version ranges in the package.json of its user',
      program: `
        const { Type, Field } = require('protobufjs')
        const Pair = new Type('Pair').add(new Field('key', 1, 'string'))
        if (Pair.decode(Pair.encode({ key: 'x' }).finish()).key !== 'x') throw new Error('not the same')`,
    },
  ],
])
