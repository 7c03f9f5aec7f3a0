import { readFileSync } from 'node:fs';
import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';
import type { Plugin } from 'vite';
import { english } from './strings.ts';

/** The page and the loader are no modules: they are copied as they are. */
function plainFiles(): Plugin {
  return {
    name: 'headrace-plain-files',
    generateBundle() {
      for (const page of ['index.html', 'backoffice.html']) this.emitFile({ type: 'asset', fileName: page, source: readFileSync(page, 'utf8') });
      this.emitFile({ type: 'asset', fileName: 'sdk/headrace.js', source: readFileSync('sdk/loader.js', 'utf8') });
      this.emitFile({ type: 'asset', fileName: 'sdk/strings-en.json', source: JSON.stringify(english('.'), undefined, 1) });
    },
  };
}

export default defineConfig({
  plugins: [svelte({ compilerOptions: { css: 'external', modernAst: true } }), plainFiles()],
  build: {
    outDir: 'dist',
    target: 'es2022',
    cssTarget: ['chrome120', 'firefox121', 'safari16.4'], // these know :dir(); for others it would become a list of languages
    modulePreload: false,
    rolldownOptions: {
      input: { headrace: 'sdk/headrace.ts', app: 'page/app.ts', compat: 'sdk/compat.ts', backoffice: 'backoffice/app.ts' },
      preserveEntrySignatures: 'strict',
      output: {
        entryFileNames: 'sdk/[name].mjs',
        chunkFileNames: 'sdk/[name]-[hash].js',
        assetFileNames: 'sdk/[name]-[hash][extname]',
        codeSplitting: {
          groups: [
            { name: 'core', priority: 2, test: /\/kit\/(api|widget|events|theme|live|languages)\.ts|\/kit\/style\.css|\/sdk\/(headrace|widgets)\.ts/ },
            { name: 'kit', test: /\/kit\/(ui|context|view|pages|refresh|formats|strings|l10n|icons|connect)|node_modules\/(svelte|esm-env|clsx)/ },
          ],
        },
      },
    },
  },
});
