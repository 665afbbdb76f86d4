/** The classic group protocol, scenario by scenario: groups/*.txt, in the language of group-script.ts. */
import path from 'node:path'
import { GroupScript } from './group-script.ts'
import { testScenarios } from './scenario-file.ts'

testScenarios(path.join(import.meta.dirname, 'groups'), () => {
  const script = new GroupScript()
  return (command) => script.run(command)
})
