import { expect } from 'vitest';
import { http } from './http.js';

/** Creates a conversation of `members`, of whom the first is the owner. */
export async function share(url: string, id: string, members: readonly string[]): Promise<void> {
  const [owner = '', ...others] = members;
  expect((await http(url, 'POST /api/conversations', { userId: owner, body: { id } })).status).toBe(201);
  for (const userId of others) {
    const route = `PUT /api/conversations/${id}/members/${encodeURIComponent(userId)}` as const;
    expect((await http(url, route, { userId: owner })).status).toBe(204);
  }
}
