// npm run -s doctor: findings on stdout, a line each; exit code 1 where something fails.
import { launch } from './lib/say.mjs';
import { prepare } from './lib/prepare.mjs';

await launch(prepare);
const command = /** @type {typeof import('../src/operations/doctor/doctor.command.js')} */ (
  await import(new URL('../dist/doctor.js', import.meta.url).href)
);
process.exitCode = await command.runDoctorCommand(process.argv.slice(2));
