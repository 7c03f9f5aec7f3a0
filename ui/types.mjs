// The package that the build can be published as: its description, and types whose imports other compilers follow.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const TYPES = 'dist/sdk/types';
for (const name of readdirSync(TYPES, { recursive: true }).filter((each) => each.endsWith('.d.ts'))) {
  const path = join(TYPES, name);
  writeFileSync(path, readFileSync(path, 'utf8').replace(/((?:from|import)\s*\(?['"]\.[^'"]*)\.ts(['"])/g, '$1.js$2'));
}

const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
const description = {
  name: '@headrace/sdk', version, type: 'module', sideEffects: true,
  description: 'Workflow automation to embed: designer, flows, integrations, accounts, insights, as elements of your page.',
  exports: {
    '.': { types: './types/sdk/headrace.d.ts', default: './headrace.mjs' },
    './compat': { types: './types/sdk/compat.d.ts', default: './compat.mjs' },
    './strings-en.json': './strings-en.json',
  },
  types: './types/sdk/headrace.d.ts', module: './headrace.mjs', browser: './headrace.mjs', unpkg: './headrace.js', files: ['*.js', '*.mjs', '*.json', 'types'],
};
writeFileSync('dist/sdk/package.json', `${JSON.stringify(description, undefined, 2)}\n`);
