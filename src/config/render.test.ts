import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';
import { integer, optionalText } from './fields.js';
import { renderEnvExample } from './render.js';
import { VARIABLES } from './variables.js';

const example = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');

describe('.env.example', () => {
  it('is what the code says (mend it with: npm run config:env)', () => {
    expect(example).toBe(renderEnvExample(VARIABLES));
  });

  it('names every variable once, and sets none', () => {
    const named = [...example.matchAll(/^#([A-Z_0-9]+)=/gm)].map(([, name]) => name);
    expect(named).toEqual(Object.keys(VARIABLES));
    expect(parse(example)).toEqual({});
  });

  it('gives the default configuration when every line with a value is uncommented', () => {
    const all = parse(example.replaceAll(/^#([A-Z_0-9]+=)/gm, '$1'));
    expect(readConfig(all)).toEqual(readConfig({}));
  });
});

it('writes documentation, name and default, and nothing behind a variable without one', () => {
  const text = renderEnvExample({ SIZE: integer(7, 'How large.'), NAME: optionalText('Who.') });
  expect(text).toContain('\n# How large.\n#SIZE=7\n\n# Who.\n#NAME=\n');
});
