/**
 * The texts with which the program warns, read from its source: what `log.warn`, `log.error`, `once` and `drop` are
 * called with. What a text contains of variables is `…`.
 */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

export type LogText = { readonly file: string; readonly text: string }

const root = fileURLToPath(new URL('../../src/', import.meta.url))
const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
const sources = new Map(files.map(file => [file, parsed(file)]))

function parsed(file: string): ts.SourceFile {
  return ts.createSourceFile(file, readFileSync(root + file, 'utf8'), ts.ScriptTarget.ESNext, true)
}

/** All texts that the log may have at one of the levels. Fails where it cannot tell what a call logs. */
export function logTexts(levels: readonly ('info' | 'debug' | 'warn' | 'error')[]): readonly LogText[] {
  const found: LogText[] = []
  for (const [file, source] of sources) {
    forEach(source, node => {
      const message = messageOf(node, levels)
      if (message === null || isPassedOn(message)) return
      const texts = textsOf(message)
      assert.ok(texts.length > 0, `${file} logs a text that is not known: ${node.getText()}`)
      for (const text of texts) found.push({ file, text })
    })
  }
  return found
}

/** The text that a call logs; `null` where it is no such call. */
function messageOf(node: ts.Node, levels: readonly string[]): ts.Expression | null {
  if (!ts.isCallExpression(node)) return null
  const [first, second, third] = node.arguments
  const callee = node.expression
  const name = ts.isPropertyAccessExpression(callee) ? callee.name.text : callee.getText()
  const owner = ts.isPropertyAccessExpression(callee) ? callee.expression.getText() : ''
  if (levels.includes(name) && /log$/i.test(owner)) return second ?? null
  if (!levels.includes('warn')) return null
  // An emitter's `once` has no text as its third argument.
  if (name === 'once') return third === undefined || ts.isObjectLiteralExpression(third) ? null : third
  return name === 'drop' && first !== undefined ? (second ?? null) : null
}

/** Whether it is a parameter: then the caller is found, too. */
function isPassedOn(message: ts.Expression): boolean {
  const declared = ts.isIdentifier(message) ? declarationOf(message) : null
  return declared !== null && ts.isParameter(declared)
}

/** What an expression may be, as far as the source says. */
function textsOf(node: ts.Node): string[] {
  if (ts.isStringLiteralLike(node)) return [node.text]
  if (ts.isTemplateExpression(node)) return templateTexts(node)
  if (ts.isConditionalExpression(node)) return [...textsOf(node.whenTrue), ...textsOf(node.whenFalse)]
  if (ts.isBinaryExpression(node)) return joined(node)
  if (ts.isElementAccessExpression(node)) return textsOf(node.expression)
  if (ts.isObjectLiteralExpression(node))
    return node.properties.flatMap(each => each.getChildren().slice(2).flatMap(textsOf))
  if (ts.isPropertyAccessExpression(node)) return textsOfHints(node.name.text)
  if (ts.isCallExpression(node)) return returnsOf(node.expression.getText())
  if (!ts.isIdentifier(node)) return []
  const declared = declarationOf(node)
  if (declared === null) return []
  if (ts.isVariableDeclaration(declared)) return declared.initializer === undefined ? [] : textsOf(declared.initializer)
  return ts.isBindingElement(declared) ? textsOfHints(declared.name.getText()) : []
}

function templateTexts({ head, templateSpans }: ts.TemplateExpression): string[] {
  let all = [head.text]
  for (const { expression, literal } of templateSpans) {
    const known = ts.isIdentifier(expression) ? textsOfVariable(expression) : []
    const values = known.length === 0 ? ['…'] : known
    all = all.flatMap(start => values.map(value => start + value + literal.text))
  }
  return all
}

/** Of a variable that is one of several texts. */
function textsOfVariable(name: ts.Identifier): string[] {
  const declared = declarationOf(name)
  const value = declared !== null && ts.isVariableDeclaration(declared) ? declared.initializer : undefined
  return value !== undefined && (ts.isStringLiteralLike(value) || ts.isConditionalExpression(value))
    ? textsOf(value)
    : []
}

function joined({ left, right }: ts.BinaryExpression): string[] {
  return textsOf(left).flatMap(start => textsOf(right).map(end => start + end))
}

/** Of every object of the program that has a text beside a `key`, as `Hint` has. */
function textsOfHints(name: string): string[] {
  if (name !== 'text') return []
  const texts: string[] = []
  for (const source of sources.values()) {
    forEach(source, node => {
      if (!ts.isObjectLiteralExpression(node) || !node.properties.some(each => each.name?.getText() === 'key')) return
      for (const each of node.properties) {
        if (each.name?.getText() !== name) continue
        if (ts.isPropertyAssignment(each)) texts.push(...textsOf(each.initializer))
        else if (ts.isShorthandPropertyAssignment(each)) texts.push(...textsOf(each.name))
      }
    })
  }
  return texts
}

/** Of every function with this name. */
function returnsOf(name: string): string[] {
  const texts: string[] = []
  for (const source of sources.values()) {
    forEach(source, node => {
      if (!ts.isFunctionDeclaration(node) || node.name?.text !== name) return
      forEach(node, inner => {
        if (ts.isReturnStatement(inner) && inner.expression !== undefined) texts.push(...textsOf(inner.expression))
      })
    })
  }
  return texts
}

/** The nearest one above, in the same file. */
function declarationOf(name: ts.Identifier): ts.Declaration | null {
  let scope: ts.Node = name.parent
  for (;;) {
    const found: ts.Declaration[] = []
    forEach(scope, node => {
      const isDeclaration = ts.isVariableDeclaration(node) || ts.isBindingElement(node) || ts.isParameter(node)
      if (isDeclaration && node.name.getText() === name.text) found.push(node)
    })
    if (found.length > 0 || ts.isSourceFile(scope)) return found[0] ?? null
    scope = scope.parent
  }
}

function forEach(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node)
  ts.forEachChild(node, child => forEach(child, visit))
}
