import { describe, expect, it } from 'vitest';
import { contentWords, synonymsOf, termsOf, wordsOf } from './words.js';

function termsIn(text: string): string[] {
  return wordsOf(text).flatMap(termsOf);
}

describe('words', () => {
  it('are found whole and by their parts', () => {
    expect(termsIn('DATABASE_URL')).toEqual(['database_url', 'databas', 'url']);
    expect(termsIn('clientMessageId')).toEqual(['clientmessageid', 'client', 'messag', 'id']);
    expect(termsIn('`message:send`, /api/docs')).toEqual([
      'message:send',
      'messag',
      'send',
      'api/docs',
      'api',
      'doc',
    ]);
    expect(termsIn('Straße 429')).toEqual(['straße', '429']);
  });

  it.each([
    ['reload', 'reloads', 'reloaded', 'reloading'],
    ['stop', 'stops', 'stopped', 'stopping'],
    ['kill', 'kills', 'killed', 'killing'],
    ['message', 'messages', 'messaging'],
    ['query', 'queries'],
  ])('have one stem in all their forms: %s', (...forms) => {
    expect(new Set(forms.flatMap(termsOf)).size).toBe(1);
  });

  it('know others that mean the same', () => {
    const [postgres, database] = termsIn('postgres database');
    expect(synonymsOf(postgres ?? '')).toContain(database);
    expect(synonymsOf('zebra')).toEqual([]);
  });

  it('of a question are those that tell something, and phrases count as one', () => {
    expect(contentWords('How do I back it up?')).toEqual(['backup', 'restore']);
    expect(contentWords('How do I scale to 3 servers behind a load balancer')).toEqual([
      ...['scale', 'servers', 'behind', 'balancer'],
    ]);
  });
});
