import type { Engine, EngineTransport } from './engine.js';

/** Transports that write at the end of this turn. */
let holding: EngineTransport[] = [];

/**
 * Makes one write of all that is sent to a WebSocket within a turn of the event loop: a commit of many messages owes most
 * sockets an ack and a message, and each write is a system call. The transport is called not writable until the turn
 * ends, so what waits, in which order, and until when a close waits for it stay engine.io's own affair.
 */
export function coalesceWrites(engine: Engine): void {
  engine.on('packetCreate', hold);
}

/** One function for all connections. */
function hold(this: Engine): void {
  const { transport } = this;
  if (transport.name !== 'websocket' || !transport.writable) return;
  transport.writable = false;
  // Runs when all that this turn has settled has been told.
  if (holding.push(transport) === 1) process.nextTick(release);
}

function release(): void {
  const transports = holding;
  holding = [];
  for (const transport of transports) {
    const network = transport.socket?._socket;
    network?.cork();
    transport.writable = true;
    transport.emit('ready');
    network?.uncork();
  }
}
