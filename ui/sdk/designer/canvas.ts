/**
 * The canvas: cards and wires in, gestures out. It knows nothing of flows, the network or the rest of the page.
 *
 * Only what is in sight is in the document, and below a certain zoom one bitmap shows everything, so that a flow of
 * thousands of cards moves as lightly as one of ten.
 */
import type { Sheet } from '../../flow/sheets.ts';
import { translator } from '../../kit/l10n.ts';
import type { Translate } from '../../kit/l10n.ts';
import { CARD_WIDTH, around, cardHeight, intersects, portOffset, wirePath } from './geometry.ts';
import type { Box, Point } from './geometry.ts';

export interface Card extends Point {
  id: string;
  title: string;
  kind: string;
  icon: string;
  ins: readonly string[];
  outs: readonly string[];
  problem: 'error' | 'warning' | '';
  problems: string;
  /** The first of them in few words, as it stands on the card. */
  trouble: string;
  mark: string;
}

/** A note, or a frame around cards, where it lies in the world. */
export interface Paper extends Sheet {
  id: string;
}

export interface Wire {
  id: string;
  source: string;
  outPort: string;
  target: string;
  inPort: string;
  mark: string;
}

export interface Counts {
  done: number;
  failed: number;
  waiting: number;
  /** What the last of those waits for. */
  why?: string;
  state: '' | 'done' | 'failed' | 'waiting' | 'active';
}

export interface Gestures {
  select(ids: string[], wire: string): void;
  move(places: Map<string, Point>, gesture: string): void;
  connect(source: string, outPort: string, target: string, inPort: string): void;
  reconnect(wire: string, target: string, inPort: string): void;
  cut(wire: string): void;
  resize(id: string, size: { width: number; height: number }, gesture: string): void;
  /** A wire was let go over nothing. */
  pull(source: string, outPort: string, at: Point): void;
  open(id: string): void;
  view(zoom: number): void;
  key(event: KeyboardEvent, id: string): void;
}

interface View extends Point {
  zoom: number;
}

type Drag =
  | { kind: 'pan'; start: Point; view: View }
  | { kind: 'box'; start: Point; kept: string[] }
  | { kind: 'cards'; start: Point; from: Map<string, Point>; hasMoved: boolean; isAdding: boolean; gesture: string }
  | { kind: 'size'; id: string; start: Point; from: Paper; gesture: string }
  | { kind: 'wire'; source: string; outPort: string; wire: string; start: Point };

const FAR = 0.35;
const LEAST_ZOOM = 0.08;
const MOST_ZOOM = 2;
const THING = '.card, .sheet';
const SVG = 'http://www.w3.org/2000/svg';

export class Canvas {
  readonly #host: HTMLElement;
  readonly #gestures: Gestures;
  readonly #t: Translate;
  readonly #world = element('div', 'world');
  readonly #ground = element('div', 'ground');
  readonly #wires = document.createElementNS(SVG, 'svg');
  readonly #bitmap = element('canvas', 'bitmap');
  readonly #band = element('div', 'band');
  readonly #live = new AbortController();
  readonly #resize: ResizeObserver;
  #cards = new Map<string, Card>();
  #papers = new Map<string, Paper>();
  #scene: readonly Wire[] = [];
  #counts: ReadonlyMap<string, Counts> = new Map();
  #flows: ReadonlyMap<string, number> = new Map();
  #selected = new Set<string>();
  #wire = '';
  #view: View = { x: 40, y: 40, zoom: 1 };
  #drag: Drag | undefined;
  #pending: SVGPathElement | undefined;
  /** An output that was tapped: the next card that is tapped is what it leads to. */
  #armed: { source: string; outPort: string } | undefined;
  #mounted = new Map<string, { node: HTMLElement; drawn: string }>();
  #laid = new Map<string, { node: HTMLElement; drawn: string }>();
  #drawn = new Map<string, SVGGElement>();
  #frame = 0;
  #gesture = 0;
  #focused = '';
  #isFitted = false;
  #pointers = new Map<number, Point>();
  isReadOnly = false;

