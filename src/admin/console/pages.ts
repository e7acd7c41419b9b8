/**
 * The files of the console: the page, its scripts and its style, from this package and the two libraries. They are read
 * and compressed once, because no file descriptor may be free later, and a request costs nothing but its bytes.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { gzipSync } from 'node:zlib'

type Page = {
  readonly type: string
  readonly etag: string
  readonly body: Buffer
  readonly gzipped: Buffer
}

/** By the path of a request. */
export type Pages = ReadonlyMap<string, Page>

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
}

/**
 * Files of the libraries, below `/console/vendor/` and without a folder `dist`: browsers know no package names, and an
 * import map is an inline script.
 */
const libraries = {
  'lit-html': ['lit-html.js', 'directive.js', 'directive-helpers.js', 'directives/repeat.js'],
  uplot: ['dist/uPlot.esm.js'],
} as const

/**
 * @param folder with `index.html`, and the rest of what the build makes of the console; sources are left out
 */
export function readPages(folder: string): Pages {
  const pages = new Map<string, Page>()
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const name = entry.replaceAll('\\', '/')
    if (Object.hasOwn(types, path.extname(name)))
      pages.set(name === 'index.html' ? '/' : `/console/${name}`, readPage(path.join(folder, entry)))
  }
  for (const [library, files] of Object.entries(libraries)) {
    const root = folderOf(library)
    for (const file of files)
      pages.set(`/console/vendor/${library}/${file.replace(/^dist\//, '')}`, readPage(path.join(root, file)))
  }
  return pages
}

/** Of a package. Its files for browsers are not among its exports for Node. */
function folderOf(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name)
  const end = path.join('node_modules', name) + path.sep
  return entry.slice(0, entry.lastIndexOf(end) + end.length)
}

function readPage(file: string): Page {
  // A source map is for those who have the sources.
  const body = Buffer.from(readFileSync(file, 'utf8').replace(/\n\/\/# sourceMappingURL=\S+\s*$/, '\n'))
  const digest = createHash('sha256').update(body).digest('base64url').slice(0, 22)
  return { type: types[path.extname(file)] ?? '', etag: `"${digest}"`, body, gzipped: gzipSync(body) }
}

/**
 * Nothing but the files above runs, and nothing goes to another host. Trusted Types keep text out of every place where
 * it would become markup: lit-html's policy makes templates of the page's own text only.
 */
export const pageHeaders = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    'trusted-types lit-html',
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Asked for again each time, and answered with 304: a new version of the bridge shows at once.
  'cache-control': 'no-cache',
  vary: 'accept-encoding',
} as const
