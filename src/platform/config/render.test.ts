import { readFileSync } from 'node:fs';
import { parse } from 'dotenv';
import { describe, expect, it } from 'vitest';
import { readConfig } from './config.js';
import { integer, optionalText } from './fields.js';
import { renderEnvExample, renderTables } from './render.js';
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

it('writes plain documentation, name and default, and nothing behind a variable without one', () => {
  const text = renderEnvExample({
    SIZE: integer(7, 'How `large`, see [sizes](sizes.md#all).'),
    NAME: optionalText('Who.'),
  });
  expect(text).toContain('\n# How large, see sizes.\n#SIZE=7\n\n# Who.\n#NAME=\n');
});

describe('the tables of a page', () => {
  const groups = {
    sizes: { SIZE: integer(7, 'How large; `0` is none.') },
    names: { NAME: optionalText('Who.') },
  };
  const page = (first: string, second: string) =>
    `# Prose\n\n<!-- variables: ${first} -->\n\nold\n\n<!-- end of variables -->\n\nMore.\n\n` +
    `<!-- variables: ${second} -->\n<!-- end of variables -->\n`;

  it('are written between their comments, and nothing else is touched', () => {
    expect(renderTables(page('sizes', 'names'), groups)).toBe(`# Prose

<!-- variables: sizes -->

| variable | default | meaning                 |
| -------- | ------- | ----------------------- |
| \`SIZE\`   | \`7\`     | How large; \`0\` is none. |

<!-- end of variables -->

More.

<!-- variables: names -->

| variable | default | meaning |
| -------- | ------- | ------- |
| \`NAME\`   | –       | Who.    |

<!-- end of variables -->
`);
  });

  it('must be there for each group, once, and for no other', () => {
    expect(() => renderTables('# Prose', groups)).toThrow('lacks <!-- variables: sizes, names -->');
    expect(() => renderTables(page('sizes', 'sizes'), groups)).toThrow('the table of sizes twice');
    expect(() => renderTables(page('sizes', 'other'), groups)).toThrow('the table of other twice, or');
  });
});
