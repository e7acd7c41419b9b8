/**
 * Variables of the device model (2.x), as SetVariables and its answer name them.
 *
 * Pure: imports nothing outside `ocpp/`.
 */
import { isObject } from '../json.ts'

type Payload = Readonly<Record<string, unknown>>

type SetVariable = {
  /** As the command gives it. */
  readonly data: Payload
  /** In the answer; `undefined` where it has no result for the variable. */
  readonly status: unknown
}

/** Names of configuration keys, components and variables are compared case-insensitively in every version. */
export function isName(name: unknown, ...expected: readonly string[]): boolean {
  return typeof name === 'string' && expected.some(each => each.toLowerCase() === name.toLowerCase())
}

export function records(list: unknown): Payload[] {
  return Array.isArray(list) ? list.filter(isObject) : []
}

/** The elements of a list that are about the actual attribute of a variable of these components. */
export function variablesIn(list: unknown, components: readonly string[], variable: string): Payload[] {
  return records(list).filter(
    element =>
      isName(named(element['component'])['name'], ...components) &&
      isName(named(element['variable'])['name'], variable) &&
      (element['attributeType'] ?? 'Actual') === 'Actual',
  )
}

/**
 * What SetVariables sets, in its order, with the status of each. Results come in any order: each is of the same
 * instances and EVSE. Where a message sets one variable twice, the last result is that of the last element.
 */
export function setIn(data: unknown, results: unknown, components: readonly string[], name: string): SetVariable[] {
  const statuses = new Map<string, unknown[]>()
  for (const result of variablesIn(results, components, name)) {
    const of = idOf(result)
    const known = statuses.get(of)
    if (known === undefined) statuses.set(of, [result['attributeStatus']])
    else known.push(result['attributeStatus'])
  }
  const set = variablesIn(data, components, name).reverse()
  return set.map(element => ({ data: element, status: statuses.get(idOf(element))?.pop() })).reverse()
}

/** The element without what its answer is not compared with. */
export function essenceOf({ component, variable, attributeValue }: Payload): Payload {
  return { component: namesOf(component), variable: namesOf(variable), attributeValue }
}

function namesOf(given: unknown): Payload {
  const { name, instance, evse } = named(given)
  return { name, instance, evse: isObject(evse) ? { id: evse['id'], connectorId: evse['connectorId'] } : undefined }
}

/** Of a component and a variable: names, instances, EVSE. */
function idOf({ component, variable }: Payload): string {
  return JSON.stringify([namesOf(component), namesOf(variable)]).toLowerCase()
}

function named(value: unknown): Payload {
  return isObject(value) ? value : {}
}
