import 'reflect-metadata';
import { Injectable, Module, type Type } from '@nestjs/common';
import { DiscoveryModule, NestFactory } from '@nestjs/core';
import { expect, test } from 'vitest';
import { ConversationDto } from '../../conversations/conversations.dto.js';
import type { RequestContext } from '../../platform/tracing/request-context.js';
import type { Connection } from '../connections/connection.js';
import { EventHandlers, OnClientEvent } from './event-handlers.js';

@Injectable()
class Pings {
  private readonly prefix = 'pong';

  @OnClientEvent('ping', null)
  ping(echo: unknown): { serverTime: string; echo: unknown } {
    return { serverTime: '', echo: [this.prefix, echo] };
  }
}

@Injectable()
class Leaves {
  readonly calls: unknown[] = [];

  @OnClientEvent('conversation:leave', ConversationDto)
  leave(payload: ConversationDto, connection: Connection, context: RequestContext): void {
    this.calls.push([payload, connection, context]);
  }
}

@Injectable()
class OtherPings extends Pings {}

async function start(...providers: Type[]) {
  class TestModule {}
  Module({ imports: [DiscoveryModule], providers: [EventHandlers, ...providers] })(TestModule);
  return NestFactory.createApplicationContext(TestModule, { logger: false, abortOnError: false });
}

const connection = {} as Connection;
const context = {} as RequestContext;

test('Handlers are found at start and called on their provider with payload, connection and context', async () => {
  const app = await start(Pings, Leaves);
  const handlers = app.get(EventHandlers);
  handlers.get('conversation:leave')?.({ conversationId: 'room' }, connection, context);
  expect(app.get(Leaves).calls).toEqual([[{ conversationId: 'room' }, connection, context]]);
  expect(handlers.get('ping')?.(7, connection, context)).toEqual({ serverTime: '', echo: ['pong', 7] });
  expect(handlers.get('constructor')).toBeUndefined();
});

test.each([[undefined], [null], [{}], [{ conversationId: 'room', more: 1 }]])(
  'A payload that its class does not allow never reaches the handler: %j',
  async (payload) => {
    const app = await start(Leaves);
    const handler = app.get(EventHandlers).get('conversation:leave');
    expect(() => handler?.(payload, connection, context)).toThrow(/conversationId|object|more/);
    expect(app.get(Leaves).calls).toEqual([]);
  },
);

test('Two handlers of one event stop the start: the order of providers decides nothing', async () => {
  await expect(start(Pings, OtherPings)).rejects.toThrow('two methods handle the client event ping');
});
