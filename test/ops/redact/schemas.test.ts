/**
 * Walks every official schema: a member that looks like a secret by its name, or that stands in one, is masked or is an
 * exception with a reason. So is each text beside the name of a secret variable.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isObject } from '../../../src/ocpp/json.ts'
import { redactFrame } from '../../../src/ops/redact/redact.ts'
import { officialSchemas } from '../../support/official-schemas.ts'
import { allVersions } from '../../ocpp/schemas.ts'

const looksSecret = /token|tag(?!e)|pass|key|psk|cert|chain|csr|pin|secret|credential|exi|ocsp|customer|psp/i

/** [the end of a path behind a dot, or a whole path; why it is shown] */
const shownMembers: readonly (readonly [end: string, because: string])[] = [
  ['.type', 'the kind of a token'],
  ['.vendorId', 'the name of a vendor'],
  ['.idTagInfo.expiryDate', 'a time'],
  ['.idTokenInfo.cacheExpiryDateTime', 'a time'],
  ['.idTokenInfo.chargingPriority', 'a number that orders transactions'],
  ['.idTokenInfo.evseId[]', 'EVSEs'],
  ['.idTokenInfo.language1', 'a language'],
  ['.idTokenInfo.language2', 'a language'],
  ['.idTokenInfo.personalMessage.content', 'a text for the display'],
  ['.idTokenInfo.personalMessage.language', 'a language'],
  ['key', 'the name of a configuration key'],
  ['configurationKey[].key', 'the name of a configuration key'],
  ['key[]', 'names of configuration keys'],
  ['unknownKey[]', 'names of configuration keys'],
  ['configurationKey[].value', 'masked by the name of the key, see names.test.ts'],
  ['.publicKey', 'public: whoever checks a meter value needs it'],
  ['.certificateHashData.serialNumber', 'names a certificate of the station, and cannot be used in its place'],
  ['.certificateHashData.issuerKeyHash', 'a hash'],
  ['.certificateHashData.issuerNameHash', 'a hash'],
  ['.certificateHashData[].serialNumber', 'names a certificate of the station'],
  ['.certificateHashData[].issuerKeyHash', 'a hash'],
  ['.certificateHashData[].issuerNameHash', 'a hash'],
  ['.childCertificateHashData[].serialNumber', 'names a certificate of the station'],
  ['.childCertificateHashData[].issuerKeyHash', 'a hash'],
  ['.childCertificateHashData[].issuerNameHash', 'a hash'],
  ['certificateStatusRequests[].urls[]', 'addresses of servers'],
  ['certificateStatus[].nextUpdate', 'a time'],
  ['maximumContractCertificateChains', 'a number'],
  ['.ocspRequestData.serialNumber', 'names a certificate'],
  ['.ocspRequestData.issuerKeyHash', 'a hash'],
  ['.ocspRequestData.issuerNameHash', 'a hash'],
  ['.ocspRequestData.responderURL', 'the address of a server'],
]

const isAt =
  (path: string) =>
  ([end]: readonly [string, string]): boolean =>
    end.startsWith('.') ? `.${path}`.endsWith(end) : path === end

type Node = Readonly<Record<string, unknown>>
/** `path` leads to a value: `a.b[].c`. */
type Leaf = { readonly path: string; readonly isNumber: boolean }

const nodeOf = (value: unknown): Node => (isObject(value) ? value : {})

/** The definition that a node refers to. */
function resolved(node: Node, root: Node): Node {
  const name = typeof node['$ref'] === 'string' ? node['$ref'].replace('#/definitions/', '') : null
  return name === null ? node : nodeOf(nodeOf(root['definitions'])[name])
}

