import { parseQuorumConnect } from '../../../broker/metadata/open-store.ts'

test.each([
  ['10.0.1.11:2379,10.0.1.12:2379/kafka', ['10.0.1.11:2379', '10.0.1.12:2379'], '/kafka'],
  ['localhost:2379', ['localhost:2379'], ''],
  ['h:1/', ['h:1'], ''],
  ['[fd00::1]:2379, [fd00::2]:2379/a/b', ['[fd00::1]:2379', '[fd00::2]:2379'], '/a/b'],
])('%s', (text, members, chroot) => {
  expect(parseQuorumConnect(text)).toEqual({ members, chroot })
})

test.each(['', 'host', 'a:1,,b:2', 'http://a:1', 'a:1//b', 'embedded:'])(
  'refuses "%s" and says what is expected',
  (text) => {
    expect(() => parseQuorumConnect(text)).toThrow('Expected host:port,host:port,host:port')
  },
)
