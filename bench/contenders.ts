/** The two servers that are compared, each a process of its own with a fresh data directory. */
import { kafkaTools, type KafkaTools } from '../tests/setup/kafka-tools.ts'
import { startKafkaServer } from '../tests/support/kafka-server.ts'
import { startBroker } from '../tests/support/start-broker.ts'
import { ageSeconds } from './process-usage.ts'

export type ContenderName = 'ours' | 'kafka'

/** What bin/kafka-server-start.sh gives its virtual machine. */
const KAFKA_JVM = [
  '-Xmx1G',
  '-Xms1G',
  '-server',
  '-XX:+UseG1GC',
  '-XX:MaxGCPauseMillis=20',
  '-XX:InitiatingHeapOccupancyPercent=35',
  '-XX:+ExplicitGCInvokesConcurrent',
  '-XX:MaxInlineLevel=15',
  '-Djava.awt.headless=true',
]
/** As in Kafka's sample server.properties. */
const KAFKA_SETTINGS = {
  'num.network.threads': '3',
  'num.io.threads': '8',
  'socket.send.buffer.bytes': '102400',
  'socket.receive.buffer.bytes': '102400',
}

export interface Contender {
  readonly name: ContenderName
  /** "host:port" */
  readonly address: string
  readonly pid: number
  /** From the start of the process until it served. */
  readonly startSeconds: number
  stop(): Promise<void>
}

export async function startContender(name: ContenderName, tools: KafkaTools): Promise<Contender> {
  const server =
    name === 'kafka'
      ? await startKafkaServer(tools, { jvm: KAFKA_JVM, overrides: KAFKA_SETTINGS })
      : await startBroker()
  return {
    name,
    address: server.address,
    pid: server.pid,
    startSeconds: ageSeconds(server.pid),
    stop: async () => void (await server.stop()),
  }
}

/** Java with the jars of Kafka's tools and server, installed where that is possible. */
export async function requireKafkaTools(report: (line: string) => void): Promise<KafkaTools> {
  const found = await kafkaTools.ensure(report)
  if (!found.available) throw new Error(`${kafkaTools.name}: missing ${found.missing}`)
  return found.value
}
