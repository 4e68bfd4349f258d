import { invalid } from '../../platform/validation/payload.js';

const WHOLE = /^\d{1,15}$/;

/** Where a client wants to go on, as it said it; texts are as they stand in the request. */
export interface Wanted {
  /** Header `Last-Event-ID`: the last sequence that it has. Wins over `fromSequence`. Empty counts as none. */
  lastEventId?: string | undefined;
  /** Query `fromSequence`: the first sequence that it wants. */
  fromSequence?: string | undefined;
}

/** The sequence to begin with; 0 where the client said none. @throws {DomainError} `invalid_payload` where it is not a number. */
export function positionOf({ lastEventId, fromSequence }: Wanted): number {
  if (lastEventId) return whole(lastEventId, 'Last-Event-ID') + 1;
  return fromSequence === undefined ? 0 : whole(fromSequence, 'fromSequence');
}

/** @throws {DomainError} `invalid_payload` where a stream whose log ends at `lastSequence` has not got to `fromSequence` yet. */
export function checkPosition(fromSequence: number, lastSequence: number): void {
  if (fromSequence > lastSequence + 1) {
    throw invalid([
      `the stream has chunks up to sequence ${lastSequence}: it cannot be read from ${fromSequence}`,
    ]);
  }
}

function whole(text: string, name: string): number {
  if (typeof text === 'string' && WHOLE.test(text)) return Number(text);
  throw invalid([`${name} must be a whole number, 0 or greater`]);
}
