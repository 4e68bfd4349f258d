import { launch } from './lib/say.mjs';
import { prepare } from './lib/prepare.mjs';

await launch(prepare);
// In this very process, so that signals reach the service itself. The name is computed: before the first
// build there is nothing that a type checker or a linter could resolve.
await import(new URL('../dist/main.js', import.meta.url).href);
