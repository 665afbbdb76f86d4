import { parseUnit } from '../../../provision/commands/units.ts'

test('a unit is what systemctl show says, with the digest that its process was started with', () => {
  const state = parseUnit(
    'MainPID=812\nNRestarts=2\nResult=success\nActiveState=active\nSubState=running\nUnitFileState=enabled\n' +
      'InvocationID=0123abcd\nBROKERKIT_DIGEST=feedbeef\n',
  )
  expect(state).toEqual({
    active: 'active',
    sub: 'running',
    enabled: true,
    mainPid: 812,
    restarts: 2,
    result: 'success',
    invocation: '0123abcd',
    digest: 'feedbeef',
  })
})

test('a unit that does not run has no digest', () => {
  expect(parseUnit('MainPID=0\nActiveState=inactive\nUnitFileState=\n')).toMatchObject({
    active: 'inactive',
    enabled: false,
    digest: undefined,
  })
})
