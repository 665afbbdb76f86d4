import { render } from '../../provision/render.ts'

test('fields get their values, as often as they occur', () => {
  expect(render('unit', 'a={{a}} b={{b}} a={{a}}', { a: 1, b: 'two' })).toBe('a=1 b=two a=1')
})

test.each([
  ['a field without a value', 'a={{a}} b={{b}}', { a: 1 }, 'unit: the field {{b}} has no value'],
  ['a value without a field', 'a={{a}}', { a: 1, b: 2 }, 'unit: no field for the value b'],
  [
    'a value of several lines',
    'a={{a}}',
    { a: 'x\nExecStart=/bin/sh' },
    'unit: the value of {{a}} has a line break',
  ],
  ['a field that is not a word', 'a={{ a }}', {}, 'unit: {{ a }} is not a field: fields are {{word}}'],
  ['what every object has', '{{toString}}', {}, 'unit: the field {{toString}} has no value'],
])('%s is refused', (_, template, values, message) => {
  expect(() => render('unit', template, values)).toThrow(message)
})

test('what looks like a field in a value stays as it is refused, not filled in', () => {
  expect(() => render('unit', '{{a}}', { a: '{{b}}' })).toThrow('{{b}} is not a field')
})
