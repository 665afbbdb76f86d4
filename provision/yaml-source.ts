/** A YAML text with its values and, for messages, the place of each: "cluster.yaml:12:5". */
import { LineCounter, isMap, isNode, isScalar, parseDocument } from 'yaml'

/** The way from the top of a document to a value: ['nodes', 1, 'id']. */
export type ValuePath = readonly (string | number)[]

/** Something wrong in the text; `place` is "file:line:column", both counted from 1. */
export interface Mistake {
  readonly place: string
  readonly message: string
}

export interface YamlSource {
  readonly value: unknown
  /** What keeps the text from being read at all: syntax, a key given twice. */
  readonly mistakes: readonly Mistake[]
  /** The place of a value, or of the nearest thing around it that the text has. */
  placeOf(path: ValuePath): string
  /** The place of a key itself. */
  placeOfKey(path: ValuePath): string
}

export function parseYaml(text: string, file: string): YamlSource {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file}:${line}:${col}`
  }
  const placeOf = (path: ValuePath): string => {
    const node = path.length === 0 ? document.contents : document.getIn(path, true)
    if (isNode(node) && node.range) return at(node.range[0])
    return path.length === 0 ? at(0) : placeOf(path.slice(0, -1))
  }
  return {
    value: document.errors.length > 0 ? undefined : (document.toJS() as unknown),
    mistakes: document.errors.map((error) => ({ place: at(error.pos[0]), message: error.message })),
    placeOf,
    placeOfKey(path) {
      const parent = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true)
      const pair = isMap(parent)
        ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === String(path.at(-1)))
        : undefined
      return isNode(pair?.key) && pair.key.range ? at(pair.key.range[0]) : placeOf(path)
    },
  }
}

/** "nodes[1].id": how people read a path. Keys with dots in them are quoted. */
export function pathText(path: ValuePath): string {
  return path
    .map((step) => {
      if (typeof step === 'number') return `[${step}]`
      return /^[\w-]+$/.test(step) ? `.${step}` : `["${step}"]`
    })
    .join('')
    .replace(/^\./, '')
}
