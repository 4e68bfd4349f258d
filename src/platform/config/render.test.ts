import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';
import { integer, optionalText } from './fields.js';
import { renderEnvExample, renderLists } from './render.js';
import { VARIABLES } from './variables.js';

const example = readFileSync(new URL('../../../.env.example', import.meta.url), 'utf8');

describe('.env.example', () => {
  it('is what the code says (mend it with: npm run config:doc)', () => {
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

it('writes plain documentation, name and default, and no value for a variable without a default', () => {
  const text = renderEnvExample({
    SIZE: integer(7, 'How `large`, see [sizes](sizes.md#all).'),
    NAME: optionalText('Who.'),
  });
  expect(text).toContain('\n# How large, see sizes.\n#SIZE=7\n\n# Who.\n#NAME=\n');
});

describe('the lists of a page', () => {
  const groups = {
    sizes: { SIZE: integer(7, 'How large; `0` is none.'), COUNT: integer(0, 'How many.') },
    names: { NAME: optionalText('Who.') },
  };
  const page = (first: string, second: string) =>
    `# Prose\n\n<!-- variables: ${first} -->\n\nold\n\n<!-- end of variables -->\n\nMore.\n\n` +
    `<!-- variables: ${second} -->\n<!-- end of variables -->\n`;

  it('are written between their comments, and nothing else is touched', () => {
    expect(renderLists(page('sizes', 'names'), groups)).toBe(`# Prose

<!-- variables: sizes -->

- \`SIZE\` (default \`7\`): How large; \`0\` is none.
- \`COUNT\` (default \`0\`): How many.

<!-- end of variables -->

More.

<!-- variables: names -->

- \`NAME\` (no default): Who.

<!-- end of variables -->
`);
  });

  it('are wrapped between words, never inside code or a link, and no line begins like a list', () => {
    const link = '[see the long page of all the sizes that there are](sizes.md#all)';
    const doc = `${'word '.repeat(20)}${link} ${'word '.repeat(18)}- \`a b c d e\` 1. end.`;
    const rendered = renderLists('<!-- variables: all -->\n<!-- end of variables -->', {
      all: { SIZE: integer(7, doc) },
    });
    const lines = rendered.split('\n').slice(2, -2);
    expect(lines.map((line) => line.trim()).join(' ')).toBe(`- \`SIZE\` (default \`7\`): ${doc}`);
    expect(lines.length).toBeGreaterThan(2);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(130);
    for (const line of lines.slice(1)) expect(line).toMatch(/^ {2}[\w[`]/);
    expect(lines.filter((line) => line.includes(link))).toHaveLength(1);
    expect(lines.filter((line) => line.includes('- `a b c d e` 1.'))).toHaveLength(1);
  });

  it('must be there for each group, once, and for no other', () => {
    expect(() => renderLists('# Prose', groups)).toThrow('lacks <!-- variables: sizes, names -->');
    expect(() => renderLists(page('sizes', 'sizes'), groups)).toThrow('lists sizes twice');
    expect(() => renderLists(page('sizes', 'other'), groups)).toThrow('lists other twice, or');
  });
});
