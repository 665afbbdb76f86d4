/** Topics of the servers under test. */
import { WireClient } from '../tests/support/wire-client.ts'

/** A client for topics, closed when the action is done. */
export async function withTopics(
  address: string,
  action: (client: WireClient) => Promise<void>,
): Promise<void> {
  const client = new WireClient([address])
  try {
    await action(client)
  } finally {
    await client.close()
  }
}
