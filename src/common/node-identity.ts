import { newId } from './ids.js';

/** This process: a new id at every start, so that a restarted process is never taken for the one that died. */
export class NodeIdentity {
  readonly id = newId();
}
