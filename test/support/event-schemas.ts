import { Ajv, type ValidateFunction } from 'ajv';
import formats from 'ajv-formats';

/** The parts of an AsyncAPI document that tests look at. */
export interface EventsDocument {
  servers: Record<string, { host: string; protocol: string; pathname: string }>;
  channels: { socket: { messages: Record<string, { name: string; payload: object }> } };
  operations: Record<string, { action: string }>;
  components: { schemas: Record<string, object> };
}

/**
 * A checker of what was really sent, from a document: it names the faults of `payload` as the message with that key. Unlike a
 * client it also refuses keys that the document does not have.
 */
export function eventChecker(document: EventsDocument): (key: string, payload: unknown) => string[] {
  const ajv = withFormats(new Ajv({ strict: false, allErrors: true }));
  ajv.addSchema({ $id: 'events', ...(closed(document) as object) });
  const checks = new Map<string, ValidateFunction>();
  return (key, payload) => {
    if (!(key in document.channels.socket.messages)) return [`${key} is not in the document`];
    const pointer = key.replaceAll('/', '~1');
    const check =
      checks.get(key) ?? ajv.compile({ $ref: `events#/channels/socket/messages/${pointer}/payload` });
    checks.set(key, check);
    if (check(payload)) return [];
    return (check.errors ?? []).map(({ instancePath, message, params }) =>
      [key, instancePath, message, JSON.stringify(params)].join(' '),
    );
  };
}

/** The references of a document that lead nowhere in it. */
export function lostReferences(document: object): string[] {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(
    ([, path = '']) => path,
  );
  if (references.length === 0) throw new Error('the document has no reference at all');
  return references.filter((path) => path.split('/').reduce(stepInto, document as unknown) === undefined);
}

function stepInto(place: unknown, key: string): unknown {
  return (place as Record<string, unknown> | undefined)?.[key];
}

/** Gives an `ajv` the formats of JSON Schema. */
export function withFormats(ajv: Ajv): Ajv {
  formats.default(ajv);
  return ajv;
}

/** The same with no room for other keys in the objects whose keys are listed, unless it is said that there are others. */
export function closed(given: unknown): unknown {
  if (Array.isArray(given)) return given.map(closed);
  if (typeof given !== 'object' || given === null) return given;
  const copy = Object.fromEntries(Object.entries(given).map(([key, value]) => [key, closed(value)]));
  const isListed = copy['type'] === 'object' && 'properties' in copy;
  return isListed ? { additionalProperties: false, ...copy } : copy;
}
