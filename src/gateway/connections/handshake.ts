import { Injectable, Logger } from '@nestjs/common';
import type { Socket } from 'socket.io';
import { Authenticator } from '../../auth/authenticator.js';
import { DomainError, toDomainError } from '../../common/domain-error.js';
import { invalid } from '../../platform/validation/payload.js';
import {
  runInContext,
  contextFromHeaders,
  type RequestContext,
} from '../../platform/tracing/request-context.js';
import { AuthFailures } from '../../platform/limits/auth-failures.js';
import { addressKey, ClientAddresses } from '../../platform/limits/client-addresses.js';
import { isClientMessageId } from '../../protocol/index.js';
import { Connection } from './connection.js';
import { forgetHandshake } from '../engine/engine.js';
import { ConnectionMetrics } from './connection-metrics.js';
import { UserQuota } from './user-quota.js';

type Next = (error?: Error) => void;

const MAX_USER_AGENT_CHARS = 256;

/** Authenticates a socket before it is connected: `connection` handlers are not awaited, middleware is. */
@Injectable()
export class HandshakeMiddleware {
  private readonly logger = new Logger(HandshakeMiddleware.name);
  /** Transports that carry a connection or authenticate one: each carries one only. */
  private readonly occupied = new WeakSet<Socket['conn']>();

  constructor(
    private readonly authenticator: Authenticator,
    private readonly addresses: ClientAddresses,
    private readonly failures: AuthFailures,
    private readonly quota: UserQuota,
    private readonly metrics: ConnectionMetrics,
  ) {}

  /** Socket.IO middleware: a refusal is a `connect_error` whose `data` is an error of protocol section 6. */
  readonly use = (socket: Socket, next: Next): void => {
    const { conn } = socket;
    if (this.occupied.has(conn)) {
      // Socket.IO closes the transport of a second one itself, but not while the first is being authenticated.
      conn.close();
      return next();
    }
    this.occupied.add(conn);
    const context = contextFromHeaders(socket.handshake.headers);
    runInContext(context, () => this.connect(socket, context)).then(
      (connection) => {
        socket.data = connection;
        forgetHandshake(socket);
        next();
      },
      (error: unknown) => {
        this.occupied.delete(conn);
        next(this.refusal(error, context));
      },
    );
  };

  /** Refuses every namespace but `/`. Socket.IO's own refusal is not an error of protocol section 6. */
  readonly refuseNamespace = (socket: Socket, next: Next): void => {
    const fault = new DomainError('not_found', 'There is no such namespace: connect to the one named “/”.');
    next(this.refusal(fault, contextFromHeaders(socket.handshake.headers)));
  };

  private async connect(socket: Socket, context: RequestContext): Promise<Connection> {
    const { token, deviceId, acks } = socket.handshake.auth as Record<string, unknown>;
    if (deviceId !== undefined && !isClientMessageId(deviceId)) {
      throw invalid(['deviceId must be text of 1 to 128 printable ASCII characters']);
    }
    if (acks !== undefined && typeof acks !== 'boolean') {
      throw invalid(['acks must be true or false']);
    }
    const { headers } = socket.handshake;
    const address = this.addresses.of({ headers, socket: socket.conn });
    const principal = await this.failures.attempt(addressKey(address), () =>
      this.authenticator.authenticate(token),
    );
    await this.quota.acquire(principal.userId, deviceId ?? socket.id, socket);
    const userAgent = headers['user-agent']?.slice(0, MAX_USER_AGENT_CHARS);
    const client = { deviceId: deviceId ?? socket.id, acks: acks === true, address, userAgent };
    return new Connection(socket, { ...client, principal, context: context });
  }

  private refusal(error: unknown, { id: correlationId }: RequestContext): Error {
    const fault = toDomainError(error);
    this.metrics.onRefused(fault.code);
    if (fault.code === 'internal') this.logger.error('handshake failed', { correlationId }, fault);
    return Object.assign(new Error(fault.message), { data: fault.toWire(correlationId) });
  }
}
