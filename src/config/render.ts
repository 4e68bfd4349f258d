import type { Field } from './fields.js';

const HEAD = `# Configuration of Streamgate: every variable with its default.
# Copy this file to .env, and remove the # before what you set. An empty value counts as unset.
# With NODE_ENV=production in the environment .env is not read.
`;

/** The text of `.env.example`: each of `variables` with its documentation, commented out, and its default behind it. */
export function renderEnvExample(variables: Readonly<Record<string, Field<unknown>>>): string {
  const entries = Object.entries(variables).map(
    ([name, { doc, defaultText = '' }]) => `# ${doc}\n#${name}=${defaultText}\n`,
  );
  return [HEAD, ...entries].join('\n');
}
