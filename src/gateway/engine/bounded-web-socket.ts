import { WebSocketServer, type ServerOptions, type WebSocket } from 'ws';

/** Pongs that one WebSocket may owe the network. */
const MAX_OWED = 16;

/** How many each WebSocket owes that was ever pinged. */
const owed = new WeakMap<WebSocket, number>();

/**
 * For Socket.IO's `wsEngine`: the server of `ws`, whose WebSockets answer pings (RFC 6455, 5.5.2) only as long as their
 * clients read the answers. `ws` itself would keep one for every ping, without bound, and Socket.IO sees neither (P7).
 * And they take one message in each turn of the event loop. `ws` itself would take all that the network has, hundreds of
 * thousands of those that no limit counts since they are no events, while everybody else waits (P7).
 */
export class BoundedWebSocketServer extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, autoPong: false, allowSynchronousEvents: false });
  }

  override handleUpgrade(
    ...[request, socket, head, done]: Parameters<WebSocketServer['handleUpgrade']>
  ): void {
    super.handleUpgrade(request, socket, head, (webSocket, client) => {
      webSocket.on('ping', answer);
      done(webSocket, client);
    });
  }
}

function answer(this: WebSocket, data: Buffer): void {
  if (pendingPongs(this) >= MAX_OWED) return;
  owed.set(this, pendingPongs(this) + 1);
  this.pong(data, false, () => owed.set(this, pendingPongs(this) - 1));
}

function pendingPongs(webSocket: WebSocket): number {
  return owed.get(webSocket) ?? 0;
}