/** Members with free values: enums and booleans tell nothing. */
function leavesOf(node: Node, root: Node, path = ''): readonly Leaf[] {
  const { properties, items, type, enum: values } = resolved(node, root)
  if (items !== undefined) return leavesOf(nodeOf(items), root, `${path}[]`)
  if (properties !== undefined)
    return Object.entries(nodeOf(properties)).flatMap(([name, each]) =>
      leavesOf(nodeOf(each), root, path === '' ? name : `${path}.${name}`),
    )
  if (values !== undefined || type === 'boolean') return []
  return [{ path, isNumber: type === 'integer' || type === 'number' }]
}

/** An object with the value at the end of the path. */
function valueAt(path: string, value: unknown): unknown {
  const [, name = '', list = '', rest = ''] = /^(\w+)((?:\[\])*)\.?(.*)$/.exec(path) ?? []
  const inner = rest === '' ? value : valueAt(rest, value)
  return { [name]: list === '' ? inner : [inner] }
}

const text = 'Zq'.repeat(8)
const number = 73_939_133
const isShown = (frame: unknown): boolean => /ZqZq|73939133/.test(redactFrame(JSON.stringify(frame)))

const messages = allVersions.flatMap(version =>
  officialSchemas(version).map(schema => {
    const root = nodeOf(schema)
    return { name: `${version} ${schema.$id.replace('urn:', '')}`, root, leaves: leavesOf(root, root) }
  }),
)
const frameOf = (message: string, payload: unknown): unknown =>
  /(\.conf|Response)$/.test(message)
    ? [3, '1', payload]
    : [2, '1', message.replace(/^\S+ |\.req$|Request$/g, ''), payload]

test('each member that looks like a secret is masked in each message, or is an exception with a reason', () => {
  const used = new Set<string>()
  const faults: string[] = []
  for (const { name, leaves } of messages) {
    for (const { path, isNumber } of leaves.filter(leaf => looksSecret.test(leaf.path))) {
      const shown = isShown(frameOf(name, valueAt(path, isNumber ? number : text)))
      const exception = shownMembers.find(isAt(path))
      if (shown && exception === undefined) faults.push(`${name}: ${path}`)
      if (shown && exception !== undefined) used.add(exception[0])
    }
  }
  assert.deepEqual(faults, [])
  assert.deepEqual([...used].sort(), shownMembers.map(([end]) => end).sort(), 'an exception that nothing needs')
})

/** [the end of a path, why it is shown beside the name of a secret variable] */
const shownBeside: readonly (readonly [end: string, because: string])[] = [
  ['.component.name', 'a name'],
  ['.component.instance', 'a name'],
  ['.variable.instance', 'a name'],
  ['.vendorId', 'the name of a vendor'],
  ['.unit', 'a unit'],
  ['.timestamp', 'a time'],
  ['.reasonCode', 'a code of OCPP'],
  ['.transactionId', 'the id of a transaction'],
]

test('each text beside the name of a secret variable is masked, or is an exception with a reason', () => {
  const used = new Set<string>()
  const faults: string[] = []
  let masked = 0
  for (const { name, leaves } of messages) {
    for (const { path } of leaves.filter(leaf => !leaf.isNumber && !leaf.path.endsWith('variable.name'))) {
      const list = leaves.flatMap(leaf => /^(\w+)\[\]\.variable\.name$/.exec(leaf.path)?.[1] ?? [])[0]
      if (list === undefined || !path.startsWith(`${list}[].`)) continue
      const value = nodeOf(valueAt(path.slice(list.length + 3), text))
      const variable = { ...nodeOf(value['variable']), name: 'BasicAuthPassword' }
      for (const item of [
        { ...value, variable },
        { variable, ...value, ...('variable' in value && { variable }) },
      ]) {
        const exception = shownBeside.find(isAt(path))
        if (!isShown(frameOf(name, { [list]: [item] }))) masked++
        else if (exception === undefined) faults.push(`${name}: ${path}`)
        else used.add(exception[0])
      }
    }
  }
  assert.deepEqual(faults, [])
  assert.ok(masked > 20)
  assert.deepEqual([...used].sort(), shownBeside.map(([end]) => end).sort(), 'an exception that nothing needs')
})
