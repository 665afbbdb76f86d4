/** The configuration cannot be used. The message names the place, the key, its value and what would be right. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}
