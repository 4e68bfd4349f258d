import { expect, test } from 'vitest';
import { answerToJson, shareJson } from './shared-json.js';

test('An answer is the JSON that it would be without sharing', () => {
  const members = shareJson([{ userId: 'a"b', name: 'é\u2028' }, { userId: 'c' }]);
  const answer = { ok: true, 'odd "key"': 1, members, gone: undefined, none: null, nested: { members } };
  expect(answerToJson(answer)).toBe(JSON.stringify(answer));
  expect(answerToJson({ ok: true, gone: undefined })).toBe('{"ok":true}');
  expect(answerToJson({ list: shareJson([]) })).toBe('{"list":[]}');
});

test('What answers share is made into text once', () => {
  let made = 0;
  const members = shareJson([{ toJSON: () => (made += 1) }]);
  for (let reader = 0; reader < 3; reader += 1)
    expect(answerToJson({ reader, members })).toBe(`{"reader":${reader},"members":[1]}`);
  expect(made).toBe(1);
});
