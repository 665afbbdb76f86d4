/** Why an address cannot be listened on, in words that help. */

/** The address cannot be listened on; the message says which, why, and which setting to change. */
export class ListenError extends Error {
  override readonly name = 'ListenError'
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is taken by another process',
  EADDRNOTAVAIL:
    'this machine has no such address; an address that others see it by belongs into advertised.listeners',
  ENOTFOUND: 'the host name cannot be resolved',
  EACCES: 'a port below 1024 needs a privilege that this process does not have',
}

export function whyNotListening(error: NodeJS.ErrnoException): string {
  return `${REASONS[error.code ?? ''] ?? error.message} (${error.code ?? 'error'})`
}
