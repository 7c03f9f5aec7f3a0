/** How long 2,000 steps take until they can be worked with, beside @xyflow/react in the same browser. Exits with 1 over budget. */
import { createServer } from 'node:http';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';

const COUNT = Number(process.env.COUNT ?? 2000);
const ROUNDS = Number(process.env.ROUNDS ?? 3);
const MOST_MS = 1000;
const MOST_RATIO = 0.5;

const made = await build({
  entryPoints: ['ours.ts', 'theirs.jsx'],
  absWorkingDir: import.meta.dirname ?? new URL('.', import.meta.url).pathname,
  bundle: true,
  minify: true,
  write: false,
  outdir: 'out',
  format: 'esm',
  jsx: 'automatic',
  define: { 'process.env.NODE_ENV': '"production"' },
  plugins: [
    {
      name: 'our-style-as-text',
      setup: ({ onLoad }) => {
        onLoad({ filter: /kit\/style\.css$/ }, async ({ path }) => ({ contents: await (await import('node:fs/promises')).readFile(path, 'utf8'), loader: 'text' }));
      },
    },
  ],
});
const files = new Map(made.outputFiles.map((file) => [`/${file.path.split('/').at(-1)}`, file.text]));
const page = (name) => `<!doctype html><html><head><link rel="stylesheet" href="/${name}.css"><style>html,body,#host{margin:0;width:100%;height:100%} #host{width:1440px;height:900px} .bench-card{width:216px;height:66px;border:1px solid #ccc;border-radius:12px;background:#fff;padding:8px 12px;box-sizing:border-box;display:flex;flex-direction:column;font:14px system-ui}</style></head><body><div id="host"></div><script type="module" src="/${name}.js"></script></body></html>`;
const server = createServer((request, response) => {
  const path = request.url ?? '/';
  const kind = path.endsWith('.js') ? 'text/javascript' : path.endsWith('.css') ? 'text/css' : 'text/html';
  response.writeHead(200, { 'content-type': kind });
  response.end(files.get(path) ?? (kind === 'text/html' ? page(path.slice(1)) : ''));
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });

async function once(name) {
  const tab = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  tab.on('pageerror', (error) => process.stderr.write(`${name}: ${error.stack}\n`));
  try {
    await tab.goto(`http://127.0.0.1:${port}/${name}`);
    await tab.waitForFunction('typeof show === "function"', undefined, { timeout: 30_000 });
    const spent = await tab.evaluate(`show(${COUNT})`);
    if (process.env.SHOTS) await tab.screenshot({ path: `${process.env.SHOTS}/bench-${name}.png` });
    return spent;
  } finally {
    await tab.close();
  }
}
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

const times = { ours: [], theirs: [] };
try {
  for (let round = 0; round < ROUNDS; round += 1) for (const name of ['ours', 'theirs']) times[name].push(await once(name));
} finally {
  await browser.close();
  server.close();
}
const [ours, theirs] = [median(times.ours), median(times.theirs)];
const said = { count: COUNT, ours_ms: Math.round(ours), xyflow_react_ms: Math.round(theirs), ratio: Number((ours / theirs).toFixed(3)) };
process.stdout.write(`${JSON.stringify(said)}\n`);
if (ours > MOST_MS || ours / theirs > MOST_RATIO) process.exitCode = 1;
