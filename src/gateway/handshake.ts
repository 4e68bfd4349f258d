import { Injectable, Logger } from '@nestjs/common';
import type { Socket } from 'socket.io';
import { Authenticator } from '../auth/authenticator.js';
import { DomainError, toDomainError } from '../common/domain-error.js';
import { within, workOfCaller, type Work } from '../common/work.js';
import { AuthFailures } from '../limits/auth-failures.js';
import { addressKey, ClientAddresses } from '../limits/client-addresses.js';
import { isClientMessageId } from '../protocol/index.js';
import { Connection } from './connection.js';
import { forgetHandshake } from './engine.js';
import { SlowConsumers } from './slow-consumers.js';
import { UserPlaces } from './user-places.js';

type Next = (error?: Error) => void;

const MAX_USER_AGENT_CHARS = 256;

/** Authenticates a socket before it is connected: `connection` handlers are not awaited, middleware is. */
@Injectable()
export class HandshakeMiddleware {
  private readonly logger = new Logger(HandshakeMiddleware.name);

  constructor(
    private readonly authenticator: Authenticator,
    private readonly slowConsumers: SlowConsumers,
    private readonly addresses: ClientAddresses,
    private readonly failures: AuthFailures,
    private readonly places: UserPlaces,
  ) {}

  /** Socket.IO middleware: a refusal is a `connect_error` whose `data` is an error of protocol section 6. */
  readonly use = (socket: Socket, next: Next): void => {
    const work = workOfCaller(socket.handshake.headers);
    within(work, () => this.connect(socket, work)).then(
      (connection) => {
        socket.data = connection;
        this.slowConsumers.watch(connection);
        forgetHandshake(socket);
        next();
      },
      (error: unknown) => next(this.refusal(error, work)),
    );
  };

  private async connect(socket: Socket, work: Work): Promise<Connection> {
    const { token, deviceId, acks } = socket.handshake.auth as Record<string, unknown>;
    if (deviceId !== undefined && !isClientMessageId(deviceId)) {
      throw new DomainError('invalid_payload', 'deviceId must be 1 to 128 printable ASCII characters.');
    }
    if (acks !== undefined && typeof acks !== 'boolean') {
      throw new DomainError('invalid_payload', 'acks must be true or false.');
    }
    const { headers } = socket.handshake;
    const address = this.addresses.of({ headers, socket: socket.conn });
    const principal = await this.failures.attempt(addressKey(address), () =>
      this.authenticator.authenticate(token),
    );
    await this.places.take(principal.userId, socket);
    const userAgent = headers['user-agent']?.slice(0, MAX_USER_AGENT_CHARS);
    const client = { deviceId: deviceId ?? socket.id, acks: acks === true, address, userAgent };
    return new Connection(socket, { ...client, principal, work });
  }

  private refusal(error: unknown, { id: correlationId }: Work): Error {
    const fault = toDomainError(error);
    if (fault.code === 'internal') this.logger.error('a handshake failed', { correlationId }, fault);
    return Object.assign(new Error(fault.message), { data: fault.toWire(correlationId) });
  }
}
