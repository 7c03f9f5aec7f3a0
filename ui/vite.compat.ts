/** One plain script for pages of Appmixer's SDK, which have no modules: it sets `window.Appmixer` at once. */
import { defineConfig } from 'vite';

export default defineConfig({
  define: { 'import.meta.url': 'undefined' },
  build: {
    outDir: 'dist',
    emptyOutDir: false,
    target: 'es2022',
    lib: { entry: 'sdk/compat.ts', formats: ['iife'], name: 'HeadraceCompat', fileName: () => 'sdk/compat.js' },
  },
});
