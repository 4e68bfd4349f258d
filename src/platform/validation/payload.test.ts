import { validate } from 'class-validator';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { GuestDto } from '../../auth/auth.dto.js';
import {
  AckBodyDto,
  AckDto,
  ConversationDto,
  CreateConversationDto,
  HistoryDto,
  JoinDto,
  UpdateConversationDto,
} from '../../conversations/conversations.dto.js';
import { SendBodyDto, SendDto, StreamDto } from '../../streaming/streaming.dto.js';
import { DomainError } from '../../common/domain-error.js';
import { compilePayload } from './payload.js';

const DTOS = [
  ...[AckBodyDto, AckDto, ConversationDto, CreateConversationDto, GuestDto, HistoryDto, JoinDto],
  ...[SendBodyDto, SendDto, StreamDto, UpdateConversationDto],
] as (new () => object)[];

const KEYS = [
  ...['conversationId', 'clientMessageId', 'content', 'metadata', 'respond', 'stream', 'includeContext'],
  ...[
    'provider',
    'model',
    'streamId',
    'seq',
    'read',
    'afterSeq',
    'beforeSeq',
    'limit',
    'access',
    'id',
    'title',
    'name',
  ],
];

/** Values of which many are right somewhere, and many wrong everywhere. */
const value = fc.oneof(
  fc.constantFrom<unknown>(
    'room',
    'a b',
    '',
    'link',
    'members',
    'guide',
    '\u0000',
    '\ud800',
    'x'.repeat(300),
  ),
  fc.constantFrom<unknown>(0, 1, -1, 1.5, 50, 200, 201, NaN, null, undefined, true, false, [], ['room'], {}),
  fc.constantFrom<unknown>('01890a5d-ac96-774b-bcce-b302099a8057', { a: { b: { c: { d: {} } } } }, { a: 1 }),
  fc.string(),
);

/** A value that is right for `key`. */
function good(key: string): fc.Arbitrary<unknown> {
  if (key === 'access') return fc.constantFrom('link', 'members');
  if (key === 'metadata') return fc.constantFrom({}, { a: 1 });
  if (key === 'streamId') return fc.constant('01890a5d-ac96-774b-bcce-b302099a8057');
  if (['respond', 'stream', 'includeContext', 'read'].includes(key)) return fc.boolean();
  if (/[sS]eq$|limit/.test(key)) return fc.integer({ min: 1, max: 200 });
  return fc.constantFrom('room', 'guide', 'x');
}

function payloadOf(dto: new () => object): fc.Arbitrary<Record<string, unknown>> {
  const known = KEYS.filter((key) => accepts(dto, key));
  const fields = known.map((key) => [
    key,
    fc.oneof({ weight: 4, arbitrary: good(key) }, { weight: 1, arbitrary: value }),
  ]);
  const shaped = fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, {
    requiredKeys: known.slice(0, 3),
  });
  const stray = fc.dictionary(fc.constantFrom(...KEYS, 'extra'), value, { maxKeys: 2 });
  return fc.oneof(
    { weight: 4, arbitrary: shaped },
    { weight: 1, arbitrary: fc.tuple(shaped, stray).map(([one, other]) => ({ ...one, ...other })) },
  );
}

function accepts(dto: new () => object, key: string): boolean {
  return !faultsOf(dto, { [key]: 1 }).some((fault) => fault === `${key} is not known here`);
}

function faultsOf(dto: new () => object, payload: unknown): string[] {
  try {
    compilePayload(dto)(payload);
    return [];
  } catch (error) {
    return ((error as DomainError).details as { faults: string[] }).faults;
  }
}

describe('A compiled checker accepts and refuses what class-validator itself does', () => {
  test.each(DTOS.map((dto) => [dto.name, dto] as const))('%s', async (_name, dto) => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(payloadOf(dto), async (payload) => {
        const instance = Object.assign(new dto(), payload);
        const rules = { whitelist: true, forbidNonWhitelisted: true };
        const wrong = (await validate(instance, rules)).map(({ property }) => property);
        const faults = faultsOf(dto, payload);
        const named = faults.map((fault) => fault.split(' ')[0] as string);
        expect(wrong).toEqual(expect.arrayContaining(named));
        // Only the first ten are told.
        expect(new Set(named).size).toBe(Math.min(10, wrong.length));
        if (faults.length === 0) accepted += 1;
      }),
      { numRuns: 300 },
    );
    expect(accepted, 'some payloads must be good').toBeGreaterThan(0);
  });
});

test('What is accepted is given back as it is', () => {
  const payload = {
    conversationId: 'room',
    clientMessageId: 'c',
    content: 'x',
    metadata: { constructor: 1 },
  };
  expect(compilePayload(SendDto)(payload)).toBe(payload);
});

test.each([null, undefined, 1, 'x', true, [], [{}], Symbol('x')])('%j is no payload', (payload) => {
  expect(faultsOf(StreamDto, payload)).toEqual(['the payload must be an object']);
});

test('A __proto__ key is an unknown key, and changes no prototype', () => {
  const payload: unknown = JSON.parse('{"__proto__":{"conversationId":"room"}}');
  expect(faultsOf(ConversationDto, payload)).toEqual([
    '__proto__ is not known here',
    'conversationId must be text of 1 to 128 characters of A-Z a-z 0-9 . _ : -',
  ]);
});

test('An error names at most ten faults, each of bounded length', () => {
  const payload = Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`${'k'.repeat(500)}${n}`, 1]));
  const faults = faultsOf(SendDto, payload);
  expect(faults).toHaveLength(10);
  expect(faults.every((fault) => fault.length < 120)).toBe(true);
});
