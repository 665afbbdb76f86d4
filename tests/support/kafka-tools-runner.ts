/** Runs Apache Kafka's command-line tools (tests/setup/kafka-tools.ts) by the names of their scripts. */
import type { KafkaTools } from '../setup/kafka-tools.ts'
import { runProgram } from './run-program.ts'
import type { RunOptions } from './run-program.ts'

const CLASSES = {
  'kafka-topics': 'org.apache.kafka.tools.TopicCommand',
  'kafka-configs': 'kafka.admin.ConfigCommand',
  'kafka-console-producer': 'org.apache.kafka.tools.ConsoleProducer',
  'kafka-console-consumer': 'org.apache.kafka.tools.consumer.ConsoleConsumer',
  'kafka-get-offsets': 'org.apache.kafka.tools.GetOffsetShell',
  'kafka-delete-records': 'org.apache.kafka.tools.DeleteRecordsCommand',
  'kafka-producer-perf-test': 'org.apache.kafka.tools.ProducerPerformance',
  'kafka-log-dirs': 'org.apache.kafka.tools.LogDirsCommand',
  'kafka-dump-log': 'org.apache.kafka.tools.DumpLogSegments',
  'kafka-broker-api-versions': 'org.apache.kafka.tools.BrokerApiVersionsCommand',
} as const

export type KafkaTool = keyof typeof CLASSES

/** Short-lived programs: little memory, quick to start, and only warnings on standard error. */
const JVM = [
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
]

/** Resolves to the tool's standard output; rejects when it exits with another code than 0. */
export function runKafkaTool(
  { java, classPath }: KafkaTools,
  tool: KafkaTool,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  return runProgram(java, [...JVM, '-cp', classPath, CLASSES[tool], ...args], options)
}
