/** The lock of a log directory leaves nothing behind, and says what is in its way. */
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { DirectoryLockedError, lockDirectory } from '../../../broker/storage/directory-lock.ts'
import { tempFolder } from '../../support/temp-folder.ts'

const newPath = tempFolder()

function newDirectory(): string {
  const directory = newPath('logs')
  mkdirSync(directory)
  return directory
}

test('there is an empty .lock and no other file, while it is held and after', () => {
  const directory = newDirectory()
  const lock = lockDirectory(directory)
  expect(readdirSync(directory)).toEqual(['.lock'])
  expect(() => lockDirectory(directory)).toThrow(DirectoryLockedError)
  lock.release()
  lockDirectory(directory).release()
  expect(readdirSync(directory)).toEqual(['.lock'])
  expect(statSync(path.join(directory, '.lock')).size).toBe(0)
})

test('a .lock with something in it is not taken for a lock that is held', () => {
  const directory = newDirectory()
  writeFileSync(path.join(directory, '.lock'), 'x'.repeat(1000))
  expect(() => lockDirectory(directory)).toThrow(/\.lock cannot be locked: .*should be empty, remove it/)
})
