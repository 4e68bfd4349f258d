import type { Field } from './fields.js';

type Fields = Readonly<Record<string, Field<unknown>>>;

const HEAD = `# Configuration of Streamgate: every variable with its default.
# Copy this file to .env, and remove the # before what you set. An empty value counts as unset.
# With NODE_ENV=production in the environment .env is not read.
`;
const LIST = /^<!-- variables: (\S+) -->\n[^]*?^<!-- end of variables -->$/gm;
const MAX_LINE = 130;
/** A word, a code span or a link: text that no line break may divide. A mark that would begin a list stays with the word before it. */
const PIECE = /(?:`[^`]*`|\[[^\]]*\]\([^)]*\)|\S)+(?: (?:[-+*#>=]+|\d+[.)])(?= |$))*/g;

/** Returns the text of `.env.example`: each variable with its documentation, then its default, commented out. */
export function renderEnvExample(variables: Fields): string {
  const entries = Object.entries(variables).map(
    ([name, { doc, defaultText = '' }]) => `# ${plain(doc)}\n#${name}=${defaultText}\n`,
  );
  return [HEAD, ...entries].join('\n');
}

/**
 * Returns `page` with a current list of the variables of each group, between the comments `<!-- variables: group -->`
 * and `<!-- end of variables -->`. The text around the lists is kept.
 * @throws if the page names a group that does not exist, or does not name every group exactly once.
 */
export function renderLists(page: string, groups: Readonly<Record<string, Fields>>): string {
  const remaining = new Set(Object.keys(groups));
  const rendered = page.replaceAll(LIST, (_found, group: string) => {
    const variables = groups[group];
    if (!variables || !remaining.delete(group)) {
      throw new Error(`The page lists ${group} twice, or there is no such group of variables.`);
    }
    return `<!-- variables: ${group} -->\n\n${renderList(variables)}\n\n<!-- end of variables -->`;
  });
  if (remaining.size > 0) {
    throw new Error(
      `The page lacks <!-- variables: ${[...remaining].join(', ')} --> and <!-- end of variables -->.`,
    );
  }
  return rendered;
}

/** Returns a Markdown list, wrapped, in the form of the formatter. */
function renderList(variables: Fields): string {
  return Object.entries(variables)
    .map(([name, { doc, defaultText }]) => {
      const preset = defaultText ? `default ${code(defaultText)}` : 'no default';
      return wrap(`- ${code(name)} (${preset}): ${doc}`);
    })
    .join('\n');
}

/** Breaks the text of a list item into lines of at most {@link MAX_LINE} characters where it can. */
function wrap(item: string): string {
  const lines: string[] = [];
  for (const piece of item.match(PIECE) ?? []) {
    const line = lines.at(-1);
    if (line === undefined) lines.push(piece);
    else if (line.length + 1 + piece.length <= MAX_LINE) lines[lines.length - 1] = `${line} ${piece}`;
    else lines.push(`  ${piece}`);
  }
  return lines.join('\n');
}

/** Returns the text without Markdown's marks; a link becomes its text. */
function plain(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').replaceAll('`', '');
}

function code(text: string): string {
  return `\`${text}\``;
}
