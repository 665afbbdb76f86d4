/** Ranges of versions, as the tables of messages write them. */

export interface VersionRange {
  readonly min: number
  readonly max: number
}

export const EVERY_VERSION: VersionRange = { min: 0, max: 0x7fff }
export const NO_VERSION: VersionRange = { min: 1, max: 0 }

/** "3", "3-5", "3+" or "none". */
export function parseVersions(text: string): VersionRange {
  if (text === 'none') return NO_VERSION
  const match = /^(\d+)(?:(\+)|-(\d+))?$/.exec(text)
  if (match === null) throw new RangeError(`"${text}" is not a version range such as "3", "3-5" or "3+"`)
  const min = Number(match[1])
  if (match[2] !== undefined) return { min, max: EVERY_VERSION.max }
  return { min, max: match[3] === undefined ? min : Number(match[3]) }
}

export function includesVersion(range: VersionRange, version: number): boolean {
  return version >= range.min && version <= range.max
}
