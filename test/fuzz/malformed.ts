import * as fc from 'fast-check';

/** What to do to a good payload before it is sent. */
export type Mutation =
  | { kind: 'drop'; at: number }
  | { kind: 'set'; at: number; value: unknown }
  | { kind: 'add'; key: string; value: unknown }
  | { kind: 'deepen'; at: number; levels: number }
  | { kind: 'widen'; at: number; count: number }
  | { kind: 'wrap' }
  | { kind: 'replace'; value: unknown };

const NUMBERS = [
  0,
  -0,
  -1,
  1,
  2,
  1.5,
  NaN,
  Infinity,
  -Infinity,
  1e308,
  5e-324,
  2 ** 31,
  2 ** 53,
  2 ** 63,
  -(2 ** 53),
];

const TEXTS = [
  ...[
    '',
    ' ',
    '\u0000',
    'a\u0000b',
    '\ud800',
    '\udc00x',
    'a\ud83d',
    '\u202eevil',
    '\ufeff',
    '\u0085',
    '\u2028',
    '\r\n',
  ],
  ...[
    'e\u0301',
    '\u00e9',
    '\u1e9e',
    'İ',
    '👩‍👩‍👧‍👦',
    'Ω'.repeat(300),
    'x'.repeat(129),
    'x'.repeat(16_001),
    'x'.repeat(66_000),
  ],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'assistant',
    'guest:x',
    'null',
    'NaN',
    '1e3',
    '0x10',
    '٣',
    '../..',
  ],
  ...[
    "'; drop table messages; --",
    '${7*7}',
    '%00',
    '%s%n',
    '<script>1</script>',
    '[object Object]',
    'a/b',
    'a:b',
  ],
  ...['00000000-0000-0000-0000-000000000000', '2020-01-01T00:00:00Z', '{}', '[]', '"', '\\', '\\u0000'],
];

/** Names of keys and events that mean something to JavaScript, Node, Nest or Socket.IO. */
export const NAMES = [
  ...[
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'valueOf',
    'then',
    'toJSON',
    'length',
    '',
  ],
  ...[
    'error',
    'connection',
    'message',
    'message:new',
    'stream:chunk',
    'exception',
    '$',
    ' ',
    '\u0000',
    '\ud800',
  ],
  ...[
    'x'.repeat(5000),
    'ping\u0000',
    'PING',
    'message:send ',
    '_placeholder',
    'num',
    'type',
    'nsp',
    'attachments',
  ],
];

/** A little more than the transport takes. */
const WIDEST_CHARS = 300_000;

/** Values that are good in some field or other, so that a mutation gets past the first check. */
const PLAUSIBLE = [
  1,
  2,
  50,
  200,
  10_000,
  true,
  false,
  'members',
  'link',
  'busy',
  'offline',
  'guide',
  'Hello',
  { a: 1 },
  ['x'],
];

/** Any value at all that JSON can take. */
export const malformed: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, true, false, {}, [], [[]], { __proto__: null }, ...NUMBERS),
  fc.constantFrom(...TEXTS),
  fc.constantFrom<unknown>(...PLAUSIBLE),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.date({ noInvalidDate: false }),
  fc.dictionary(fc.constantFrom(...NAMES), fc.constantFrom<unknown>(1, 'x', {}, [], null), { maxKeys: 4 }),
  fc.anything({ maxDepth: 3, maxKeys: 5, withDate: true, withSparseArray: true, withTypedArray: false }),
);

/** Something to do to a payload; `keys` are those that the service knows. */
export function mutation(keys: readonly string[]): fc.Arbitrary<Mutation> {
  const at = fc.nat({ max: 9 });
  return fc.oneof(
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('drop'), at }) },
    {
      weight: 6,
      arbitrary: fc.record({ kind: fc.constant('set'), at, value: malformed }, { noNullPrototype: true }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('add'),
        key: fc.constantFrom(...keys, ...NAMES),
        value: malformed,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant('deepen'),
        at,
        levels: fc.constantFrom(1, 4, 5, 32, 33, 1000),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('widen'), at, count: fc.constantFrom(1, 65, 257, 5000) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('wrap') }) },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant('replace'), value: malformed }) },
  );
}

/** `payload` after all of `mutations`. */
export function mutate(payload: unknown, mutations: readonly Mutation[]): unknown {
  return mutations.reduce(mutateOnce, payload);
}

function mutateOnce(payload: unknown, mutation: Mutation): unknown {
  if (mutation.kind === 'replace') return mutation.value;
  if (mutation.kind === 'wrap') return [payload];
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload)) return payload;
  const entries = Object.entries(payload);
  if (mutation.kind === 'add') return own([...entries, [mutation.key, mutation.value]]);
  const place = entries.length === 0 ? 0 : mutation.at % entries.length;
  if (mutation.kind === 'drop') return own(entries.toSpliced(place, 1));
  const [key = 'metadata', value] = entries[place] ?? [];
  return own([...entries.toSpliced(place, 1), [key, valueOf(mutation, value)]]);
}

function valueOf(mutation: Extract<Mutation, { kind: 'set' | 'deepen' | 'widen' }>, value: unknown): unknown {
  if (mutation.kind === 'set') return mutation.value;
  if (mutation.kind === 'widen') return Array.from({ length: widthOf(mutation.count, value) }, () => value);
  let nested: unknown = { end: 1 };
  for (let level = 1; level < mutation.levels; level += 1) nested = { a: nested };
  return nested;
}

/** Not so wide that writing it is the test's own work for seconds: what is larger closes the transport in any case. */
function widthOf(count: number, value: unknown): number {
  const chars = JSON.stringify(value)?.length ?? 4;
  return Math.min(count, Math.ceil(WIDEST_CHARS / chars));
}

/** An object with these keys as its own, `__proto__` too. */
function own(entries: [string, unknown][]): object {
  const object = {};
  for (const [key, value] of entries) {
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  }
  return object;
}
