import { DomainError } from './domain-error.js';

/** A page of a list. */
export interface CursorPage<T> {
  items: T[];
  /** Where the next page begins; absent on the last page. */
  nextCursor?: string;
}

/**
 * Makes a page of at most `limit` items.
 * @param found the items after the cursor, read with a limit of `limit + 1`: the extra one shows that another page follows.
 * @param cursorOf returns the cursor of the page that follows an item: the item's key in the order of the list.
 * @example
 * const found = await store.ofUser(userId, after, limit + 1);
 * return toCursorPage(found, limit, ({ id }) => id);
 */
export function toCursorPage<T>(
  found: readonly T[],
  limit: number,
  cursorOf: (last: T) => string,
): CursorPage<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, ...(found.length > limit && last !== undefined && { nextCursor: cursorOf(last) }) };
}

/** Encodes the key of a list that is ordered by several columns. The parts must not contain spaces. */
export function encodeCursor(parts: readonly string[]): string {
  return Buffer.from(parts.join(' ')).toString('base64url');
}

/**
 * Decodes a cursor of {@link encodeCursor}. Clients can send any text, so each part has a check of its own.
 * @throws {DomainError} `invalid_payload` when the number of parts or a part is not as encoded.
 */
export function decodeCursor<const Checks extends readonly ((part: string) => boolean)[]>(
  cursor: string,
  checks: Checks,
): { [Part in keyof Checks]: string } {
  const parts = Buffer.from(cursor, 'base64url').toString().split(' ');
  if (parts.length !== checks.length || !checks.every((check, index) => check(parts[index] ?? ''))) {
    const fault = 'cursor must be the nextCursor of the previous page';
    throw new DomainError('invalid_payload', `${fault}.`, { details: { faults: [fault] } });
  }
  return parts as { [Part in keyof Checks]: string };
}
