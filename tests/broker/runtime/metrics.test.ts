import { Metrics } from '../../../broker/runtime/metrics.ts'

describe('metrics', () => {
  test('requests are counted and timed by API and outcome', async () => {
    const metrics = new Metrics()
    metrics.countRequest('Fetch', 'answered', 3)
    metrics.countRequest('Fetch', 'answered', 400)
    metrics.countRequest('Produce', 'unanswered', 1)
    const lines = (await metrics.text()).split('\n')
    expect(lines).toEqual(
      expect.arrayContaining([
        'kafka_network_requests_total{api="Fetch",outcome="answered"} 2',
        'kafka_network_requests_total{api="Produce",outcome="unanswered"} 1',
        'kafka_network_request_seconds_bucket{api="Fetch",le="0.0025"} 0',
        'kafka_network_request_seconds_bucket{api="Fetch",le="0.005"} 1',
        'kafka_network_request_seconds_bucket{api="Fetch",le="+Inf"} 2',
        'kafka_network_request_seconds_sum{api="Fetch"} 0.403',
        'kafka_network_request_seconds_count{api="Fetch"} 2',
      ]),
    )
  })

  test('a watched value is read when the metrics are, and each broker has its own', async () => {
    const [one, other] = [new Metrics(), new Metrics()]
    let value = 1
    one.watch('kafka_network_connections', () => value)
    value = 7
    expect(await one.text()).toContain('\nkafka_network_connections 7\n')
    expect(await other.text()).not.toContain('kafka_network_connections')
  })

  test('a label has the values that it has when the metrics are read', async () => {
    const metrics = new Metrics()
    let topics = new Map([['gone', 1]])
    metrics.watch('kafka_storage_topic_bytes', () => topics)
    await metrics.text()
    topics = new Map([['here', 2]])
    const text = await metrics.text()
    expect(text).toContain('kafka_storage_topic_bytes{topic="here"} 2\n')
    expect(text).not.toContain('gone')
  })

  test('what only grows is a counter, and does not grow by being read', async () => {
    const metrics = new Metrics()
    metrics.watch('kafka_network_sent_bytes_total', () => 5)
    await metrics.text()
    expect(await metrics.text()).toContain(
      '# TYPE kafka_network_sent_bytes_total counter\nkafka_network_sent_bytes_total 5\n',
    )
  })
})
