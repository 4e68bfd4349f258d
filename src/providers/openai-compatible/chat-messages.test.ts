import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { strictRefusal } from '../../../test/support/strict-prompt.js';
import type { PromptMessage } from '../provider.js';
import { ContinuationGap, toChatMessages } from './chat-messages.js';

const { signal } = new AbortController();

function messagesOf(messages: readonly PromptMessage[], continueFrom?: string) {
  return toChatMessages({
    ...{ model: 'any', messages, signal },
    ...(continueFrom !== undefined && { continueFrom }),
  });
}

const blank = fc.constantFrom('', ' ', '\n\t', '\u0085', '\u001f', '\u200b', '\u2028', '\ufeff');
const words = fc.oneof(fc.string({ minLength: 1, unit: 'grapheme' }), fc.lorem());
const long = fc.integer({ min: 1000, max: 20_000 }).map((size) => 'long text '.repeat(size / 10));
const content = fc.oneof({ weight: 1, arbitrary: blank }, { weight: 5, arbitrary: words }, long);
const message = fc.record(
  {
    role: fc.constantFrom('user', 'user', 'assistant', 'assistant', 'system'),
    content,
    name: fc.oneof(blank, fc.constantFrom('Alice', 'Bob\nSmith', 'system', 'a'.repeat(128))),
  },
  { requiredKeys: ['role', 'content'] },
) as fc.Arbitrary<PromptMessage>;
const history = fc.array(message, { maxLength: 60 });

describe('messages of a prompt', () => {
  it('are taken by the strictest servers, whatever the history', () => {
    fc.assert(
      fc.property(history, content, (before, question) => {
        const messages = messagesOf([...before, { role: 'user', content: question }]);
        expect(strictRefusal(messages)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('are taken by the strictest servers when an answer is continued', () => {
    fc.assert(
      fc.property(history, content, (before, continueFrom) => {
        const messages = messagesOf([...before, { role: 'user', content: 'Well?' }], continueFrom);
        expect(strictRefusal(messages, true)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  it('hold all that was said from the first question on, in order', () => {
    const role = fc.constantFrom('user', 'assistant');
    fc.assert(
      fc.property(fc.array(role, { maxLength: 30 }), (roles) => {
        const said = [...roles, 'user' as const].map((role, index) => ({ role, content: `text ${index}` }));
        const heard = messagesOf(said)
          .map(({ content }) => content)
          .join('\n\n');
        const from = said.findIndex(({ role }) => role === 'user');
        expect(heard).toBe(
          said
            .slice(from)
            .map(({ content }) => content)
            .join('\n\n'),
        );
      }),
    );
  });

  it('join the questions of two people, each with its name', () => {
    expect(
      messagesOf([
        { role: 'assistant', content: 'An answer whose question is too long ago.' },
        { role: 'user', content: 'One?', name: 'Alice' },
        { role: 'user', content: 'Two?', name: 'Bob' },
      ]),
    ).toEqual([{ role: 'user', content: 'Alice: One?\n\nBob: Two?' }]);
  });

  it('have one system message, at the beginning', () => {
    expect(
      messagesOf([
        { role: 'user', content: 'Hi' },
        { role: 'system', content: 'Be brief.' },
        { role: 'system', content: 'Be kind.' },
        { role: 'user', content: 'Well?' },
      ]),
    ).toEqual([
      { role: 'system', content: 'Be brief.\n\nBe kind.' },
      { role: 'user', content: 'Hi\n\nWell?' },
    ]);
  });

  it.each([
    ['again, in pieces', ['\n', '\n\tb', '\n'], '\tb\n'],
    ['in part', ['\nb'], 'b'],
    ['not at all', ['b', '\n\n'], 'b\n\n'],
  ])('leave out whitespace before a continuation, which the model may send %s', (_, texts, rest) => {
    const gap = new ContinuationGap('a\n\n');
    expect(texts.map((text) => gap.close(text)).join('')).toBe(rest);
  });

  it('have a placeholder for a question without a visible character', () => {
    expect(messagesOf([{ role: 'user', content: '\u200b' }])).toEqual([
      { role: 'user', content: '(empty message)' },
    ]);
  });
});
