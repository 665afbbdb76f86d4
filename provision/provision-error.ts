/** What the operator has to know or do; shown as it is, without a stack. */
export class ProvisionError extends Error {
  override name = 'ProvisionError'
}
