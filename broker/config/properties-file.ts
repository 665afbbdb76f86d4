/**
 * Java's properties format: `key=value`, `key: value` or `key value` on each line; `#` and `!` begin comments; a
 * backslash at the end of a line continues it, leading blanks of the next line dropped; `\t \n \r \f \uXXXX` and a
 * backslash before any other character are escapes. The last of two lines with the same key counts.
 */

export interface Property {
  readonly key: string
  readonly value: string
  /** Where it begins, counted from 1. */
  readonly line: number
}

/** Every property in order, repeated keys included. */
export function parsePropertyLines(text: string): Property[] {
  return logicalLines(text).map(({ content, line }) => ({ ...splitProperty(content), line }))
}

/** The properties of a file by key. */
export function parseProperties(text: string): Map<string, string> {
  return new Map(parsePropertyLines(text).map(({ key, value }) => [key, value]))
}

/** One `key=value` a line, escaped so that `parseProperties` reads back the same. */
export function formatProperties(properties: Iterable<readonly [string, string]>): string {
  const lines = Array.from(properties, ([key, value]) => {
    const escapedValue = escapeText(value).replace(/^[ \t\f]/, (blank) => `\\${blank}`)
    return `${escapeText(key).replaceAll(/[=: #!]/g, '\\$&')}=${escapedValue}\n`
  })
  return lines.join('')
}

interface LogicalLine {
  readonly content: string
  readonly line: number
}

function logicalLines(text: string): LogicalLine[] {
  const lines: LogicalLine[] = []
  let open: { content: string; line: number } | undefined
  for (const [index, raw] of text.split(/\r\n|\n|\r/).entries()) {
    const content = raw.replace(/^[ \t\f]+/, '')
    if (open === undefined && (content === '' || /^[#!]/.test(content))) continue
    const continues = /(?:^|[^\\])(?:\\\\)*\\$/.test(content)
    const part = continues ? content.slice(0, -1) : content
    open = open === undefined ? { content: part, line: index + 1 } : { ...open, content: open.content + part }
    if (continues) continue
    lines.push(open)
    open = undefined
  }
  if (open !== undefined) lines.push(open)
  return lines
}

function splitProperty(content: string): { key: string; value: string } {
  const match = /^((?:\\.|[^\\=: \t\f])*)[ \t\f]*[=:]?[ \t\f]*(.*)$/s.exec(content)
  return { key: unescapeText(match?.[1] ?? ''), value: unescapeText(match?.[2] ?? '') }
}

const escapes: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

function unescapeText(text: string): string {
  return text.replaceAll(/\\(?:u([0-9a-fA-F]{4})|(.?))/gs, (_all, hex: string | undefined, char = '') =>
    hex === undefined ? (escapes[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function escapeText(text: string): string {
  const names: Readonly<Record<string, string>> = {
    '\\': '\\\\',
    '\t': '\\t',
    '\n': '\\n',
    '\r': '\\r',
    '\f': '\\f',
  }
  return text.replaceAll(/[\\\t\n\r\f]/g, (char) => names[char]!)
}
