import { METRICS } from '../../../broker/runtime/metric-table.ts'
import { MetricsListener } from '../../../broker/network/metrics-listener.ts'
import { silentLogger } from '../../../broker/runtime/logger.ts'
import { Metrics } from '../../../broker/runtime/metrics.ts'
import { parsePrometheusText, type MetricFamily } from '../../support/prometheus-text.ts'
import { type BrokerProcess, startBroker } from '../../support/start-broker.ts'
import { WireClient } from '../../support/wire-client.ts'

describe('the listener of the metrics', () => {
  const metrics = new Metrics()
  const listener = new MetricsListener({ host: '127.0.0.1', port: 0 }, metrics, silentLogger)

  beforeAll(() => listener.open())

  afterAll(() => listener.close())

  test('serves them under /metrics and nothing elsewhere', async () => {
    metrics.countRequest('Fetch', 'answered', 3)
    const response = await fetch(listener.url)
    expect(response.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
    const requests = parsePrometheusText(await response.text()).get('kafka_network_requests_total')
    expect(requests?.samples.get('kafka_network_requests_total{api="Fetch",outcome="answered"}')).toBe(1)
    const elsewhere = await fetch(new URL('/', listener.url))
    expect([elsewhere.status, await elsewhere.text()]).toEqual([404, 'there is only /metrics here\n'])
  })

  test('takes no other method than GET and HEAD', async () => {
    expect((await fetch(listener.url, { method: 'HEAD' })).status).toBe(200)
    const posted = await fetch(listener.url, { method: 'POST', body: 'x' })
    expect([posted.status, posted.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  test('says which setting is wrong when the port is taken', async () => {
    const port = Number(new URL(listener.url).port)
    const second = new MetricsListener({ host: '127.0.0.1', port }, metrics, silentLogger)
    await expect(second.open()).rejects.toThrow(
      `metrics.listener: cannot listen on 127.0.0.1:${port}: the port is taken by another process (EADDRINUSE)`,
    )
  })
})

describe('the metrics of a broker', () => {
  let broker: BrokerProcess
  let client: WireClient

  beforeAll(async () => {
    broker = await startBroker({ overrides: { 'metrics.listener': 'http://127.0.0.1:0' } })
    client = new WireClient([broker.address])
    await client.createTopic('measured', { replicationFactor: 1 })
    await client.write('measured', 0, ['x'.repeat(5000)])
  })

  afterAll(async () => {
    await client.close()
    await broker.stop()
  })

  async function read(): Promise<Map<string, MetricFamily>> {
    const [served] = broker.logged('serving metrics')
    return parsePrometheusText(await (await fetch(served!['url'] as string)).text())
  }

  test('are those of the table, each with its type and text', async () => {
    const families = await read()
    const told = [...families].map(([name, { type, help }]) => `${name} ${type} ${help}`)
    const rows = Object.entries(METRICS).map(([name, { type, help }]) => `${name} ${type} ${help}`)
    expect(told.toSorted()).toEqual(rows.toSorted())
  })

  test('tell of traffic, logs, partitions and the process', async () => {
    const families = await read()
    const value = (sample: string): number | undefined =>
      families.get(sample.replace(/\{.*/, ''))?.samples.get(sample)
    expect(value('kafka_network_received_bytes_total')).toBeGreaterThan(5000)
    expect(value('kafka_storage_topic_bytes{topic="measured"}')).toBeGreaterThan(5000)
    expect(value('kafka_storage_log_bytes')).toBeGreaterThan(5000)
    expect(value('kafka_replication_led_partitions')).toBe(1)
    expect(value('kafka_metadata_offline_partitions')).toBe(0)
    expect(value('kafka_metadata_brokers')).toBe(1)
    expect(value('kafka_runtime_memory_bytes{kind="resident"}')).toBeGreaterThan(10_000_000)
    expect(value('kafka_runtime_cpu_seconds_total{mode="user"}')).toBeGreaterThan(0)
    expect(value('kafka_runtime_event_loop_delay_seconds{quantile="1"}')).toBeLessThan(60)
    expect(value('kafka_network_connections')).toBe(1)
  })
})
