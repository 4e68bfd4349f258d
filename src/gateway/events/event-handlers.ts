import { Injectable, type OnModuleInit } from '@nestjs/common';
import { DiscoveryService, MetadataScanner } from '@nestjs/core';
import { compilePayload } from '../../platform/validation/payload.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import type { ClientEvents } from '../../protocol/index.js';
import type { Connection } from '../connections/connection.js';
import type { SHARED, SharedFields } from '../rooms/shared-fields.js';

/** The class that checks the payload of an event; null if any payload is valid. */
type PayloadClass<Payload> = unknown extends Payload ? null : new () => Payload & object;

/** The fields of an ack besides `ok`: all of them, or shared ones and the rest. Void: no fields. */
type AckFields<Fields> = Fields | (Partial<Fields> & { [SHARED]: SharedFields<Partial<Fields>> }) | void;

/** Handles one event of the connection's client. What it returns is acked; what it throws is acked as an error. */
type ClientEventHandler<Event extends keyof ClientEvents> = (
  payload: ClientEvents[Event][0],
  connection: Connection,
  context: RequestContext,
) => AckFields<ClientEvents[Event][1]> | Promise<AckFields<ClientEvents[Event][1]>>;

interface Binding {
  event: string;
  payloadClass: PayloadClass<object> | null;
}

const bind = DiscoveryService.createDecorator<Binding>();

/** The key of the metadata that {@link OnClientEvent} leaves on a method: `{ event, payloadClass }`. */
export const CLIENT_EVENT = bind.KEY;

/**
 * Makes a method of a provider the handler of a client event (protocol section 4.2). Nest's guards, pipes, interceptors and
 * filters do not apply: the dispatcher checks the payload and acks.
 * @example
 * @OnClientEvent('conversation:leave', ConversationDto)
 * leave({ conversationId }: ConversationDto, connection: Connection): Promise<void> {
 */
export function OnClientEvent<Event extends keyof ClientEvents>(
  event: Event,
  payloadClass: PayloadClass<ClientEvents[Event][0]>,
) {
  return <Handler extends ClientEventHandler<Event>>(
    target: object,
    method: string,
    descriptor: TypedPropertyDescriptor<Handler>,
  ): void => {
    bind({ event, payloadClass })(target, method, descriptor);
  };
}

/** Checks the payload, then calls the handler with it. @throws {DomainError} `invalid_payload`, and what the handler throws. */
export type EventHandler = (payload: unknown, connection: Connection, context: RequestContext) => unknown;

/** The handlers of client events, found at start by their {@link OnClientEvent} and shared by all connections. */
@Injectable()
export class EventHandlers implements OnModuleInit {
  private readonly handlers = new Map<string, EventHandler>();
  private readonly scanner = new MetadataScanner();

  constructor(private readonly discovery: DiscoveryService) {}

  /** @throws where two methods handle one event. */
  onModuleInit(): void {
    for (const { instance } of this.discovery.getProviders()) {
      if (typeof instance === 'object' && instance !== null) this.addHandlersOf(instance as object);
    }
  }

  get(event: string): EventHandler | undefined {
    return this.handlers.get(event);
  }

  private addHandlersOf(provider: object): void {
    const prototype = Object.getPrototypeOf(provider) as Record<string, EventHandler> | null;
    for (const name of this.scanner.getAllMethodNames(prototype)) {
      const method = prototype?.[name] as EventHandler;
      const binding = Reflect.getMetadata(CLIENT_EVENT, method) as Binding | undefined;
      if (!binding) continue;
      const { event, payloadClass } = binding;
      if (this.handlers.has(event)) throw new Error(`two methods handle the client event ${event}`);
      this.handlers.set(event, checked(payloadClass, method.bind(provider)));
    }
  }
}

function checked(payloadClass: Binding['payloadClass'], handler: EventHandler): EventHandler {
  if (payloadClass === null) return handler;
  const check = compilePayload(payloadClass);
  // An event without a payload has an empty one.
  return (payload = {}, connection, context) => handler(check(payload), connection, context);
}