  constructor(host: HTMLElement, gestures: Gestures, t: Translate = translator(undefined)) {
    this.#t = t;
    this.#host = host;
    this.#gestures = gestures;
    this.#wires.setAttribute('class', 'wires');
    this.#wires.setAttribute('aria-hidden', 'true');
    this.#world.append(this.#ground, this.#wires);
    this.#bitmap.setAttribute('aria-hidden', 'true');
    this.#band.hidden = true;
    host.append(this.#bitmap, this.#world, this.#band);
    const options = { signal: this.#live.signal };
    host.addEventListener('pointerdown', (event) => this.#press(event), options);
    host.addEventListener('pointermove', (event) => this.#move(event), options);
    host.addEventListener('pointerup', (event) => this.#release(event), options);
    host.addEventListener('pointercancel', (event) => this.#end(event), options);
    host.addEventListener('dblclick', (event) => this.#open(event), options);
    host.addEventListener('keydown', (event) => this.#key(event), options);
    host.addEventListener('wheel', (event) => this.#wheel(event), { ...options, passive: false });
    host.addEventListener('focusin', (event) => this.#focus(event), options);
    this.#resize = new ResizeObserver(() => (this.#isFitted && !this.#drag ? this.fit() : this.draw()));
    this.#resize.observe(host);
  }

  destroy(): void {
    this.#live.abort();
    this.#resize.disconnect();
    cancelAnimationFrame(this.#frame);
    this.#host.replaceChildren();
  }

  set(cards: readonly Card[], wires: readonly Wire[], papers: readonly Paper[] = []): void {
    if (this.#drag?.kind !== 'cards' && this.#drag?.kind !== 'size') {
      this.#cards = new Map(cards.map((card) => [card.id, card]));
      this.#papers = new Map(papers.map((paper) => [paper.id, paper]));
    }
    this.#scene = wires;
    this.draw();
  }

  select(ids: Iterable<string>, wire = ''): void {
    this.#selected = new Set(ids);
    this.#wire = wire;
    this.draw();
  }

  overlay(counts: ReadonlyMap<string, Counts>, flows: ReadonlyMap<string, number>): void {
    this.#counts = counts;
    this.#flows = flows;
    this.draw();
  }

  get zoom(): number {
    return this.#view.zoom;
  }

  /** The point of the world that lies there on the screen. */
  at(client: Point): Point {
    const box = this.#host.getBoundingClientRect();
    return {
      x: (client.x - box.left - this.#view.x) / this.#view.zoom,
      y: (client.y - box.top - this.#view.y) / this.#view.zoom,
    };
  }

  middle(): Point {
    const box = this.#host.getBoundingClientRect();
    return this.at({ x: box.left + box.width / 2, y: box.top + box.height / 2 });
  }

  zoomBy(factor: number, at?: Point): void {
    const box = this.#host.getBoundingClientRect();
    const centre = at ?? { x: box.left + box.width / 2, y: box.top + box.height / 2 };
    const zoom = Math.min(MOST_ZOOM, Math.max(LEAST_ZOOM, this.#view.zoom * factor));
    const fixed = this.at(centre);
    this.#isFitted = false;
    this.#view = { x: centre.x - box.left - fixed.x * zoom, y: centre.y - box.top - fixed.y * zoom, zoom };
    this.draw();
    this.#gestures.view(zoom);
  }

  fit(most = 1): void {
    const box = around(this.#boxes());
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (!box.width || !width) return;
    const zoom = Math.max(LEAST_ZOOM, Math.min(most, (width - 96) / box.width, (height - 112) / box.height));
    this.#view = { zoom, x: (width - box.width * zoom) / 2 - box.x * zoom, y: (height - box.height * zoom) / 2 - box.y * zoom };
    this.#isFitted = true;
    this.draw();
    this.#gestures.view(zoom);
  }

  /** Bring a card into sight, and the keyboard to it. */
  reveal(id: string, hasFocus = true): void {
    const card = this.#cards.get(id);
    const box = card ? boxOf(card) : this.#papers.get(id);
    if (!box) return;
    const seen = this.#seen(-24);
    const { zoom } = this.#view;
    const beyond = (start: number, length: number, from: number, room: number): number =>
      start < from ? start - from : Math.max(0, Math.min(start - from, start + length - from - room));
    const dx = beyond(box.x, box.width, seen.x, seen.width) * zoom;
    const dy = beyond(box.y, box.height, seen.y, seen.height) * zoom;
    if (dx || dy) this.#view = { zoom, x: this.#view.x - dx, y: this.#view.y - dy };
    this.#focused = id;
    this.#paint();
    if (hasFocus) (this.#mounted.get(id) ?? this.#laid.get(id))?.node.focus({ preventScroll: true });
  }

  /** Leave the view as it is when the canvas changes its size: somebody works at a place. */
  hold(): void {
    this.#isFitted = false;
  }

  centreOn(point: Point): void {
    this.#isFitted = false;
    const { clientWidth: width, clientHeight: height } = this.#host;
    this.#view = { ...this.#view, x: width / 2 - point.x * this.#view.zoom, y: height / 2 - point.y * this.#view.zoom };
    this.draw();
  }

  draw(): void {
    if (!this.#frame) this.#frame = requestAnimationFrame(() => this.#paint());
  }

  /** A small picture of everything, with what is in sight marked. The value leads from its pixels to the world. */
  map(bitmap: HTMLCanvasElement): (at: Point) => Point {
    const seen = this.#seen(0);
    const box = around([...this.#boxes(), seen]);
    const ratio = devicePixelRatio || 1;
    const { clientWidth: width, clientHeight: height } = bitmap;
    const zoom = Math.min(width / (box.width + 80), height / (box.height + 80));
    const view = { zoom, x: (width - box.width * zoom) / 2 - box.x * zoom, y: (height - box.height * zoom) / 2 - box.y * zoom };
    const context = sized(bitmap, width, height, ratio);
    if (context) {
      this.#picture(context, view, false);
      context.strokeStyle = this.#colour('--hr-primary');
      context.lineWidth = 1.5 / zoom;
      context.strokeRect(seen.x, seen.y, seen.width, seen.height);
    }
    return ({ x, y }) => ({ x: (x - view.x) / zoom, y: (y - view.y) / zoom });
  }

  #paint(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const { x, y, zoom } = this.#view;
    const isFar = zoom < FAR;
    this.#host.classList.toggle('far', isFar);
    this.#host.style.setProperty('--grid', `${24 * zoom * (zoom < 0.5 ? 2 : 1)}px`);
    this.#host.style.setProperty('--grid-x', `${x}px`);
    this.#host.style.setProperty('--grid-y', `${y}px`);
    this.#world.style.transform = `translate(${x}px, ${y}px) scale(${zoom})`;
    const seen = this.#seen(120);
    this.#paintPapers(isFar ? undefined : seen);
    this.#paintCards(isFar ? undefined : seen);
    this.#paintWires(isFar ? undefined : seen);
    if (isFar) {
      const { clientWidth: width, clientHeight: height } = this.#host;
      const context = sized(this.#bitmap, width, height, devicePixelRatio || 1);
      if (context) this.#picture(context, this.#view, true);
    }
  }

  #boxes(): Box[] {
    return [...[...this.#cards.values()].map(boxOf), ...this.#papers.values()];
  }

  #paintPapers(seen: Box | undefined): void {
    for (const [id, { node }] of this.#laid) {
      const paper = this.#papers.get(id);
      if (paper && seen && (intersects(paper, seen) || id === this.#focused)) continue;
      node.remove();
      this.#laid.delete(id);
    }
    if (!seen) return;
    for (const paper of this.#papers.values()) {
      if (!intersects(paper, seen) && paper.id !== this.#focused) continue;
      let kept = this.#laid.get(paper.id);
      if (!kept) {
        kept = { node: element('div', 'sheet'), drawn: '' };
        this.#laid.set(paper.id, kept);
        this.#ground.append(kept.node);
      }
      kept.node.style.transform = `translate(${paper.x}px, ${paper.y}px)`;
      const drawn = JSON.stringify([paper, this.#selected.has(paper.id), this.isReadOnly]);
      if (drawn === kept.drawn) continue;
      kept.drawn = drawn;
      lay(kept.node, paper, this.#selected.has(paper.id), this.isReadOnly, this.#t);
    }
  }

  #paintCards(seen: Box | undefined): void {
    for (const [id, { node }] of this.#mounted) {
      const card = this.#cards.get(id);
      if (card && seen && (intersects(boxOf(card), seen) || id === this.#focused)) continue;
      node.remove();
      this.#mounted.delete(id);
    }
    if (!seen) return;
    const first = this.#cards.has(this.#focused) ? this.#focused : this.#cards.keys().next().value;
    for (const card of this.#cards.values()) {
      if (!intersects(boxOf(card), seen) && card.id !== this.#focused) continue;
      let kept = this.#mounted.get(card.id);
      if (!kept) {
        const node = element('div', 'card');
        node.dataset['componentId'] = card.id;
        node.setAttribute('role', 'group');
        kept = { node, drawn: '' };
        this.#mounted.set(card.id, kept);
        this.#world.append(node);
      }
      const { node } = kept;
      node.style.transform = `translate(${card.x}px, ${card.y}px)`;
      node.tabIndex = card.id === first ? 0 : -1;
      const isSelected = this.#selected.has(card.id);
      const counts = this.#counts.get(card.id);
      const drawn = JSON.stringify([card, isSelected, counts]);
      if (drawn === kept.drawn) continue;
      kept.drawn = drawn;
      fill(node, card, isSelected, counts, this.#t);
    }
  }

  #paintWires(seen: Box | undefined): void {
    const wanted = new Set<string>();
    for (const wire of seen ? this.#scene : []) {
      const ends = this.#ends(wire);
      if (!ends || !seen || !intersects(around([{ ...ends[0], width: 1, height: 1 }, { ...ends[1], width: 1, height: 1 }]), seen)) continue;
      wanted.add(wire.id);
      let group = this.#drawn.get(wire.id);
      if (!group) {
        group = document.createElementNS(SVG, 'g');
        group.append(svg('path', 'hit'), svg('path', 'line'), svg('text', 'count'));
        group.dataset['wire'] = wire.id;
        this.#drawn.set(wire.id, group);
        this.#wires.append(group);
      }
      const [from, to] = ends;
      const path = wirePath(from, to);
      const [hit, line, count] = [...group.children] as [SVGPathElement, SVGPathElement, SVGTextElement];
      if (line.getAttribute('d') !== path) {
        line.setAttribute('d', path);
        hit.setAttribute('d', path);
        count.setAttribute('x', String((from.x + to.x) / 2));
        count.setAttribute('y', String((from.y + to.y) / 2 - 7));
      }
      const passed = this.#flows.get(wire.id) ?? 0;
      group.setAttribute('class', ['wire', wire.mark, this.#wire === wire.id ? 'selected' : '', passed ? 'used' : ''].join(' '));
      const text = passed ? String(passed) : '';
      if (count.textContent !== text) count.textContent = text;
    }
    for (const [id, group] of this.#drawn) {
      if (wanted.has(id)) continue;
      group.remove();
      this.#drawn.delete(id);
    }
  }

  #picture(context: CanvasRenderingContext2D, view: View, hasTitles: boolean): void {
    context.translate(view.x, view.y);
    context.scale(view.zoom, view.zoom);
    context.lineWidth = Math.max(2, 1 / view.zoom);
    for (const { x, y, width, height, colour } of this.#papers.values()) {
      context.fillStyle = this.#colour(`--hr-sheet-${colour}`);
      context.fillRect(x, y, width, height);
    }
    context.strokeStyle = this.#colour('--hr-wire');
    context.beginPath();
    for (const wire of this.#scene) {
      const ends = this.#ends(wire);
      if (!ends) continue;
      const [from, to] = ends;
      const reach = Math.max(36, Math.abs(to.x - from.x) / 2);
      context.moveTo(from.x, from.y);
      context.bezierCurveTo(from.x + reach, from.y, to.x - reach, to.y, to.x, to.y);
    }
    context.stroke();
    const colours = { error: this.#colour('--hr-error'), warning: this.#colour('--hr-warning'), '': this.#colour('--hr-card-far') };
    const chosen = this.#colour('--hr-primary');
    context.font = `600 26px system-ui, sans-serif`;
    for (const card of this.#cards.values()) {
      const { x, y, width, height } = boxOf(card);
      context.fillStyle = this.#selected.has(card.id) ? chosen : colours[card.problem];
      context.fillRect(x, y, width, height);
      if (hasTitles && view.zoom > 0.16) {
        context.fillStyle = this.#colour('--hr-text');
        context.fillText(card.title.slice(0, 14), x + 12, y + 38, width - 24);
      }
    }
  }

  #colour(name: string): string {
    return getComputedStyle(this.#host).getPropertyValue(name).trim() || '#888';
  }

  #ends(wire: Wire): [Point, Point] | undefined {
    const [source, target] = [this.#cards.get(wire.source), this.#cards.get(wire.target)];
    if (!source || !target) return undefined;
    const [out, into] = [Math.max(0, source.outs.indexOf(wire.outPort)), Math.max(0, target.ins.indexOf(wire.inPort))];
    return [
      { x: source.x + CARD_WIDTH, y: source.y + portOffset(out, source.outs.length) },
      { x: target.x, y: target.y + portOffset(into, target.ins.length) },
    ];
  }

  #seen(margin: number): Box {
    const { x, y, zoom } = this.#view;
    const { clientWidth, clientHeight } = this.#host;
    return {
      x: (-x - margin) / zoom,
      y: (-y - margin) / zoom,
      width: (clientWidth + 2 * margin) / zoom,
      height: (clientHeight + 2 * margin) / zoom,
    };
  }

  #press(event: PointerEvent): void {
    if (event.button === 2) return;
    this.#pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.#pointers.size === 2) {
      this.#drag = undefined;
      return;
    }
    const target = event.target as Element;
    const start = { x: event.clientX, y: event.clientY };
    const port = target.closest<HTMLElement>('[data-port]');
    const node = target.closest<HTMLElement>(THING);
    const id = node?.dataset['componentId'] ?? (this.zoom < FAR ? this.#under(start) : undefined);
    const wire = target.closest<SVGGElement>('[data-wire]')?.dataset['wire'];
    this.#host.setPointerCapture(event.pointerId);
    if (this.#armed) {
      const { source, outPort } = this.#armed;
      this.disarm();
      event.preventDefault();
      const over = this.#landing(start);
      if (over && over.id !== source) this.#gestures.connect(source, outPort, over.id, over.port);
      if (over || port) return;
    }
    if (port && id && !this.isReadOnly) {
      event.preventDefault();
      node?.focus({ preventScroll: true });
      this.#pick(port, id, start);
      return;
    }
    const paper = id && target.closest('.handle') ? this.#papers.get(id) : undefined;
    if (paper && !this.isReadOnly) {
      event.preventDefault();
      this.#gesture += 1;
      this.#choose([paper.id]);
      this.#drag = { kind: 'size', id: paper.id, start, from: paper, gesture: `size-${this.#gesture}` };
      return;
    }
    if (id && event.button === 0) {
      const isAdding = event.shiftKey || event.ctrlKey || event.metaKey;
      if (isAdding) this.#choose(this.#selected.has(id) ? [...this.#selected].filter((each) => each !== id) : [...this.#selected, id]);
      else if (!this.#selected.has(id)) this.#choose([id]);
      this.#focused = id;
      const from = this.#places(this.#withContents([...this.#selected]));
      this.#gesture += 1;
      this.#drag = { kind: 'cards', start, from, hasMoved: false, isAdding, gesture: `drag-${this.#gesture}` };
      this.#paint();
      node?.focus({ preventScroll: true });
      event.preventDefault();
    } else if (wire !== undefined) {
      this.#choose([], wire);
      this.#host.focus({ preventScroll: true });
      event.preventDefault();
    } else if (event.shiftKey) {
      this.#drag = { kind: 'box', start, kept: [...this.#selected] };
    } else {
      this.#drag = { kind: 'pan', start, view: this.#view };
    }
  }

  /** Frames take along what lies within them. */
  #withContents(ids: readonly string[]): string[] {
    const found = new Set(ids);
    for (const id of ids) {
      const frame = this.#papers.get(id);
      if (frame?.kind !== 'frame') continue;
      for (const card of this.#cards.values()) if (contains(frame, boxOf(card))) found.add(card.id);
      for (const paper of this.#papers.values()) if (paper !== frame && contains(frame, paper)) found.add(paper.id);
    }
    return [...found];
  }

  #places(ids: Iterable<string>): Map<string, Point> {
    return new Map([...ids].flatMap((id): [string, Point][] => {
      const thing = this.#cards.get(id) ?? this.#papers.get(id);
      return thing ? [[id, { x: thing.x, y: thing.y }]] : [];
    }));
  }

  #pick(port: HTMLElement, id: string, start: Point): void {
    const name = port.dataset['port'] ?? '';
    if (port.dataset['side'] === 'out') {
      this.#drag = { kind: 'wire', source: id, outPort: name, wire: '', start };
      return;
    }
    const chosen = this.#scene.find((wire) => wire.id === this.#wire && wire.target === id && wire.inPort === name);
    const last = chosen ?? this.#scene.findLast((wire) => wire.target === id && wire.inPort === name);
    if (last) this.#drag = { kind: 'wire', source: last.source, outPort: last.outPort, wire: last.id, start };
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (before && this.#pointers.size === 2) return this.#pinch(event, before);
    const drag = this.#drag;
    if (!drag) return;
    const at = { x: event.clientX, y: event.clientY };
    if (drag.kind === 'wire') return this.#stretch(drag, at);
    const [dx, dy] = [at.x - drag.start.x, at.y - drag.start.y];
    if (drag.kind === 'pan') {
      this.#host.classList.add('panning');
      this.#isFitted = false;
      this.#view = { ...drag.view, x: drag.view.x + dx, y: drag.view.y + dy };
    } else if (drag.kind === 'box') {
      this.#stretchBand(drag.start, at, drag.kept);
    } else if (drag.kind === 'size') {
      const { width, height } = drag.from;
      this.#papers.set(drag.id, { ...drag.from, width: Math.max(120, width + dx / this.zoom), height: Math.max(64, height + dy / this.zoom) });
    } else if (!this.isReadOnly && (drag.hasMoved || Math.hypot(dx, dy) > 4)) {
      drag.hasMoved = true;
      this.#isFitted = false;
      for (const [id, place] of drag.from) {
        const card = this.#cards.get(id);
        const to = { x: place.x + dx / this.zoom, y: place.y + dy / this.zoom };
        if (card) this.#cards.set(id, { ...card, ...to });
        const sheet = this.#papers.get(id);
        if (sheet) this.#papers.set(id, { ...sheet, ...to });
      }
    }
    this.draw();
  }

  #pinch(event: PointerEvent, before: Point): void {
    const other = [...this.#pointers].find(([id]) => id !== event.pointerId)?.[1];
    if (!other) return;
    const now = { x: event.clientX, y: event.clientY };
    this.#pointers.set(event.pointerId, now);
    const [was, is] = [before, now].map((each) => Math.hypot(each.x - other.x, each.y - other.y)) as [number, number];
    this.zoomBy(is / Math.max(1, was), { x: (now.x + other.x) / 2, y: (now.y + other.y) / 2 });
  }

  #stretch(drag: Drag & { kind: 'wire' }, client: Point): void {
    const source = this.#cards.get(drag.source);
    if (!source) return;
    if (!this.#pending) {
      this.#pending = svg('path', 'pending') as SVGPathElement;
      this.#wires.append(this.#pending);
      this.#host.classList.add('connecting');
    }
    const from = { x: source.x + CARD_WIDTH, y: source.y + portOffset(Math.max(0, source.outs.indexOf(drag.outPort)), source.outs.length) };
    this.#pending.setAttribute('d', wirePath(from, this.at(client)));
    const over = this.#landing(client);
    for (const [id, { node }] of this.#mounted) node.classList.toggle('landing', over?.id === id);
  }

  #stretchBand(start: Point, at: Point, kept: string[]): void {
    const host = this.#host.getBoundingClientRect();
    const [x, y] = [Math.min(start.x, at.x), Math.min(start.y, at.y)];
    this.#band.hidden = false;
    this.#band.style.transform = `translate(${x - host.left}px, ${y - host.top}px)`;
    this.#band.style.width = `${Math.abs(at.x - start.x)}px`;
    this.#band.style.height = `${Math.abs(at.y - start.y)}px`;
    const corner = this.at({ x, y });
    const box = { ...corner, width: Math.abs(at.x - start.x) / this.zoom, height: Math.abs(at.y - start.y) / this.zoom };
    const inside = [
      ...[...this.#cards.values()].filter((card) => intersects(boxOf(card), box)),
      ...[...this.#papers.values()].filter((paper) => contains(box, paper)),
    ].map((each) => each.id);
    this.#choose([...new Set([...kept, ...inside])]);
  }

  #release(event: PointerEvent): void {
    const drag = this.#drag;
    const at = { x: event.clientX, y: event.clientY };
    this.#end(event);
    if (!drag) return;
    if (drag.kind === 'pan' && Math.hypot(at.x - drag.start.x, at.y - drag.start.y) < 4) {
      this.#choose([]);
      this.#host.focus({ preventScroll: true });
    } else if (drag.kind === 'cards' && drag.hasMoved) {
      this.#gestures.move(this.#places(drag.from.keys()), drag.gesture);
    } else if (drag.kind === 'cards' && !drag.isAdding) {
      this.#gestures.open(this.#focused);
    } else if (drag.kind === 'size') {
      const { width, height } = this.#papers.get(drag.id) ?? drag.from;
      this.#gestures.resize(drag.id, { width: Math.round(width), height: Math.round(height) }, drag.gesture);
    } else if (drag.kind === 'wire') this.#let(drag, at);
  }

  /** Forget an output that was tapped. */
  disarm(): void {
    this.#armed = undefined;
    this.#host.classList.remove('connecting', 'armed');
    for (const lit of this.#host.querySelectorAll('.port.lit')) lit.classList.remove('lit');
  }

  #let(drag: Drag & { kind: 'wire' }, at: Point): void {
    if (Math.hypot(at.x - drag.start.x, at.y - drag.start.y) < 6) {
      if (drag.wire) return;
      this.#armed = { source: drag.source, outPort: drag.outPort };
      this.#host.classList.add('connecting', 'armed');
      this.#mounted.get(drag.source)?.node.querySelector(`[data-side="out"][data-port="${CSS.escape(drag.outPort)}"]`)?.classList.add('lit');
      return;
    }
    const over = this.#landing(at);
    if (over && drag.wire) this.#gestures.reconnect(drag.wire, over.id, over.port);
    else if (over) this.#gestures.connect(drag.source, drag.outPort, over.id, over.port);
    else if (drag.wire) this.#gestures.cut(drag.wire);
    else this.#gestures.pull(drag.source, drag.outPort, at);
  }

  #end(event: PointerEvent): void {
    this.#pointers.delete(event.pointerId);
    this.#drag = undefined;
    this.#pending?.remove();
    this.#pending = undefined;
    this.#band.hidden = true;
    this.#host.classList.remove('panning', 'connecting');
    for (const { node } of this.#mounted.values()) node.classList.remove('landing');
    if (this.#host.hasPointerCapture(event.pointerId)) this.#host.releasePointerCapture(event.pointerId);
    this.draw();
  }

  /** The in-port a wire would lead to when it is let go here: the one below, or the nearest of the card below. */
  #landing(client: Point): { id: string; port: string } | undefined {
    const at = this.at(client);
    for (const card of [...this.#cards.values()].reverse()) {
      const box = boxOf(card);
      const isOver = at.x > box.x - 18 && at.x < box.x + box.width && at.y > box.y - 6 && at.y < box.y + box.height + 6;
      if (!isOver || !card.ins.length) continue;
      const distance = (index: number): number => Math.abs(portOffset(index, card.ins.length) - (at.y - card.y));
      const nearest = card.ins.map((_, index) => index).sort((a, b) => distance(a) - distance(b))[0] ?? 0;
      return { id: card.id, port: card.ins[nearest] ?? '' };
    }
    return undefined;
  }

  #under(client: Point): string | undefined {
    const at = { ...this.at(client), width: 1, height: 1 };
    return [...this.#cards.values()].findLast((card) => intersects(boxOf(card), at))?.id;
  }

  #choose(ids: string[], wire = ''): void {
    this.#selected = new Set(ids);
    this.#wire = wire;
    this.#gestures.select(ids, wire);
    this.draw();
  }

  #open(event: MouseEvent): void {
    const id = (event.target as Element).closest<HTMLElement>(THING)?.dataset['componentId'];
    if (id) this.#gestures.open(id);
  }

  #focus(event: FocusEvent): void {
    const id = (event.target as Element).closest<HTMLElement>(THING)?.dataset['componentId'];
    if (id) this.#focused = id;
  }

  #wheel(event: WheelEvent): void {
    event.preventDefault();
    if (event.ctrlKey || event.metaKey) {
      this.zoomBy(Math.exp(-event.deltaY / 300), { x: event.clientX, y: event.clientY });
      return;
    }
    this.#isFitted = false;
    const unit = event.deltaMode === 1 ? 20 : 1;
    const [dx, dy] = event.shiftKey ? [event.deltaY, 0] : [event.deltaX, event.deltaY];
    this.#view = { ...this.#view, x: this.#view.x - dx * unit, y: this.#view.y - dy * unit };
    this.draw();
  }

  #key(event: KeyboardEvent): void {
    if (event.key === 'Escape' && this.#armed) return this.disarm();
    const id = (event.target as Element).closest<HTMLElement>(THING)?.dataset['componentId'] ?? '';
    const step = ARROWS[event.key];
    if (step && id && event.altKey && !this.isReadOnly) {
      event.preventDefault();
      this.#nudge(id, step, event.shiftKey ? 5 : 1);
    } else if (step && id) {
      event.preventDefault();
      this.#go(id, step, event.shiftKey);
    } else this.#gestures.key(event, id);
  }

  #nudge(id: string, step: Point, times: number): void {
    const ids = this.#selected.has(id) ? [...this.#selected] : [id];
    const places = this.#places(this.#withContents(ids));
    for (const [each, { x, y }] of places) places.set(each, { x: x + step.x * 24 * times, y: y + step.y * 20 * times });
    this.#gestures.move(places, `nudge-${id}`);
  }

  #go(id: string, step: Point, isAdding: boolean): void {
    const here = this.#cards.get(id) ?? this.#papers.get(id);
    if (!here) return;
    let best: (Point & { id: string }) | undefined;
    let least = Infinity;
    for (const card of [...this.#cards.values(), ...this.#papers.values()]) {
      const [dx, dy] = [card.x - here.x, card.y - here.y];
      const along = dx * step.x + dy * step.y;
      const aside = Math.abs(dx * step.y) + Math.abs(dy * step.x);
      if (card === here || along <= 8 || along + aside * 2 >= least) continue;
      least = along + aside * 2;
      best = card;
    }
    if (!best) return;
    this.#choose(isAdding ? [...new Set([...this.#selected, best.id])] : [best.id]);
    this.reveal(best.id);
  }
}

const ARROWS: Record<string, Point | undefined> = {
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
};

function boxOf(card: Card): Box {
  return { x: card.x, y: card.y, width: CARD_WIDTH, height: cardHeight(card.ins.length, card.outs.length) };
}

function contains(outer: Box, inner: Box): boolean {
  return inner.x >= outer.x && inner.y >= outer.y && inner.x + inner.width <= outer.x + outer.width && inner.y + inner.height <= outer.y + outer.height;
}

function lay(node: HTMLElement, paper: Paper, isSelected: boolean, isReadOnly: boolean, t: Translate): void {
  node.className = ['sheet', paper.kind, paper.colour, isSelected ? 'selected' : ''].join(' ');
  node.dataset['componentId'] = paper.id;
  node.tabIndex = -1;
  node.setAttribute('role', 'group');
  node.setAttribute('aria-label', `${t(paper.kind === 'note' ? 'Note' : 'Group')}: ${paper.text || t('empty')}${isSelected ? `, ${t('selected')}` : ''}`);
  node.style.width = `${paper.width}px`;
  node.style.height = `${paper.height}px`;
  const parts = [text('span', 'words', paper.text || t(paper.kind === 'note' ? 'Note' : 'Group'))];
  if (!isReadOnly) parts.push(element('span', 'handle'));
  node.replaceChildren(...parts);
}

function fill(node: HTMLElement, card: Card, isSelected: boolean, counts: Counts | undefined, t: Translate): void {
  node.className = ['card', isSelected ? 'selected' : '', card.problem, card.mark, counts?.state ? `is-${counts.state}` : ''].join(' ');
  node.style.height = `${cardHeight(card.ins.length, card.outs.length)}px`;
  const said = [card.title, card.kind, card.problems, counts?.failed ? t('{0} failed', counts.failed) : '', isSelected ? t('selected') : ''];
  node.setAttribute('aria-label', said.filter(Boolean).join(', '));
  const parts: Node[] = [];
  const badge = element('span', 'badge');
  const initial = card.title.slice(0, 1).toUpperCase();
  if (/^(data:image\/|https:\/\/)/.test(card.icon)) {
    const image = element('img', 'icon');
    image.alt = '';
    image.draggable = false;
    image.addEventListener('error', () => image.replaceWith(initial), { once: true });
    image.src = card.icon;
    badge.append(image);
  } else badge.append(initial);
  parts.push(badge, text('span', 'title', card.title), card.trouble ? text('span', 'kind trouble', card.trouble) : text('span', 'kind', card.kind));
  if (card.problem) {
    const sign = text('span', 'sign', '!');
    sign.title = card.problems;
    parts.push(sign);
  }
  if (counts && (counts.done || counts.failed || counts.waiting)) {
    const row = element('span', 'counts');
    if (counts.done) row.append(text('span', 'done', `${counts.done}`));
    if (counts.failed) row.append(text('span', 'failed', t('{0} failed', counts.failed)));
    if (counts.waiting) {
      const waiting = text('span', 'waiting', t('{0} waiting', counts.waiting));
      waiting.title = counts.why ?? '';
      row.append(waiting);
    }
    parts.push(row);
  }
  const described = JSON.stringify([card.title, card.ins, card.outs]);
  if (node.dataset['ports'] === described) {
    parts.push(...node.querySelectorAll(':scope > .port, :scope > .port-name')); // a wire may be on its way from one
  } else {
    node.dataset['ports'] = described;
    card.ins.forEach((name, index) => parts.push(...port(card, name, index, 'in', t)));
    card.outs.forEach((name, index) => parts.push(...port(card, name, index, 'out', t)));
  }
  node.replaceChildren(...parts);
}

function port(card: Card, name: string, index: number, side: 'in' | 'out', t: Translate): Node[] {
  const count = side === 'in' ? card.ins.length : card.outs.length;
  const y = portOffset(index, count);
  const button = element('button', `port ${side}`);
  button.type = 'button';
  button.tabIndex = -1;
  button.dataset['port'] = name;
  button.dataset['side'] = side;
  button.style.top = `${y}px`;
  button.setAttribute('aria-label', t(side === 'in' ? 'Input {0} of {1}' : 'Output {0} of {1}', name, card.title));
  if (count < 2) return [button];
  const label = text('span', `port-name ${side}`, name);
  label.style.top = `${y}px`;
  return [button, label];
}

function element<K extends keyof HTMLElementTagNameMap>(name: K, className: string): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  made.className = className;
  return made;
}

function text(name: 'span', className: string, content: string): HTMLElement {
  const made = element(name, className);
  made.textContent = content;
  return made;
}

function svg(name: 'path' | 'text', className: string): SVGElement {
  const made = document.createElementNS(SVG, name);
  made.setAttribute('class', className);
  return made;
}

function sized(bitmap: HTMLCanvasElement, width: number, height: number, ratio: number): CanvasRenderingContext2D | null {
  bitmap.width = Math.round(width * ratio);
  bitmap.height = Math.round(height * ratio);
  const context = bitmap.getContext('2d');
  context?.scale(ratio, ratio);
  return context;
}
