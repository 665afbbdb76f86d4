/** The reserve on a disk whose free space the test sets. */
import { silentLogger } from '../../../broker/runtime/logger.ts'
import { DirectoryHealth } from '../../../broker/storage/directory-health.ts'
import { DiskReserve } from '../../../broker/storage/disk-reserve.ts'
import { systemError } from '../../support/faulty-files.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { settle } from '../../support/replication-scene.ts'

const MiB = 1024 ** 2
const GiB = 1024 ** 3

class Scene {
  readonly clock = new ManualClock()
  readonly directories = ['/a/logs', '/a/more', '/b/logs'].map(
    (path) => new DirectoryHealth(path, silentLogger),
  )
  readonly free = new Map([
    ['/a', 50 * GiB],
    ['/b', 50 * GiB],
  ])
  limits = { percent: 5, minBytes: GiB }
  measured = 0
  readonly #reserve: DiskReserve

  constructor() {
    this.#reserve = new DiskReserve({
      directories: this.directories,
      limits: () => this.limits,
      measure: (path) => {
        this.measured += 1
        const fileSystem = path.slice(0, 2)
        return Promise.resolve({ fileSystem, totalBytes: 100 * GiB, usableBytes: this.free.get(fileSystem)! })
      },
      clock: this.clock,
      logger: silentLogger,
    })
  }

  async start(): Promise<this> {
    await this.#reserve.start()
    return this
  }

  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    await settle()
  }

  /** The directories that refuse records of clients. */
  get short(): string[] {
    return this.directories.filter(({ isShort }) => isShort).map(({ path }) => path)
  }

  close(): void {
    this.#reserve.close()
  }
}

let scene: Scene

beforeEach(async () => {
  scene = await new Scene().start()
})

afterEach(() => scene.close())

test('below the reserve, the directories of that file system refuse records of clients; others do not', async () => {
  scene.free.set('/a', 5 * GiB - 1)
  await scene.pass(10_000)
  expect(scene.short).toEqual(['/a/logs', '/a/more'])
  expect(() => scene.directories[0]!.mustHaveRoom()).toThrow(
    expect.objectContaining({
      error: 'KAFKA_STORAGE_ERROR',
      detail: expect.stringContaining('/a/logs has 5 GiB free of 100 GiB, less than the reserve of 5 GiB'),
    }),
  )
  expect(() => scene.directories[0]!.mustHaveSpace()).not.toThrow()
})

test('records are let in again a little above the reserve', async () => {
  scene.free.set('/a', 4 * GiB)
  await scene.pass(10_000)
  scene.free.set('/a', 5.1 * GiB)
  await scene.pass(500)
  expect(scene.short).toEqual(['/a/logs', '/a/more'])
  scene.free.set('/a', 5.25 * GiB)
  await scene.pass(500)
  expect(scene.short).toEqual([])
})

test('the larger of the two settings is the reserve, as they are at the moment', async () => {
  scene.free.set('/a', 6 * GiB)
  await scene.pass(10_000)
  expect(scene.short).toEqual([])
  scene.limits = { percent: 5, minBytes: 7 * GiB }
  await scene.pass(10_000)
  expect(scene.short).toEqual(['/a/logs', '/a/more'])
  scene.limits = { percent: 0, minBytes: 0 }
  await scene.pass(500)
  expect(scene.short).toEqual([])
})

test('the nearer the reserve, the more often it is measured; far from it, every 10 s', async () => {
  const measurements = async (free: number): Promise<number> => {
    scene.free.set('/a', free)
    await scene.pass(10_000)
    const before = scene.measured
    for (let ms = 0; ms < 10_000; ms += 100) await scene.pass(100)
    // The other file system takes one.
    return scene.measured - before - 1
  }
  expect(await measurements(50 * GiB)).toBe(1)
  expect(await measurements(6 * GiB)).toBe(10)
  expect(await measurements(5 * GiB + MiB)).toBe(100)
})

test('after a write that found no space nothing is appended until a tenth of the reserve is free', async () => {
  const [directory] = scene.directories
  scene.free.set('/a', 100)
  await scene.pass(10_000)
  const error = directory!.failedWrite('/a/logs/t-0/0.log', systemError('ENOSPC', 'write', 'x'))
  expect(error).toMatchObject({
    error: 'KAFKA_STORAGE_ERROR',
    detail: expect.stringContaining('/a/logs is full'),
  })
  expect(directory!.isOnline).toBe(true)
  expect(() => directory!.mustHaveSpace()).toThrow('KAFKA_STORAGE_ERROR')
  scene.free.set('/a', 0.4 * GiB)
  await scene.pass(500)
  expect(() => directory!.mustHaveSpace()).toThrow('KAFKA_STORAGE_ERROR')
  scene.free.set('/a', 0.5 * GiB)
  await scene.pass(500)
  expect(() => directory!.mustHaveSpace()).not.toThrow()
  expect(() => directory!.mustHaveRoom()).toThrow('KAFKA_STORAGE_ERROR')
})

test('a sync that says that there is no space has lost what it was to keep: the directory goes offline', () => {
  const [directory] = scene.directories
  directory!.failedWrite('/a/logs/t-0/0.log', systemError('ENOSPC', 'fdatasync', 'x'))
  expect(directory!.isOnline).toBe(false)
})
