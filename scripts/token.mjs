// npm run -s token -- --sub alice: one token on stdout, everything else on stderr.
import { launch } from './lib/say.mjs';
import { prepare } from './lib/prepare.mjs';

await launch(prepare);
const built = new URL('../dist/src/auth/token.command.js', import.meta.url).href;
/** @type {typeof import('../src/auth/token.command.js')} */
const { runTokenCommand } = await import(built);
process.exitCode = await runTokenCommand(process.argv.slice(2));
