import { parseMetricsAddress } from '../../../broker/config/metrics-address.ts'

test.each([
  ['http://127.0.0.1:9404', { host: '127.0.0.1', port: 9404 }],
  ['http://127.0.0.1:9404/', { host: '127.0.0.1', port: 9404 }],
  ['metrics.internal:0', { host: 'metrics.internal', port: 0 }],
  ['http://[::1]:9404', { host: '::1', port: 9404 }],
])('%s is an address', (text, address) => {
  expect(parseMetricsAddress(text)).toEqual(address)
})

test.each(['9404', ':9404', 'http://127.0.0.1', 'https://127.0.0.1:9404', 'a:99999', 'http://a:1/x'])(
  '%s is none',
  (text) => {
    expect(() => parseMetricsAddress(text)).toThrow(
      `metrics.listener: "${text}" must be http://host:port, such as http://127.0.0.1:9404`,
    )
  },
)
