import os from 'node:os'
import path from 'node:path'

import { withFolderLock } from '../../../provision/local/folder-lock.ts'

const folder = path.join(os.tmpdir(), `brokerkit-lock-${process.pid}`)

test('a second command on the same folder is refused while the first one works, and told who it is', async () => {
  await withFolderLock(folder, async () => {
    await expect(withFolderLock(`${folder}/`, async () => 'both')).rejects.toThrow(
      `another command (process ${process.pid}) is working on ${folder}`,
    )
    await expect(withFolderLock(`${folder}-other`, async () => 'other')).resolves.toBe('other')
  })
  await expect(withFolderLock(folder, async () => 'later')).resolves.toBe('later')
})

test('the lock is free again when the work failed', async () => {
  await expect(withFolderLock(folder, () => Promise.reject(new Error('the work failed')))).rejects.toThrow(
    'the work failed',
  )
  await expect(withFolderLock(folder, async () => 'later')).resolves.toBe('later')
})
