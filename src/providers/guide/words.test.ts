import { describe, expect, it } from 'vitest';
import { indexTerms, stem, synonymsOf } from './words.js';

describe('words', () => {
  it('are found whole and by their parts', () => {
    expect(indexTerms('DATABASE_URL')).toEqual(['database_url', 'databas', 'url']);
    expect(indexTerms('clientMessageId')).toEqual(['clientmessageid', 'client', 'messag', 'id']);
    expect(indexTerms('`message:send`, /api/docs')).toEqual([
      'message:send',
      'messag',
      'send',
      'api/docs',
      'api',
      'doc',
    ]);
    expect(indexTerms('Straße 429')).toEqual(['straße', '429']);
  });

  it.each([
    ['reload', 'reloads', 'reloaded', 'reloading'],
    ['stop', 'stops', 'stopped', 'stopping'],
    ['kill', 'kills', 'killed', 'killing'],
    ['message', 'messages', 'messaging'],
    ['query', 'queries'],
  ])('have one stem in all their forms: %s', (...forms) => {
    expect(new Set(forms.map(stem)).size).toBe(1);
  });

  it('know others that mean the same', () => {
    expect(synonymsOf(stem('postgres'))).toContain(stem('database'));
    expect(synonymsOf('zebra')).toEqual([]);
  });
});
