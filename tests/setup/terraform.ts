/**
 * Terraform and the AWS provider of the version that the stacks were generated for. Terraform is taken from the
 * path. The provider comes from a mirror that is there already (TF_PLUGIN_MIRROR, Terraform's own folders, /opt),
 * or is downloaded once into the tools folder.
 */
import { constants } from 'node:fs'
import { access, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import os from 'node:os'
import path from 'node:path'
import { execa } from 'execa'
import { TOOLS_FOLDER, type Availability, type Prerequisite } from './prerequisite.ts'

export interface Terraform {
  readonly path: string
  /** A folder laid out as a provider mirror: registry.terraform.io/hashicorp/aws/… */
  readonly providerMirror: string
}

const OWN_MIRROR = path.join(TOOLS_FOLDER, 'terraform-providers')
const DOWNLOAD_TIMEOUT_MS = 600_000

export const terraform: Prerequisite<Terraform> = {
  name: 'Terraform',
  find,
  async ensure(report) {
    const found = await find()
    const program = await onPath('terraform')
    if (found.available || program === undefined) return found
    report('downloading the AWS provider for Terraform (about 150 MB)')
    const failure = await downloadProvider(program)
    return failure === undefined ? find() : { available: false, missing: failure }
  },
}

async function find(): Promise<Availability<Terraform>> {
  const program = await onPath('terraform')
  if (program === undefined) {
    return {
      available: false,
      missing: 'the program terraform (https://developer.hashicorp.com/terraform/install)',
    }
  }
  const version = await providerVersion()
  for (const mirror of await mirrors()) {
    if (await holdsProvider(mirror, version)) {
      return { available: true, value: { path: program, providerMirror: mirror } }
    }
  }
  return {
    available: false,
    missing: `the AWS provider ${version} in a mirror (TF_PLUGIN_MIRROR names a folder with one)`,
  }
}

async function onPath(program: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    const file = path.join(folder, program)
    const executable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (executable) return file
  }
  return undefined
}

async function providerVersion(): Promise<string> {
  const file = path.resolve(import.meta.dirname, '../../node_modules/@cdktf/provider-aws/package.json')
  const { cdktf } = JSON.parse(await readFile(file, 'utf8')) as { cdktf: { provider: { version: string } } }
  return cdktf.provider.version
}

/** Where mirrors lie by Terraform's rules ("Implied Local Mirror Directories"), by the environment, and by custom. */
async function mirrors(): Promise<string[]> {
  const named = process.env['TF_PLUGIN_MIRROR']
  const dataHome = process.env['XDG_DATA_HOME'] ?? path.join(os.homedir(), '.local/share')
  const inOpt = await readdir('/opt').catch(() => [])
  return [
    ...(named === undefined ? [] : [named]),
    OWN_MIRROR,
    path.join(os.homedir(), '.terraform.d/plugins'),
    path.join(dataHome, 'terraform/plugins'),
    '/usr/local/share/terraform/plugins',
    '/usr/share/terraform/plugins',
    ...inOpt.map((folder) => path.join('/opt', folder)),
  ]
}

/** Unpacked (aws/5.100.0/linux_amd64/…) or packed (aws/terraform-provider-aws_5.100.0_linux_amd64.zip). */
async function holdsProvider(mirror: string, version: string): Promise<boolean> {
  const folder = path.join(mirror, 'registry.terraform.io/hashicorp/aws')
  const platform = `${process.platform}_${process.arch === 'x64' ? 'amd64' : process.arch}`
  const places = [`${version}/${platform}`, `terraform-provider-aws_${version}_${platform}.zip`]
  const found = await Promise.all(
    places.map((place) =>
      access(path.join(folder, place)).then(
        () => true,
        () => false,
      ),
    ),
  )
  return found.includes(true)
}

/** Lets Terraform itself fetch and verify the provider; returns what went wrong. */
async function downloadProvider(program: string): Promise<string | undefined> {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'terraform-providers-'))
  try {
    const wanted = { aws: { source: 'hashicorp/aws', version: await providerVersion() } }
    await writeFile(
      path.join(folder, 'main.tf.json'),
      JSON.stringify({ terraform: { required_providers: wanted } }),
    )
    await writeFile(path.join(folder, 'terraformrc'), 'disable_checkpoint = true\n')
    await mkdir(OWN_MIRROR, { recursive: true })
    const made = await execa(program, ['providers', 'mirror', OWN_MIRROR], {
      cwd: folder,
      env: { TF_CLI_CONFIG_FILE: path.join(folder, 'terraformrc'), CHECKPOINT_DISABLE: '1' },
      reject: false,
      timeout: DOWNLOAD_TIMEOUT_MS,
    })
    return made.failed
      ? `the AWS provider could not be downloaded: ${made.stderr.trim().split('\n').slice(-3).join(' ')}`
      : undefined
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
