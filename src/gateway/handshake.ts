import { Injectable, Logger } from '@nestjs/common';
import type { Socket } from 'socket.io';
import { Authenticator } from '../auth/authenticator.js';
import { causeOf, DomainError, toDomainError } from '../common/domain-error.js';
import { randomText } from '../common/ids.js';
import { isClientMessageId } from '../protocol/index.js';
import { Connection } from './connection.js';
import { SlowConsumers } from './slow-consumers.js';

type Next = (error?: Error) => void;

/** Authenticates a socket before it is connected: `connection` handlers are not awaited, middleware is. */
@Injectable()
export class HandshakeMiddleware {
  private readonly logger = new Logger(HandshakeMiddleware.name);

  constructor(
    private readonly authenticator: Authenticator,
    private readonly slowConsumers: SlowConsumers,
  ) {}

  /** Socket.IO middleware: a refusal is a `connect_error` whose `data` is an error of protocol section 6. */
  readonly use = (socket: Socket, next: Next): void => {
    this.connect(socket).then(
      (connection) => {
        socket.data = connection;
        this.slowConsumers.watch(connection);
        next();
      },
      (error: unknown) => next(this.refusal(error)),
    );
  };

  private async connect(socket: Socket): Promise<Connection> {
    const { token, deviceId, acks } = socket.handshake.auth as Record<string, unknown>;
    if (deviceId !== undefined && !isClientMessageId(deviceId)) {
      throw new DomainError('invalid_payload', 'deviceId must be 1 to 128 printable ASCII characters.');
    }
    if (acks !== undefined && typeof acks !== 'boolean') {
      throw new DomainError('invalid_payload', 'acks must be true or false.');
    }
    const principal = await this.authenticator.authenticate(token);
    return new Connection(socket, { principal, deviceId: deviceId ?? socket.id, acks: acks === true });
  }

  private refusal(error: unknown): Error {
    const fault = toDomainError(error);
    const correlationId = randomText(12);
    if (fault.code === 'internal') {
      this.logger.error(`a handshake failed (${correlationId}): ${causeOf(fault)}`);
    }
    return Object.assign(new Error(fault.message), { data: fault.toWire(correlationId) });
  }
}
