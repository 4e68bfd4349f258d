import { expect, test } from 'vitest';
import { EventQueue, orderOf } from './event-queue.js';

/** A queue whose tasks end when they are told to. `log` has what began. */
function fixture() {
  const queue = new EventQueue();
  const began: string[] = [];
  const ends = new Map<string, () => void>();
  const add = (name: string, event: string, payload: unknown): boolean =>
    queue.add(
      () => {
        began.push(name);
        return new Promise<void>((resolve) => ends.set(name, resolve));
      },
      orderOf(event, payload),
    );
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await new Promise(setImmediate);
  };
  return { add, began, end };
}

const c = { conversationId: 'c' };

test('Events about one conversation run one after the other, and those about others meanwhile', async () => {
  const { add, began, end } = fixture();
  add('leave', 'conversation:leave', c);
  add('join', 'conversation:join', c);
  add('type', 'typing:start', c);
  add('other', 'conversation:join', { conversationId: 'd' });
  add('ping', 'ping', null);
  expect(began).toEqual(['leave', 'other', 'ping']);
  await end('leave');
  expect(began).toEqual(['leave', 'other', 'ping', 'join']);
  await end('join');
  expect(began.at(-1)).toBe('type');
});

test('Sends run at once, and wait for what came before them and hold what comes after', async () => {
  const { add, began, end } = fixture();
  add('join', 'conversation:join', c);
  for (const n of [1, 2, 3]) add(`send ${n}`, 'message:send', c);
  add('leave', 'conversation:leave', c);
  add('late', 'message:send', c);
  expect(began).toEqual(['join']);
  await end('join');
  expect(began).toEqual(['join', 'send 1', 'send 2', 'send 3']);
  await end('send 1');
  await end('send 3');
  expect(began).toHaveLength(4);
  await end('send 2');
  await end('leave');
  expect(began.slice(4)).toEqual(['leave', 'late']);
});

test('A message with an answer and one without keep their order', async () => {
  const { add, began, end } = fixture();
  add('question', 'message:send', c);
  add('note', 'message:send', { ...c, respond: false });
  add('second note', 'message:send', { ...c, respond: false });
  expect(began).toEqual(['question']);
  await end('question');
  expect(began).toEqual(['question', 'note', 'second note']);
});

test('Events of one family without a conversation keep their order: the last presence, watch or token counts', async () => {
  const { add, began, end } = fixture();
  add('watch', 'presence:watch', { userIds: ['a'] });
  add('unwatch', 'presence:unwatch', { userIds: ['a'] });
  add('refresh', 'auth:refresh', { token: 't' });
  expect(began).toEqual(['watch', 'refresh']);
  await end('watch');
  expect(began.at(-1)).toBe('unwatch');
});

test('Eight events run at once; one that waits for its conversation takes none of these places', async () => {
  const { add, began, end } = fixture();
  for (let n = 0; n < 20; n += 1) add(`c ${n}`, 'conversation:join', c);
  for (let n = 0; n < 9; n += 1) add(`d ${n}`, 'conversation:join', { conversationId: `d${n}` });
  expect(began).toEqual(['c 0', 'd 0', 'd 1', 'd 2', 'd 3', 'd 4', 'd 5', 'd 6']);
  await end('d 0');
  expect(began.at(-1)).toBe('d 7');
  await end('c 0');
  expect(began.slice(-1)).toEqual(['d 8']);
  await end('d 1');
  expect(began.at(-1)).toBe('c 1');
});

test('At most five hundred events wait, whatever they wait for (P7)', async () => {
  const { add, end } = fixture();
  let admitted = 0;
  while (add(`join ${admitted}`, 'conversation:join', c)) admitted += 1;
  expect(admitted).toBe(501);
  // A place among those that run is no place to wait in.
  expect(add('other', 'conversation:join', { conversationId: 'd' })).toBe(true);
  await end('join 0');
  expect([add('x', 'conversation:join', c), add('y', 'conversation:join', c)]).toEqual([true, false]);
});

test('A malformed payload has no order (P11)', () => {
  for (const payload of [undefined, null, 7, 'text', [], { conversationId: 7 }]) {
    expect(orderOf('conversation:join', payload).key).toBe('conversation:');
    expect(orderOf('nonsense', payload).key).toBeUndefined();
  }
});
