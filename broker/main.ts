/**
 * `node broker/main.ts server.properties [--override key=value]…`: runs one broker (run.ts).
 *
 * Half of a start is spent on taking the types out of the sources and compiling them, so node keeps what came of it:
 * in the folder that NODE_COMPILE_CACHE names, or beside the packages. Where neither can be written it starts without.
 */
import { enableCompileCache } from 'node:module'
import path from 'node:path'

if (process.env['NODE_COMPILE_CACHE'] === undefined) {
  enableCompileCache(path.join(import.meta.dirname, '../node_modules/.cache/brokerkit'))
}
await import('./run.ts')
