import type { Namespace, Socket } from 'socket.io';
import { RequestContext } from '../../src/platform/tracing/request-context.js';
import { Connection, type Handshake } from '../../src/gateway/connections/connection.js';

/** A Socket.IO namespace without transport: it has rooms, and records what each socket is sent. */
export class FakeSockets {
  private readonly rooms = new Map<string, Set<string>>();
  /** Sockets with unsent data: they miss volatile events. */
  private readonly congested = new Set<string>();
  private readonly received = new Map<string, [event: string, payload: unknown][]>();
  private readonly namespace = {
    to: (audience: string | string[]) => this.emitter([audience].flat()),
  } as object as Namespace;

  /** Opens a connection of a user; its id is `id`. */
  connect(userId: string, { id = userId, acks = true } = {}): Connection {
    const room = (name: string): Set<string> => this.rooms.get(name) ?? new Set();
    this.received.set(id, []);
    const socket = {
      ...{ id, connected: true, nsp: this.namespace, conn: { transport: { name: 'websocket' } } },
      join: (name: string) => this.rooms.set(name, room(name).add(id)),
      leave: (name: string) => room(name).delete(id),
      emit: (event: string, payload: unknown) => this.received.get(id)?.push([event, payload]),
    };
    const principal = { userId, expiresAt: Number.POSITIVE_INFINITY };
    const handshake: Partial<Handshake> = { principal: principal as Handshake['principal'], acks };
    return new Connection(socket as object as Socket, {
      ...{ deviceId: id, context: new RequestContext(), address: '', userAgent: undefined },
      ...(handshake as Handshake),
    });
  }

  /** Closes the socket, without the disconnect event: as when it closed before the server began to handle an event. */
  close(connection: Connection): void {
    connection.socket.connected = false;
  }

  /** From now on the socket has unsent data. */
  congest({ id }: Connection): void {
    this.congested.add(id);
  }

  /** Everything that a connection was sent with this event name, in order. */
  sentTo({ id }: Connection, event: string): unknown[] {
    return (this.received.get(id) ?? []).filter(([name]) => name === event).map(([, payload]) => payload);
  }

  private emitter(audience: string[], except: readonly string[] = []): object {
    return { ...this.operator(audience, except), volatile: this.operator(audience, [...this.congested]) };
  }

  private operator(audience: string[], except: readonly string[]): object {
    return {
      except: (ids: string | string[]) => this.operator(audience, [...except, ...[ids].flat()]),
      emit: (event: string, payload: unknown) => {
        const named = audience.flatMap((name) => [name, ...(this.rooms.get(name) ?? [])]);
        // Like Socket.IO: without a room, an emit reaches everybody.
        const ids = new Set(audience.length === 0 ? this.received.keys() : named);
        for (const id of ids) if (!except.includes(id)) this.received.get(id)?.push([event, payload]);
      },
    };
  }
}
