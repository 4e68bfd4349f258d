import 'reflect-metadata';
import { RequestMethod } from '@nestjs/common';
import { AppModule } from '../../src/app/app.module.js';
import { CLIENT_EVENT } from '../../src/gateway/events/event-handlers.js';
import { AuthKeys } from '../../src/auth/tokens/auth-keys.js';
import { METRICS_PATH } from '../../src/operations/metrics/metrics.controller.js';
import { readConfig } from '../../src/platform/config/config.js';

// The keys under which Nest's decorators keep what they were given.
const IMPORTS = 'imports';
const CONTROLLERS = 'controllers';
const PROVIDERS = 'providers';
const PATH = 'path';
const METHOD = 'method';
const PARAMETERS = 'design:paramtypes';
const ARGUMENTS = '__routeArguments__';
/** What the keys of {@link ARGUMENTS} begin with for arguments that a client may write freely. */
const HTTP_INPUTS = new Map([
  ['3', 'Body'],
  ['4', 'Query'],
  ['5', 'Param'],
]);

type PayloadClass = (new () => object) | null;
type Class = (abstract new (...args: never[]) => object) & { prototype: object };

interface Parts {
  controllers: Set<Class>;
  providers: Set<Class>;
}

interface Surface {
  events: string[];
  /** Event → the class that its payload is checked by; null where it may be anything. */
  payloads: Map<string, PayloadClass>;
  routes: string[];
  inputs: Input[];
}

/** An argument of a controller's method that comes from the client. */
interface Input {
  /** Such as `ConversationsController.read @Param(id)`. */
  name: string;
  pipes: readonly unknown[];
  /** Its class. */
  type: unknown;
}

/** Every client event that some provider of the application handles, and every route of its controllers, such as `GET /api/ws/health`. */
export function surface(): Surface {
  const log = { info: () => {}, warn: () => {}, error: () => {} };
  const parts: Parts = { controllers: new Set(), providers: new Set() };
  const keys = new AuthKeys([], [new Uint8Array()]);
  const options = { config: readConfig({}), keys, databaseUrl: 'postgres://nowhere', log };
  collect(AppModule.of(options), parts, new Set());
  const payloads = new Map([...parts.providers].flatMap(payloadsOf));
  return {
    events: [...payloads.keys()],
    payloads,
    routes: [...parts.controllers].flatMap(routesOf),
    inputs: [...parts.controllers].flatMap(inputsOf),
  };
}

function collect(given: unknown, parts: Parts, seen: Set<unknown>): void {
  if (seen.has(given)) return;
  seen.add(given);
  const dynamic = given as { module?: Class } & Record<string, unknown[] | undefined>;
  const type = dynamic.module ?? (given as Class);
  const all = (key: string): unknown[] => [
    ...((Reflect.getMetadata(key, type) as unknown[] | undefined) ?? []),
    ...(dynamic.module ? (dynamic[key] ?? []) : []),
  ];
  for (const controller of all(CONTROLLERS)) parts.controllers.add(controller as Class);
  for (const provider of all(PROVIDERS)) {
    if (typeof provider === 'function') parts.providers.add(provider as unknown as Class);
  }
  for (const imported of all(IMPORTS)) collect(imported, parts, seen);
}

function payloadsOf(provider: Class): [string, PayloadClass][] {
  return handlersOf(provider, CLIENT_EVENT).map(({ value }) => {
    const { event, payloadClass } = value as { event: string; payloadClass: PayloadClass };
    return [event, payloadClass];
  });
}

function routesOf(controller: Class): string[] {
  const prefixes = [Reflect.getMetadata(PATH, controller) as string | string[]].flat();
  return handlersOf(controller, PATH).flatMap(({ handler, value }) =>
    prefixes.map((prefix) => {
      const method = RequestMethod[Reflect.getMetadata(METHOD, handler) as RequestMethod];
      const path = [...(prefix === METRICS_PATH ? [] : ['api']), prefix, String(value)]
        .join('/')
        .split('/')
        .filter(Boolean)
        .join('/');
      return `${method} /${path}`;
    }),
  );
}

function inputsOf(controller: Class): Input[] {
  return handlersOf(controller, PATH).flatMap(({ handler }) => {
    const { name } = handler as { name: string };
    const types = Reflect.getMetadata(PARAMETERS, controller.prototype, name) as unknown[];
    const bound = (Reflect.getMetadata(ARGUMENTS, controller, name) ?? {}) as Record<
      string,
      { index: number; data?: string; pipes?: unknown[] }
    >;
    return Object.entries(bound).flatMap(([key, { index, data = '', pipes = [] }]) => {
      const kind = HTTP_INPUTS.get(key.split(':')[0] as string);
      return kind
        ? [{ name: `${controller.name}.${name} @${kind}(${data})`, pipes, type: types[index] }]
        : [];
    });
  });
}

/** The methods of a class that have metadata under `key`, and it. */
function handlersOf({ prototype }: Class, key: string): { handler: object; value: unknown }[] {
  return Object.getOwnPropertyNames(prototype)
    .filter((name) => name !== 'constructor')
    .map((name) => Object.getOwnPropertyDescriptor(prototype, name)?.value as unknown)
    .filter((member): member is object => typeof member === 'function')
    .map((handler) => ({ handler, value: Reflect.getMetadata(key, handler) as unknown }))
    .filter(({ value }) => value !== undefined);
}
