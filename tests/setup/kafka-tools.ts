/**
 * Apache Kafka's own command-line tools (kafka-topics, the console producer and consumer) and its server: Java, and the
 * jars that Maven resolves from `tests/compat/pom.xml`, kept in the tools folder.
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { copyFile, mkdir, rename, rm } from 'node:fs/promises'
import path from 'node:path'

import { execa } from 'execa'

import { aptInstall } from './apt.ts'
import { TOOLS_FOLDER } from './prerequisite.ts'
import type { Availability, Prerequisite } from './prerequisite.ts'

export interface KafkaTools {
  /** The `java` to run them with. */
  readonly java: string
  /** Class path: every jar of the tools. */
  readonly classPath: string
}

const POM = path.resolve(import.meta.dirname, '../compat/pom.xml')
const COPY_JARS = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies'
const MIN_JAVA = 17
/** Java 17 or newer, by the names that Debian and Ubuntu releases have for it. */
const JAVA_PACKAGES = ['openjdk-17-jre-headless', 'openjdk-21-jre-headless', 'default-jre-headless']
const MAVEN_TIMEOUT_MS = 600_000

/** Named after the pom, so that another version of it is resolved anew. */
const folder = path.join(
  TOOLS_FOLDER,
  `kafka-tools-${createHash('sha256').update(readFileSync(POM)).digest('hex').slice(0, 12)}`,
)

async function find(): Promise<Availability<KafkaTools>> {
  if (!(await javaIsThere())) return { available: false, missing: `Java ${MIN_JAVA} or newer (java)` }
  if (!existsSync(folder)) return { available: false, missing: `the jars of Kafka's tools in ${folder}` }
  return { available: true, value: { java: 'java', classPath: `${folder}/*` } }
}

export const kafkaTools: Prerequisite<KafkaTools> = {
  name: "Kafka's own tools",
  find,
  async ensure(report) {
    const failure = (await ensureJava(report)) ?? (await ensureMaven(report)) ?? (await ensureJars(report))
    return failure === undefined ? find() : { available: false, missing: failure }
  },
}

async function javaIsThere(): Promise<boolean> {
  const shown = await execa('java', ['-version'], { reject: false })
  return Number(/version "(\d+)/.exec(shown.stderr ?? '')?.[1] ?? 0) >= MIN_JAVA
}

async function ensureJava(report: (line: string) => void): Promise<string | undefined> {
  let failure: string | undefined
  for (const name of JAVA_PACKAGES) {
    if (await javaIsThere()) return undefined
    failure = await aptInstall([name], report)
  }
  return (await javaIsThere())
    ? undefined
    : `Java ${MIN_JAVA} or newer: ${failure ?? 'none is packaged here'}`
}

async function ensureMaven(report: (line: string) => void): Promise<string | undefined> {
  if (existsSync(folder)) return undefined
  const shown = await execa('mvn', ['--version'], { reject: false })
  if (!shown.failed) return undefined
  const failure = await aptInstall(['maven'], report)
  return failure === undefined ? undefined : `Maven: ${failure}`
}

/** Resolved beside and renamed: the folder is complete or not there. */
async function ensureJars(report: (line: string) => void): Promise<string | undefined> {
  if (existsSync(folder)) return undefined
  report('resolving the jars with Maven')
  const partial = `${folder}.${process.pid}`
  await mkdir(partial, { recursive: true })
  await copyFile(POM, path.join(partial, 'pom.xml'))
  const jars = path.join(partial, 'jars')
  const resolved = await execa(
    'mvn',
    ['--batch-mode', '--quiet', COPY_JARS, '-DincludeScope=runtime', `-DoutputDirectory=${jars}`],
    { cwd: partial, reject: false, timeout: MAVEN_TIMEOUT_MS },
  )
  if (!resolved.failed) await rename(jars, folder)
  await rm(partial, { recursive: true, force: true })
  if (!resolved.failed) return undefined
  const reason = resolved.stdout.split('\n').find((line) => line.includes('ERROR')) ?? resolved.shortMessage
  return `Maven could not resolve ${POM}: ${reason}`
}
