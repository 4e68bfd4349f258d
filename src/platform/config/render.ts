import type { Field } from './fields.js';

type Fields = Readonly<Record<string, Field<unknown>>>;

const HEAD = `# Configuration of Streamgate: every variable with its default.
# Copy this file to .env, and remove the # before what you set. An empty value counts as unset.
# With NODE_ENV=production in the environment .env is not read.
`;
const TABLE = /^<!-- variables: (\S+) -->\n[^]*?^<!-- end of variables -->$/gm;

/** The text of `.env.example`: each of `variables` with its documentation, commented out, and its default behind it. */
export function renderEnvExample(variables: Fields): string {
  const entries = Object.entries(variables).map(
    ([name, { doc, defaultText = '' }]) => `# ${plain(doc)}\n#${name}=${defaultText}\n`,
  );
  return [HEAD, ...entries].join('\n');
}

/**
 * `page` with the tables of `groups` as they are now, each between the comments `<!-- variables: group -->` and
 * `<!-- end of variables -->`; what stands around them is kept.
 * @throws where the page names a group that does not exist, or not every group once.
 */
export function renderTables(page: string, groups: Readonly<Record<string, Fields>>): string {
  const left = new Set(Object.keys(groups));
  const rendered = page.replaceAll(TABLE, (_found, group: string) => {
    const variables = groups[group];
    if (!variables || !left.delete(group)) {
      throw new Error(`The page has the table of ${group} twice, or there is no such group of variables.`);
    }
    return `<!-- variables: ${group} -->\n\n${renderTable(variables)}\n\n<!-- end of variables -->`;
  });
  if (left.size > 0) {
    throw new Error(
      `The page lacks <!-- variables: ${[...left].join(', ')} --> and <!-- end of variables -->.`,
    );
  }
  return rendered;
}

/** A Markdown table with its columns in line, as the formatter would have it. */
function renderTable(variables: Fields): string {
  const rows = Object.entries(variables).map(([name, { doc, defaultText }]) => [
    code(name),
    defaultText ? code(defaultText) : '–',
    doc,
  ]);
  const all = [['variable', 'default', 'meaning'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], filler: string): string =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width, filler)).join(' | ')} |`;
  const [head = [], ...body] = all;
  return [line(head, ' '), line([], '-'), ...body.map((row) => line(row, ' '))].join('\n');
}

/** Markdown's marks removed; a link becomes its text. */
function plain(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');
}

function code(text: string): string {
  return `\`${text}\``;
}
