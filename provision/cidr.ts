/** IPv4 address ranges in CIDR notation (RFC 4632): "10.20.0.0/16". */
import net from 'node:net'

/** What keeps a text from being an IPv4 range, or undefined. */
export function cidrProblem(text: string): string | undefined {
  const [address, prefix, ...rest] = text.split('/')
  if (address === undefined || prefix === undefined || rest.length > 0 || !net.isIPv4(address)) {
    return `"${text}" is not an IPv4 range as 203.0.113.0/24${net.isIPv4(text) ? `; for this one address write ${text}/32` : ''}`
  }
  if (!/^\d{1,2}$/.test(prefix) || Number(prefix) > 32) return `"${text}": the prefix length must be 0 to 32`
  const base = baseOf(text)
  if (base !== numberOf(address))
    return `"${text}" has host bits set; the range is ${addressOf(base)}/${prefix}`
  return undefined
}

export function isAnywhere(range: string): boolean {
  return range.endsWith('/0')
}

/** The `index`-th subnet of `prefix` bits in a range, as "10.20.2.0/24". */
export function subnetOf(range: string, prefix: number, index: number): string {
  return `${addressOf(baseOf(range) + index * 2 ** (32 - prefix))}/${prefix}`
}

/** The `index`-th address of a range. */
export function hostOf(range: string, index: number): string {
  return addressOf(baseOf(range) + index)
}

function baseOf(range: string): number {
  const [address, prefix] = range.split('/')
  const size = 2 ** (32 - Number(prefix))
  return Math.floor(numberOf(address!) / size) * size
}

function numberOf(address: string): number {
  return address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
}

function addressOf(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
