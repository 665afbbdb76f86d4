/** franz-go: the Go client, idempotent by default, with fetch sessions and the newest version of every API. */
import { franzGo } from '../setup/franz-go.ts'
import { describeProgramClient } from '../support/program-client.ts'
import { describeWith } from '../support/requires.ts'

await describeWith(franzGo, 'franz-go', (client) => describeProgramClient([client.path]))
