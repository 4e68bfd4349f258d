import type { DomainError } from '../../common/domain-error.js';
import { invalid } from '../../platform/validation/payload.js';
import type { AdmissionCheck } from './admission.js';
import type { EngineServer } from './engine.js';

/** What engine.io means by the numbers of its refusals. */
const FAULTS = [
  'transport must be polling or websocket',
  'there is no such session: connect anew',
  'a session is begun by GET',
  'the request does not fit its transport or its session',
] as const;

/** Answers what engine.io would refuse in ways of its own: an error that is none of protocol section 6, or an empty 500. */
export function protocolCheck(engine: EngineServer): AdmissionCheck {
  return (request) => {
    const { method, headers, _query } = request;
    if (method !== 'GET' && method !== 'POST')
      return invalid(['a connection is made and used by GET and POST']);
    let refusal: DomainError | null = null;
    engine.verify(request, headers.upgrade !== undefined, (code) => {
      if (code !== undefined) refusal = invalid([FAULTS[code] ?? FAULTS[3]]);
    });
    // engine.io itself looks at it later.
    return refusal ?? (_query?.EIO === '4' ? null : invalid(['EIO must be 4, as Socket.IO 3 and 4 have it']));
  };
}
