/** Reads Prometheus' text format (version 0.0.4) back, and refuses what does not follow it. */

export interface MetricFamily {
  readonly type: string
  readonly help: string
  /** By what stands in front of the value: `name` or `name{label="value",…}`. */
  readonly samples: Map<string, number>
}

const COMMENT = /^# (HELP|TYPE) ([a-zA-Z_:][\w:]*) (.+)$/
const SAMPLE =
  /^([a-zA-Z_:][\w:]*)((?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\["\\n])*",?)*\})?) (-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|NaN|[+-]Inf)$/

/** The families by name. Throws on a line that is none of the format's, and on a sample that belongs to no family. */
export function parsePrometheusText(text: string): Map<string, MetricFamily> {
  if (!text.endsWith('\n')) throw new Error('the text does not end with a line feed')
  const families = new Map<string, { type: string; help: string; samples: Map<string, number> }>()
  for (const line of text.split('\n')) {
    if (line === '') continue
    const comment = COMMENT.exec(line)
    if (comment !== null) {
      const [, kind, name, rest] = comment
      const family = families.get(name!) ?? { type: '', help: '', samples: new Map() }
      families.set(name!, kind === 'HELP' ? { ...family, help: rest! } : { ...family, type: rest! })
      continue
    }
    const sample = SAMPLE.exec(line)
    if (sample === null) throw new Error(`not a line of the format: ${line}`)
    const [, name, labels, value] = sample
    const family = families.get(name!) ?? families.get(name!.replace(/_(bucket|sum|count)$/, ''))
    if (family === undefined) throw new Error(`no TYPE came before ${line}`)
    if (family.samples.has(name! + labels!)) throw new Error(`twice: ${name}${labels}`)
    family.samples.set(name! + labels!, Number(value))
  }
  return families
}
