import * as fc from 'fast-check'
import {
  formatProperties,
  parseProperties,
  parsePropertyLines,
} from '../../../broker/config/properties-file.ts'

describe('a properties file', () => {
  test.each([
    ['a=b', 'a', 'b'],
    ['  a = b ', 'a', 'b '],
    ['a: b', 'a', 'b'],
    ['a b', 'a', 'b'],
    ['a', 'a', ''],
    ['a=b=c', 'a', 'b=c'],
    ['a\\=b=c', 'a=b', 'c'],
    ['path=C:\\\\logs', 'path', 'C:\\logs'],
    ['tab=\\t.', 'tab', '\t.'],
    ['euro=\\u20ac', 'euro', '€'],
    ['list=a,\\\n    b', 'list', 'a,b'],
  ])('%j has %s', (text, key, value) => {
    expect(parseProperties(text)).toEqual(new Map([[key, value]]))
  })

  test('comments and blank lines are no properties, and lines count from 1', () => {
    expect(parsePropertyLines('# one\r\n\r\n! two\na=1\nb=\\\n2\nc=3')).toEqual([
      { key: 'a', value: '1', line: 4 },
      { key: 'b', value: '2', line: 5 },
      { key: 'c', value: '3', line: 7 },
    ])
  })

  test('a comment is not continued, an escaped backslash continues nothing', () => {
    expect(parseProperties('# no \\\na=1\\\\\nb=2')).toEqual(
      new Map([
        ['a', '1\\'],
        ['b', '2'],
      ]),
    )
  })

  test('the last of two lines with the same key counts', () => {
    expect(parseProperties('a=1\na=2')).toEqual(new Map([['a', '2']]))
  })

  test('whatever is written is read back', () => {
    const text = fc.string({
      unit: fc.constantFrom('a', 'b', ' ', '=', ':', '#', '!', '\\', '\t', '\n', '\r', '\f', 'é'),
    })
    fc.assert(
      fc.property(
        fc.dictionary(
          text.filter((key) => key !== ''),
          text,
        ),
        (properties) => {
          const entries = new Map(Object.entries(properties))
          expect(parseProperties(formatProperties(entries))).toEqual(entries)
        },
      ),
    )
  })
})
