import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { isUUID, ValidateBy, ValidateIf } from 'class-validator';
import {
  codePoints,
  isCleanText,
  isClientMessageId,
  isConversationId,
  isMetadata,
  isTopic,
  isUserId,
  LIMITS,
} from '../../protocol/index.js';
import { UUID, type JsonSchema } from '../../protocol/schemas/schema.js';
import { record, type PropertyRule } from './payload-rules.js';

/*
 * The rules of payloads. Each decorator records its rule, from which the compiled check and AsyncAPI come, and gives the same
 * rule to class-validator and to @nestjs/swagger. DTOs use no other rules: what is not recorded is an unknown key.
 */

type Check = PropertyRule['check'];

const NAME: JsonSchema = { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' };
const USER_ID: JsonSchema = { type: 'string', minLength: 1, maxLength: LIMITS.userIdChars };

function rule(name: string, given: PropertyRule): PropertyDecorator {
  return applyDecorators(ApiProperty(given.schema), hiddenRule(name, given));
}

/** Like {@link rule}, but OpenAPI does not show the property. */
function hiddenRule(name: string, given: PropertyRule): PropertyDecorator {
  const validator = { validate: given.check, defaultMessage: () => `$property must be ${given.expected}` };
  return applyDecorators(recorded({ rule: given }), ValidateBy({ name, validator }));
}

function recorded(given: Parameters<typeof record>[2]): PropertyDecorator {
  return (target, key) => record(target, String(key), given);
}

function hiddenOptional(): PropertyDecorator {
  return applyDecorators(
    recorded({ optional: true }),
    ValidateIf((_object, value: unknown) => value !== undefined),
  );
}

/**
 * Allows to leave out the property. Unlike class-validator's own `IsOptional`, null does not count as left out.
 * @param notes keys of the JSON Schema beside the rule's, such as `description` and `default`.
 */
export function Optional(notes: JsonSchema = {}): PropertyDecorator {
  return applyDecorators(hiddenOptional(), ApiPropertyOptional(notes), recorded({ notes }));
}

/** Describes a property that must not be left out. */
export function Described(description: string): PropertyDecorator {
  const notes = { description };
  return applyDecorators(ApiProperty(notes), recorded({ notes }));
}

/** An optional text that OpenAPI shows as a security scheme, not as a parameter. */
export function IsQueryCredential(): PropertyDecorator {
  return applyDecorators(hiddenOptional(), hiddenRule('isQueryCredential', ANY_TEXT));
}

const ANY_TEXT: PropertyRule = {
  check: (value) => typeof value === 'string',
  expected: 'text',
  schema: { type: 'string' },
};

/** Any text, also an empty one. */
export function IsAnyText(): PropertyDecorator {
  return rule('isAnyText', ANY_TEXT);
}

/** Any text of at most `max` code points, also an empty one. */
export function IsShortText(max: number): PropertyDecorator {
  return rule('isShortText', {
    check: (value) => typeof value === 'string' && codePoints(value) <= max,
    expected: `text of at most ${max} characters`,
    schema: { type: 'string', maxLength: max },
  });
}

/** `true` or `false`. */
export function IsFlag(): PropertyDecorator {
  return rule('isFlag', {
    check: (value) => typeof value === 'boolean',
    expected: 'true or false',
    schema: { type: 'boolean' },
  });
}

/** One of `values`. */
export function IsOneOf(values: readonly string[]): PropertyDecorator {
  return rule('isOneOf', {
    check: (value) => typeof value === 'string' && values.includes(value),
    expected: `one of ${values.join(', ')}`,
    schema: { type: 'string', enum: values },
  });
}

/** A UUID of any version (RFC 9562). */
export function IsUuid(): PropertyDecorator {
  return rule('isUuid', { check: (value) => isUUID(value), expected: 'a UUID', schema: UUID });
}

/** 1 to 128 of `A-Za-z0-9._:-`. */
export function IsConversationId(): PropertyDecorator {
  return rule('isConversationId', {
    check: isConversationId,
    expected: 'text of 1 to 128 characters of A-Z a-z 0-9 . _ : -',
    schema: NAME,
  });
}

/** 1 to 128 printable ASCII characters. */
export function IsClientMessageId(): PropertyDecorator {
  return rule('isClientMessageId', {
    check: isClientMessageId,
    expected: 'text of 1 to 128 printable ASCII characters',
    schema: { type: 'string', pattern: '^[\\x20-\\x7e]{1,128}$' },
  });
}

/** A user's id, as the `sub` of a token may be. */
export function IsUserId(): PropertyDecorator {
  return rule('isUserId', {
    check: isUserId,
    expected: `text of 1 to ${LIMITS.userIdChars} characters without control characters`,
    schema: USER_ID,
  });
}

/** A list of 1 to `max` user ids. */
export function AreUserIds(max: number): PropertyDecorator {
  return rule('areUserIds', {
    check: listOf(isUserId, max),
    expected: `a list of 1 to ${max} user ids`,
    schema: { type: 'array', items: USER_ID, minItems: 1, maxItems: max },
  });
}

/** A list of 1 to `max` names of topics. */
export function AreTopics(max: number): PropertyDecorator {
  return rule('areTopics', {
    check: listOf(isTopic, max),
    expected: `a list of 1 to ${max} names of 1 to 128 characters of A-Z a-z 0-9 . _ : -`,
    schema: { type: 'array', items: NAME, minItems: 1, maxItems: max },
  });
}

function listOf(check: Check, max: number): Check {
  return (value) => Array.isArray(value) && value.length >= 1 && value.length <= max && value.every(check);
}

/** An object at most 4 levels deep and 4 KiB large. */
export function IsMetadata(): PropertyDecorator {
  return rule('isMetadata', {
    check: isMetadata,
    expected:
      'an object of at most 4 levels and 4096 bytes, its texts without control characters or lone surrogates',
    schema: { type: 'object', description: 'At most 4 levels and 4096 bytes.' },
  });
}

/** Text of a message: clean by `isCleanText`, and not empty. Its length is checked elsewhere and has an error code of its own. */
export function IsContent(): PropertyDecorator {
  return rule('isContent', {
    check: (value) => typeof value === 'string' && value !== '' && isCleanText(value),
    expected: 'text without control characters or lone surrogates, and not empty',
    schema: { type: 'string', minLength: 1 },
  });
}

/** Clean text of 1 to `max` UTF-16 code units. */
export function IsText(max: number): PropertyDecorator {
  return rule('isText', {
    check: (value) => typeof value === 'string' && value !== '' && value.length <= max && isCleanText(value),
    expected: `text of 1 to ${max} characters without control characters`,
    schema: { type: 'string', minLength: 1, maxLength: max },
  });
}

/** A whole number from `min` to `max`. */
export function IsWhole(min: number, max: number = Number.MAX_SAFE_INTEGER): PropertyDecorator {
  return rule('isWhole', {
    check: (value) => Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max,
    expected: `a whole number from ${min} to ${max}`,
    schema: { type: 'integer', minimum: min, maximum: max },
  });
}

/** Turns the digits of a query parameter into their number. Anything else stays as it is, for {@link IsWhole} to refuse. */
export function FromDigits(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value,
  );
}

/** `limit` in the query of a list: 1 to 200, default 50 (protocol section 5). */
export function PageLimit(): PropertyDecorator {
  return applyDecorators(
    Optional({ default: LIMITS.defaultPageMessages }),
    FromDigits(),
    IsWhole(1, LIMITS.pageMessages),
  );
}

/** Text that matches `pattern`. `expected` ends the sentence `<property> must be …`. */
export function IsMatching(pattern: RegExp, expected: string): PropertyDecorator {
  return rule('isMatching', {
    check: (value) => typeof value === 'string' && pattern.test(value),
    expected,
    schema: { type: 'string', pattern: pattern.source },
  });
}

/** Describes `cursor` in the query of a list. */
export const NEXT_CURSOR: JsonSchema = { description: '`nextCursor` of the previous page.' };
