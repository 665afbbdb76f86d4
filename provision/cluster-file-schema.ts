/** cluster.yaml against its JSON Schema: shape and defaults by ajv, and messages that say what would be right. */
import { readFileSync } from 'node:fs'
import { Ajv, type ErrorObject } from 'ajv'
import { nearestKey } from '../broker/config/nearest-key.ts'
import { pathText, type Mistake, type ValuePath, type YamlSource } from './yaml-source.ts'

const schema = JSON.parse(
  readFileSync(new URL('cluster-file.schema.json', import.meta.url), 'utf8'),
) as object
const validate = new Ajv({
  allErrors: true,
  verbose: true,
  useDefaults: true,
  allowUnionTypes: true,
}).compile(schema)

/** What is wrong with the document's shape. Fills defaults into `source.value`. */
export function schemaMistakes(source: YamlSource): Mistake[] {
  if (validate(source.value)) return []
  return (validate.errors ?? []).map((error) => mistakeOf(error, source))
}

interface ParentSchema {
  readonly description?: string
  readonly properties?: Readonly<Record<string, ParentSchema>>
}

function mistakeOf(error: ErrorObject, source: YamlSource): Mistake {
  const path = stepsOf(error.instancePath)
  const parent = error.parentSchema as ParentSchema
  const params = error.params as Readonly<Record<string, unknown>>
  if (error.keyword === 'additionalProperties') {
    const key = String(params['additionalProperty'])
    return { place: source.placeOfKey([...path, key]), message: unknownKey([...path, key], parent) }
  }
  if (error.keyword === 'required') {
    const key = String(params['missingProperty'])
    const wanted = parent.properties?.[key]?.description
    return {
      place: source.placeOf(path),
      message: `${pathText([...path, key])} is missing${wanted === undefined ? '' : `: ${wanted}`}`,
    }
  }
  return { place: source.placeOf(path), message: wrongValue(error, path, parent, params) }
}

function unknownKey(path: ValuePath, parent: ParentSchema): string {
  const known = Object.keys(parent.properties ?? {})
  const nearest = nearestKey(String(path.at(-1)), known)
  const hint = nearest === undefined ? `known here: ${known.join(', ')}` : `did you mean ${nearest}?`
  return `${pathText(path)}: unknown key; ${hint}`
}

function wrongValue(
  error: ErrorObject,
  path: ValuePath,
  parent: ParentSchema,
  params: Readonly<Record<string, unknown>>,
): string {
  const where = path.length === 0 ? 'the file' : pathText(path)
  const given = error.data === null ? 'nothing' : JSON.stringify(error.data)
  const wanted = parent.description === undefined ? '' : ` (${parent.description})`
  if (error.keyword === 'type') {
    return `${where}: ${given} is not ${typeNames(params['type'])}${wanted}`
  }
  if (error.keyword === 'enum') {
    const allowed = (params['allowedValues'] as unknown[]).map(String)
    const nearest = nearestKey(String(error.data), allowed)
    return `${where}: ${given} is none of ${allowed.join(', ')}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`
  }
  if (error.keyword === 'pattern') return `${where}: ${given} is not valid${wanted}`
  return `${where}: ${error.message ?? 'is not valid'}${wanted}`
}

function typeNames(types: unknown): string {
  const names: Readonly<Record<string, string>> = {
    object: 'a mapping',
    array: 'a list',
    string: 'a text (put it into quotes)',
    integer: 'a whole number',
    number: 'a number',
    boolean: 'true or false',
  }
  return [types]
    .flat()
    .map((type) => names[String(type)] ?? String(type))
    .join(' or ')
}

/** A JSON pointer's steps; those that are numbers index a list. */
function stepsOf(pointer: string): ValuePath {
  return pointer
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
    .map((step) => (/^\d+$/.test(step) ? Number(step) : step))
}
