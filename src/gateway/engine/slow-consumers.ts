import { Inject, Injectable, Logger } from '@nestjs/common';
import { CONFIG, type Config } from '../../platform/config/config.js';
import type { Connection } from '../connections/connection.js';
import type { ConnectionObserver } from '../connections/connection-observer.js';
import { engineOf, type EnginePacket, type WebSocketLike } from './engine.js';

/** How long a closed socket may take to send what is in flight, `connection:closing` last, in milliseconds. */
const CLOSE_TIMEOUT_MS = 5000;

/** UTF-8 takes at most three bytes for a UTF-16 code unit. */
const MAX_BYTES_PER_CHAR = 3;

/**
 * Closes sockets that do not read: Socket.IO's write buffer has no limit of its own (P7). The transport is closed, not
 * the namespace, so that an unmodified client comes back by itself and recovers.
 */
@Injectable()
export class SlowConsumers implements ConnectionObserver {
  private readonly logger = new Logger(SlowConsumers.name);

  constructor(@Inject(CONFIG) private readonly config: Config) {}

  /**
   * Watches the socket until it closes. Costs an addition for each packet, and more only while packets wait. The largest of
   * the packets that wait is not counted: an answer of any size, sent as one packet, costs no reader its connection that
   * reads it. So at most two such packets and `VIEWER_MAX_BUFFERED_BYTES` wait; those of a broadcast share their bytes.
   */
  onConnect(connection: Connection): void {
    const engine = engineOf(connection.socket);
    const max = this.config.VIEWER_MAX_BUFFERED_BYTES;
    /** Characters of packets that wait for the transport to be writable. */
    let waiting = 0;
    /** Bytes of the largest packet since less than `max` was unsent. */
    let largest = 0;
    const onPacket = (packet: EnginePacket): void => {
      if (engine.writeBuffer.length === 0) waiting = 0;
      const unsent = waiting + (engine.transport.socket?.bufferedAmount ?? 0);
      if (unsent <= max) largest = 0;
      // Does not count this packet, nor the largest before it.
      if (unsent > max + largest) {
        engine.off('packetCreate', onPacket);
        // Deferred: within this emit, its packet is not in the buffer yet.
        setImmediate(() => this.close(connection));
      }
      const chars = packet.data?.length ?? 0;
      waiting += chars;
      if (chars > max / MAX_BYTES_PER_CHAR) largest = Math.max(largest, bytesOf(packet));
    };
    engine.on('packetCreate', onPacket);
  }

  private close(connection: Connection): void {
    const engine = engineOf(connection.socket);
    if (engine.readyState !== 'open') return;
    const { id: connectionId, userId } = connection;
    this.logger.warn('closed a connection that does not read', { connectionId, userId });
    const error = connection.closing('slow_consumer');
    const websocket = engine.transport.socket;
    // Bypasses the waiting packets, which are dropped.
    if (websocket) sendFinalPacket(websocket, ['connection:closing', error]);
    engine.close(true);
  }
}

function bytesOf({ data = '', options }: EnginePacket): number {
  const frame = options?.wsPreEncodedFrame;
  if (frame) return frame.reduce((sum, part) => sum + part.length, 0);
  return Buffer.byteLength(data.toString());
}

/** Sends an event as engine.io's and Socket.IO's text packet of it, and ends the connection if it is not taken in time. */
function sendFinalPacket(websocket: WebSocketLike, event: readonly unknown[]): void {
  const ENGINE_MESSAGE = '4';
  const SOCKET_EVENT = '2';
  websocket.send(ENGINE_MESSAGE + SOCKET_EVENT + JSON.stringify(event));
  const timer = setTimeout(() => websocket.terminate(), CLOSE_TIMEOUT_MS);
  websocket.once('close', () => clearTimeout(timer));
}
