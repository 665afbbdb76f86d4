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
        'kafka_network_request_seconds_bucket{le="0.005",api="Fetch"} 1',
        'kafka_network_request_seconds_count{api="Fetch"} 2',
      ]),
    )
  })

  test('a watched value is read when the metrics are, and each broker has its own', async () => {
    const [one, other] = [new Metrics(), new Metrics()]
    let value = 1
    one.watch('kafka_network_connections', 'Open connections.', () => value)
    value = 7
    expect(await one.text()).toContain('\nkafka_network_connections 7\n')
    expect(await other.text()).not.toContain('kafka_network_connections')
  })
})
