/** kafka-python 3: a client of its own, in Python alone, with incremental fetch sessions. */
import path from 'node:path'

import { kafkaPython } from '../setup/kafka-python.ts'
import { describeProgramClient } from '../support/program-client.ts'
import { describeWith } from '../support/requires.ts'

const PROGRAM = path.join(import.meta.dirname, 'clients/kafka-python/client.py')

await describeWith(kafkaPython, 'kafka-python', (python) => describeProgramClient([python.path, PROGRAM]))
