import type { Engine } from './engine.js';

/** Packets in one request of long polling: more than an ordinary client gathers between two requests. */
const MAX_PACKETS = 2000;
/** What engine.io's protocol 4 has between the packets of one body. */
const SEPARATOR = '\x1e';

/**
 * For engine.io's `connection`: a request of long polling with more packets ends its connection before they are decoded.
 * engine.io would take all that fit into a body at once, a hundred thousand, while everybody else waits (P7).
 */
export function boundPolling({ transport }: Engine): void {
  if (transport.name !== 'polling') return;
  const take = transport.onData?.bind(transport);
  transport.onData = (body) => {
    if (hasMoreThan(MAX_PACKETS, body)) transport.onError?.('too many packets in one request');
    else take?.(body);
  };
}

function hasMoreThan(max: number, body: string): boolean {
  let packets = 1;
  for (let at = body.indexOf(SEPARATOR); at >= 0; at = body.indexOf(SEPARATOR, at + 1)) {
    packets += 1;
    if (packets > max) return true;
  }
  return false;
}
