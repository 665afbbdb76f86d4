import { listConfigResources } from '../../../broker/handlers/list-config-resources.ts'
import { useBroker } from '../../support/use-broker.ts'

describe('ListConfigResources', () => {
  const broker = useBroker({ topics: { a: 1, b: 1 } })

  async function list(version: number, resourceTypes: number[]) {
    const answer = await listConfigResources({ resourceTypes }, broker.context(version))
    return answer!.configResources.map(({ resourceType, resourceName }) => `${resourceType} ${resourceName}`)
  }

  test('v1 names what has settings, of the types that are asked for', async () => {
    expect(await list(1, [])).toEqual(['4 1', '2 a', '2 b'])
    expect(await list(1, [2])).toEqual(['2 a', '2 b'])
    expect(await list(1, [4, 8, 16, 32])).toEqual(['4 1'])
  })

  test('v0 asks for client metrics, of which there are none', async () => {
    expect(await list(0, [])).toEqual([])
  })

  test('an unknown type is refused', () => {
    expect(() => listConfigResources({ resourceTypes: [2, 99] }, broker.context(1))).toThrow(
      expect.objectContaining({ error: 'UNSUPPORTED_VERSION' }),
    )
  })
})
