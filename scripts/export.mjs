// npm run -s export -- --file FILE: all data, compressed, to a file or stdout; progress on stderr.
import { launch } from './lib/say.mjs';
import { prepare } from './lib/prepare.mjs';

await launch(prepare);
const command = /** @type {typeof import('../src/operations/transfer/export.command.js')} */ (
  await import(new URL('../dist/export.js', import.meta.url).href)
);
process.exitCode = await command.runExportCommand(process.argv.slice(2));
