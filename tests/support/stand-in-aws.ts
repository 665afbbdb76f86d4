/** moto's server in AWS's place, and the cdktf command line and Terraform set up to talk to it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, realpath, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { moto, type Moto } from '../setup/moto.ts'
import type { Prerequisite } from '../setup/prerequisite.ts'
import { terraform, type Terraform } from '../setup/terraform.ts'
import { parseXml, type XmlValue } from './xml.ts'

export const ROOT = path.resolve(import.meta.dirname, '../..')
const BIN = path.join(ROOT, 'node_modules/.bin')
const START_TIMEOUT_MS = 30_000

export interface Tools {
  readonly moto: Moto
  readonly terraform: Terraform
}

/** Both tools together. */
export const standInTools: Pick<Prerequisite<Tools>, 'name' | 'find'> = {
  name: 'Terraform with moto',
  async find() {
    const foundMoto = await moto.find()
    if (!foundMoto.available) return foundMoto
    const foundTerraform = await terraform.find()
    if (!foundTerraform.available) return foundTerraform
    return { available: true, value: { moto: foundMoto.value, terraform: foundTerraform.value } }
  },
}

export class StandInAws {
  /** For commands that shall find Terraform and reach this AWS. */
  readonly environment: NodeJS.ProcessEnv
  readonly #url: string
  readonly #server: ChildProcess

  /** Starts moto on a free port. `folder` is for its settings. */
  static async start(tools: Tools, folder: string): Promise<StandInAws> {
    await mkdir(folder, { recursive: true })
    const server = spawn(tools.moto.path, ['-H', '127.0.0.1', '-p', '0'], {
      env: { ...process.env, MOTO_AMIS_PATH: path.join(ROOT, 'tests/fixtures/moto-amis.json') },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    try {
      return new StandInAws(server, await addressOf(server), await terraformSettings(tools, folder), tools)
    } catch (error) {
      server.kill('SIGKILL')
      throw error
    }
  }

  constructor(server: ChildProcess, url: string, settingsFile: string, tools: Tools) {
    this.#server = server
    this.#url = url
    this.environment = {
      ...withoutAws(process.env),
      PATH: [BIN, path.dirname(tools.terraform.path), process.env['PATH']].join(path.delimiter),
      CI: 'true',
      CHECKPOINT_DISABLE: '1',
      TF_CLI_CONFIG_FILE: settingsFile,
      TF_IN_AUTOMATION: '1',
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
      AWS_EC2_METADATA_DISABLED: 'true',
      NO_COLOR: '1',
    }
  }

  /** Calls EC2's API: what a DescribeX action answers in its `set`, a list. */
  async ec2(region: string, action: string, set: string): Promise<Readonly<Record<string, XmlValue>>[]> {
    const credential = `Credential=test/20260101/${region}/ec2/aws4_request, SignedHeaders=host, Signature=none`
    const response = await fetch(this.#url, {
      method: 'POST',
      headers: { authorization: `AWS4-HMAC-SHA256 ${credential}` },
      body: new URLSearchParams({ Action: action, Version: '2016-11-15' }),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${action} answered ${response.status}: ${text}`)
    const answer = parseXml(text) as { readonly [name: string]: { readonly [set: string]: XmlValue } }
    const list = Object.values(answer)[0]?.[set]
    return Array.isArray(list) ? (list as Record<string, XmlValue>[]) : []
  }

  async stop(): Promise<void> {
    if (this.#server.exitCode !== null || this.#server.signalCode !== null) return
    const ended = once(this.#server, 'exit')
    this.#server.kill('SIGKILL')
    await ended
  }
}

/** The machine's own Node, where it is another one than the project's; otherwise the project's. */
export async function machinesNode(): Promise<string> {
  const modules = path.join(ROOT, 'node_modules')
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const file = await realpath(path.join(folder, 'node')).catch(() => undefined)
    if (file !== undefined && !file.startsWith(modules)) return file
  }
  return process.execPath
}

/**
 * Runs a command in its own process group and resolves to its standard output. When it fails, or takes longer than
 * it may, the error has what it said; nothing of the group is left behind.
 */
export async function runStep(
  command: readonly string[],
  options: { readonly cwd: string; readonly env: NodeJS.ProcessEnv; readonly timeoutMs: number },
): Promise<string> {
  const child = spawn(command[0]!, command.slice(1), {
    cwd: options.cwd,
    env: options.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text))
  let late = false
  const timer = setTimeout(() => {
    late = true
    process.kill(-child.pid!, 'SIGKILL')
  }, options.timeoutMs)
  try {
    const [code] = (await once(child, 'close')) as [number | null]
    if (code === 0) return said.stdout
    const end = late ? `took longer than ${options.timeoutMs} ms` : `ended with ${code}`
    throw new Error(`${command.join(' ')} ${end}\n${said.stdout.slice(-4000)}\n${said.stderr.slice(-4000)}`)
  } finally {
    clearTimeout(timer)
  }
}

async function addressOf(server: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = ''
    const timer = setTimeout(() => reject(new Error(`moto did not start: ${said}`)), START_TIMEOUT_MS)
    const listen = (data: Buffer): void => {
      said += data.toString()
      const address = /Running on (http:\S+)/.exec(said)?.[1]
      if (address === undefined) return
      clearTimeout(timer)
      resolve(address)
    }
    server.stdout!.on('data', listen)
    server.stderr!.on('data', listen)
    server.once('error', reject)
    server.once('exit', () => reject(new Error(`moto ended: ${said}`)))
  })
}

/** Terraform's own settings: the provider comes from the mirror, nothing from the network. */
async function terraformSettings({ terraform: { providerMirror } }: Tools, folder: string): Promise<string> {
  const file = path.join(folder, 'terraformrc')
  await writeFile(
    file,
    `disable_checkpoint = true
provider_installation {
  filesystem_mirror {
    path    = ${JSON.stringify(providerMirror)}
    include = ["hashicorp/*"]
  }
}
`,
  )
  return file
}

/** Nobody's real account may be meant by a test. */
function withoutAws(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(environment).filter(([name]) => !/^(AWS|TF)_|^NODE_OPTIONS$/.test(name)),
  )
}
