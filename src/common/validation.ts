import { ValidateBy, ValidateIf } from 'class-validator';
import {
  isCleanText,
  isClientMessageId,
  isConversationId,
  isMetadata,
  isTopic,
  isUserId,
  LIMITS,
} from '../protocol/index.js';

type Check = (value: unknown) => boolean;

function rule(name: string, validate: Check, says: string): PropertyDecorator {
  return ValidateBy({
    name,
    validator: { validate, defaultMessage: (args) => `${args?.property ?? 'value'} must be ${says}` },
  });
}

/** The property may be left out. Unlike class-validator's own `IsOptional`, null does not count as left out. */
export function Optional(): PropertyDecorator {
  return ValidateIf((_object, value: unknown) => value !== undefined);
}

/** 1 to 128 of `A-Za-z0-9._:-`. */
export function IsConversationId(): PropertyDecorator {
  return rule('isConversationId', isConversationId, '1 to 128 characters of A-Z a-z 0-9 . _ : -');
}

/** 1 to 128 printable ASCII characters. */
export function IsClientMessageId(): PropertyDecorator {
  return rule('isClientMessageId', isClientMessageId, '1 to 128 printable ASCII characters');
}

/** A user's id, as a token's `sub` may be. */
export function IsUserId(): PropertyDecorator {
  return rule('isUserId', isUserId, `1 to ${LIMITS.userIdChars} characters without control characters`);
}

/** A list of 1 to `max` users' ids. */
export function AreUserIds(max: number): PropertyDecorator {
  return rule('areUserIds', listOf(isUserId, max), `a list of 1 to ${max} user ids`);
}

/** A list of 1 to `max` names of topics. */
export function AreTopics(max: number): PropertyDecorator {
  const says = `a list of 1 to ${max} names of 1 to 128 characters of A-Z a-z 0-9 . _ : -`;
  return rule('areTopics', listOf(isTopic, max), says);
}

function listOf(check: Check, max: number): Check {
  return (value) => Array.isArray(value) && value.length >= 1 && value.length <= max && value.every(check);
}

/** An object at most 4 deep and 4 KiB. */
export function IsMetadata(): PropertyDecorator {
  return rule('isMetadata', isMetadata, 'an object of at most 4 levels and 4096 bytes');
}

/** Text of a message: not empty, no control characters but tab, LF and CR, no lone surrogates. Its length has a code of its own. */
export function IsContent(): PropertyDecorator {
  const isContent: Check = (value) => typeof value === 'string' && value !== '' && isCleanText(value);
  return rule('isContent', isContent, 'text without control characters or lone surrogates, and not empty');
}

/** Well-formed text of 1 to `max` UTF-16 code units. */
export function IsText(max: number): PropertyDecorator {
  const isText: Check = (value) =>
    typeof value === 'string' && value !== '' && value.length <= max && isCleanText(value);
  return rule('isText', isText, `text of 1 to ${max} characters without control characters`);
}

/** A whole number from `min` to `max`. */
export function IsWhole(min: number, max: number = Number.MAX_SAFE_INTEGER): PropertyDecorator {
  const isWhole: Check = (value) =>
    Number.isSafeInteger(value) && Number(value) >= min && Number(value) <= max;
  return rule('isWhole', isWhole, `a whole number from ${min} to ${max}`);
}
