import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';

/** Pongs of one WebSocket that may wait for the network. */
const MAX_PENDING_PONGS = 16;

/** The number of waiting pongs of each WebSocket that was ever pinged. */
const pongs = new WeakMap<WebSocket, number>();

/**
 * The WebSocket server for Socket.IO's `wsEngine`. It sends pongs (RFC 6455, 5.5.2) only while the client reads them: `ws`
 * itself would buffer one for every ping, without bound, and Socket.IO sees neither (P7). It handles one message in each turn of
 * the event loop: `ws` itself would handle all that the network has, hundreds of thousands that no limit counts because they
 * are not events, while all others wait (P7).
 */
export class BoundedWebSocketServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, autoPong: false, allowSynchronousEvents: false });
  }

  override handleUpgrade(
    ...[request, socket, head, done]: Parameters<WebSocketServer['handleUpgrade']>
  ): void {
    super.handleUpgrade(request, socket, head, (webSocket, client) => {
      webSocket.on('ping', sendPong);
      done(webSocket, client);
    });
  }
}

function sendPong(this: WebSocket, data: Buffer): void {
  if (pendingPongs(this) >= MAX_PENDING_PONGS) return;
  pongs.set(this, pendingPongs(this) + 1);
  this.pong(data, false, () => pongs.set(this, pendingPongs(this) - 1));
}

function pendingPongs(webSocket: WebSocket): number {
  return pongs.get(webSocket) ?? 0;
}
