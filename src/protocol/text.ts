import { LIMITS } from './limits.js';

const CONVERSATION_ID = /^[A-Za-z0-9._:-]{1,128}$/;
const PRINTABLE_ASCII = /^[\x20-\x7e]+$/;
// C0 controls but tab, line feed and carriage return; DEL and the C1 controls.
// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/;
const CONTROLS = new RegExp(CONTROL.source, 'g');

/** Whether `value` may be a conversation's id: 1 to 128 of `A-Za-z0-9._:-`. */
export function isConversationId(value: unknown): value is string {
  return typeof value === 'string' && CONVERSATION_ID.test(value);
}

/** Whether `value` may be the name of a topic: 1 to 128 of `A-Za-z0-9._:-`, as a conversation's id. */
export function isTopic(value: unknown): value is string {
  return typeof value === 'string' && CONVERSATION_ID.test(value);
}

/** Whether `value` may be a `clientMessageId`: 1 to 128 printable ASCII characters. */
export function isClientMessageId(value: unknown): value is string {
  return (
    typeof value === 'string' && value.length <= LIMITS.clientMessageIdChars && PRINTABLE_ASCII.test(value)
  );
}

/** Whether `value` may be a user's id: 1 to 256 code units without control characters or lone surrogates. */
export function isUserId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    value.length >= 1 &&
    value.length <= LIMITS.userIdChars &&
    isCleanText(value) &&
    !/[\t\n\r]/.test(value)
  );
}

/** Whether `text` is free of lone surrogates and of control characters other than tab, LF and CR (protocol section 4, Input). */
export function isCleanText(text: string): boolean {
  return text.isWellFormed() && !CONTROL.test(text);
}

/** Returns `text` with everything that {@link isCleanText} refuses replaced by U+FFFD: the rule for a provider's text. */
export function cleanText(text: string): string {
  return text.toWellFormed().replace(CONTROLS, '\ufffd');
}

/** Returns the number of Unicode code points in `text`. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Whether `value` is a plain JSON object within the bounds for `metadata`: at most 4 deep and 4 KiB. */
export function isMetadata(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  if (!isShallow(value, LIMITS.metadataDepth)) return false;
  return new TextEncoder().encode(JSON.stringify(value)).length <= LIMITS.metadataBytes;
}

function isShallow(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return isCleanText(value);
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  return Object.entries(value).every(([key, item]) => isCleanText(key) && isShallow(item, depth - 1));
}
