// npm run -s token -- --sub alice: one token on stdout, everything else on stderr.
import { launch } from './lib/say.mjs';
import { prepare } from './lib/prepare.mjs';

await launch(prepare);
const command = /** @type {typeof import('../src/auth/tokens/token.command.js')} */ (
  await import(new URL('../dist/token.js', import.meta.url).href)
);
process.exitCode = await command.runTokenCommand(process.argv.slice(2));
