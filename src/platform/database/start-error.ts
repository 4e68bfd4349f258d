/** Why the service cannot start: one sentence for the person who started it, without secrets. The process prints it and exits 1. */
export class StartError extends Error {
  override readonly name = 'StartError';
}
