import { expect, test } from 'vitest';
import { propertiesOf, schemaOf } from './payload-rules.js';
import { AreTopics, Described, IsText, IsWhole, Optional } from './rules.js';

class Example {
  @Described('How many.')
  @IsWhole(1, 9)
  count: number;

  @Optional({ default: ['news'] })
  @AreTopics(2)
  topics?: string[];
}

class Longer extends Example {
  @IsText(5)
  name: string;
}

test('a schema has the bounds of the rules, the notes, the required properties, and no other key', () => {
  expect(schemaOf(Example)).toEqual({
    type: 'object',
    properties: {
      count: { type: 'integer', minimum: 1, maximum: 9, description: 'How many.' },
      topics: {
        type: 'array',
        items: { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' },
        ...{ minItems: 1, maxItems: 2, default: ['news'] },
      },
    },
    required: ['count'],
    additionalProperties: false,
  });
});

test('a class has the properties of its base class too, and leaves these as they are', () => {
  expect([...propertiesOf(Longer).keys()]).toEqual(['name', 'count', 'topics']);
  expect([...propertiesOf(Example).keys()]).toEqual(['count', 'topics']);
});

test('a property without a rule is an error, not an unchecked property', () => {
  class Unchecked {
    @Optional()
    address?: string;
  }
  expect(() => propertiesOf(Unchecked)).toThrow('Unchecked.address has no rule');
});

test('a property with two rules is an error: only one of them could be described', () => {
  expect(() => {
    class Twice {
      @IsText(1)
      @IsWhole(1)
      value: string;
    }
    return Twice;
  }).toThrow('Twice.value has two rules');
});
