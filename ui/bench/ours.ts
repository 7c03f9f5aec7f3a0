/** Our canvas, as the designer drives it. */
import css from '../kit/style.css';
import { Canvas } from '../sdk/designer/canvas.ts';
import { scene, settled } from './scene.js';

const host = document.querySelector<HTMLElement>('#host')!;
const shadow = host.attachShadow({ mode: 'open' });
const sheet = new CSSStyleSheet();
sheet.replaceSync(css);
shadow.adoptedStyleSheets = [sheet];
const canvasHost = shadow.appendChild(document.createElement('div'));
canvasHost.className = 'canvas';
const nothing = (): void => undefined;

Object.assign(window, {
  show: async (count: number) => {
    const { nodes, wires } = scene(count) as { nodes: { id: string; x: number; y: number; title: string }[]; wires: { id: string; source: string; target: string }[] };
    const start = performance.now();
    const canvas = new Canvas(canvasHost, { select: nothing, move: nothing, connect: nothing, reconnect: nothing, cut: nothing, resize: nothing, pull: nothing, open: nothing, view: nothing, key: nothing });
    canvas.set(
      nodes.map((node) => ({ ...node, kind: 'bench', icon: '', ins: ['in'], outs: ['out', 'error'], problem: '' as const, problems: '', trouble: '', mark: '' })),
      wires.map((wire) => ({ ...wire, outPort: 'out', inPort: 'in', mark: '' })),
    );
    canvas.fit();
    await settled();
    return performance.now() - start;
  },
});
