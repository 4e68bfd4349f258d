import { applyDecorators } from '@nestjs/common';
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger';
import { Transform } from 'class-transformer';
import { ValidateBy, ValidateIf, type ValidationArguments } from 'class-validator';
import {
  isCleanText,
  isClientMessageId,
  isConversationId,
  isMetadata,
  isTopic,
  isUserId,
  LIMITS,
} from '../../protocol/index.js';
import type { SchemaContext } from './payload-schema.js';
import type { JsonSchema } from '../../protocol/schemas/schema.js';

type Check = (value: unknown) => boolean;

/** What a rule asks for: in words for an error, and as far as JSON Schema can say it, for descriptions of the interface. */
interface Meaning {
  says: string;
  schema: JsonSchema;
}

const NAME: JsonSchema = { type: 'string', pattern: '^[A-Za-z0-9._:-]{1,128}$' };
const USER_ID: JsonSchema = { type: 'string', minLength: 1, maxLength: LIMITS.userIdChars };

function rule(name: string, validate: Check, { says, schema }: Meaning): PropertyDecorator {
  const context: SchemaContext = { schema };
  const validator = {
    validate,
    defaultMessage: (args?: ValidationArguments) => `${args?.property ?? 'value'} must be ${says}`,
  };
  return applyDecorators(ApiProperty(schema), ValidateBy({ name, validator }, { context }));
}

/** The property may be left out. Unlike class-validator's own `IsOptional`, null does not count as left out. */
export function Optional(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional(),
    ValidateIf((_object, value: unknown) => value !== undefined),
  );
}

/** 1 to 128 of `A-Za-z0-9._:-`. */
export function IsConversationId(): PropertyDecorator {
  return rule('isConversationId', isConversationId, {
    says: '1 to 128 characters of A-Z a-z 0-9 . _ : -',
    schema: NAME,
  });
}

/** 1 to 128 printable ASCII characters. */
export function IsClientMessageId(): PropertyDecorator {
  return rule('isClientMessageId', isClientMessageId, {
    says: '1 to 128 printable ASCII characters',
    schema: { type: 'string', pattern: '^[\\x20-\\x7e]{1,128}$' },
  });
}

/** A user's id, as a token's `sub` may be. */
export function IsUserId(): PropertyDecorator {
  return rule('isUserId', isUserId, {
    says: `1 to ${LIMITS.userIdChars} characters without control characters`,
    schema: USER_ID,
  });
}

/** A list of 1 to `max` users' ids. */
export function AreUserIds(max: number): PropertyDecorator {
  return rule('areUserIds', listOf(isUserId, max), {
    says: `a list of 1 to ${max} user ids`,
    schema: { type: 'array', items: USER_ID, minItems: 1, maxItems: max },
  });
}

/** A list of 1 to `max` names of topics. */
export function AreTopics(max: number): PropertyDecorator {
  const says = `a list of 1 to ${max} names of 1 to 128 characters of A-Z a-z 0-9 . _ : -`;
  return rule('areTopics', listOf(isTopic, max), {
    says,
    schema: { type: 'array', items: NAME, minItems: 1, maxItems: max },
  });
}

function listOf(check: Check, max: number): Check {
  return (value) => Array.isArray(value) && value.length >= 1 && value.length <= max && value.every(check);
}

/** An object at most 4 deep and 4 KiB. */
export function IsMetadata(): PropertyDecorator {
  return rule('isMetadata', isMetadata, {
    says: 'an object of at most 4 levels and 4096 bytes',
    schema: { type: 'object', description: 'At most 4 levels and 4096 bytes.' },
  });
}

/** Text of a message: not empty, no control characters but tab, LF and CR, no lone surrogates. Its length has a code of its own. */
export function IsContent(): PropertyDecorator {
  const isContent: Check = (value) => typeof value === 'string' && value !== '' && isCleanText(value);
  return rule('isContent', isContent, {
    says: 'text without control characters or lone surrogates, and not empty',
    schema: { type: 'string', minLength: 1 },
  });
}

/** Well-formed text of 1 to `max` UTF-16 code units. */
export function IsText(max: number): PropertyDecorator {
  const isText: Check = (value) =>
    typeof value === 'string' && value !== '' && value.length <= max && isCleanText(value);
  return rule('isText', isText, {
    says: `text of 1 to ${max} characters without control characters`,
    schema: { type: 'string', minLength: 1, maxLength: max },
  });
}

/** Of a query, which is all text: digits become their number; anything else stays as it is, for {@link IsWhole} to refuse. */
export function FromDigits(): PropertyDecorator {
  return Transform(({ value }: { value: unknown }) =>
    typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value,
  );
}

/** A whole number from `min` to `max`. */
export function IsWhole(min: number, max: number = Number.MAX_SAFE_INTEGER): PropertyDecorator {
  const isWhole: Check = (value) =>
    Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
  return rule('isWhole', isWhole, {
    says: `a whole number from ${min} to ${max}`,
    schema: { type: 'integer', minimum: min, maximum: max },
  });
}
