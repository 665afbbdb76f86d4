import { execFileSync } from 'node:child_process'

import * as fc from 'fast-check'

import { asRoot, asUser, command, commandLine, quote, script } from '../../../provision/commands/shell.ts'

test('a shell gives back every word as it was', () => {
  const words = fc.array(
    fc.string({ unit: 'grapheme' }).filter((word) => !word.includes('\0')),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(words, (given) => {
      const line = ['printf', String.raw`'%s\0'`, ...given.map((word) => quote(word)), "''"].join(' ')
      const output = execFileSync('/bin/sh', ['-c', line], { encoding: 'utf8' })
      expect(output.split('\0').slice(0, -2)).toEqual(given)
    }),
    { numRuns: 60 },
  )
})

test.each([
  ['plain', 'plain'],
  ['/home/kafka/a_b-c.d', '/home/kafka/a_b-c.d'],
  ['', "''"],
  ['two words', "'two words'"],
  ["it's", String.raw`'it'\''s'`],
  ['$(reboot)', "'$(reboot)'"],
  ['a;b', "'a;b'"],
  ['~', "'~'"],
  ['line\nbreak', "'line\nbreak'"],
])('%j is written as %s', (word, written) => {
  expect(quote(word)).toBe(written)
})

test('a NUL byte is refused', () => {
  expect(() => quote('a\0b')).toThrow('a NUL byte cannot be passed to a command')
})

test('values are handed to a script, never pasted into it', () => {
  expect(commandLine(script('echo "$1"', '$(reboot)'))).toBe(`sh -euc 'echo "$1"' sh '$(reboot)'`)
})

test('a script stops at its first failure and at an unset variable', () => {
  const run = (text: string): string => {
    try {
      return execFileSync('/bin/sh', ['-c', commandLine(script(text))], { encoding: 'utf8', stdio: 'pipe' })
    } catch {
      return 'failed'
    }
  }
  expect(run('false; echo reached')).toBe('failed')
  expect(run('echo "$unset"; echo reached')).toBe('failed')
})

test('root comes through sudo that never asks, another user through root', () => {
  expect(commandLine(asRoot(command('systemctl', 'daemon-reload')))).toBe(
    'sudo -n -- systemctl daemon-reload',
  )
  expect(commandLine(asUser('kafka', command('id')))).toBe('sudo -n -- runuser --user kafka -- id')
})
