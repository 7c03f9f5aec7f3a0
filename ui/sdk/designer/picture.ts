/** The flow as a picture that stands alone: SVG, or PNG made of it. Nothing in it is markup that somebody else wrote. */
import type { Card, Paper, Wire } from './canvas.ts';
import { CARD_WIDTH, around, cardHeight, portOffset, wirePath } from './geometry.ts';

const MARGIN = 40;
const SVG = 'http://www.w3.org/2000/svg';
/** No browser draws a larger bitmap everywhere. */
const MOST_PIXELS = 16_000;

export function svgOf(cards: readonly Card[], wires: readonly Wire[], papers: readonly Paper[], colour: (name: string) => string): string {
  const boxes = [...cards.map((card) => ({ x: card.x, y: card.y, width: CARD_WIDTH, height: heightOf(card) })), ...papers];
  const box = around(boxes);
  const root = made('svg', { xmlns: SVG, viewBox: [box.x - MARGIN, box.y - MARGIN, box.width + 2 * MARGIN, box.height + 2 * MARGIN].join(' '), width: box.width + 2 * MARGIN, height: box.height + 2 * MARGIN });
  root.append(made('rect', { x: box.x - MARGIN, y: box.y - MARGIN, width: box.width + 2 * MARGIN, height: box.height + 2 * MARGIN, fill: colour('--hr-canvas') }));
  for (const paper of [...papers].sort((a, b) => Number(a.kind === 'note') - Number(b.kind === 'note'))) root.append(...sheet(paper, colour));
  const known = new Map(cards.map((card) => [card.id, card]));
  for (const wire of wires) {
    const [source, target] = [known.get(wire.source), known.get(wire.target)];
    if (!source || !target) continue;
    const from = { x: source.x + CARD_WIDTH, y: source.y + portOffset(Math.max(0, source.outs.indexOf(wire.outPort)), source.outs.length) };
    const to = { x: target.x, y: target.y + portOffset(Math.max(0, target.ins.indexOf(wire.inPort)), target.ins.length) };
    root.append(made('path', { d: wirePath(from, to), fill: 'none', stroke: colour('--hr-wire'), 'stroke-width': 2 }));
  }
  for (const card of cards) root.append(drawn(card, colour));
  return new XMLSerializer().serializeToString(root);
}

/** A bitmap of it, twice as fine as it is drawn where that is not too large. */
export async function pngOf(svg: string): Promise<Blob> {
  const url = URL.createObjectURL(new Blob([svg], { type: 'image/svg+xml' }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const scale = Math.min(2, MOST_PIXELS / Math.max(image.width, image.height));
    const bitmap = document.createElement('canvas');
    bitmap.width = Math.round(image.width * scale);
    bitmap.height = Math.round(image.height * scale);
    bitmap.getContext('2d')?.drawImage(image, 0, 0, bitmap.width, bitmap.height);
    return await new Promise((resolve, reject) => bitmap.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('This flow is too large for a picture in PNG. Take SVG.'))), 'image/png'));
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Let the browser save it under this name. */
export function save(name: string, content: Blob): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function drawn(card: Card, colour: (name: string) => string): SVGElement {
  const height = heightOf(card);
  const group = made('g', { transform: `translate(${card.x} ${card.y})` });
  const edge = card.problem ? colour(`--hr-${card.problem}`) : colour('--hr-line');
  group.append(made('rect', { width: CARD_WIDTH, height, rx: 12, fill: colour('--hr-raised'), stroke: edge }));
  group.append(made('rect', { x: 13, y: 9, width: 36, height: 36, rx: 9, fill: colour('--hr-icon-back') }));
  if (card.icon.startsWith('data:image/')) group.append(made('image', { x: 20, y: 16, width: 22, height: 22, href: card.icon }));
  group.append(line(card.title, 60, 25, { 'font-weight': 600, 'font-size': 13.5, fill: colour('--hr-text') }, 24));
  group.append(line(card.kind, 60, 41, { 'font-size': 12, fill: colour('--hr-dim') }, 28));
  for (const [side, names] of [['in', card.ins], ['out', card.outs]] as const) {
    names.forEach((name, index) => {
      const [x, y] = [side === 'in' ? 0 : CARD_WIDTH, portOffset(index, names.length)];
      group.append(made('circle', { cx: x, cy: y, r: 5, fill: colour('--hr-raised'), stroke: colour('--hr-strong-line'), 'stroke-width': 2 }));
      if (names.length > 1) group.append(line(name, side === 'in' ? 16 : CARD_WIDTH - 16, y + 4, { 'font-size': 12, fill: colour('--hr-dim'), 'text-anchor': side === 'in' ? 'start' : 'end' }, 14));
    });
  }
  return group;
}

function sheet(paper: Paper, colour: (name: string) => string): SVGElement[] {
  const { x, y, width, height, kind } = paper;
  const fill = colour(`--hr-sheet-${paper.colour}`);
  const dashes = kind === 'frame' ? { 'fill-opacity': 0.55, stroke: colour('--hr-strong-line'), 'stroke-dasharray': '5 4' } : {};
  const lines = kind === 'frame' ? [paper.text.split('\n')[0] ?? ''] : wrapped(paper.text, Math.floor((width - 28) / 7)).slice(0, Math.floor((height - 16) / 20));
  return [
    made('rect', { x, y, width, height, rx: 12, fill, ...dashes }),
    ...lines.map((each, index) => line(each, x + 14, y + 26 + index * 20, { 'font-size': 14, fill: colour('--hr-text'), ...(kind === 'frame' ? { 'font-weight': 600 } : {}) }, 400)),
  ];
}

function wrapped(text: string, most: number): string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines = [''];
    for (const word of paragraph.split(' ')) {
      const last = lines.at(-1) as string;
      if (last && last.length + word.length + 1 > most) lines.push(word);
      else lines[lines.length - 1] = last ? `${last} ${word}` : word;
    }
    return lines;
  });
}

function line(text: string, x: number, y: number, attributes: Record<string, string | number>, most: number): SVGElement {
  const node = made('text', { x, y, 'font-family': 'system-ui, sans-serif', ...attributes });
  node.textContent = text.length > most ? `${text.slice(0, most - 1)}…` : text;
  return node;
}

function made(name: string, attributes: Record<string, string | number>): SVGElement {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) if (key !== 'xmlns') node.setAttribute(key, String(value));
  return node;
}

function heightOf(card: Card): number {
  return cardHeight(card.ins.length, card.outs.length);
}
