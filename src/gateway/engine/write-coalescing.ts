import type { Engine, EngineTransport } from './engine.js';

/** Transports that write at the end of this turn. */
let held: EngineTransport[] = [];

/**
 * Writes all that is sent to a WebSocket within a turn of the event loop at once: a commit of many messages sends most
 * sockets an ack and a message, and each write is a system call. The transport is marked as not writable until the turn
 * ends, so that buffering, order and closing stay with engine.io.
 */
export function coalesceWrites(engine: Engine): void {
  engine.on('packetCreate', hold);
}

/** One function for all connections. */
function hold(this: Engine): void {
  const { transport } = this;
  if (transport.name !== 'websocket' || !transport.writable) return;
  transport.writable = false;
  // Runs after the promise callbacks of this turn.
  if (held.push(transport) === 1) process.nextTick(release);
}

function release(): void {
  const transports = held;
  held = [];
  for (const transport of transports) {
    const network = transport.socket?._socket;
    network?.cork();
    transport.writable = true;
    transport.emit('ready');
    network?.uncork();
  }
}
