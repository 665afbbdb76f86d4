import { ageSeconds, cpuSeconds, residentBytes } from '../../bench/process-usage.ts'

const onLinux = process.platform === 'linux' ? describe : describe.skip

onLinux('what /proc tells of a process', () => {
  test('processor time and memory are near what node says of itself', () => {
    const { user, system } = process.cpuUsage()
    expect(cpuSeconds(process.pid)).toBeGreaterThan(0)
    expect(cpuSeconds(process.pid)).toBeLessThan((user + system) / 1e6 + 5)
    expect(residentBytes(process.pid) / process.memoryUsage().rss).toBeCloseTo(1, 0)
  })

  test('its age is that of the process', () => {
    expect(Math.abs(ageSeconds(process.pid) - process.uptime())).toBeLessThan(5)
  })
})
