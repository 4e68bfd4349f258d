// npm run -s import -- --file FILE: reads an export into an empty database; progress on stderr.
import { launch } from './lib/say.mjs';
import { prepare } from './lib/prepare.mjs';

await launch(prepare);
const command = /** @type {typeof import('../src/operations/transfer/import.command.js')} */ (
  await import(new URL('../dist/import.js', import.meta.url).href)
);
process.exitCode = await command.runImportCommand(process.argv.slice(2));
