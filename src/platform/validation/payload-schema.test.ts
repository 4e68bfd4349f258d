import { IsEmail } from 'class-validator';
import { expect, test } from 'vitest';
import { schemaOf } from './payload-schema.js';
import { AreTopics, IsWhole, Optional } from './rules.js';

class Example {
  @IsWhole(1, 9)
  count: number;

  @Optional()
  @AreTopics(2)
  topics?: string[];
}

test('a schema has the bounds of the rules, what may be left out, and no other key', () => {
  expect(schemaOf(Example)).toEqual({
    type: 'object',
    properties: {
      count: { type: 'integer', minimum: 1, maximum: 9 },
      topics: {
        type: 'array',
        items: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
        ...{ minItems: 1, maxItems: 2 },
      },
    },
    required: ['count'],
    additionalProperties: false,
  });
});

test('a rule that has no schema is said at once, not left out', () => {
  class Unknown {
    @IsEmail()
    address: string;
  }
  expect(() => schemaOf(Unknown)).toThrow('Unknown.address: the rule isEmail has no JSON Schema');
});
