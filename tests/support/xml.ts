/** Answers of AWS's EC2 API as plain objects: elements only, without attributes or mixed text. */

export type XmlValue = string | XmlValue[] | { readonly [tag: string]: XmlValue }

/** The content of the outermost element. A list (elements called item) becomes an array. */
export function parseXml(text: string): XmlValue {
  const tags = text.matchAll(/<(\/?)([\w.:-]+)[^>]*?(\/?)>([^<]*)/g)
  return content(tags)
}

function content(tags: IterableIterator<RegExpExecArray>, firstText = ''): XmlValue {
  const items: XmlValue[] = []
  const fields: Record<string, XmlValue> = {}
  for (let tag = tags.next(); !tag.done; tag = tags.next()) {
    const [, closing, name, selfClosing, textAfter] = tag.value
    if (closing) break
    const value = selfClosing ? '' : content(tags, textAfter)
    if (name === 'item') items.push(value)
    else fields[name!] = value
  }
  if (items.length > 0) return items
  return Object.keys(fields).length > 0 ? fields : firstText
}
