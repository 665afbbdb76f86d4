/**
 * Templates with {{fields}}, and Java properties. A template and its values must agree exactly: a field without a
 * value and a value without a field are both mistakes, and are refused.
 */

/** Fills in a template; `name` is for the error message. A value is one line, as a unit file's settings are. */
export function render(
  name: string,
  template: string,
  values: Readonly<Record<string, string | number>>,
): string {
  const used = new Set<string>()
  const filled = template.replaceAll(/\{\{(\w+)\}\}/g, (_, field: string) => {
    const value = Object.hasOwn(values, field) ? values[field] : undefined
    if (value === undefined) throw new Error(`${name}: the field {{${field}}} has no value`)
    if (/[\r\n]/.test(String(value))) throw new Error(`${name}: the value of {{${field}}} has a line break`)
    used.add(field)
    return String(value)
  })
  const unused = Object.keys(values).filter((field) => !used.has(field))
  if (unused.length > 0) throw new Error(`${name}: no field for the value ${unused.join(', ')}`)
  const left = /\{\{.*?\}\}/.exec(filled)
  if (left !== null) throw new Error(`${name}: ${left[0]} is not a field: fields are {{word}}`)
  return filled
}
