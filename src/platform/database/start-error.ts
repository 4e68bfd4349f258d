/** Why the service cannot start: one sentence for the operator, without secrets. The process prints it and exits with 1. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
